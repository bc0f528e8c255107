"""Second factors of accounts: one-time passwords by time, and recovery codes for when an authenticator is lost.

After RFC 6238 as every authenticator speaks it: SHA-1, six digits, steps of 30 seconds, one step of drift either way.
A code counts once: the step of the last one is kept, and none of it or before is taken again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

import pyotp
import sqlalchemy as sa

from incidents import audit
from incidents.bulk import insert
from incidents.refusals import ConflictError
from incidents.tables import FactorRow, PersonRow, RecoveryCodeRow
from service import clock
from service.seal import open_kept, seal_kept

FACTOR = FactorRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
RECOVERY = RecoveryCodeRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
PERSON = PersonRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
STEP_SECONDS = 30
WAITS = timedelta(minutes=10)
"""How long a new secret waits for its first code."""
DRIFT_STEPS = 1
DIGITS = 6
CODES = 10
_RANDOM_BYTES = 15
"""120 bits, three characters for five bits each: guessing is hopeless, so that a fast hash may keep it."""
LONGEST = 200
"""Characters of what is typed as a code that are looked at."""


class CodeNeededError(Exception):
    """The account has a second factor, and none was shown, or a wrong one, or one that was used already."""

    def __init__(self, name: str) -> None:
        """`name` is the account's."""
        super().__init__(name)
        self.name = name


def is_set(connection: sa.Connection, name: str) -> bool:
    """Whether an account signs in with a second factor."""
    query = sa.select(FACTOR.c.name).where(FACTOR.c.name == name, FACTOR.c.confirmed_at.is_not(None))
    return connection.execute(query).first() is not None


def having(connection: sa.Connection) -> frozenset[str]:
    """The names of the accounts that have one."""
    return frozenset(connection.execute(sa.select(FACTOR.c.name).where(FACTOR.c.confirmed_at.is_not(None))).scalars())


def lacking(connection: sa.Connection, roles: Collection[str]) -> frozenset[str]:
    """The names of the accounts of these roles that sign in by a password alone.

    One of the identity provider has what that asks for.
    """
    if not roles:
        return frozenset()
    query = sa.select(PERSON.c.name).where(PERSON.c.role.in_(roles), PERSON.c.issuer.is_(None))
    return frozenset(connection.execute(query).scalars()) - having(connection)


def codes_left(connection: sa.Connection, name: str) -> int:
    """How many recovery codes of an account are unused."""
    query = sa.select(sa.func.count()).where(RECOVERY.c.name == name, RECOVERY.c.used_at.is_(None))
    return int(connection.execute(query).scalar_one())


# --- set up and taken away ------------------------------------------------------------------------------------------


def begin(connection: sa.Connection, key: bytes, name: str) -> str:
    """A new secret for an account, in base 32; nobody is asked for a code of it until `confirm`.

    Raises ConflictError where the account has a second factor: whoever has a session must not replace it unseen.
    """
    if is_set(connection, name):
        raise ConflictError("there is a second factor already; take it away first")
    text = pyotp.random_base32()
    values = {"sealed": seal_kept(key, text), "made_at": clock.now(), "confirmed_at": None, "last_step": 0}
    statement = insert(connection, FACTOR).values(name=name, **values)
    # Never over one that was confirmed meanwhile.
    unset = FACTOR.c.confirmed_at.is_(None)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values, where=unset))
    return text


def begun(connection: sa.Connection, key: bytes, name: str) -> str | None:
    """The secret that waits for its first code; None where none does, or it has waited too long."""
    fresh = FACTOR.c.made_at >= clock.now() - WAITS
    query = sa.select(FACTOR.c.sealed).where(FACTOR.c.name == name, FACTOR.c.confirmed_at.is_(None), fresh)
    sealed = connection.execute(query).scalar()
    return open_kept(key, sealed) if sealed else None


def confirm(connection: sa.Connection, key: bytes, name: str, code: str, *, by: str) -> list[str] | None:
    """Ask for codes from now on, if this is one of the secret that waits: its recovery codes; None where it is not."""
    if begun(connection, key, name) is None or not _take_code(connection, key, name, code, is_first=True):
        return None
    now = clock.now()
    connection.execute(sa.update(FACTOR).where(FACTOR.c.name == name).values(confirmed_at=now))
    audit.append(connection, "second_factor_set", by=by, of=name, now=now)
    return make_codes(connection, name, by=by)


