"""Guesses at sign-ins, counted by all processes together. Those that each had counted in its memory are forgotten."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "guess",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("guesses", sa.Integer(), nullable=False),
        sa.Column("free_at", sa.BigInteger(), nullable=False),
        sa.Column("forgotten_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("ix_guess_forgotten_at", "guess", ["forgotten_at"])


def downgrade() -> None:
    op.drop_index("ix_guess_forgotten_at", "guess")
    op.drop_table("guess")
