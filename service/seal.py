"""Signature secrets at rest: encrypted under the service's secret key, opened only in memory."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import secrets
from collections.abc import Mapping, Sequence

import orjson
import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken

from incidents.store import insert
from incidents.tables import SecretRow
from service.settings import Settings, SettingsError

SECRET = SecretRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it


def secret_key(settings: Settings) -> bytes:
    """The service's secret key: the setting, else one kept in the data directory, made at the first start."""
    if settings.secret_key:
        return settings.secret_key.encode()
    path = settings.data_dir / "secret.key"
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(secrets.token_hex(32))
    return path.read_bytes().strip()


def _fernet(key: bytes) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"secrets|" + key).digest()))


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
