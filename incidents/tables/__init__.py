"""The tables: four logs, two caches, and the rows that connect and configure them, a module for each.

Rows are rows, not domain values: SQLModel declares them, Core reads and writes them. Instants are whole
microseconds since 1970 in UTC, so that both databases compare, bin and page them alike; JSON is text, so that
neither database edits it. Ids that order a log grow with it; what is shown to people has names of its own.
"""

from __future__ import annotations

from sqlmodel import SQLModel

from incidents.tables.access import KeyUseRow, PersonRow, SessionRow
from incidents.tables.audit import AuditRow
from incidents.tables.caches import AlertGroupRow, IncidentRow, OccurrenceRow, RebuildDueRow
from incidents.tables.columns import Instant, Json, instant, micros
from incidents.tables.connections import MemberRow, SightingRow, StampRow, SupersessionRow, UnreadRow
from incidents.tables.counts import MemberCountRow
from incidents.tables.crowd_parts import CrowdPartRow
from incidents.tables.dropped import DroppedDeliveryRow, DroppedSubjectRow
from incidents.tables.factors import FactorRow, RecoveryCodeRow
from incidents.tables.guesses import GuessRow
from incidents.tables.logs import DeliveryRow, EntryRow, EventRow, ReadingRow
from incidents.tables.notices import NoticeAttemptRow, NoticeRow
from incidents.tables.polls import AskedRow, LinkedRow, PollHostRow, PollRow
from incidents.tables.postmortems import PostmortemRevisionRow
from incidents.tables.privacy import PrivateViewerRow
from incidents.tables.proofs import SeenProofRow
from incidents.tables.reach import ReachRow, ReadingCountRow
from incidents.tables.recovery import RecoveryRow
from incidents.tables.reports import ReportRow
from incidents.tables.retention import HoldRow, TombstoneRow
from incidents.tables.settings import KeyRow, PulseRow, RefusalRow, SecretRow, SettingRow
from incidents.tables.shares import ShareRow
from incidents.tables.stamp_counts import StampCountRow
from incidents.tables.views import SavedViewRow

METADATA = SQLModel.metadata

__all__ = [
    "METADATA",
    "AlertGroupRow",
    "AskedRow",
    "AuditRow",
    "CrowdPartRow",
    "DeliveryRow",
    "DroppedDeliveryRow",
    "DroppedSubjectRow",
    "EntryRow",
    "EventRow",
    "FactorRow",
    "GuessRow",
    "HoldRow",
    "IncidentRow",
    "Instant",
    "Json",
    "KeyRow",
    "KeyUseRow",
    "LinkedRow",
    "MemberCountRow",
    "MemberRow",
    "NoticeAttemptRow",
    "NoticeRow",
    "OccurrenceRow",
    "PersonRow",
    "PollHostRow",
    "PollRow",
    "PostmortemRevisionRow",
    "PrivateViewerRow",
    "PulseRow",
    "ReachRow",
    "ReadingCountRow",
    "ReadingRow",
    "RebuildDueRow",
    "RecoveryCodeRow",
    "RecoveryRow",
    "RefusalRow",
    "ReportRow",
    "SavedViewRow",
    "SecretRow",
    "SeenProofRow",
    "SessionRow",
    "SettingRow",
    "ShareRow",
    "SightingRow",
    "StampCountRow",
    "StampRow",
    "SupersessionRow",
    "TombstoneRow",
    "UnreadRow",
    "instant",
    "micros",
]
