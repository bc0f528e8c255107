"""`python -m tests.role_table`: every route of the router asked as every role; exit 1 where one is too open.

The answers are those of a service that runs, not of what the routes say of themselves: a role that is not enough must
be refused before anything is looked up, and one that is enough must not be.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from incidents.store import Store
from service.app import create_app
from service.settings import read
from service.shell import OPEN_PATHS
from tests import routed
from tests.senders import CONFIG, KEY
from tests.servers import Barograph, Server

ROLES = ("nobody", "ingest", "viewer", "responder", "admin")
MAY = {"viewer": 0, "responder": 1, "admin": 2}
SENDERS = "/in/"
ENDLESS = ("/api/v1/stream",)
"""What does not end by itself: it is asked for its first line only by its own tests."""


@dataclass(frozen=True, slots=True)
class Line:
    """One route: what it says it needs, and what each role was answered."""

    method: str
    path: str
    least: str
    statuses: Mapping[str, int]

    @property
    def holes(self) -> list[str]:
        """The roles that were answered as they must not be."""
        return [role for role in ROLES if not _is_right(self, role)]


def _is_right(line: Line, role: str) -> bool:
    status = line.statuses[role]
    if line.least == "open":
        return status not in (401, 403) and status < 500
    is_api = line.path.startswith(("/api/", "/metrics"))
    if role == "nobody":
        return status == (401 if is_api else 303)
    if role == "ingest" or MAY[role] < MAY[line.least]:
        return status == 403
    return status not in {401, 403} and status < 500


def least_roles() -> dict[tuple[str, str], str]:
    """What each route of the router needs: a role, or `open`."""
    with tempfile.TemporaryDirectory() as folder, closing(Store(f"sqlite:///{folder}/routes.db")) as store:
        app = create_app(read({"data_dir": folder}, {}), store)
        found = {}
        for route in app.router.routes():
            resource = route.resource
            if resource is None or route.method == "HEAD" or resource.canonical.startswith((SENDERS, *ENDLESS)):
                continue
            named = getattr(resource, "least_role", {}).get(route.method, "viewer")
            is_open = resource.canonical.startswith(OPEN_PATHS)
            found[route.method, resource.canonical] = "open" if is_open else named
    return dict(sorted(found.items(), key=lambda item: (item[0][1], item[0][0])))


@contextmanager
def running() -> Iterator[tuple[Barograph, dict[str, str | None]]]:
    """A service, and what each role shows."""
    with tempfile.TemporaryDirectory(prefix="barograph-roles-") as folder:
        service = Barograph(Path(folder), CONFIG, settings={"REQUESTS_PER_MINUTE": "0"}).start()
        try:
            shown: dict[str, str | None] = {"nobody": None, "ingest": KEY}
            for role in MAY:
                token = shown[role] = service.cli("token", "create", "--role", role).stdout.strip()
                service.until(lambda token=token: service.get("/api/v1/sites", token=token).status == 200)  # type: ignore[misc]  # bound at once
            yield service, shown
        finally:
            service.end()


def asked(service: Server, shown: Mapping[str, str | None]) -> Iterator[Line]:
    """Every route with an empty body, with names in its path that nothing has: what is looked up is not found."""
    for (method, path), least in least_roles().items():
        (address,) = routed.filled(path, {name: [_filler(name)] for name in routed.names_in(path)})
        statuses = {}
        for role in ROLES:
            headers = {"If-Match": "*", **({"Authorization": f"Bearer {shown[role]}"} if shown[role] else {})}
            body = None if method == "GET" else b"{}"
            statuses[role] = service.request(method, address, body, headers=headers).status
        yield Line(method, path, least, statuses)


def _filler(name: str) -> str:
    return {"format": "json", "what": "disable", "entry": "1"}.get(name, "nothing")


def table(lines: Iterable[Line]) -> str:
    """Markdown."""
    head = ["route", "needs", *ROLES]
    rows = [[f"`{one.method} {one.path}`", one.least, *(str(one.statuses[role]) for role in ROLES)] for one in lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def main() -> int:
    """Print the table; 1 where a route is too open, or shut."""
    with running() as (service, shown):
        lines = list(asked(service, shown))
    print(table(lines))
    holes = [f"{one.method} {one.path}: {', '.join(one.holes)}" for one in lines if one.holes]
    told = "\n".join(holes) or "no hole"
    print(f"\n{len(lines)} routes × {len(ROLES)} roles: {told}")
    return 1 if holes else 0


if __name__ == "__main__":
    sys.exit(main())
