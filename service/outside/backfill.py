"""Backfill: asks feeds about a window in the past, once; what was answered is not asked again after a cut."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from incidents import deliveries
from incidents.adapters import adapters
from incidents.config import Config
from incidents.deliveries import Arrival
from incidents.feeds import polls
from incidents.ingest import Ingest
from incidents.model import Request, Site, Source
from incidents.receipts import DeliveryIds
from incidents.store import Store
from service import clock
from service.answers import asked_now, delivery_headers, judged, masked, masked_text, with_key, without_keys
from service.outside.outbound import Fetched, FetchError, Outbound

TRIES = 3
FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=1)
"""A feed that asks for a longer pause has to be asked another time."""
LOOK_SECONDS = 0.2
"""How often it is looked whether a host is free."""

Window = tuple[datetime, datetime]


@dataclass(slots=True)
class Tally:
    """What became of the requests of one source."""

    fetched: int = 0
    known: int = 0
    failed: int = 0
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Backfill:
    """One run over a window. `say` is told each step in words that hold no key."""

    store: Store
    config: Config
    secrets: Mapping[str, Sequence[str]]
    outbound: Outbound
    say: Callable[[str], None]
    ids: DeliveryIds = field(default_factory=DeliveryIds)

    async def run(self, sources: Sequence[Source], site: Site, window: Window) -> dict[str, Tally]:
        """Ask each source in turn; by the source's name what came of it."""
        return {source.name: await self._ask_source(source, site, window) for source in sources}

    async def _ask_source(self, source: Source, site: Site, window: Window) -> Tally:
        history = adapters()[source.adapter].history
        assert history is not None
        requests, tally = list(history(source, [site], *window)), Tally()
        for n, request in enumerate(requests, 1):
            where = f"{source.name} {n}/{len(requests)}"
            if self._is_known(source, request):
                tally.known += 1
                self.say(f"{where}: known")
                continue
            reason = await self._ask(source, site, request, window)
            self.say(f"{where}: {reason or 'fetched'}")
            if reason is None:
                tally.fetched += 1
            else:
                tally.failed += 1
                tally.reasons.append(reason)
        if requests and not tally.failed:
            with self.store.writing() as connection:
                polls.note_window(connection, source.name, polls.WHOLE, window, clock.now(), site=site.name)
        return tally

    def _is_known(self, source: Source, request: Request) -> bool:
        with self.store.reading() as connection:
            return polls.was_asked(connection, source.name, polls.request_id(request))

    async def _ask(self, source: Source, site: Site, request: Request, window: Window) -> str | None:
        """Ask until it answers, at most `TRIES` times; why it did not, in words, or None."""
        secrets = self.secrets.get(source.name, ())
        pause, reason = FIRST_PAUSE, ""
        for number in range(TRIES):
            if number:
                await asyncio.sleep(pause.total_seconds())
            if not await self._host_is_ours(request):
                reason = "its host asks for a pause; try again later"
                break
            found, reason, pause = await self._fetch(request, secrets)
            if found is not None:
                await asyncio.to_thread(self._put_in, source, site, request, window, found)
                return None
            if pause > LONGEST_PAUSE:
                break
        with self.store.writing() as connection:
            polls.note_window(
                connection,
                source.name,
                polls.request_id(request),
                window,
                clock.now(),
                site=site.name,
                reason=reason,
            )
        return reason

    async def _fetch(self, request: Request, secrets: Sequence[str]) -> tuple[Fetched | None, str, timedelta]:
        """What it answered, else why not and how long to wait."""
        pause = FIRST_PAUSE
        try:
            url, headers = with_key(asked_now(request).url, request.headers, secrets)
            found = without_keys(await self.outbound.get(url, headers, now=clock.now()), secrets)
            came = judged(found, conditional=False)
            pause = came.asked_to_wait or pause
            if came.outcome == "answered":
                return found, "", pause
            reason = came.reason or came.outcome
        except FetchError as error:
            reason = masked_text(str(error), secrets)
        finally:
            with self.store.writing() as connection:
                held = min(max(polls.SPACING, pause / 2), polls.LONGEST_HELD)
                polls.free_host(connection, polls.host_of(request.url), clock.now() + held)
        return None, reason, pause

    async def _host_is_ours(self, request: Request) -> bool:
        """Wait for the turn of the request's host, which pollers of the same database ask as well."""
        ends = clock.now() + LONGEST_PAUSE
        while clock.now() < ends:
            with self.store.writing() as connection:
                if polls.claim_host(connection, polls.host_of(request.url), clock.now()):
                    return True
            await asyncio.sleep(LOOK_SECONDS)
        return False

    def _put_in(self, source: Source, site: Site, request: Request, window: Window, found: Fetched) -> None:
        now = clock.now()
        body, hidden = masked(found.body, self.secrets.get(source.name, ()))
        arrival = Arrival(
            self.ids.next(now), source.name, now, delivery_headers(asked_now(request), found, hidden), body
        )
        # The delivery and that it was asked for, in one transaction: cut between them, a run would ask again.
        with self.store.intake() as connection:
            deliveries.append(connection, [arrival])
            polls.note_window(
                connection,
                source.name,
                polls.request_id(request),
                window,
                now,
                site=site.name,
                delivery_id=arrival.id,
            )


def asked_of(config: Config, name: str | None) -> list[Source]:
    """The sources that can be asked about the past: the named one, or all."""
    return [
        source
        for source in config.sources
        if name in (None, source.name) and (adapter := adapters().get(source.adapter)) and adapter.history is not None
    ]


def read_all(store: Store, config: Config) -> None:
    """Read what waits; a service on the same database may read it as well."""
    ingest = Ingest(store, adapters())
    while ingest.work(config, clock.now()):
        pass
