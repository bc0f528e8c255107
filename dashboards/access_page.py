"""Pages of access: one's own account, and for admins everybody's accounts, sessions, keys and tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from dashboards.paper import signed_in
from dashboards.qr_code import qr_svg
from incidents.views.access_view import WAYS, Account, Factor, Key, Session, Stopped
from incidents.views.view import Viewer

SOON = timedelta(days=14)
"""How long before its end a key is marked."""
_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
"""What names a browser, the most telling first: most call themselves by the names of others too."""
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def browser(agent: str | None) -> str:
    """A browser by the name that people know: "Firefox on Windows"; what is no known one as it calls itself."""
    if not agent:
        return "unknown"
    name = next((name for mark, name in _BROWSERS if f"{mark}/" in agent), None)
    system = next((name for mark, name in _SYSTEMS if mark in agent), None)
    return f"{name} on {system}" if name and system else name or agent


def account_page(
    sessions: Sequence[Session],
    viewer: Viewer,
    *,
    now: datetime,
    current: str,
    groups: Sequence[str],
    password: str,
    factor: Factor,
    stopped: Sequence[Stopped] = (),
    done: str = "",
    error: str | None = None,
) -> str:
    """`current` is the id of the session that looks; `password` is `set`, `unset`, `provider` or `none`.

    `unset` may be set without the former one; `none` is where a token or a link of the operator looks. `done` is
    `password` or `factor`, where that was just set or taken away.
    """
    return signed_in(
        "account.html",
        viewer,
        now,
        now=now,
        sessions=sessions,
        current=current,
        groups=groups,
        password=password,
        factor=factor,
        stopped=stopped,
        qr=qr_svg(factor.address) if factor.address else None,
        done=done,
        error=error,
        ways=WAYS,
        browser=browser,
    )


def access_page(
    accounts: Sequence[Account],
    sessions: Sequence[Session],
    keys: Sequence[Key],
    viewer: Viewer,
    *,
    now: datetime,
    current: str,
    made: str | None = None,
) -> str:
    """`made` is a link, a key or a token that was made a moment ago, shown this once."""
    return signed_in(
        "access.html",
        viewer,
        now,
        now=now,
        accounts=accounts,
        sessions=sessions,
        keys=keys,
        current=current,
        made=made,
        ways=WAYS,
        browser=browser,
        ends_soon=lambda key: key.expires_at is not None and key.expires_at - now < SOON,
    )
