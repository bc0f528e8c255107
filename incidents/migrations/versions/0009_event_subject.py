"""A statement is recorded under its subject: the column is called so."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE event RENAME COLUMN occurrence_id TO subject")


def downgrade() -> None:
    op.execute("ALTER TABLE event RENAME COLUMN subject TO occurrence_id")
