"""Applies a configuration file: plans, writes the rows, and keeps the keys that the file gives."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from incidents import audit, configured
from incidents.adapters import adapters
from incidents.config import LEAST_KEY_LENGTH, Config, ConfigError, config_of
from incidents.configured import Step
from incidents.proofs.signatures import secrets_in
from incidents.store import Store
from service import clock
from service.identity import file_keys
from service.seal import keep, open_all
from service.toml_lines import line_of


def read_file(path: Path) -> dict[str, Any]:
    """The TOML document. Raises ConfigError naming file, line and column."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from None


@contextmanager
def located(path: Path) -> Iterator[None]:
    """Errors of a configuration with the file and the line that they speak of."""
    try:
        yield
    except ConfigError as error:
        line = line_of(path.read_text(encoding="utf-8", errors="replace"), str(error))
        raise ConfigError(f"{path}:{line}: {error}" if line else f"{path}: {error}") from None


def config_in(path: Path) -> Config:
    """The configuration of a file. Raises ConfigError naming file, line and key."""
    document = read_file(path)
    with located(path):
        return config_of(document, adapters())


def apply(
    store: Store, path: Path, *, secret_key: bytes, prune: bool = False, dry_run: bool = False, by: str = "system"
) -> list[Step]:
    """Apply a file; the plan that was carried out. Raises ConfigError before anything is written."""
    document = read_file(path)
    with located(path):
        return _apply(store, path, document, secret_key, prune=prune, dry_run=dry_run, by=by)


def _apply(
    store: Store, path: Path, document: dict[str, Any], secret_key: bytes, *, prune: bool, dry_run: bool, by: str
) -> list[Step]:
    _take_addresses(document, path)
    config = config_of(document, adapters())
    keys = {row["name"]: key for row in document.get("sources", []) if (key := _key(row, path))}
    _told_apart(keys)
    secrets = {row["name"]: found for row in document.get("sources", []) if (found := _secrets(row, path))}
    sealed = {
        one.sealed_as: _sealed(row, path) for one, row in zip(config.destinations, _destinations(document), strict=True)
    }
    with store.writing() as connection:
        # Several replicas start at once with the same file: the second one plans after the first has written.
        store.lock(connection, ["apply"])
        steps = configured.plan(connection, config, owner="file", prune=prune)
        _known_sites(config, {site.name for site in (*configured.load(connection).sites, *config.sites)})
        taken = {step.name for step in steps if step.kind == "source" and step.act == "taken"}
        given = {source: key for source, key in keys.items() if source not in taken}
        about_keys = [step for source, key in given.items() for step in file_keys.plan(connection, source, key)]
        if not dry_run:
            configured.write(connection, config, steps, owner="file", now=clock.now())
            tell(connection, steps, by=by)
            for source, key in given.items():
                file_keys.write(connection, source, key, by=by)
            shared = {source: found for source, found in secrets.items() if source not in taken} | sealed
            _keep_secrets(connection, secret_key, shared, by)
    return steps + about_keys


def tell(connection: sa.Connection, steps: Sequence[Step], *, by: str) -> None:
    """Write down what a plan changed."""
    done = {"add": "added", "change": "changed", "retire": "retired"}
    for step in steps:
        if word := done.get(step.act):
            told = f"{word} ({step.why})" if step.why else word
            audit.append(connection, "configured", by=by, of=f"{step.kind} {step.name}", now=clock.now(), step=told)


def _keep_secrets(connection: sa.Connection, secret_key: bytes, given: Mapping[str, list[str]], by: str) -> None:
    """Keep the secrets that differ from those that are kept."""
    kept = open_all(connection, secret_key) if given else {}
    for source, found in given.items():
        if kept.get(source) != tuple(found):
            keep(connection, secret_key, source, found)
            audit.append(connection, "secrets_kept", by=by, of=source, now=clock.now(), count=len(found))


def _known_sites(config: Config, known: set[str]) -> None:
    """Raises ConfigError where a destination names a site that nobody configured: it would hear of nothing."""
    for one in config.destinations:
        if unknown := set(one.sites) - known:
            raise ConfigError(f"destinations {one.name}: sites: {min(unknown)[:60]!r} is not configured")


def _destinations(document: dict[str, Any]) -> list[dict[str, Any]]:
    rows = document.get("destinations", [])
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _take_addresses(document: dict[str, Any], path: Path) -> None:
    """Put the addresses that destinations keep in files into the document, where they are checked."""
    for row in _destinations(document):
        if row.get("url_file") and not row.get("url"):
            row["url"] = _text({"name": "?", **row}, "url_file", path, "destinations")


def _sealed(row: dict[str, Any], path: Path) -> list[str]:
    """What is kept of a destination: its address, then its secrets."""
    return [str(row["url"]), *_secrets(row, path, "destinations")]


def _told_apart(keys: Mapping[str, str]) -> None:
    """Raises ConfigError where two sources have one key: a key says which source it posts to."""
    owner: dict[str, str] = {}
    for source, key in keys.items():
        if (other := owner.setdefault(key, source)) != source:
            raise ConfigError(f"sources {source}: key: is the key of {other} too; each source has its own")


def _secrets(row: dict[str, Any], path: Path, table: str = "sources") -> list[str]:
    """The signature secrets of a source: one, or those of a file, one a line, the old beside the new."""
    if row.get("secret_file"):
        return secrets_in(_text(row, "secret_file", path, table))
    given = str(row.get("secret") or "")
    return secrets_in(given) if "-----BEGIN" in given else [given] if given else []


def _text(row: dict[str, Any], key: str, path: Path, table: str = "sources") -> str:
    try:
        return (path.parent / str(row[key])).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{table} {row['name']}: {key}: {error}") from None


def _key(row: dict[str, Any], path: Path) -> str | None:
    if row.get("key_file"):
        key = _text(row, "key_file", path)
        if len(key) < LEAST_KEY_LENGTH:
            raise ConfigError(f"sources {row['name']}: key_file: shorter than {LEAST_KEY_LENGTH} characters")
        return key
    given = row.get("key")
    return given if isinstance(given, str) else None
