"""StatusCake's web hook for uptime tests: a form, or the same fields as JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from incidents.formats import forms, monitors, payload, placeholders
from incidents.model import Delivery, Statement, UnrecognisedError
from incidents.proofs import signatures

VERSION = 1
TITLE = "StatusCake"
READS = ("statuscake",)
VERIFIES = "Token, the MD5 of user name and API key, or bearer key"
SETUP = {
    "snippets": [
        {
            "title": "Contact group → Web hook URL",
            "language": "text",
            "text": "{url}/{key}\n",
            "note": "Or without the key in the address: give the source your user name in lower case directly "
            "followed by the API key as its secret, and StatusCake's Token is checked.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "not stated by StatusCake"],
        ["On 5xx", "not stated by StatusCake"],
        ["Repeats", "none"],
        ["Resolved", "sent as status Up"],
        ["Time zone", "no times are sent: the receipt counts"],
    ],
}


def verify(delivery: Delivery, secrets: Sequence[str]) -> bool:
    """Whether Token is the MD5 of one of the secrets: a user name in lower case, then the API key."""
    try:
        token = payload.text_of(forms.fields_in(delivery).get("Token"))
    except UnrecognisedError:
        return False
    # MD5 is StatusCake's choice.
    digests = [hashlib.md5(secret.encode(errors="replace")).hexdigest() for secret in secrets if secret]  # noqa: S324
    return signatures.is_token(token, digests)


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by the test's id if it has one, else by its name and address."""
    said = placeholders.filled(forms.fields_in(delivery))
    over = bool(monitors.state_of(said.get("Status"), {"down": False, "up": True}, "Status"))
    name, address = said.get("Name"), monitors.first(said, "URL", "WebsiteURL")
    code = payload.count_of(said.get("StatusCode"))
    event = monitors.event_of(
        delivery,
        key=monitors.first(said, "TestID") or monitors.key_from(name or address, address if name else None),
        title=f"{monitors.word(name, address, default='Test without a name')} is down",
        over=over,
        severity=monitors.down(over),
        labels={
            "test": name,
            "ip": said.get("IP"),
            "status_code": said.get("StatusCode"),
            **monitors.tags_of(said.get("Tags")),
        },
        url=address,
        text=None if over else f"HTTP status {code}" if code else "no answer in time",
    )
    return [event]
