"""What was dropped is known again when it comes back, and tells when its sender spoke; entries on links name them."""

from __future__ import annotations

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

BATCH = 1000
KINDS = ("link_proposed", "link_scored", "link_judged")


def upgrade() -> None:
    op.create_table(
        "dropped_subject",
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("said_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject"),
    )
    op.create_table(
        "dropped_delivery",
        sa.Column("delivery_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", "kind"),
    )
    op.add_column("tombstone", sa.Column("heard", sa.Text(), nullable=True))
    for name in ("about_since", "about_until"):
        op.add_column("tombstone", sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column("entry", sa.Column("occurrence_id", sa.String(), nullable=True))
    op.create_index("entry_by_occurrence", "entry", ["occurrence_id"])
    _fill(op.get_bind())


def _fill(connection: sa.Connection) -> None:
    """Name the occurrence of each entry on a link, some at a time."""
    entry = sa.table("entry", sa.column("id"), sa.column("kind"), sa.column("params"), sa.column("occurrence_id"))
    after = 0
    while True:
        query = sa.select(entry.c.id, entry.c.params).where(entry.c.kind.in_(KINDS), entry.c.id > after)
        rows = connection.execute(query.order_by(entry.c.id).limit(BATCH)).all()
        if not rows:
            return
        after = rows[-1].id
        told = [(row.id, orjson.loads(row.params)) for row in rows]
        connection.execute(
            sa.update(entry)
            .where(entry.c.id == sa.bindparam("number"))
            .values(occurrence_id=sa.bindparam("occurrence")),
            [{"number": number, "occurrence": said.get("occurrence") or said.get("link")} for number, said in told],
        )


def downgrade() -> None:
    op.drop_index("entry_by_occurrence", "entry")
    op.drop_column("entry", "occurrence_id")
    for name in ("about_until", "about_since", "heard"):
        op.drop_column("tombstone", name)
    op.drop_table("dropped_delivery")
    op.drop_table("dropped_subject")
