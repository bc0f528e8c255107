"""Counts of an incident's alerts by minute, lane and severity, for those that are there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

FILL = """
INSERT INTO member_count (incident_id, minute, lane, severity, alerts)
SELECT member.incident_id, occurrence.starts_at - occurrence.starts_at % 60000000 AS minute,
       occurrence.lane, occurrence.severity, count(*)
FROM member JOIN occurrence ON occurrence.id = member.occurrence_id
WHERE member.joined AND NOT EXISTS (
  SELECT 1 FROM member AS later
  WHERE later.incident_id = member.incident_id AND later.occurrence_id = member.occurrence_id
    AND later.entry_id > member.entry_id)
GROUP BY member.incident_id, minute, occurrence.lane, occurrence.severity
"""


def upgrade() -> None:
    op.create_table(
        "member_count",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("minute", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("alerts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "minute", "lane", "severity"),
    )
    op.execute(FILL)


def downgrade() -> None:
    op.drop_table("member_count")
