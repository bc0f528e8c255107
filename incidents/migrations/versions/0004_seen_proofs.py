"""What signed deliveries proved themselves with, and what the last one refused was told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "seen_proof",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("seen_proof_by_end", "seen_proof", ["until"], unique=False)
    op.add_column("refusal", sa.Column("detail", sa.Text(), nullable=True))
    op.add_column("refusal", sa.Column("last_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("refusal", "last_at")
    op.drop_column("refusal", "detail")
    op.drop_table("seen_proof")