def make_codes(connection: sa.Connection, name: str, *, by: str) -> list[str]:
    """Recovery codes in the place of those that an account had, shown once."""
    made = [_written(secrets.token_bytes(_RANDOM_BYTES)) for _ in range(CODES)]
    connection.execute(sa.delete(RECOVERY).where(RECOVERY.c.name == name))
    connection.execute(sa.insert(RECOVERY), [{"sha256": _digest(text), "name": name} for text in made])
    audit.append(connection, "recovery_codes_made", by=by, of=name, now=clock.now(), count=len(made))
    return made


def remove(connection: sa.Connection, name: str, *, by: str) -> bool:
    """Take an account's second factor away, with its codes; whether it had one."""
    had = is_set(connection, name)
    connection.execute(sa.delete(RECOVERY).where(RECOVERY.c.name == name))
    connection.execute(sa.delete(FACTOR).where(FACTOR.c.name == name))
    if had:
        audit.append(connection, "second_factor_removed", by=by, of=name, now=clock.now())
    return had


# --- shown ----------------------------------------------------------------------------------------------------------


def require(connection: sa.Connection, key: bytes, name: str, code: str | None) -> str | None:
    """Let an account's sign-in pass: by what it was shown to have a second factor, None where it needs none.

    In the transaction that begins the session, so that a code that was taken began one. Raises CodeNeededError.
    """
    if not is_set(connection, name):
        return None
    shown = take(connection, key, name, code) if code else None
    if shown is None:
        raise CodeNeededError(name)
    return shown


def take(connection: sa.Connection, key: bytes, name: str, text: str) -> str | None:
    """Spend a code (`code`) or a recovery code (`recovery`) of an account; None where it is neither."""
    plain = "".join(text[:LONGEST].split())
    if plain.isascii() and plain.isdecimal() and len(plain) == DIGITS:
        return "code" if _take_code(connection, key, name, plain) else None
    return "recovery" if _take_recovery(connection, name, plain) else None


def _take_code(connection: sa.Connection, key: bytes, name: str, code: str, *, is_first: bool = False) -> bool:
    row = connection.execute(sa.select(FACTOR).where(FACTOR.c.name == name)).first()
    secret = open_kept(key, row.sealed) if row and (is_first or row.confirmed_at) else None
    if row is None or secret is None:
        return False
    step = step_of(secret, "".join(code.split()), clock.now(), after=row.last_step)
    if step is None:
        return False
    # Of two that show the same code at once, one finds that the step is past.
    once = sa.update(FACTOR).where(FACTOR.c.name == name, FACTOR.c.sealed == row.sealed, FACTOR.c.last_step < step)
    return bool(connection.execute(once.values(last_step=step)).rowcount)


def step_of(secret: str, code: str, now: datetime, *, after: int = 0) -> int | None:
    """The time step whose code this is, of those around `now` and later than `after`; None where it is of none."""
    generator, present = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS), int(now.timestamp()) // STEP_SECONDS
    given = code.encode("utf-8", "replace")
    fitting = [
        step
        for step in range(max(present - DRIFT_STEPS, 0), present + DRIFT_STEPS + 1)
        if hmac.compare_digest(generator.generate_otp(step).encode(), given) and step > after
    ]
    return max(fitting, default=None)


def _take_recovery(connection: sa.Connection, name: str, text: str) -> bool:
    now = clock.now()
    unused = (RECOVERY.c.name == name, RECOVERY.c.sha256 == _digest(text), RECOVERY.c.used_at.is_(None))
    if not connection.execute(sa.update(RECOVERY).where(*unused).values(used_at=now)).rowcount:
        return False
    left = codes_left(connection, name)
    audit.append(connection, "recovery_code_used", by=f"user:{name}", of=name, now=now, left=left)
    return True


def _written(random: bytes) -> str:
    """Bytes as people copy them: 24 letters and digits in groups of four."""
    text = base64.b32encode(random).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def _digest(text: str) -> str:
    """What is kept of a recovery code, however it was typed."""
    plain = "".join(each for each in text.lower() if each.isalnum())
    return hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()


def address_of(secret: str, name: str, *, at: str) -> str:
    """The `otpauth:` address that an authenticator reads from a QR code; `at` is the host of this service."""
    issuer = f"Barograph {at}".strip()
    return str(pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS).provisioning_uri(name=name, issuer_name=issuer))
