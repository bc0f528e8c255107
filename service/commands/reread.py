"""`barograph reread`: read deliveries again, or only tell what that would change."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from service.commands.terminal import JSON_OPTION, NOT_FOUND, as_json, config_in, fail, instant, opened, plain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from incidents.rehearsal import Rehearsed

MOST_TOLD = 1000
"""Deliveries that are told one by one; the counts are of all."""
WIDTH = 100


@click.command()
@click.argument("source")
@click.option("--since", callback=instant, metavar="T", help="Only what was received from T on.")
@click.option("--dry-run", is_flag=True, help="Write nothing; tell what would change.")
@JSON_OPTION
def reread(source: str, since: datetime | None, *, dry_run: bool, json_: bool) -> None:
    """Read the deliveries of SOURCE again with the adapter as it is now, and tell what that changes."""
    from incidents import deliveries
    from incidents.adapters import adapters
    from incidents.deliveries import STAMP
    from incidents.ingest import Ingest
    from incidents.receipts import first_id
    from incidents.rehearsal import rehearse
    from service import clock

    with opened() as store:
        config = config_in(store)
        if config.source(source) is None:
            raise fail(f"there is no source {source}", NOT_FOUND)
        where = STAMP.c.source == source
        if since is not None:
            where &= STAMP.c.delivery_id >= first_id(since)
        ingest = Ingest(store, adapters())
        told = _tell(rehearse(store, ingest, config, where), dry_run=dry_run, json_=json_)
        if not dry_run:
            with store.writing() as connection:
                deliveries.queue_again(connection, where)
            while ingest.work(config, clock.now()):
                pass
    click.echo(as_json(told) if json_ else _summary(told))


def _tell(read: Iterable[Rehearsed], *, dry_run: bool, json_: bool) -> dict[str, Any]:
    """Print each delivery that differs, unless it is JSON that is wanted: then they stand in what is given back."""
    counts: Counter[str] = Counter(deliveries=0, differing=0, superseded=0, new=0)
    listed: list[dict[str, Any]] = []
    for one in read:
        counts.update(deliveries=1, differing=int(one.differs), superseded=one.superseded(), new=one.new())
        if one.differs and counts["differing"] <= MOST_TOLD:
            if json_:
                listed.append(_as_json(one))
            else:
                for line in _lines(one):
                    click.echo(plain(line))
    if counts["differing"] > MOST_TOLD and not json_:
        click.echo(f"… and {counts['differing'] - MOST_TOLD} more deliveries")
    return {"dry_run": dry_run, **counts, **({"differences": listed} if json_ else {})}


def _summary(told: dict[str, Any]) -> str:
    would = "would be " if told["dry_run"] else ""
    return (
        f"{told['deliveries']} deliveries {would}read again: {told['differing']} differ, "
        f"{told['superseded']} statements {would}superseded, {told['new']} {would}recorded"
    )


def _lines(one: Rehearsed) -> Iterable[str]:
    from incidents import instants

    yield f"{instants.text(one.received_at)} {one.receipt}, read by {one.adapter}"
    if (one.was, one.was_reason) != (one.now, one.now_reason):
        yield f"  {_state(one.was, one.was_reason)} → {_state(one.now, one.now_reason)}"
    if one.readings_was != one.readings_now:
        yield f"  readings: {one.readings_was} → {one.readings_now}"
    for found in one.differences:
        yield f"  {found.change:<7} {_short(found.title or found.key)} ({_short(found.key)})"
        if found.change == "changed":
            for field in found.fields:
                yield f"    {field.name}: {_value(field.was)} → {_value(field.now)}"


def _state(state: str, reason: str | None) -> str:
    return f"{state} ({_short(reason)})" if reason else state


def _value(text: str | None) -> str:
    return "–" if text is None else _short(text)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"


def _as_json(one: Rehearsed) -> dict[str, Any]:
    from incidents import instants

    return {
        "receipt": one.receipt,
        "received_at": instants.text(one.received_at),
        "adapter": one.adapter,
        "state": {"was": one.was, "now": one.now},
        "reason": {"was": one.was_reason, "now": one.now_reason},
        "readings": {"was": one.readings_was, "now": one.readings_now},
        "occurrences": [
            {
                "change": found.change,
                "key": found.key,
                "title": found.title,
                "fields": [{"name": field.name, "was": field.was, "now": field.now} for field in found.fields],
            }
            for found in one.differences
        ],
    }
