"""Who may see an incident that was made private."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "private_viewer",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("viewer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "viewer"),
    )
    op.create_index("private_viewer_by_viewer", "private_viewer", ["viewer", "incident_id"])


def downgrade() -> None:
    op.drop_table("private_viewer")
