"""What people do to an incident: each act appends entries in one transaction and folds the incident anew.

Errors are for the person: NotFoundError, ConflictError (the incident has moved on) and ValueError with the field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from incidents import amendments, counting, entries, instants, privacy, remains
from incidents.amendments import INSTEAD, WITHDRAWABLE
from incidents.bulk import chunks
from incidents.config import Config
from incidents.entries import ENTRY, INCIDENT, MEMBER, OCCURRENCE, Changes, Draft
from incidents.fields import TEXT_BOUND, TITLE_BOUND, change, reason_of, severity_of, stretch, stretch_json, text, when
from incidents.incident_fold import MILESTONES, STATUSES
from incidents.linker.linking import Linking
from incidents.linker.mechanisms import is_telling
from incidents.model import Entry, Incident, Occurrence
from incidents.privacy import Asker
from incidents.records import entry_of, occurrence_of
from incidents.redaction import redact
from incidents.refusals import ConflictError, NotFoundError


class Acting:
    """One person's acts within one transaction. To the asker what is private to others is not there."""

    def __init__(self, config: Config, changes: Changes, actor: str, asker: Asker = privacy.ALL) -> None:
        self.config, self.changes, self.actor, self.asker = config, changes, actor, asker
        self.connection, self.now = changes.connection, changes.now

    def open(self, fields: Mapping[str, Any], *, story: str | None = None) -> Incident:
        """Open an incident by hand: title, severity, site and impact_started_at as INTERFACE names them."""
        title = text(fields, "title", TITLE_BOUND)
        severity = severity_of(fields.get("severity") or "unknown")
        site = fields.get("site")
        if site and not self.config.site(str(site)):
            raise ValueError(f"site: {str(site)[:60]!r} is not configured")
        sites = [str(site)] if site else []
        impact = fields.get("impact_started_at")
        happened_at, until = stretch(impact, "impact_started_at", self.now) if impact else (self.now, None)
        group = f"site:{site}" if site else f"by-hand:{title[:80]}"
        params = {
            "title": title,
            "severity": severity.value,
            "group": group,
            "sites": sites,
            "by_hand": True,
            **({"impact_started_at": stretch_json(happened_at, until)} if impact else {}),
            **({"story": story} if story else {}),
        }
        self._lock([group], linking=True)
        name = self.changes.open(
            Draft("", "opened", params, self.actor, happened_at, until), entries.name_base(happened_at, title, sites)
        )
        assert name is not None
        return self.done(name, relink=True)

    def status(self, incident: str, fields: Mapping[str, Any]) -> Incident:
        """Change the status: status, happened_at and note."""
        status = fields.get("status")
        (now,) = self.hold([incident], linking=status == "resolved")
        if status not in STATUSES:
            raise ValueError(f"status: one of {', '.join(STATUSES)} is expected")
        said = fields.get("happened_at")
        at, until = stretch(said, "happened_at", self.now) if said else (self.now, None)
        params = {"status": status, "was": now.status}
        if fields.get("note"):
            params["note"] = text(fields, "note", TEXT_BOUND)
        self.changes.append(Draft(incident, "status_changed", params, self.actor, at, until))
        return self.done(incident, relink=status == "resolved")

    def note(self, incident: str, fields: Mapping[str, Any]) -> int:
        """Add a note: text, happened_at, happened_until and pinned; the entry's id. Links hear what it names."""
        params: dict[str, Any] = {"text": text(fields, "text", TEXT_BOUND)}
        heard = is_telling(params["text"])
        self.hold([incident], linking=heard)
        if fields.get("pinned"):
            params["pinned"] = True
        at, until = when(fields, self.now)
        number = self.changes.append(Draft(incident, "note", params, self.actor, at, until))
        assert number is not None
        self.done(incident, relink=heard)
        return number

    def transcribe(self, incident: str, said: Sequence[tuple[Mapping[str, Any], str]]) -> list[int | None]:
        """Add notes of what others said: the fields of a note, speaker, origin, edited, notes, what makes each unique.

        Their ids; None for one that was added before.
        """
        drafts = []
        for fields, decision in said:
            params: dict[str, Any] = {"text": text(fields, "text", TEXT_BOUND), "origin": fields["origin"]}
            params |= {"speaker": text(fields, "speaker", TITLE_BOUND)} if fields.get("speaker") else {}
            params |= {"edited": True} if fields.get("edited") else {}
            params |= {"settled": list(fields["notes"])} if fields.get("notes") else {}
            at, until = when(fields, self.now)
            drafts.append(Draft(incident, "note", params, self.actor, at, until, decision=decision))
        heard = any(is_telling(draft.params["text"]) for draft in drafts)
        self.hold([incident], linking=heard)
        numbers = [self.changes.append(draft) for draft in drafts]
        self.done(incident, relink=heard)
        return numbers

    def correct(self, incident: str, number: int, fields: Mapping[str, Any]) -> int:
        """Supersede an entry with new words or another time; the correction's id. The old entry stays."""
        old = self._entry(incident, number, linking="text" in fields)
        if old.kind not in ("note", "status_changed", "opened"):
            raise ConflictError(f"an entry of kind {old.kind} is not corrected; add a note instead")
        params: dict[str, Any] = {}
        if "text" in fields:
            # What a status says is its note; its `was` is the status before it.
            name, was = ("note", "was_note") if old.kind == "status_changed" else ("text", "was")
            params |= {name: text(fields, "text", TEXT_BOUND), was: old.params.get(name)}
        if "pinned" in fields:
            params["pinned"] = bool(fields["pinned"])
        at, until = old.happened_at, old.happened_until
        if fields.get("happened_at"):
            at, until = when(fields, self.now)
            params["happened_at"] = instants.text(at)
        if not params:
            raise ValueError("text: nothing to correct was given")
        added = self.changes.append(Draft(incident, "correction", params, self.actor, at, until, supersedes=number))
        assert added is not None
        self.done(incident, relink="text" in fields)
        return added

    def retract(self, incident: str, number: int) -> int:
        """Withdraw an entry; it stays in the log, with who withdrew it and when. The id of its retraction.

        A retraction withdrawn brings its entry back; an entry that is withdrawn already stays so, with no new one.
        """
        return self.retract_all(incident, [number])[0]

    def retract_all(self, incident: str, numbers: Sequence[int]) -> list[int]:
        """Withdraw entries together; the ids of their retractions, in the order of the entries."""
        self.hold([incident], linking=True)
        kinds = self._kinds(incident, numbers)
        for kind in kinds.values():
            if kind not in WITHDRAWABLE:
                hint = INSTEAD.get(kind, "add a note instead")
                raise ConflictError(f"an entry of kind {kind} is not withdrawn; {hint}")
        already = amendments.withdrawals(entries.decisions(self.connection, [incident])[incident])
        found = {number: already[number].id for number in numbers if number in already}
        new = [number for number in dict.fromkeys(numbers) if number not in found]
        for number in new:
            params = {"kind": kinds[number]}
            added = self.changes.append(Draft(incident, "retraction", params, self.actor, self.now, supersedes=number))
            assert added is not None
            found[number] = added
        if new:  # one fold for all: each reads the whole log
            self.done(incident, relink=any(kinds[number] != "link_judged" for number in new))
        return [found[number] for number in numbers]

    def patch(self, incident: str, fields: Mapping[str, Any]) -> Incident:
        """Change fields, one entry each: title, severity, owner, responders, services, milestones, impact_windows.

        A `reason` among them is told with each change.
        """
        relink = bool(set(fields) & {*MILESTONES, "impact_windows"})
        (now,) = self.hold([incident], linking=relink)
        reason = reason_of(str(fields.get("reason") or ""))
        for field, value in fields.items():
            if field == "reason":
                continue
            was, new = change(now, field, value, self.now)
            if was != new:
                params = {"field": field, "was": was, "now": new, **reason}
                self.changes.append(Draft(incident, "field_changed", params, self.actor, self.now))
        return self.done(incident, relink=relink)

    def judge(self, incident: str, link: str, fields: Mapping[str, Any]) -> Incident:
        """A person's verdict on a link: verdict, note, quote and speaker."""
        now = self.seen(incident)
        if link not in {found.id for found in now.links}:
            raise NotFoundError(f"the incident has no link {link[:60]}")
        verdict = fields.get("verdict")
        if verdict not in ("proposed", "confirmed", "rejected", "attributed", "retracted"):
            raise ValueError("verdict: confirmed, rejected, attributed, retracted, or proposed to undo is expected")
        if verdict == "attributed" and not (fields.get("quote") and fields.get("speaker")):
            raise ValueError("quote: an attribution is somebody's word: give quote and speaker")
        title = self.connection.execute(sa.select(OCCURRENCE.c.title).where(OCCURRENCE.c.id == link)).scalar()
        if title is None and (kept := remains.outlines(self.connection, [link])):
            title = kept[link].title
        params: dict[str, Any] = {"link": link, "verdict": verdict, "title": redact(title or link)}
        params |= {k: text(fields, k, TEXT_BOUND) for k in ("note", "quote", "speaker") if fields.get(k)}
        self.changes.append(Draft(incident, "link_judged", params, self.actor, self.now))
        return self.done(incident)

    def link(self, incident: str, fields: Mapping[str, Any]) -> Incident:
        """Link an occurrence by hand; it carries the person's reason and no bits."""
        self.seen(incident)
        name = str(fields.get("occurrence") or "")
        row = self.connection.execute(sa.select(OCCURRENCE).where(OCCURRENCE.c.id == name)).first()
        if row is None or privacy.hidden_alerts(self.connection, [name], self.asker):
            raise NotFoundError(f"there is no occurrence {name[:60]!r}")
        reason = text(fields, "note", TEXT_BOUND) if fields.get("note") else "linked by hand"
        params = {
            "occurrence": row.id,
            "title": redact(row.title),
            "kind": row.kind,
            "tier": "context",
            "score": 0.0,
            "reasons": [{"part": "person", "bits": 0.0, "sentence": reason}],
            "base_rate": None,
            "would_change": "",
        }
        self.changes.append(
            Draft(incident, "link_proposed", params, self.actor, row.starts_at, decision=f"by-hand|{incident}|{row.id}")
        )
        return self.done(incident)

    # ----------------------------------------------------------------------------------------------------------------

    def seen_together(self, incidents: Sequence[str]) -> list[Incident]:
        """Several incidents, all their groups locked at once, in the order that every transaction keeps."""
        return self.hold(incidents)

    def seen(self, incident: str, *, expected: int | None = None) -> Incident:
        """The incident, its group locked; ConflictError when its version is not the expected one."""
        (found,) = self.hold([incident])
        if expected is not None and found.version != expected:
            raise ConflictError(f"the incident is at version {found.version}, not {expected}")
        return found

    def hold(
        self,
        incidents: Sequence[str],
        *,
        alerts: Sequence[str] = (),
        members_of: str | None = None,
        linking: bool = False,
    ) -> list[Incident]:
        """These incidents as they stand once nobody else may change them. Raises NotFoundError.

        The senders of `alerts`, and of all that ever belonged to `members_of`, are held as well: an alert that was
        attached by hand is in another group, and its sender's transaction must see where it belongs by then.
        """
        query = sa.select(INCIDENT.c.id, INCIDENT.c.group_key).where(INCIDENT.c.id.in_(incidents))
        groups = {row.id: row.group_key for row in self.connection.execute(query)}
        hidden = privacy.hidden_among(self.connection, self.asker, groups)
        for name in incidents:
            if name not in groups or name in hidden:
                raise NotFoundError(f"there is no incident {name[:80]}")
        senders = self._senders(alerts, members_of)
        while True:
            attempt = self.connection.begin_nested()
            self._lock(groups.values(), senders=senders, linking=linking)
            late = self._senders(alerts, members_of) - senders
            if not late:
                attempt.commit()
                break
            # Senders are locked before groups, so what an alert that has just joined needs is locked from the start.
            attempt.rollback()
            senders |= late
        found = entries.read_incidents(self.connection, list(groups))
        return [found[name] for name in incidents]

    def _lock(self, groups: Iterable[str], *, senders: Iterable[str] = (), linking: bool = False) -> None:
        """Lock in the order that every transaction keeps: senders, groups, linking; names of incidents come after."""
        kinds = ([f"source:{name}" for name in senders], [f"group:{key}" for key in groups], ["linking"] * linking)
        for names in kinds:
            self.changes.store.lock(self.connection, names)

    def _senders(self, alerts: Sequence[str], members_of: str | None) -> set[str]:
        ever = sa.select(MEMBER.c.occurrence_id).where(MEMBER.c.incident_id == members_of)
        parts = [*chunks(list(alerts)), *([ever] if members_of else [])]
        return {
            name
            for part in parts
            for name in self.connection.execute(
                sa.select(OCCURRENCE.c.source).where(OCCURRENCE.c.id.in_(part)).distinct()
            ).scalars()
        }

    def members(self, incident: str) -> set[str]:
        """The ids of the alerts that belong to an incident."""
        return set(self.connection.execute(counting.current_members(incident)).scalars())

    def occurrences(self, names: list[str]) -> list[Occurrence]:
        """Those of these ids that there are for the asker."""
        hidden = privacy.hidden_alerts(self.connection, names, self.asker)
        return [
            occurrence_of(row)
            for part in chunks([name for name in names if name not in hidden])
            for row in self.connection.execute(sa.select(OCCURRENCE).where(OCCURRENCE.c.id.in_(part)))
        ]

    def done(self, incident: str, *, relink: bool = False) -> Incident:
        """The incident as what was appended leaves it; with its links sought anew where that may change them."""
        folded = self.changes.settle()
        if relink:
            Linking(self.config, self.changes).relink_incidents([folded[incident]] if incident in folded else [])
            folded |= self.changes.settle()
        found = folded.get(incident) or entries.read_incident(self.connection, incident)
        assert found is not None
        return found

    def _entry(self, incident: str, number: int, *, linking: bool) -> Entry:
        self.hold([incident], linking=linking)
        row = self.connection.execute(
            sa.select(ENTRY).where(ENTRY.c.incident_id == incident, ENTRY.c.id == number)
        ).first()
        if row is None:
            raise NotFoundError(f"the incident has no entry {number}")
        return entry_of(row)

    def _kinds(self, incident: str, numbers: Sequence[int]) -> dict[int, str]:
        """The kinds of an incident's entries by their ids. Raises NotFoundError."""
        query = sa.select(ENTRY.c.id, ENTRY.c.kind).where(ENTRY.c.incident_id == incident)
        found: dict[int, str] = {
            row.id: row.kind
            for part in chunks(list(numbers))
            for row in self.connection.execute(query.where(ENTRY.c.id.in_(part)))
        }
        for number in numbers:
            if number not in found:
                raise NotFoundError(f"the incident has no entry {number}")
        return found
