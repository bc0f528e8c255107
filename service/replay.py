"""Plays a story in virtual time: each delivery and action at its own instant, the rules' clock between them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa

from incidents import configured, deliveries, instants, moves
from incidents.acts import Acting
from incidents.adapters import adapters
from incidents.config import Config, ConfigError, config_of
from incidents.deliveries import Arrival
from incidents.entries import INCIDENT, Changes, read_incident
from incidents.ingest import Ingest
from incidents.receipts import DeliveryIds
from incidents.settling import settle_due
from incidents.store import Store
from service import clock

_OFFSET = re.compile(r"(-?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_PLACED = {
    "at",
    "startsAt",
    "endsAt",
    "starts_at",
    "ends_at",
    "ends_expected",
    "said_at",
    "until",
    "happened_at",
    "happened_until",
    "impact_started_at",
}
"""Keys whose values a relative story gives as offsets from now."""
STORY_KEYS = {"title", "provenance", "sites", "sources", "rules", "deliveries", "actions", "relative"}


@dataclass(frozen=True, slots=True)
class Story:
    """A story ready to be played: its configuration, and what happens at which instant."""

    name: str
    title: str
    provenance: str
    config: Config
    deliveries: tuple[tuple[datetime, str, Mapping[str, str], bytes], ...]
    actions: tuple[tuple[datetime, str, str, Mapping[str, Any]], ...]

    @property
    def ends_at(self) -> datetime:
        """When the last thing of the story happens."""
        return max([at for at, *_ in self.deliveries] + [at for at, *_ in self.actions])


def story_of(text: bytes, name: str, now: datetime) -> Story:
    """A story from its file. Raises ConfigError naming what cannot be used; `now` places a relative one."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{name}: not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{name}: a JSON object is expected")
    unknown = sorted(set(document) - STORY_KEYS)
    if unknown:
        raise ConfigError(f"{name}: {unknown[0]}: is not a key of a story")
    if document.get("relative"):
        document = _placed(document, now)
    config = config_of({k: document.get(k, []) for k in ("sites", "sources", "rules")}, adapters())
    known = {s.name for s in config.sources}
    played = [_delivery(row, n, known) for n, row in enumerate(document.get("deliveries", []))]
    acted = [_action(row, n) for n, row in enumerate(document.get("actions", []))]
    if not played and not acted:
        raise ConfigError(f"{name}: neither deliveries nor actions")
    return Story(
        name,
        str(document.get("title", name)),
        str(document.get("provenance", "")),
        config,
        tuple(sorted(played, key=lambda d: d[0])),
        tuple(sorted(acted, key=lambda a: a[0])),
    )


