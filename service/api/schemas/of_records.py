"""Schemas of the record: occurrences, readings, deliveries, and what is counted over them."""

from __future__ import annotations

from typing import Any

from service.api.schemas.words import (
    COUNT,
    FLAG,
    INSTANT,
    KIND_OF,
    MAYBE_INSTANT,
    MAYBE_NUMBER,
    MAYBE_TEXT,
    MOMENT,
    NUMBER,
    SEVERITY,
    SHARE_OF,
    TEXT,
    list_of,
    ref,
    shape,
)

SCHEMAS: dict[str, Any] = {
    "Occurrence": shape(
        ("id", "kind", "source", "key", "title", "severity", "starts_at"),
        id=TEXT,
        kind=KIND_OF,
        source=TEXT,
        key=TEXT,
        title=TEXT,
        severity=SEVERITY,
        starts_at=INSTANT,
        starts_until=MAYBE_INSTANT,
        ends_at=MAYBE_INSTANT,
        ends_expected=FLAG,
        ends_assumed=FLAG,
        event=MAYBE_TEXT,
        labels={"type": "object"},
        url=MAYBE_TEXT,
        recorded_at=MAYBE_INSTANT,
        statements=COUNT,
        credit=MAYBE_TEXT,
    ),
    "Reading": shape(
        ("variable", "at", "value"),
        variable=TEXT,
        at=INSTANT,
        value=NUMBER,
        latitude={"type": ["number", "null"]},
        longitude={"type": ["number", "null"]},
        grid_area=MAYBE_TEXT,
        station=MAYBE_TEXT,
        provisional=FLAG,
        basis={"enum": ["observed", "modelled", "reconstructed"]},
        credit=MAYBE_TEXT,
        source=TEXT,
    ),
    "Delivery": shape(
        ("receipt", "source", "received_at", "state"),
        receipt=TEXT,
        source=TEXT,
        received_at=INSTANT,
        state={"enum": ["unread", "read", "quarantined"]},
        reason=MAYBE_TEXT,
        adapter=MAYBE_TEXT,
        adapter_version={"type": ["integer", "null"]},
        size=COUNT,
        sha256=TEXT,
        losses=COUNT,
        loss_reason=MAYBE_TEXT,
        events=list_of({"type": "object"}),
        events_total=COUNT,
    ),
    "Lag": shape(
        ("instants", "measurements"),
        instants={"type": "object", "additionalProperties": MOMENT},
        measurements=list_of(ref("Measurement")),
    ),
    "Revision": shape(
        ("subject", "recorded_at", "was", "now", "diff"),
        subject={"enum": ["post", "text", "title", "severity", "start", "end"]},
        post_at=MAYBE_INSTANT,
        recorded_at=INSTANT,
        said_at=INSTANT,
        was=TEXT,
        now=TEXT,
        diff=list_of(shape(("kind", "words"), kind={"enum": ["same", "gone", "new"]}, words=TEXT)),
        event={"type": "integer"},
        delivery=TEXT,
    ),
    "Backdating": shape(
        ("kind", "at", "start", "before", "seconds", "sentence"),
        kind={"enum": ["claimed", "moved"]},
        at=INSTANT,
        start=INSTANT,
        before=INSTANT,
        seconds=NUMBER,
        sentence=TEXT,
        event={"type": "integer"},
    ),
    "ProviderLag": shape(
        ("provider", "n", "medians", "rows"),
        provider=TEXT,
        n=COUNT,
        medians={"type": "object", "additionalProperties": shape(("seconds", "n"), seconds=NUMBER, n=COUNT)},
        rows=list_of(
            shape(
                ("incident", "occurrence", "state", "tier", "instants", "measurements"),
                incident=TEXT,
                incident_title=TEXT,
                occurrence=TEXT,
                title=TEXT,
                state=TEXT,
                tier=TEXT,
                instants={"type": "object", "additionalProperties": MOMENT},
                measurements=list_of(ref("Measurement")),
            )
        ),
    ),
    "Review": shape(
        ("from", "to", "zone", "incidents", "durations", "detection_gaps", "recurrences", "days", "hours", "providers"),
        **{"from": INSTANT, "to": INSTANT},
        zone=TEXT,
        site=MAYBE_TEXT,
        incidents=COUNT,
        left_out=COUNT,
        durations={
            "type": "object",
            "description": "by measurement; lengths in seconds, percentiles from 20 ended ones on",
            "additionalProperties": shape(
                ("n", "open", "incidents", "percentiles", "kaplan_meier"),
                n=COUNT,
                open=COUNT,
                incidents=list_of(shape(("incident", "seconds", "open"), incident=TEXT, seconds=NUMBER, open=FLAG)),
                percentiles=list_of(
                    shape(
                        ("share", "seconds", "low", "high"),
                        share=NUMBER,
                        seconds=NUMBER,
                        low=MAYBE_NUMBER,
                        high=MAYBE_NUMBER,
                    )
                ),
                kaplan_meier=list_of(
                    shape(
                        ("seconds", "ended", "low", "high", "at_risk"),
                        seconds=NUMBER,
                        ended=NUMBER,
                        low=NUMBER,
                        high=NUMBER,
                        at_risk=COUNT,
                    )
                ),
            ),
        },
        detection_gaps=list_of(
            shape(("incident", "to_signal", "to_person"), incident=TEXT, to_signal=NUMBER, to_person=MAYBE_NUMBER)
        ),
        recurrences=list_of(
            shape(("site", "alert", "incidents"), site=MAYBE_TEXT, alert=TEXT, incidents=list_of(TEXT))
        ),
        days={"type": "object", "additionalProperties": COUNT, "description": "openings by local day"},
        warned_days=list_of({"type": "string", "format": "date"}),
        hours={**list_of(COUNT), "description": "openings by hour of the site's wall clock"},
        night={"anyOf": [SHARE_OF, {"type": "null"}]},
        providers=list_of(shape(("provider", "rows"), provider=TEXT, rows=list_of({"type": "object"}))),
        heat={
            "anyOf": [
                shape(
                    ("hours", "readings", "incidents", "without_reading", "bases", "above"),
                    hours=COUNT,
                    readings=COUNT,
                    incidents=COUNT,
                    without_reading=COUNT,
                    bases=list_of(TEXT),
                    above=list_of(
                        shape(
                            ("temperature_c", "incidents", "hours", "per_100_hours", "low", "high"),
                            temperature_c=NUMBER,
                            incidents=COUNT,
                            hours=NUMBER,
                            per_100_hours=NUMBER,
                            low=NUMBER,
                            high=NUMBER,
                        )
                    ),
                ),
                {"type": "null"},
            ]
        },
        thinned={
            "anyOf": [shape(("until", "readings"), until=INSTANT, readings=COUNT), {"type": "null"}],
            "description": "until when `heat` counts no hour, since retention dropped so many readings before",
        },
    ),
}
