"""What monitors could not deliver, and what is to be asked for afterwards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recovery",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("heard_until", sa.BigInteger(), nullable=False),
        sa.Column("gap_since", sa.BigInteger(), nullable=True),
        sa.Column("gap_until", sa.BigInteger(), nullable=True),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("source"),
    )


def downgrade() -> None:
    op.drop_table("recovery")