def _placed(value: Any, now: datetime, key: str = "") -> Any:  # noqa: ANN401  # JSON
    if isinstance(value, dict):
        return {k: _placed(v, now, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_placed(v, now, key) for v in value]
    if isinstance(value, str) and key in _PLACED and (offset := offset_of(value)) is not None:
        return instants.text(now + offset)
    return value


def offset_of(text: str) -> timedelta | None:
    """An ISO 8601 length such as -PT2H35M; None for anything else."""
    found = _OFFSET.fullmatch(text)
    if not found or text in ("P", "-P"):
        return None
    days, hours, minutes, seconds = (float(found[n] or 0) for n in range(2, 6))
    length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    return -length if found[1] else length


def _delivery(row: Any, n: int, known: set[str]) -> tuple[datetime, str, Mapping[str, str], bytes]:  # noqa: ANN401
    where = f"deliveries[{n}]"
    if not isinstance(row, dict) or row.get("source") not in known:
        raise ConfigError(f"{where}: source: is not one of the story's sources")
    body = row.get("body", "")
    raw = body.encode() if isinstance(body, str) else orjson.dumps(body)
    headers = {str(k).lower(): str(v) for k, v in (row.get("headers") or {}).items()}
    return _instant(row.get("at"), where), row["source"], headers, raw


def _action(row: Any, n: int) -> tuple[datetime, str, str, Mapping[str, Any]]:  # noqa: ANN401
    where = f"actions[{n}]"
    if not isinstance(row, dict) or not isinstance(row.get("do"), dict):
        raise ConfigError(f"{where}: do: is missing")
    return (
        _instant(row.get("at"), where),
        str(row.get("actor", "user:story")),
        str(row.get("incident", "latest")),
        row["do"],
    )


def _instant(value: Any, where: str) -> datetime:  # noqa: ANN401  # JSON
    try:
        at = instants.parse(value)
    except ValueError as error:
        raise ConfigError(f"{where}: at: {error}") from None
    if at is None:
        raise ConfigError(f"{where}: at: is missing")
    return at


class Player:
    """Plays stories into a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def play(self, story: Story, until: datetime) -> None:
        """Play everything up to `until`, the rules' clock included. Raises ConfigError for an impossible action."""
        self._configure(story)
        ids, ingest = DeliveryIds(), Ingest(self.store, adapters(), story=story.name)
        for at, step in self._steps(story, until):
            settle_due(self.store, story.config, at, virtual=True)
            if isinstance(step, Arrival):
                with self.store.intake() as connection:
                    deliveries.append(connection, [replace(step, id=ids.next(at))])
                while ingest.work(story.config, at):
                    pass
            else:
                self._act(story, at, *step)
        settle_due(self.store, story.config, until, virtual=True)

    def _configure(self, story: Story) -> None:
        with self.store.writing() as connection:
            now = clock.now()
            steps = configured.plan(connection, story.config, owner="story", prune=False)
            configured.write(
                connection, story.config, [s for s in steps if s.act in ("add", "change")], owner="story", now=now
            )
            configured.put(
                connection,
                ("story", story.name),
                {"title": story.title, "provenance": story.provenance},
                owner="story",
                now=now,
            )

    @staticmethod
    def _steps(story: Story, until: datetime) -> Iterator[tuple[datetime, Any]]:
        steps: list[tuple[datetime, int, Any]] = [
            (at, 0, Arrival(0, source, at, headers, body)) for at, source, headers, body in story.deliveries
        ]
        steps += [(at, 1, action) for at, *action in story.actions]
        for at, _, step in sorted(steps, key=lambda s: (s[0], s[1])):
            if at <= until:
                yield at, step

    def _act(self, story: Story, at: datetime, actor: str, name: str, do: Mapping[str, Any]) -> None:
        with self.store.writing() as connection:
            acting = Acting(story.config, Changes(self.store, connection, at), actor)
            try:
                perform(acting, self._incident(connection, story, name, do), do, story=story.name)
            except (ValueError, LookupError) as error:
                raise ConfigError(f"{story.name}: action at {instants.text(at)}: {error}") from error

    @staticmethod
    def _incident(connection: sa.Connection, story: Story, name: str, do: Mapping[str, Any]) -> str:
        if "open" in do or name != "latest":
            return name
        own = {f"site:{s.name}" for s in story.config.sites}
        query = (
            sa.select(INCIDENT.c.id)
            .where(INCIDENT.c.merged_into.is_(None))
            .order_by(INCIDENT.c.recorded_at.desc(), INCIDENT.c.opened_at.desc())
        )
        sources = {s.name for s in story.config.sources}
        for row in connection.execute(query.add_columns(INCIDENT.c.group_key)):
            if row.group_key in own or row.group_key.split(":")[1] in sources or row.group_key.startswith("by-hand:"):
                return str(row.id)
        raise ConfigError(f"{story.name}: an action speaks of the latest incident, and there is none")


def perform(acting: Acting, incident: str, do: Mapping[str, Any], *, story: str | None = None) -> None:
    """Do one action of a story. Raises ValueError for one that is not known."""
    if "open" in do:
        acting.open(do["open"], story=story)
    elif "status" in do:
        acting.status(incident, do)
    elif "text" in do:
        acting.note(incident, do)
    elif "patch" in do:
        acting.patch(incident, do["patch"])
    elif "verdict" in do:
        acting.judge(incident, _link_named(acting, incident, str(do.get("link"))), do)
    elif "merge" in do:
        moves.merge(acting, incident, str(do["merge"]))
    else:
        raise ValueError(f"do: {sorted(do)[:3]} is not an action")


def _link_named(acting: Acting, incident: str, title: str) -> str:
    from incidents.views.lists import titles_of

    found = read_incident(acting.connection, incident)
    links = found.links if found else ()
    titles = titles_of(acting.connection, [link.id for link in links])
    return next((link.id for link in links if title in (link.id, titles[link.id].title)), title)
