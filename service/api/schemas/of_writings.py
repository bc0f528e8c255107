"""Schemas of what is written and shared: postmortems, saved views, links, files, annotations."""

from __future__ import annotations

from typing import Any

from incidents.postmortem import SECTIONS
from incidents.shares import LONGEST
from service.api.schemas.words import (
    AUDIENCE,
    COUNT,
    EPOCH_MS,
    FLAG,
    INSTANT,
    MAYBE_INSTANT,
    MAYBE_TEXT,
    POSTMORTEM_STATE,
    TEXT,
    list_of,
    ref,
    shape,
)

SCHEMAS: dict[str, Any] = {
    "PostmortemSections": shape((), **dict.fromkeys(SECTIONS, TEXT) | {"actions": list_of(ref("PostmortemAction"))}),
    "PostmortemAction": shape(
        ("text",),
        text=TEXT,
        owner=TEXT,
        due={"type": ["string", "null"], "format": "date", "description": "a day"},
        done=FLAG,
    ),
    "PostmortemBeginning": shape((), template={"type": "string", "description": "its name; standard by default"}),
    "PostmortemTemplate": shape(
        ("name", "title", "sections", "fault"),
        name=TEXT,
        title=MAYBE_TEXT,
        sections=list_of({"type": "object"}),
        fault={"type": ["string", "null"], "description": "file, line and what is wrong, where it cannot be used"},
    ),
    "PostmortemChange": shape((), sections=ref("PostmortemSections"), state=POSTMORTEM_STATE),
    "PostmortemRevision": shape(
        ("revision", "state", "sections"),
        revision=COUNT,
        state=POSTMORTEM_STATE,
        may_become=list_of(POSTMORTEM_STATE),
        author=MAYBE_TEXT,
        recorded_at=MAYBE_INSTANT,
        changed=list_of(TEXT),
        sections=ref("PostmortemSections"),
    ),
    "Postmortem": shape(
        ("incident", "state", "revision", "audience", "left_out", "sections", "record"),
        incident=TEXT,
        state=POSTMORTEM_STATE,
        may_become=list_of(POSTMORTEM_STATE),
        revision=COUNT,
        recorded_at=MAYBE_INSTANT,
        authors=list_of(TEXT),
        audience=AUDIENCE,
        names=FLAG,
        left_out=list_of(TEXT),
        sections=ref("PostmortemSections"),
        template={"type": "object", "description": "its title and its sections in order, those of one's own too"},
        frozen_at=MAYBE_INSTANT,
        differences=list_of(TEXT),
        record={"type": "object"},
    ),
    "ViewSaving": shape(("name", "address"), name=TEXT, address=TEXT, shared=FLAG),
    "SavedView": shape(
        ("id", "name", "address", "owner", "shared", "saved_at"),
        id=COUNT,
        name=TEXT,
        address={"type": "string", "description": "a path of ours with its query"},
        owner=TEXT,
        shared=FLAG,
        saved_at=INSTANT,
    ),
    "Job": shape(
        ("id", "title", "state", "words", "asked_at"),
        id=TEXT,
        title=TEXT,
        state={"enum": ["waiting", "running", "done", "failed", "cancelled"]},
        words={"type": "string", "description": "how far it is, in a sentence"},
        before={**COUNT, "description": "how many are made before it"},
        asked_at=INSTANT,
        ended_at=MAYBE_INSTANT,
        name=MAYBE_TEXT,
        media=MAYBE_TEXT,
        size={"type": ["integer", "null"]},
        file=MAYBE_TEXT,
        error=MAYBE_TEXT,
    ),
    "ShareMaking": shape((), days={"type": "integer", "minimum": 1, "maximum": LONGEST.days}),
    "Share": shape(
        ("id", "incident", "url", "made_at", "made_by", "expires_at"),
        id=TEXT,
        incident=TEXT,
        url={"type": ["string", "null"], "description": "null once it has ended"},
        made_at=INSTANT,
        made_by=TEXT,
        expires_at=INSTANT,
        revoked_at=MAYBE_INSTANT,
        revoked_by=MAYBE_TEXT,
    ),
    "AnnotationQuery": shape(
        (),
        range=shape((), **{"from": INSTANT, "to": INSTANT}),
        annotation=shape((), query={"type": "string", "description": "tags, separated by commas"}),
    ),
    "Annotations": list_of(
        shape(
            ("time", "timeEnd", "title", "text", "tags"),
            time=EPOCH_MS,
            timeEnd=EPOCH_MS,
            isRegion=FLAG,
            title=TEXT,
            text=TEXT,
            tags=list_of(TEXT),
            id=TEXT,
            url=TEXT,
        )
    ),
}
