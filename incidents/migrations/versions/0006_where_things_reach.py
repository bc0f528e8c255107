"""Where hazards and provider incidents reach, and counts of readings by bin, made from those that are stored."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from incidents.linker import reading_counts

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reach",
        sa.Column("cell", sa.Text(), nullable=False),
        sa.Column("occurrence_id", sa.Text(), nullable=False),
        sa.Column("lasts", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("south", sa.Float(), nullable=True),
        sa.Column("north", sa.Float(), nullable=True),
        sa.Column("west", sa.Float(), nullable=True),
        sa.Column("east", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("cell", "occurrence_id"),
    )
    op.create_index("reach_by_family", "reach", ["cell", "family", "starts_at"], unique=False)
    op.create_index("reach_by_occurrence", "reach", ["occurrence_id"], unique=False)
    op.create_index("reach_by_start", "reach", ["cell", "lasts", "starts_at"], unique=False)
    op.create_table(
        "reading_count",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("variable", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("bin", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("source", "variable", "basis", "place", "month", "slot", "bin"),
    )
    # Where things reach follows from a cache that 0002 emptied: the rebuild at the start writes both.
    reading_counts.fill(op.get_bind())


def downgrade() -> None:
    op.drop_table("reading_count")
    op.drop_index("reach_by_start", table_name="reach")
    op.drop_index("reach_by_occurrence", table_name="reach")
    op.drop_index("reach_by_family", table_name="reach")
    op.drop_table("reach")
