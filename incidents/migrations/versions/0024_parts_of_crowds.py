"""When each part of a crowd last changed. Of what is stored already nothing is known: it is derived from all."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "crowd_part",
        sa.Column("incident_id", sa.String(), nullable=False),
        sa.Column("part", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "part"),
    )
    op.create_index("crowd_part_by_turn", "crowd_part", ["incident_id", "turn"])


def downgrade() -> None:
    op.drop_index("crowd_part_by_turn", "crowd_part")
    op.drop_table("crowd_part")
