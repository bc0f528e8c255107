"""For crowds: how many alerts ended in each minute, an index by gravity, and a mark of each incident's fold."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_ENDED = """
INSERT INTO member_count (incident_id, minute, lane, severity, alerts, ended)
SELECT incident_id, at - at % 60000000, lane, severity, 0, count(*) FROM (
  SELECT m.incident_id, o.lane, o.severity, CASE WHEN o.ends_at < o.starts_at THEN o.starts_at ELSE o.ends_at END AS at
  FROM member m JOIN occurrence o ON o.id = m.occurrence_id
  WHERE m.joined AND o.ends_at IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM member l
    WHERE l.incident_id = m.incident_id AND l.occurrence_id = m.occurrence_id AND l.entry_id > m.entry_id)) AS ends
WHERE true GROUP BY 1, 2, 3, 4
ON CONFLICT (incident_id, minute, lane, severity) DO UPDATE SET ended = excluded.ended
"""


def upgrade() -> None:
    op.add_column("incident", sa.Column("mark", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("member_count", sa.Column("ended", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("alert_group_by_gravity", "alert_group", ["group_key", "severity", "starts_at", "ends_at"])
    op.execute(_ENDED)
    # Where sums alone are kept of some, their ends are counted by the rebuild at the start.
    op.execute(
        "INSERT INTO rebuild_due (revision) "
        "SELECT '0021' WHERE EXISTS (SELECT 1 FROM entry WHERE kind = 'alerts_dropped')"
    )


def downgrade() -> None:
    op.drop_index("alert_group_by_gravity", "alert_group")
    op.drop_column("member_count", "ended")
    op.drop_column("incident", "mark")
