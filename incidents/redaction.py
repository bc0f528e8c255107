"""Secrets in strangers' text: found by their names and shapes, and replaced before anybody but an admin sees them. Pure.

Each pattern is RE2's, which reads a text once whatever it holds. What marks no secret is told apart by one small
automaton of marks, so that ordinary text costs one pass over it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import orjson
import re2

from incidents.model import Area, Event, Loss, Post, Reading, Statement

T = TypeVar("T")
SHOWN = 64 * 1024
"""Characters of a body that are shown at once."""
MOST_PARSED = 1024 * 1024
"""Characters of a body up to which it is parsed and shown by its structure."""
DEEPEST = 200
_MARGIN = 8 * 1024
"""What is read beyond the cut, so that a secret across it is known for one."""

_PROSE = frozenset(
    "a an and are as authentication bad be cannot changed could denied does empty error expired failed false for from "
    "has in incorrect invalid is it malformed must nil no none not null of ok or required reset revoked rotated set "
    "signature the this to true undefined unexpected unknown unset was were will wrong yes".split()
)
_MASKED = re.compile(r"[*x•.…_-]{3,}|\$\{?\w.*|\{\{.*|%\w+%?|<[\w -]+>|\[[\w -]+\]|‹.*", re.IGNORECASE)
_WORD = re.compile(r"[a-z]{1,20}")
_NAME = re.compile(r"[a-z]{2,20}\d{0,2}(?:[-./_](?:[a-z]{1,20}\d{0,2}|\d{1,4}))+")
_SECRET_NAME = re.compile(
    r"(?:passw(?:or)?d|passwort|pwd|passphrase|passcode|[_.-]pass|secret|token|credentials?|authorization|cookie|"
    r"session[_.-]?(?:id|key)|signature|(?:secret|private|api|app(?:lication)?|access|account|auth|encryption|signing|"
    r"master|license|subscription|instrumentation|ingest(?:ion)?|storage|webhook|shared[_.-]?access|genie)[_.-]?key|"
    r"secret[_.-]?id|private[_.-]?key[_.-]?id)",
    re.IGNORECASE,
)
"""At the end of the name of a label or a member: its value is a secret."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of secret: what marks that it may be there, and the pattern whose last group (or whole) is the secret.

    `secret` judges the text of that group, where a pattern alone would take ordinary words for one.
    """

    kind: str
    mark: str
    pattern: str
    secret: Callable[[str], bool] | None = None
    named: bool = False
    """It goes by the name beside it: not looked for in what people write."""


def is_random(value: str) -> bool:
    """Whether it is no word of prose: it has a digit, or capitals within it, or is longer than words are."""
    return len(value) > 24 or any(c.isdigit() for c in value) or any(c.isupper() for c in value[1:])


def _is_basic(value: str) -> bool:
    try:
        return b":" in base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False


def _is_given(value: str) -> bool:
    """Whether a value beside the name of a secret is one: no mask, no variable, no word of prose."""
    return value.casefold() not in _PROSE and not _MASKED.fullmatch(value)


def _is_said(value: str) -> bool:
    """As `_is_given`, where prose may follow the name: "token: signature is invalid"."""
    return _is_given(value) and not _WORD.fullmatch(value)


def _is_secret_value(value: str) -> bool:
    """As `_is_said`; names of things that hold secrets (`monitoring/alertmanager-main`) are none themselves."""
    return _is_said(value) and not _NAME.fullmatch(value)


_Q = r"""["'\\]*"""
_VALUE = r"""([^\s"'\\,;&<>(){}\[\]|]+)"""
_QUOTED = r"""(?:"|')([^"'\\\n]+)"""
_KEYS = (
    r"(?:(?:secret|private|api|app(?:lication)?|access|account|auth|encryption|signing|master|license|subscription|"
    r"instrumentation|ingest(?:ion)?|storage|webhook|shared[_.-]?access|dd[_-]api|dd[_-]application|newrelic|genie)"
    r"[_. -]?key|sharedaccesssignature|secret[_-]?id)"
)
_QUERY = (
    r"(?:[\w.-]*(?:token|secret|password|passwd|pwd|pass|passphrase|signature|apikey|api[_-]key|access[_-]?key|"
    r"auth|credentials?|session(?:id)?|jwt|code)|sig|sign|hash|hmac|st)"
)
_TOKEN_PREFIXES = (
    ("GitHub token", r"gh[pousr]_[A-Za-z0-9]", r"gh[pousr]_[A-Za-z0-9]{20,}"),
    ("GitHub token", r"github_pat_", r"github_pat_\w{20,}"),
    ("GitLab token", r"gl[a-z]+-[\w-]", r"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent|oas|ffct)-[\w.-]{16,}"),
    ("Slack token", r"xox[a-z][-.]|xapp-", r"(?:xox[a-z](?:\.xox[a-z])?|xapp)-[A-Za-z0-9-]{10,}"),
    ("Stripe key", r"[sr]k_(?:live|test)_", r"[sr]k_(?:live|test)_[A-Za-z0-9]{10,}"),
    ("webhook secret", r"whsec_", r"whsec_[A-Za-z0-9+/=_-]{16,}"),
    ("Twilio key", r"SK[0-9a-f][0-9a-f][0-9a-f][0-9a-f]", r"\bSK[0-9a-f]{32}\b"),
    ("SendGrid key", r"SG\.[\w-]", r"\bSG\.[\w-]{16,}\.[\w-]{16,}"),
    ("Mailgun key", r"key-[0-9a-f][0-9a-f]", r"\bkey-[0-9a-f]{32}\b"),
    ("npm token", r"npm_[A-Za-z0-9]", r"\bnpm_[A-Za-z0-9]{30,}"),
    ("PyPI token", r"pypi-AgE", r"pypi-AgE[\w-]{16,}"),
    ("Grafana token", r"glsa_|glc_", r"\bgl(?:sa|c)_[\w+/=]{20,}"),
    ("Grafana API key", r"eyJrIjoi", r"eyJrIjoi[\w+/=-]{20,}"),
    ("New Relic key", r"NR[A-Z][A-Z]-|NRAL", r"\bNR(?:AK|JS|II|IQ|RA|BR|AA)-[\w-]{16,}|\b[0-9a-zA-Z]{36}NRAL\b"),
    ("Google API key", r"AIza[\w-]", r"AIza[\w-]{30,}"),
    ("Google token", r"ya29\.|GOCSPX-", r"ya29\.[\w.-]{20,}|GOCSPX-[\w-]{20,}"),
    ("Azure client secret", r"8Q~", r"[\w.-]{3}8Q~[\w.~-]{31,34}"),
    ("Vault token", r"hv[sbr]\.[\w-]", r"\bhv[sbr]\.[\w-]{20,}"),
    ("DigitalOcean token", r"do[opr]_v1_", r"do[opr]_v1_[a-f0-9]{32,}"),
    ("Docker token", r"dckr_[a-z]+_", r"dckr_(?:pat|oat)_[\w-]{16,}"),
    ("Databricks token", r"dapi[0-9a-f]", r"\bdapi[0-9a-f]{32}"),
    ("Dynatrace token", r"dt0[a-z]", r"dt0[a-z]\d\d\.[A-Z0-9]{8,}\.[A-Z0-9]{32,}"),
    ("Atlassian token", r"ATATT3", r"ATATT3[\w=-]{20,}"),
    ("Sentry token", r"sntry[su]_", r"sntry[su]_[\w+/=-]{20,}"),
    ("SonarQube token", r"sq[apu]_[0-9a-f]", r"\bsq[apu]_[0-9a-f]{40}"),
    ("Shopify token", r"shp[a-z]+_[0-9a-fA-F]", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    ("Telegram token", r"[0-9]:AA[\w-]", r"\b[0-9]{8,10}:AA[\w-]{30,}"),
    ("PagerDuty token", r"pdus\+", r"pdus\+[\w+-]{16,}"),
    ("Heroku key", r"HRKU-", r"HRKU-[\w-]{30,}"),
    ("Barograph key", r"b[ktsl]_[\w-]", r"\bb[ktsl]_[\w-]{40,}"),
)
SHAPES: tuple[Shape, ...] = (
    Shape(
        "private key",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY",
        r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|\z)",
    ),
    Shape(
        "AWS secret key",
        r"A[KS]IA[0-9A-Z]",
        r"\bA[KS]IA[0-9A-Z]{16}[^A-Za-z0-9/+]{1,12}([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|\z)",
    ),
    Shape("AWS access key", r"A[KS]IA[0-9A-Z]", r"\bA[KS]IA[0-9A-Z]{16}\b"),
    Shape("URL credentials", r"""://[^\s/"'<>]*@""", r"""://([^\s/"'<>@]*:[^\s/"'<>]*|[^\s/"'<>@:]{16,})@"""),
    Shape("Slack webhook", r"(?i)hooks\.slack\.", r"(?i)hooks\.slack(?:-gov)?\.com/((?:services|workflows|triggers)/[\w/+-]{8,})"),
    Shape(
        "Discord webhook",
        r"(?i)discord(?:app)?\.com/api",
        r"(?i)discord(?:app)?\.com/api/(?:v[0-9]+/)?(webhooks/[0-9]+/[\w-]+)",
    ),
    Shape(
        "Teams webhook",
        r"(?i)office(?:365)?\.com/webhook",
        r"""(?i)office(?:365)?\.com/(webhook(?:b2)?/[^\s"'<>]+)""",
    ),
    *(Shape(*row) for row in _TOKEN_PREFIXES),
    Shape("API key", r"\bsk-[\w-]", r"\bsk-[\w-]{32,}", is_random),
    Shape("JWT", r"eyJ[\w-]+\.", r"eyJ[\w-]{8,}(?:\.[\w-]{8,}){1,4}\.?"),
    Shape("Opsgenie key", r"(?i)geniekey[ \t]", r"(?i)geniekey[ \t]+([\w-]{16,})"),
    Shape("authorization", r"(?i)bearer[ \t]", r"(?i)\bbearer[ \t]+([A-Za-z0-9._~+/=-]{8,})", is_random),
    Shape("authorization", r"(?i)basic[ \t]", r"(?i)\bbasic[ \t]+([A-Za-z0-9+/]{6,}={0,2})", _is_basic),
    Shape(
        "authorization",
        r"(?i)authorization[\"'\\]*\s*[:=]",
        rf"(?i)authorization{_Q}\s{{0,3}}[:=]\s{{0,3}}{_Q}(?:(?:bearer|basic|token|apikey|digest|negotiate|splunk|"
        rf"api-token|key|sso-key|dynatrace)\s+)?(?:token=)?{_VALUE}",
        _is_said,
        named=True,
    ),
    Shape(
        "cookie",
        r"(?i)cookie[\"'\\]*\s*:",
        r"""(?i)\b(?:set-)?cookie["'\\]*\s{0,3}:\s{0,3}["'\\]*([^\n"'\\<>]+)""",
        lambda value: "=" in value,
        named=True,
    ),
    Shape(
        "query secret",
        r"(?i)(?:token|secret|passwd|password|pwd|pass|passphrase|signature|apikey|api[_-]key|access[_-]?key|auth|"
        r"credentials?|session|sessionid|jwt|sig)=",
        rf"""(?i)[?&;](?:amp;)?{_QUERY}=([^&\s"'<>#;]+)""",
        _is_given,
        named=True,
    ),
    Shape("query key", r"(?i)key=", r"""(?i)[?&;](?:amp;)?[\w.-]*key=([^&\s"'<>#;]{16,})""", named=True),
    Shape("SAS signature", r"(?i)\bsig=", r"""(?i)\bsig=([^&\s"'<>#;]{8,})""", named=True),
    Shape(
        "password",
        r"(?i)(?:passw(?:or)?d|passwort|pwd|passphrase|passcode|_pass)[\"'\\]*\s*[:=]",
        rf"(?i)(?:passw(?:or)?d|passwort|pwd|passphrase|passcode|_pass){_Q}\s{{0,3}}(?:=>|:=|[:=])\s{{0,3}}\\*"
        rf"(?:{_QUOTED}|{_VALUE})",
        _is_given,
        named=True,
    ),
    Shape("password", r"(?i)--password[ \t]", rf"(?i)--password[ \t]+{_VALUE}", _is_said, named=True),
    Shape(
        "key",
        r"(?i)(?:key|sharedaccesssignature|secret_?-?id)[\"'\\]*\s*[:=]",
        rf"(?i){_KEYS}{_Q}\s{{0,3}}(?:=>|:=|[:=])\s{{0,3}}\\*(?:{_QUOTED}|{_VALUE})",
        _is_said,
        named=True,
    ),
    Shape(
        "key",
        r"(?i)(?:routing|integration|service)[_-]?key[\"'\\]*\s*[:=]",
        rf"(?i)(?:routing|integration|service)[_-]?key{_Q}\s{{0,3}}[:=]\s{{0,3}}{_Q}([0-9a-zA-Z]{{32}})\b",
        is_random,
        named=True,
    ),
    Shape(
        "token",
        r"(?i)(?:token|secret|credentials?|session_?id)[\"'\\]*\s*[:=]",
        rf"(?i)(?:token|secret|credentials?|session_?id){_Q}\s{{0,3}}(?:=>|:=|[:=])\s{{0,3}}\\*"
        rf"(?:{_QUOTED}|{_VALUE})",
        _is_secret_value,
        named=True,
    ),
)
"""In the order in which they are looked for: what was replaced once is not a secret any more."""


def _automaton(shapes: Iterable[Shape]) -> Any:  # noqa: ANN401  # re2.Set has no stubs
    marks = re2.Set.SearchSet()
    for shape in shapes:
        marks.Add(shape.mark)
    marks.Compile()
    return marks


_MARKS = _automaton(SHAPES)
_PATTERNS = [re2.compile(shape.pattern.encode()) for shape in SHAPES]


def mark(kind: str) -> str:
    """What stands in a secret's place."""
    return f"‹redacted: {kind}›"


def redact(text: str, *, named: bool = True) -> str:
    """The text without its secrets; the same text where it has none. Without `named` only those of known shapes go."""
    content = text.encode(errors="replace")
    marked = _MARKS.Match(content)
    return _cleared(content, marked, named=named) if marked else text


def _cleared(content: bytes, marked: Iterable[int], *, named: bool) -> str:
    for index in sorted(marked):
        shape = SHAPES[index]
        if named or not shape.named:
            content = _PATTERNS[index].sub(lambda found, shape=shape: _replaced(found, shape), content)
    return content.decode()


def _replaced(found: Any, shape: Shape) -> bytes:  # noqa: ANN401  # a match of re2
    number = found.lastindex or 0
    secret: bytes = found[number]
    told = secret.decode(errors="replace").rstrip(".")
    if told.startswith("‹redacted") or (shape.secret and not shape.secret(told)):
        return bytes(found[0])
    start, end = found.span(number)
    whole: bytes = found[0]
    return whole[: start - found.start()] + mark(shape.kind).encode() + whole[end - found.start() :]


def is_secret_name(name: str) -> bool:
    """Whether what stands under this name of a label, a header or a member is a secret."""
    found = None
    for found in _SECRET_NAME.finditer(name[-60:]):
        pass
    return found is not None and found.end() == len(name[-60:])


def value_of(name: str, value: str) -> str:
    """A label's or a header's value: replaced whole where its name says that it is a secret."""
    if value and is_secret_name(name) and not value.startswith("‹redacted") and _is_given(value):
        kept = name.casefold().endswith(("secret", "cookie", "credentials")) and _NAME.fullmatch(value)
        if not kept:
            return mark(name.casefold()[-40:])
    return redact(value)


def values_of(fields: Mapping[str, str]) -> dict[str, str]:
    """Labels or headers without their secrets."""
    return {redact(name): value_of(name, value) for name, value in fields.items()}


def key_of(key: str) -> str:
    """A key without its secrets; keys that differ only in a secret stay different."""
    shown = redact(key)
    return key if shown == key else f"{shown} {hashlib.sha256(key.encode()).hexdigest()[:12]}"


def url_of(url: str) -> str:
    """An address without its secrets, still an address: without spaces."""
    return redact(url).replace("‹redacted: ", "‹redacted:").replace(" ", "-")


# --- statements -----------------------------------------------------------------------------------------------------


def statement(said: Statement) -> Statement:
    """A statement without secrets; the very same one where it has none."""
    match said:
        case Event():
            return event(said)
        case Reading():
            if said.station is None and said.credit is None:
                return said
            return replace(said, station=_maybe(redact, said.station), credit=_maybe(redact, said.credit))
        case Loss():
            return replace(said, what=redact(said.what))


def event(said: Event) -> Event:
    """An event without secrets in its words, labels, address, group and key."""
    parts = [said.title, said.key, said.text or "", said.url or "", said.group or "", *said.labels.values()]
    if said.posts or said.event or said.area:
        parts += _rare_words(said)
    # The names of labels stand before an equals sign, as marks of secrets do.
    content = ("=\n".join(said.labels) + "=\n" + "\n".join(parts)).encode(errors="replace")
    if not _MARKS.Match(content):
        return said
    return replace(
        said,
        key=key_of(said.key),
        title=redact(said.title),
        text=_maybe(redact, said.text),
        url=_maybe(url_of, said.url),
        group=_maybe(key_of, said.group),
        labels=values_of(said.labels),
        event=_maybe(redact, said.event),
        area=_maybe(_area, said.area),
        posts=tuple(Post(post.at, redact(post.text)) for post in said.posts),
    )


def _maybe(change: Callable[[T], T], value: T | None) -> T | None:
    return None if value is None else change(value)


def _rare_words(said: Event) -> list[str]:
    words = [post.text for post in said.posts] + ([said.event] if said.event else [])
    return words + ([*said.area.regions, *said.area.zones, *said.area.grid_areas] if said.area else [])


def _area(area: Area) -> Area:
    names = {name: tuple(map(redact, getattr(area, name))) for name in ("regions", "zones", "grid_areas")}
    return replace(area, **names)


# --- bodies ---------------------------------------------------------------------------------------------------------


def body(text: str, limit: int = SHOWN) -> tuple[str, bool]:
    """A body for a page: JSON by its structure, without secrets, cut to `limit` characters; and whether it was cut."""
    text = text.replace("\0", "")
    shown = _json(text) if len(text) <= MOST_PARSED else None
    if shown is None:
        shown = redact(text[: limit + _MARGIN])
    return shown[:limit], len(shown) > limit or len(text) > max(MOST_PARSED, limit + _MARGIN)


def _json(text: str) -> str | None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return orjson.dumps(_member(value), option=orjson.OPT_INDENT_2).decode() if isinstance(value, dict | list) else None


def _member(value: Any, name: str = "", depth: int = 0, *, inside: bool = False) -> Any:  # noqa: ANN401  # JSON
    """A member of JSON without its secrets; all that a member with a secret's name holds is one."""
    if depth > DEEPEST:
        return "…"
    if isinstance(value, dict):
        return {
            redact(n): _member(v, n, depth + 1, inside=inside or (is_secret_name(n) and not isinstance(v, str)))
            for n, v in value.items()
        }
    if isinstance(value, list):
        return [_member(v, name, depth + 1, inside=inside) for v in value]
    if isinstance(value, str):
        return mark("secret") if inside and _is_given(value) and is_random(value) else value_of(name, value)
    return mark(name.casefold()[-40:]) if _is_number(value) and is_secret_name(name) else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
