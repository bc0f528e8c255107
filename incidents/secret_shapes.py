"""The shapes of secrets: what marks each in a text, its pattern, and how to tell one from ordinary words. Pure.

Patterns are RE2's: each reads a text once, whatever it holds.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass

_PROSE = re.compile(
    r"(?:a|an|and|are|as|authentication|bad|be|cannot|changed|could|denied|does|empty|error|expired|failed|false|for|"
    r"from|has|in|incorrect|invalid|is|it|malformed|must|nil|no|none|not|null|of|ok|or|required|reset|revoked|rotated|"
    r"set|signature|the|this|to|true|undefined|unexpected|unknown|unset|was|were|will|wrong|yes)",
    re.IGNORECASE,
)
_MASKED = re.compile(r"[*xX•.…_-]{3,}|\$|\$\{?[A-Z][A-Z0-9_]*\}?|\{\{.*|%[A-Z_]+%|<[\w -]+>|\[[\w -]+\]|‹.*")
_WORD = re.compile(r"[a-z]{1,20}")
NAME = re.compile(r"[a-z]{2,20}\d{0,2}(?:[-./_](?:[a-z]{1,20}\d{0,2}|\d{1,4}))+")


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


def is_given(value: str) -> bool:
    """Whether a value beside the name of a secret is one: no mask, no variable, no word of prose."""
    return not _PROSE.fullmatch(value) and not _MASKED.fullmatch(value)


def _is_said(value: str) -> bool:
    """As `is_given`, where prose may follow the name: "token: signature is invalid"."""
    return is_given(value) and not _WORD.fullmatch(value)


def _is_secret_value(value: str) -> bool:
    """As `_is_said`; names of things that hold secrets (`monitoring/alertmanager-main`) are none themselves."""
    return _is_said(value) and not NAME.fullmatch(value)


def _is_option_value(value: str) -> bool:
    """As `_is_secret_value`, where no sign stands between: no path, no other option, no word."""
    return _is_secret_value(value) and is_random(value) and not value.startswith(("-", "/", "./", "~/"))


def _is_userinfo(value: str) -> bool:
    """Whether what stands before an at sign and has a slash is a name and a password: no host and its port."""
    first = value.partition(":")[2].partition("/")[0]
    return not first.isdigit() and is_given(first)


_BESIDE = r"""(?:["'\\\s]|%(?:25)*2[027]|%(?:25)*5C)*(?:[:=]|%(?:25)*3[AD])"""
"""Between a name and its value, in marks: these are found in percent-encoded text as well."""
_BLANK = r"(?:[ \t+]|%20)"
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
_START = r"(?:\b|_)"
"""Where a token of a known prefix begins: names are put before one with an underscore, which is no word's end."""
_TOKEN_PREFIXES = (
    ("GitHub token", r"gh[pousr]_[A-Za-z0-9]", r"gh[pousr]_[A-Za-z0-9]{20,}"),
    ("GitHub token", r"github_pat_", r"github_pat_\w{20,}"),
    ("GitLab token", r"gl[a-z]+-[\w-]", rf"{_START}(gl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent|oas|ffct)-[\w.-]{{16,}})"),
    ("Slack token", r"xox[a-z][-.]|xapp-", r"(?:xox[a-z](?:\.xox[a-z])?|xapp)-[A-Za-z0-9-]{10,}"),
    ("Stripe key", r"[sr]k_(?:live|test)_", r"[sr]k_(?:live|test)_[A-Za-z0-9]{10,}"),
    ("webhook secret", r"whsec_", r"whsec_[A-Za-z0-9+/=_-]{16,}"),
    ("Twilio key", r"SK[0-9a-f][0-9a-f][0-9a-f][0-9a-f]", rf"{_START}(SK[0-9a-f]{{32}}\b)"),
    ("SendGrid key", r"SG\.[\w-]", rf"{_START}(SG\.[\w-]{{16,}}\.[\w-]{{16,}})"),
    ("Mailgun key", r"key-[0-9a-f][0-9a-f]", rf"{_START}(key-[0-9a-f]{{32}}\b)"),
    ("npm token", r"npm_[A-Za-z0-9]", rf"{_START}(npm_[A-Za-z0-9]{{30,}})"),
    ("PyPI token", r"pypi-AgE", r"pypi-AgE[\w-]{16,}"),
    ("Grafana token", r"glsa_|glc_", rf"{_START}(gl(?:sa|c)_[\w+/=]{{20,}})"),
    ("Grafana API key", r"eyJrIjoi", r"eyJrIjoi[\w+/=-]{20,}"),
    (
        "New Relic key",
        r"NR[A-Z][A-Z]-|NRAL",
        rf"{_START}(NR(?:AK|JS|II|IQ|RA|BR|AA)-[\w-]{{16,}}|[0-9a-zA-Z]{{36}}NRAL\b)",
    ),
    ("Google API key", r"AIza[\w-]", r"AIza[\w-]{30,}"),
    ("Google token", r"ya29\.|GOCSPX-", r"ya29\.[\w.-]{20,}|GOCSPX-[\w-]{20,}"),
    ("Azure client secret", r"8Q~", r"[\w.-]{3}8Q~[\w.~-]{31,34}"),
    ("Vault token", r"hv[sbr]\.[\w-]", rf"{_START}(hv[sbr]\.[\w-]{{20,}})"),
    ("DigitalOcean token", r"do[opr]_v1_", r"do[opr]_v1_[a-f0-9]{32,}"),
    ("Docker token", r"dckr_[a-z]+_", r"dckr_(?:pat|oat)_[\w-]{16,}"),
    ("Databricks token", r"dapi[0-9a-f]", rf"{_START}(dapi[0-9a-f]{{32}})"),
    ("Dynatrace token", r"dt0[a-z]", r"dt0[a-z]\d\d\.[A-Z0-9]{8,}\.[A-Z0-9]{32,}"),
    ("Atlassian token", r"ATATT3", r"ATATT3[\w=-]{20,}"),
    ("Sentry token", r"sntry[su]_", r"sntry[su]_[\w+/=-]{20,}"),
    ("SonarQube token", r"sq[apu]_[0-9a-f]", rf"{_START}(sq[apu]_[0-9a-f]{{40}})"),
    ("Shopify token", r"shp[a-z]+_[0-9a-fA-F]", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    ("Telegram token", r"[0-9](?::|%3A)AA[\w-]", r"(?:\b|_|bot)([0-9]{8,10}:AA[\w-]{30,})"),
    ("PagerDuty token", r"pdus(?:\+|%2B)", r"pdus\+[\w+-]{16,}"),
    ("Heroku key", r"HRKU-", r"HRKU-[\w-]{30,}"),
    ("Hugging Face token", r"hf_[A-Za-z0-9]", rf"{_START}(hf_[A-Za-z0-9]{{30,}})"),
    ("age key", r"AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[0-9A-Z]{20,}"),
    ("Barograph key", r"b[ktsl]_[\w-]", r"\bb[ktsl]_[\w-]{40,}"),
)
SHAPES: tuple[Shape, ...] = (
    Shape(
        "private key",
        r"-----BEGIN(?:[A-Z0-9 +]|%20)*PRIVATE(?:[ +]|%20)KEY",
        r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|\z)",
    ),
    Shape(
        "AWS secret key",
        r"A[KS]IA[0-9A-Z]|AWS access key›",
        r"(?:(?:\b|_)A[KS]IA[0-9A-Z]{16}|AWS access key›)[^A-Za-z0-9/+]{1,12}([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|\z)",
    ),
    Shape("AWS access key", r"A[KS]IA[0-9A-Z]", rf"{_START}(A[KS]IA[0-9A-Z]{{16}})\b"),
    Shape(
        "URL credentials",
        r"""(?i)(?:://|%(?:25)*3A%(?:25)*2F%)[^\s/"'<>]*(?:@|%(?:25)*40)""",
        r"""://([^\s/"'<>@]*:[^\s/"'<>]*|[^\s/"'<>@:]{16,})@""",
    ),
    Shape(
        "URL credentials",
        r"""(?i)(?:://|%(?:25)*3A%(?:25)*2F%)[^\s/"'<>@]*(?::|%(?:25)*3A)[^\s"'<>]*(?:@|%(?:25)*40)""",
        r"""://([^\s/"'<>@:\[\]]*:[^\s/"'<>@:{}\[\]?#]+/[^\s"'<>@]*)@""",
        _is_userinfo,
    ),
    Shape(
        "Slack webhook",
        r"(?i)hooks\.slack(?:-gov)?\.com(?:/|%2F)(?:services|workflows|triggers)",
        r"(?i)hooks\.slack(?:-gov)?\.com/((?:services|workflows|triggers)/[\w/+-]{8,})",
    ),
    Shape(
        "Discord webhook",
        r"(?i)discord(?:app)?\.com(?:/|%2F)api",
        r"(?i)discord(?:app)?\.com/api/(?:v[0-9]+/)?(webhooks/[0-9]+/[\w-]+)",
    ),
    Shape(
        "Teams webhook",
        r"(?i)office(?:365)?\.com(?:/|%2F)webhook",
        r"""(?i)office(?:365)?\.com/(webhook(?:b2)?/[^\s"'<>]+)""",
    ),
    *(Shape(*row) for row in _TOKEN_PREFIXES),
    Shape("API key", r"(?:\b|_|%[0-9A-Fa-f][0-9A-Fa-f])sk-[\w-]", rf"{_START}(sk-[\w-]{{32,}})", is_random),
    Shape("JWT", r"eyJ[\w-]+\.", r"eyJ[\w-]{8,}(?:\.[\w-]{8,}){1,4}\.?"),
    Shape("Opsgenie key", rf"(?i)geniekey{_BLANK}", r"(?i)geniekey[ \t]+([\w-]{16,})"),
    Shape("authorization", rf"(?i)bearer{_BLANK}", r"(?i)\bbearer[ \t]+([A-Za-z0-9._~+/=-]{8,})", is_random),
    Shape("authorization", rf"(?i)basic{_BLANK}", r"(?i)\bbasic[ \t]+([A-Za-z0-9+/]{6,}={0,2})", _is_basic),
    Shape(
        "authorization",
        rf"(?i)authorization{_BESIDE}",
        rf"(?i)authorization{_Q}\s{{0,3}}[:=]\s{{0,3}}{_Q}(?:(?:bearer|basic|token|apikey|digest|negotiate|splunk|"
        rf"api-token|key|sso-key|dynatrace)\s+)?(?:token=)?{_VALUE}",
        _is_said,
        named=True,
    ),
    Shape(
        "cookie",
        rf"(?i)cookie{_BESIDE}",
        r"""(?i)\b(?:set-)?cookie["'\\]*\s{0,3}:\s{0,3}["'\\]*"""
        r"""([\w.$-]+=[^;\s"'\\<>]+(?:; ?[\w.$-]+(?:=[^;\s"'\\<>]*)?)*)""",
        named=True,
    ),
    Shape(
        "query secret",
        r"(?i)(?:token|secret|passwd|password|pwd|pass|passphrase|signature|apikey|api[_-]key|access[_-]?key|auth|"
        r"credentials?|session|sessionid|jwt|sig)(?:=|%(?:25)*3D)",
        rf"""(?i)[?&;](?:amp;)?{_QUERY}=([^&\s"'<>#;]+)""",
        is_given,
        named=True,
    ),
    Shape("query key", r"(?i)key(?:=|%(?:25)*3D)", r"""(?i)[?&;](?:amp;)?[\w.-]*key=([^&\s"'<>#;]{16,})""", named=True),
    Shape("SAS signature", r"(?i)sig(?:=|%(?:25)*3D)", r"""(?i)\bsig=([^&\s"'<>#;]{8,})""", named=True),
    Shape(
        "password",
        rf"(?i)(?:passw(?:or)?d|passwort|pwd|passphrase|passcode|[_.-]pass){_BESIDE}",
        rf"(?i)(?:passw(?:or)?d|passwort|pwd|passphrase|passcode|[_.-]pass){_Q}\s{{0,3}}(?:=>|:=|[:=])\s{{0,3}}\\*"
        rf"(?:{_QUOTED}|{_VALUE})",
        is_given,
        named=True,
    ),
    Shape("password", rf"(?i)--password{_BLANK}", rf"(?i)--password[ \t]+{_VALUE}", _is_said, named=True),
    Shape(
        "password",
        rf"curl{_BLANK}",
        rf"""\bcurl[^\n]*?[ \t](?:-[a-zA-Z]*u|--user)[ \t=]*{_Q}[^\s:"'\\]+:([^\s"'\\]+)""",
        is_given,
        named=True,
    ),
    Shape(
        "token",
        rf"(?i)--[\w-]*(?:token|secret|key){_BLANK}",
        rf"(?i)--(?:[\w-]*[_-])?(?:token|secret|api[_-]?key|(?:secret|access)[_-]key)[ \t]+{_Q}{_VALUE}",
        _is_option_value,
        named=True,
    ),
    Shape(
        "key",
        rf"(?i)(?:key|sharedaccesssignature|secret[_.-]?id){_BESIDE}",
        rf"(?i){_KEYS}{_Q}\s{{0,3}}(?:=>|:=|[:=])\s{{0,3}}\\*(?:{_QUOTED}|{_VALUE})",
        _is_said,
        named=True,
    ),
    Shape(
        "key",
        rf"(?i)(?:routing|integration|service)[_-]?key{_BESIDE}",
        rf"(?i)(?:routing|integration|service)[_-]?key{_Q}\s{{0,3}}[:=]\s{{0,3}}{_Q}([0-9a-zA-Z]{{32}})\b",
        is_random,
        named=True,
    ),
    Shape(
        "token",
        rf"(?i)(?:token|secret|credentials?|session_?id){_BESIDE}",
        rf"(?i)(?:token|secret|credentials?|session_?id){_Q}\s{{0,3}}(?:=>|:=|[:=])\s{{0,3}}\\*"
        rf"(?:{_QUOTED}|{_VALUE})",
        _is_secret_value,
        named=True,
    ),
)
"""In the order in which they are looked for: what was replaced once is not a secret any more."""
