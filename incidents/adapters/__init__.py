"""The adapters: each module of this folder reads one payload format, and its name is the format.

A module gives `VERSION`, `TITLE`, `READS` (payload families) and `normalise(delivery)`. It may give `verify(delivery,
secrets)` with `VERIFIES` (in words) and `proof(delivery)` (what a signed delivery is remembered by),
`challenge(delivery)`, `SETUP`, `REPLY`, and, to be a feed, `EVERY`, `requests(source, sites)` with what to ask at each
turn, `LANES` with what it speaks of (so that its silence is told in the right place before it first speaks), `CREDIT`
with whom to name, `history(source, sites, since, until)` with what to ask for a window in the past, and
`linked(delivery)` with the addresses of documents that its answer only points to, or an error where it cannot be told.
Importing one has no effect but its definition.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any, Literal

from incidents.model import Credit, Delivery, Lane, Reply, Request, Site, Source, Statement
from incidents.proofs.signatures import Proof


@dataclass(frozen=True, slots=True)
class Adapter:
    """One adapter as its module declares it.

    `setup` holds `snippets` (title, language, text in which `{url}` and `{key}` are to be replaced, all other braces
    being the snippet's own, and perhaps a note), `facts` (pairs that say what the sender does with our answers) and,
    where one of the snippets is enough, `one_of`. `reply` is the status of a successful answer.
    """

    name: str
    version: int
    kind: Literal["webhook", "feed"]
    title: str
    reads: tuple[str, ...]
    verifies: str
    normalise: Callable[[Delivery], Sequence[Statement]]
    verify: Callable[[Delivery, Sequence[str]], bool] | None = None
    proof: Callable[[Delivery], Proof | None] = lambda _: None
    challenge: Callable[[Delivery], Reply | None] | None = None
    setup: Mapping[str, Any] | None = None
    reply: int = 202
    every: timedelta | None = None
    requests: Callable[[Source, Sequence[Site]], Sequence[Request]] | None = None
    history: Callable[[Source, Sequence[Site], datetime, datetime], Sequence[Request]] | None = None
    linked: Callable[[Delivery], Sequence[str]] | None = None
    credit: Credit | None = None
    lanes: tuple[Lane, ...] = ()


@cache
def adapters() -> Mapping[str, Adapter]:
    """Every adapter by name, in the order of names."""
    names = sorted(found.name for found in pkgutil.iter_modules(__path__) if not found.name.startswith("_"))
    return MappingProxyType({name: _declared(name, importlib.import_module(f"{__name__}.{name}")) for name in names})


def listing() -> list[dict[str, Any]]:
    """What `barograph adapters --json` prints."""
    return [
        {
            "name": adapter.name,
            "version": adapter.version,
            "kind": adapter.kind,
            "title": adapter.title,
            "reads": list(adapter.reads),
            "verifies": adapter.verifies,
            "credit": credit_line(adapter.credit) if adapter.credit else None,
        }
        for adapter in adapters().values()
    ]


def credit_line(credit: Credit) -> str:
    """Whom to name, under which licence, in one line."""
    return f"{credit.text} ({credit.licence})" if credit.licence else credit.text


def credit_of(adapter: str) -> str | None:
    """The line to show wherever a datum is shown that this adapter read; None where nobody asks for one."""
    found = adapters().get(adapter)
    return credit_line(found.credit) if found and found.credit else None


def _declared(name: str, module: ModuleType) -> Adapter:
    requests, verify = getattr(module, "requests", None), getattr(module, "verify", None)
    verifies = "nothing: we fetch it" if requests else "bearer key or signature" if verify else "bearer key"
    return Adapter(
        name=name,
        version=module.VERSION,
        kind="feed" if requests else "webhook",
        title=module.TITLE,
        reads=tuple(module.READS),
        verifies=getattr(module, "VERIFIES", verifies),
        normalise=module.normalise,
        verify=verify,
        proof=getattr(module, "proof", lambda _: None),
        challenge=getattr(module, "challenge", None),
        setup=getattr(module, "SETUP", None),
        reply=getattr(module, "REPLY", 202),
        every=getattr(module, "EVERY", None),
        requests=requests,
        history=getattr(module, "history", None),
        linked=getattr(module, "linked", None),
        credit=getattr(module, "CREDIT", None),
        lanes=tuple(getattr(module, "LANES", ())),
    )
