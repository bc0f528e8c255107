"""What destinations outside are told, every attempt at it, and links that show an incident's picture."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "notice",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("name", sa.Text(), nullable=False, unique=True),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=True),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("again_by", sa.Text(), nullable=True),
    )
    op.create_index("notice_by_turn", "notice", ["state", "due_at"])
    op.create_index("notice_by_destination", "notice", ["destination", "state", "id"])
    op.create_index("notice_by_incident", "notice", ["incident_id", "id"])
    op.create_table(
        "notice_attempt",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("notice_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.Column("by", sa.Text(), nullable=True),
    )
    op.create_index("notice_attempt_by_notice", "notice_attempt", ["notice_id", "id"])
    op.create_table(
        "share",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_by", sa.Text(), nullable=True),
    )
    op.create_index("ix_share_incident_id", "share", ["incident_id"])


def downgrade() -> None:
    for table in ("share", "notice_attempt", "notice"):
        op.drop_table(table)
