"""What is encrypted under the service's secret key: signature secrets at rest, and a text that passes by a browser."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson
import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken

from incidents.bulk import insert
from incidents.tables import SecretRow
from service.settings import Settings, SettingsError

LEAST_SECRET_LENGTH = 32
SECRET = SecretRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it


def secret_key(settings: Settings) -> bytes:
    """The service's secret key: the setting, else one kept in the data directory, made at the first start."""
    if settings.secret_key:
        return settings.secret_key.encode()
    path = settings.data_dir / "secret.key"
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        _make(path)
    key = path.read_bytes().strip()
    if len(key) < LEAST_SECRET_LENGTH:
        raise SettingsError(f"SECRET_KEY: {path} holds fewer than {LEAST_SECRET_LENGTH} characters; remove or mend it")
    return key


def _make(path: Path) -> None:
    """Write a new key under another name and then name it: nobody ever sees half of one, and the first one stays."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            pass  # another process was first: its key is the one
        except OSError:  # a file system without hard links
            draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)


def _fernet(key: bytes, purpose: bytes = b"secrets") -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(purpose + b"|" + key).digest()))


def seal_text(key: bytes, text: str) -> str:
    """A text that only this service, or a replica with its secret key, can open, and only for a while."""
    return _fernet(key, b"passing").encrypt(text.encode()).decode()


def open_text(key: bytes, sealed: str, lasts: int) -> str | None:
    """What `seal_text` sealed within the last so many seconds; None for anything else."""
    try:
        return _fernet(key, b"passing").decrypt(sealed.encode(errors="replace"), ttl=lasts).decode()
    except InvalidToken:
        return None


def seal_kept(key: bytes, text: str) -> str:
    """A text that is kept in the database and that only this service, or a replica with its secret key, can open."""
    return _fernet(key, b"kept").encrypt(text.encode()).decode()


def open_kept(key: bytes, sealed: str) -> str | None:
    """What `seal_kept` sealed; None for what was sealed under another key."""
    try:
        return _fernet(key, b"kept").decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None


def keep(connection: sa.Connection, key: bytes, source: str, texts: Sequence[str]) -> None:
    """Keep a source's secrets, over those that were kept."""
    sealed = _fernet(key).encrypt(orjson.dumps(list(texts))).decode()
    statement = insert(connection, SECRET).values(source=source, sealed=sealed)
    connection.execute(statement.on_conflict_do_update(index_elements=["source"], set_={"sealed": sealed}))


def open_all(connection: sa.Connection, key: bytes) -> Mapping[str, tuple[str, ...]]:
    """Every source's secrets. Raises SettingsError when the secret key is not the one they were encrypted under."""
    fernet = _fernet(key)
    found = {}
    for row in connection.execute(sa.select(SECRET)):
        try:
            found[row.source] = tuple(orjson.loads(fernet.decrypt(row.sealed.encode())))
        except InvalidToken:
            raise SettingsError(f"SECRET_KEY: is not the one under which the secret of {row.source} is kept") from None
    return found
