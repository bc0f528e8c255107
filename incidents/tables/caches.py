"""The two caches, dropped and rebuilt from the logs, and the groups that rules look at."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Index
from sqlmodel import Field, SQLModel

from incidents.tables.columns import instant_column, json_column


class OccurrenceRow(SQLModel, table=True):
    """The fold of an occurrence's events. `rest` holds what no query asks for."""

    __tablename__ = "occurrence"
    id: str = Field(primary_key=True)
    subject: str
    """What its source's key names: the events of all occurrences of a subject are recorded under it."""
    followed: bool
    source: str
    key: str
    kind: str
    title: str
    severity: int
    """`Severity.rank`."""
    lane: str
    name: str
    """What runs of alike alerts are counted by: the alert's name without its instance."""
    starts_at: datetime = instant_column()
    ends_at: datetime | None = instant_column(nullable=True)
    said_at: datetime = instant_column()
    recorded_at: datetime = instant_column()
    test: bool
    statements: int
    rest: dict[str, Any] = json_column()

    __table_args__ = (
        Index("occurrence_by_start", "kind", "starts_at"),
        Index("occurrence_by_end", "kind", "ends_at"),
        Index("occurrence_by_word", "said_at"),
        Index("occurrence_by_subject", "subject", "followed"),
    )


class AlertGroupRow(SQLModel, table=True):
    """An alert in a group that rules look at. `ends_at` of an alert that is on is the largest integer."""

    __tablename__ = "alert_group"
    group_key: str = Field(primary_key=True)
    occurrence_id: str = Field(primary_key=True)
    starts_at: int = Field(sa_column=Column(BigInteger, nullable=False))
    ends_at: int = Field(sa_column=Column(BigInteger, nullable=False))
    severity: int
    lane: str

    __table_args__ = (
        Index("alert_group_by_end", "group_key", "ends_at"),
        Index("alert_group_by_start", "group_key", "starts_at", "severity", "lane"),
        Index("alert_group_by_gravity", "group_key", "severity", "starts_at", "ends_at"),
    )


class IncidentRow(SQLModel, table=True):
    """The fold of an incident's entries and members, as far as lists and rules ask for it."""

    __tablename__ = "incident"
    id: str = Field(primary_key=True)
    group_key: str
    title: str
    status: str
    severity: int
    sites: list[str] = json_column()
    opened_at: datetime = instant_column()
    since: datetime = instant_column()
    """Start of its span in happened time."""
    resolved_at: datetime | None = instant_column(nullable=True)
    recorded_at: datetime = instant_column()
    due_at: datetime | None = instant_column(nullable=True)
    """When a rule next has something to say of it."""
    by_rule: bool
    """Whether its present status was set by a rule."""
    merged_into: str | None = None
    alerts: int
    alerts_on: int
    first_starts_at: datetime | None = instant_column(nullable=True)
    last_ends_at: datetime | None = instant_column(nullable=True)
    gravest: int
    names: list[str] = json_column()
    """Names of its alerts, the first fifty: the signals that links are weighed with."""
    version: int
    provenance: str | None = None
    mark: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    """Another number at random after each fold: what was derived from the members holds while it is the same.

    0 where it was folded before there were marks.
    """

    __table_args__ = (
        Index("incident_by_group", "group_key", "since"),
        Index("incident_by_time", "opened_at", "id"),
        Index("incident_by_due", "due_at"),
        Index("incident_by_status", "status", "opened_at"),
    )


class RebuildDueRow(SQLModel, table=True):
    """That a migration emptied caches: written in its transaction, taken out in that of the rebuild it asks for."""

    __tablename__ = "rebuild_due"
    revision: str = Field(primary_key=True)
