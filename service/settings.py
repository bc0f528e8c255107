"""Settings: flag, else environment `BAROGRAPH_*`, else default. The only place that reads the environment."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit
from zoneinfo import available_timezones

from incidents.classes import CLASSES
from incidents.periods import EVERY, Every

PREFIX = "BAROGRAPH_"
REPORT_FORMATS = ("pdf", "html", "docx", "md")


class SettingsError(ValueError):
    """A setting that cannot be used; the message names it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name without the prefix, its default as text, what it is for, whether it is a secret."""

    name: str
    default: str
    doc: str
    secret: bool = False


SETTINGS: tuple[Setting, ...] = (
    Setting("DATABASE_URL", "", "sqlite:///FILE or postgresql://…; by default barograph.db in DATA_DIR"),
    Setting("DATABASE_PASSWORD", "", "The password of DATABASE_URL's user, where it does not hold one", secret=True),
    Setting(
        "READ_DATABASE_URL",
        "",
        "A standby of DATABASE_URL's PostgreSQL, from which pages, exports and streams are read",
    ),
    Setting("DATA_DIR", "./var", "Where files are kept: the database, the secret key"),
    Setting(
        "SPOOL_MIB",
        "512",
        "MiB of what arrives while PostgreSQL is away that are kept in DATA_DIR; with 0 it is answered 503",
    ),
    Setting("RETENTION", "", "Days after which what no kept incident needs is dropped, by class: alert=400,reading=90"),
    Setting("HOST", "127.0.0.1", "Address to listen on"),
    Setting("PORT", "8080", "Port to listen on"),
    Setting("CONFIG", "", "A TOML file of sites, sources and rules, applied at start"),
    Setting("PUBLIC_URL", "", "How people reach the service; used in links, snippets and exports"),
    Setting("ADMIN_TOKEN", "", "An API token with the admin role, for automation; at least 32 characters", secret=True),
    Setting("SECRET_KEY", "", "Signs forms and encrypts stored secrets; made in DATA_DIR when not given", secret=True),
    Setting("ALLOW_PRIVATE_NETWORKS", "", "CIDRs, comma-separated, that outbound requests may reach"),
    Setting("CONTACT", "", "An address or URL at which feeds may reach you; sent to them in User-Agent"),
    Setting("OUTBOUND_PROXY", "", "http://HOST:PORT, a proxy that outbound requests go through"),
    Setting("POLL_FEEDS", "true", "false asks no feed; `backfill` and `import` still work"),
    Setting("ASKED_DAYS", "30", "Older askings of feeds are summed where they went alike; 1 to 3650"),
    Setting("ASKED_ROWS", "200000", "Above that the oldest are summed by the day, then in all; at least 1000"),
    Setting("EMBED_ORIGINS", "", "Origins, comma-separated, whose pages may frame /incidents/{id}/embed"),
    Setting("LOG_FORMAT", "console", "console or json"),
    Setting("REPORT_DIR", "", "A folder into which a report of each period is written; none is written without it"),
    Setting("REPORT_EVERY", "month", "month, quarter or year"),
    Setting("REPORT_FORMATS", "pdf", "Of pdf, html, docx, md, separated by commas"),
    Setting("REPORT_ZONE", "UTC", "The time zone by whose days a period begins and ends"),
    Setting(
        "OTLP_ENDPOINT", "", "http://HOST:4318 of an OpenTelemetry collector that traces are sent to; none without it"
    ),
    Setting("OPEN_METRICS", "false", "true opens /metrics without a token"),
    Setting("SESSION_HOURS", "168", "Hours after which a session ends whatever happens; 1 to 8760"),
    Setting("SESSION_IDLE_HOURS", "24", "Hours without a request after which a session ends; 1 to 8760"),
    Setting(
        "SECOND_FACTOR_FROM",
        "",
        "viewer, responder or admin: from this role on a password alone opens only the set-up of a second factor",
    ),
    Setting("REQUESTS_PER_MINUTE", "3000", "Most requests of one who asks; 0 sets no limit. Never for /in/"),
    Setting("TRUSTED_PROXIES", "", "CIDRs, comma-separated, of proxies whose X-Forwarded-For and -Proto are believed"),
    Setting("OIDC_ISSUER", "", "https://…, an OpenID Connect provider by which people sign in"),
    Setting("OIDC_CLIENT_ID", "", "What the provider calls this service"),
    Setting("OIDC_CLIENT_SECRET", "", "The client's secret; none for a public client", secret=True),
    Setting("OIDC_SCOPES", "openid profile email", "What the provider is asked for"),
    Setting("OIDC_NAME_CLAIM", "preferred_username", "The claim that is the account's name"),
    Setting("OIDC_GROUPS_CLAIM", "groups", "The claim that lists somebody's groups"),
    Setting("OIDC_ROLES", "", "GROUP=ROLE, comma-separated; the highest counts; *=viewer lets everybody read"),
    Setting("OIDC_NETWORKS", "", "CIDRs, comma-separated, of private networks that the provider may be in"),
    Setting("BROWSER", "", "A Chromium or Chrome, by name or path, for Plotly's own rendering; looked for by default"),
    Setting("POSTMORTEM_TEMPLATES", "", "A folder of templates (*.md) that postmortems may begin with"),
)
_ROLE_OF = re.compile(r"\s*(.+?)\s*=\s*(viewer|responder|admin)\s*(?:,|$)")
_ORIGIN = re.compile(r"https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?", re.ASCII | re.IGNORECASE)
_BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force, read and checked."""

    database_url: str
    """With its password."""
    database_password: str | None
    read_database_url: str
    """With its password; empty where there is no standby."""
    data_dir: Path
    spool_mib: int
    retention: Mapping[str, int]
    host: str
    port: int
    config: Path | None
    public_url: str
    admin_token: str | None
    secret_key: str | None
    allow_private_networks: tuple[str, ...]
    contact: str
    outbound_proxy: str
    poll_feeds: bool
    asked_days: int
    asked_rows: int
    embed_origins: tuple[str, ...]
    log_format: str
    report_dir: Path | None
    report_every: Every
    report_formats: tuple[str, ...]
    report_zone: str
    otlp_endpoint: str
    open_metrics: bool
    session_hours: int
    session_idle_hours: int
    second_factor_from: Literal["viewer", "responder", "admin"] | None
    requests_per_minute: int
    trusted_proxies: tuple[str, ...]
    oidc_issuer: str
    oidc_client_id: str
    oidc_client_secret: str | None
    oidc_scopes: str
    oidc_name_claim: str
    oidc_groups_claim: str
    oidc_roles: Mapping[str, str]
    """Role by group; "*" is everybody."""
    oidc_networks: tuple[str, ...]
    browser: str
    postmortem_templates: Path | None
    origins: Mapping[str, str]
    """Where each came from: flag, environment, file or default."""
    files: Mapping[str, Path]
    """The files that settings were read from, by setting."""

    @property
    def names_a_database(self) -> bool:
        """Whether somebody said which database to use."""
        return self.origins["DATABASE_URL"] != "default"


