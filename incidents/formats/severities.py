"""Senders' words for how grave a thing is, and the five words that we use for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from incidents.model import Severity

# Sources: the levels of syslog (RFC 5424), X.733, Zabbix, Nagios, Opsgenie, PagerDuty, Statuspage and the labels of
# public alerting rules ("page" and "ticket" are the two answers of the SRE book). `high` is Zabbix's, below disaster.
# Schemes that use one of these words for another level (CAP's Minor, Azure's Sev0 to Sev4) pass a map of their own.
_SENT: Mapping[Severity, str] = {
    Severity.CRITICAL: "critical crit page pager p0 p1 s0 s1 sev0 sev1 severity0 severity1 priority1 fatal panic"
    " emergency emerg alert disaster catastrophic blocker urgent highest extreme",
    Severity.ERROR: "error err errors major high severe p2 s2 sev2 severity2 priority2 failure failed",
    Severity.WARNING: "warning warn minor average medium moderate ticket p3 s3 sev3 severity3 priority3",
    Severity.INFO: "info information informational notice none ok low lowest debug trace verbose trivial maintenance"
    " p4 p5 s4 s5 sev4 sev5 severity4 severity5 priority4 priority5",
}
WORDS: Mapping[str, Severity] = {word: severity for severity, words in _SENT.items() for word in words.split()}
_NOISE = re.compile(r"[^a-z0-9]+")


def severity(word: object, extend: Mapping[str, Severity] | None = None) -> Severity:
    """The severity that a sender's word means; `unknown` for any other word and for what is not text.

    Case, spaces and punctuation do not matter ("SEV-1", "sev 1"). `extend` maps further words in lower
    case letters and digits, and wins over the table.
    """
    if not isinstance(word, str) or len(word) > 64:
        return Severity.UNKNOWN
    if extend is None:
        return _known(word)
    return extend.get(_plain(word)) or _known(word)


def _plain(word: str) -> str:
    return _NOISE.sub("", word.casefold())


@lru_cache(maxsize=1024)
def _known(word: str) -> Severity:
    return WORDS.get(_plain(word), Severity.UNKNOWN)
