"""Several occurrences of one subject: the cache of occurrences is emptied; a rebuild at the start fills it again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _drop()
    _create(
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("followed", sa.Boolean(), nullable=False),
    )
    op.create_index("occurrence_by_subject", "occurrence", ["subject", "followed"], unique=False)
    op.create_table(
        "rebuild_due", sa.Column("revision", sa.Text(), nullable=False), sa.PrimaryKeyConstraint("revision")
    )
    op.execute("INSERT INTO rebuild_due (revision) SELECT '0002' WHERE EXISTS (SELECT 1 FROM event)")


def downgrade() -> None:
    op.drop_table("rebuild_due")
    op.drop_index("occurrence_by_subject", table_name="occurrence")
    _drop()
    _create()


def _drop() -> None:
    op.drop_index("occurrence_by_start", table_name="occurrence")
    op.drop_index("occurrence_by_end", table_name="occurrence")
    op.drop_table("occurrence")


def _create(*subject: sa.Column[object]) -> None:
    op.create_table(
        "occurrence",
        sa.Column("id", sa.Text(), nullable=False),
        *subject,
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("said_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("statements", sa.Integer(), nullable=False),
        sa.Column("rest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("occurrence_by_end", "occurrence", ["kind", "ends_at"], unique=False)
    op.create_index("occurrence_by_start", "occurrence", ["kind", "starts_at"], unique=False)