def read(flags: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read all settings. Raises SettingsError for an unknown, unreadable or impossible one."""
    env = os.environ if environment is None else environment  # noqa: TID251  # this is the settings module
    given = {name.removeprefix(PREFIX): value for name, value in env.items() if name.startswith(PREFIX)}
    for name in given:
        if name.removesuffix("_FILE") not in _BY_NAME:
            raise SettingsError(f"{PREFIX}{name} is not a setting; `barograph serve --help` lists them")
    values: dict[str, str] = {}
    origins: dict[str, str] = {}
    for setting in SETTINGS:
        flag = (flags or {}).get(setting.name.lower())
        if flag is not None:
            values[setting.name], origins[setting.name] = str(flag), "flag"
        elif setting.name in given:
            values[setting.name], origins[setting.name] = given[setting.name], "environment"
        elif f"{setting.name}_FILE" in given:
            values[setting.name], origins[setting.name] = (
                _secret_file(setting.name, given[f"{setting.name}_FILE"]),
                "file",
            )
        else:
            values[setting.name], origins[setting.name] = setting.default, "default"
    files = {name: Path(given[f"{name}_FILE"]) for name, origin in origins.items() if origin == "file"}
    return _checked(values, origins, files)


def _secret_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"{PREFIX}{name}_FILE: {path}: {error}") from None


def _checked(values: Mapping[str, str], origins: dict[str, str], files: Mapping[str, Path]) -> Settings:
    data_dir = Path(values["DATA_DIR"])
    port = _number("PORT", values["PORT"], 0, 65535)
    spool_mib = _number("SPOOL_MIB", values["SPOOL_MIB"], 0, 1 << 20)
    if values["LOG_FORMAT"] not in ("console", "json"):
        raise SettingsError(f"LOG_FORMAT: {values['LOG_FORMAT'][:40]!r} is neither console nor json")
    for name in ("OPEN_METRICS", "POLL_FEEDS"):
        if values[name] not in ("true", "false"):
            raise SettingsError(f"{name}: true or false is expected")
    if not (values["CONTACT"].isascii() and values["CONTACT"].isprintable() and len(values["CONTACT"]) <= 200):
        raise SettingsError("CONTACT: up to 200 printable ASCII characters are expected")
    if values["OTLP_ENDPOINT"] and not values["OTLP_ENDPOINT"].startswith(("http://", "https://")):
        raise SettingsError("OTLP_ENDPOINT: http://HOST:4318 is expected")
    if values["OUTBOUND_PROXY"] and not values["OUTBOUND_PROXY"].startswith("http://"):
        raise SettingsError("OUTBOUND_PROXY: http://HOST:PORT is expected")
    for name in ("ADMIN_TOKEN", "SECRET_KEY"):
        if values[name] and len(values[name]) < 32:
            raise SettingsError(f"{name}: shorter than 32 characters")
    if values["SECOND_FACTOR_FROM"] not in ("", "viewer", "responder", "admin"):
        raise SettingsError("SECOND_FACTOR_FROM: viewer, responder or admin is expected")
    formats = _report_formats(values)
    url = values["DATABASE_URL"]
    if url and not url.startswith(("sqlite:///", "postgresql://", "postgres://", "postgresql+psycopg://")):
        raise SettingsError("DATABASE_URL: sqlite:///FILE or postgresql://… is expected")
    return Settings(
        database_password=values["DATABASE_PASSWORD"] or None,
        read_database_url=_standby(values, url),
        database_url=_with_password(url, values["DATABASE_PASSWORD"]) or f"sqlite:///{data_dir / 'barograph.db'}",
        data_dir=data_dir,
        spool_mib=spool_mib,
        retention=_retention(values["RETENTION"]),
        host=values["HOST"],
        port=port,
        config=Path(values["CONFIG"]) if values["CONFIG"] else None,
        public_url=values["PUBLIC_URL"].rstrip("/"),
        admin_token=values["ADMIN_TOKEN"] or None,
        secret_key=values["SECRET_KEY"] or None,
        allow_private_networks=_networks("ALLOW_PRIVATE_NETWORKS", values),
        contact=values["CONTACT"],
        outbound_proxy=values["OUTBOUND_PROXY"],
        poll_feeds=values["POLL_FEEDS"] == "true",
        asked_days=_number("ASKED_DAYS", values["ASKED_DAYS"], 1, 3_650),
        asked_rows=_number("ASKED_ROWS", values["ASKED_ROWS"], 1_000, 10**9),
        embed_origins=_origins(values["EMBED_ORIGINS"]),
        log_format=values["LOG_FORMAT"],
        report_dir=Path(values["REPORT_DIR"]) if values["REPORT_DIR"] else None,
        report_every=values["REPORT_EVERY"],  # type: ignore[arg-type]  # checked above
        report_formats=formats,
        report_zone=values["REPORT_ZONE"],
        otlp_endpoint=values["OTLP_ENDPOINT"],
        open_metrics=values["OPEN_METRICS"] == "true",
        session_hours=_number("SESSION_HOURS", values["SESSION_HOURS"], 1, 8_760),
        session_idle_hours=_number("SESSION_IDLE_HOURS", values["SESSION_IDLE_HOURS"], 1, 8_760),
        second_factor_from=values["SECOND_FACTOR_FROM"] or None,  # type: ignore[arg-type]  # checked above
        requests_per_minute=_number("REQUESTS_PER_MINUTE", values["REQUESTS_PER_MINUTE"], 0, 10**9),
        trusted_proxies=_networks("TRUSTED_PROXIES", values),
        oidc_issuer=_issuer(values),
        oidc_client_id=values["OIDC_CLIENT_ID"],
        oidc_client_secret=values["OIDC_CLIENT_SECRET"] or None,
        oidc_scopes=values["OIDC_SCOPES"],
        oidc_name_claim=values["OIDC_NAME_CLAIM"],
        oidc_groups_claim=values["OIDC_GROUPS_CLAIM"],
        oidc_roles=_roles(values["OIDC_ROLES"]),
        oidc_networks=_networks("OIDC_NETWORKS", values),
        browser=values["BROWSER"],
        postmortem_templates=Path(values["POSTMORTEM_TEMPLATES"]) if values["POSTMORTEM_TEMPLATES"] else None,
        origins=origins,
        files=files,
    )


def _number(name: str, text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 12 and least <= int(text) <= most):
        raise SettingsError(f"{name}: a number from {least:,} to {most:,} is expected, not {text[:40]!r}")
    return int(text)


def _networks(name: str, values: Mapping[str, str]) -> tuple[str, ...]:
    networks = tuple(n.strip() for n in values[name].split(",") if n.strip())
    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise SettingsError(f"{name}: {error}") from None
    return networks


def _issuer(values: Mapping[str, str]) -> str:
    """The identity provider, as it names itself: compared character by character with what it says."""
    issuer = values["OIDC_ISSUER"]
    if not issuer:
        return ""
    found = urlsplit(issuer)
    local = found.hostname in ("127.0.0.1", "::1", "localhost")
    if not found.hostname or found.query or found.fragment or "@" in found.netloc:
        raise SettingsError("OIDC_ISSUER: https://HOST/PATH is expected, as the provider itself writes it")
    if found.scheme != "https" and not (found.scheme == "http" and local):
        raise SettingsError("OIDC_ISSUER: https is expected; http is for a provider on this very machine")
    for name in ("OIDC_CLIENT_ID", "PUBLIC_URL", "OIDC_ROLES"):
        if not values[name]:
            raise SettingsError(f"{name}: is needed where OIDC_ISSUER is set")
    if "openid" not in values["OIDC_SCOPES"].split():
        raise SettingsError("OIDC_SCOPES: openid is one of them")
    return issuer


def _roles(text: str) -> dict[str, str]:
    """Role by group. A group's name may hold commas and equals signs, as those of directories do."""
    found, at = {}, 0
    while match := _ROLE_OF.match(text, at):
        if match[1] in found:
            raise SettingsError(f"OIDC_ROLES: {match[1][:60]!r} is given twice")
        found[match[1]], at = match[2], match.end()
    if at != len(text):
        raise SettingsError(f"OIDC_ROLES: GROUP=viewer, responder or admin is expected, not {text[at : at + 40]!r}")
    return found


def _report_formats(values: Mapping[str, str]) -> tuple[str, ...]:
    """The formats of scheduled reports, with the rest of the schedule checked."""
    if values["REPORT_EVERY"] not in EVERY:
        raise SettingsError(f"REPORT_EVERY: one of {', '.join(EVERY)} is expected")
    if values["REPORT_ZONE"] not in available_timezones():
        raise SettingsError(f"REPORT_ZONE: {values['REPORT_ZONE'][:60]!r} is not a time zone of the IANA database")
    formats = tuple(dict.fromkeys(word.strip() for word in values["REPORT_FORMATS"].split(",") if word.strip()))
    if not formats or set(formats) - set(REPORT_FORMATS):
        raise SettingsError(f"REPORT_FORMATS: of {', '.join(REPORT_FORMATS)}, separated by commas")
    return formats


def _origins(text: str) -> tuple[str, ...]:
    """Origins, which become part of a policy: nothing may stand in one that ends it or begins another."""
    origins = tuple(one.strip() for one in text.split(",") if one.strip())
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise SettingsError(f"EMBED_ORIGINS: {origin[:60]!r} is no origin such as https://grafana.example")
    return origins


def _standby(values: Mapping[str, str], url: str) -> str:
    """The standby's URL, with DATABASE_PASSWORD where it holds none of its own."""
    standby = values["READ_DATABASE_URL"]
    if not standby:
        return ""
    if not (
        url.startswith("postgres") and standby.startswith(("postgresql://", "postgres://", "postgresql+psycopg://"))
    ):
        raise SettingsError("READ_DATABASE_URL: postgresql://… is expected, beside a DATABASE_URL that is one too")
    has_own = ":" in standby.partition("://")[2].partition("@")[0] or "@" not in standby
    return standby if has_own else _with_password(standby, values["DATABASE_PASSWORD"])


def _with_password(url: str, password: str) -> str:
    """A database URL with this password in its place; as it is where none was given."""
    if not password:
        return url
    scheme, marks, rest = url.partition("://")
    user, at, place = rest.partition("@")
    if not scheme.startswith("postgres") or not (marks and user and at) or ":" in user or "@" in place:
        raise SettingsError("DATABASE_PASSWORD: DATABASE_URL must be postgresql://USER@HOST/NAME, without a password")
    return f"{scheme}://{user}:{quote(password, safe='')}@{place}"


def _retention(text: str) -> dict[str, int]:
    """Days by class."""
    found: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, days = part.partition("=")
        if name not in CLASSES or name in found:
            raise SettingsError(f"RETENTION: {name[:40]!r} is none of {', '.join(CLASSES)}, or is given twice")
        found[name] = _number("RETENTION", days, 1, 36_500)
    return found


def shown(settings: Settings) -> list[tuple[str, str, str]]:
    """Name, value and origin of each setting, secrets hidden, as the settings page shows them."""
    held = {field.name: getattr(settings, field.name) for field in fields(settings)}
    rows = []
    for setting in SETTINGS:
        value = held[setting.name.lower()]
        text = ("set" if value else "not set") if setting.secret else _text(value)
        if setting.name in ("DATABASE_URL", "READ_DATABASE_URL", "OUTBOUND_PROXY", "OTLP_ENDPOINT"):
            text = hide_password(text)
        rows.append((setting.name, text, settings.origins[setting.name]))
    return rows


def _text(value: Any) -> str:  # noqa: ANN401  # a setting's value
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, Mapping):
        return ",".join(f"{name}={given}" for name, given in value.items())
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def hide_password(url: str) -> str:
    """A database URL without its password, neither before the host nor among the query's parameters."""
    # Up to the last "@", because a password may hold one; in doubt too much is hidden.
    bare = re.sub(r"^([^:/]*://[^:/@]*):.*@", r"\1:…@", url, flags=re.DOTALL)
    return re.sub(r"([?&][^=&]*(?:pass|secret|token)[^=&]*=)[^&]*", r"\1…", bare, flags=re.IGNORECASE)
