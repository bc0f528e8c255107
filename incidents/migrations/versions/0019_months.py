"""Bodies are stored packed, stamps have counts; on PostgreSQL deliveries and their stamps stand in months.

The column of the bodies gets another name, so that a process of an older version beside this one does not take packed
bodies for what came: it leaves them to others. On PostgreSQL what is there becomes the first partition: that takes
one pass over it, during which the table is locked.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from incidents.tables.bodies import MARK, unpack

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

INDEXES = {
    "delivery": ("id", {"delivery_by_source": "source, id"}),
    "stamp": ("delivery_id", {"stamp_by_source": "source, state", "stamp_by_state": "state, delivery_id"}),
}
"""The key of each table, and its other indexes."""
SECOND = 1_000_000 << 10
"""A second, in ids of deliveries."""
BEGINS = sa.text(
    "SELECT extract(epoch FROM greatest(date_trunc('month', now() AT TIME ZONE 'UTC'), "
    "date_trunc('month', to_timestamp(:last) AT TIME ZONE 'UTC') + interval '1 month'))::bigint"
)
"""The seconds of the first month of its own: after everything that is there, at the earliest the present one."""


def upgrade() -> None:
    connection = op.get_bind()
    op.create_index("occurrence_by_word", "occurrence", ["said_at"])
    op.create_table(
        "stamp_count",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("deliveries", sa.BigInteger(), nullable=False),
        sa.Column("losses", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "state"),
    )
    op.execute("INSERT INTO stamp_count SELECT source, state, count(*), sum(losses) FROM stamp GROUP BY source, state")
    op.execute("ALTER TABLE delivery RENAME COLUMN body TO content")
    if connection.dialect.name == "sqlite":
        return
    last = connection.execute(
        sa.text("SELECT greatest((SELECT max(id) FROM delivery), (SELECT max(delivery_id) FROM stamp))")
    ).scalar()
    begins = connection.execute(BEGINS, {"last": (last or 0) // SECOND}).scalar_one() * SECOND
    for table, (key, indexes) in INDEXES.items():
        op.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
        op.execute(f"ALTER INDEX {table}_pkey RENAME TO {table}_before_pkey")
        for name in indexes:
            op.execute(f"ALTER INDEX {name} RENAME TO {name}_before")
        op.execute(f"CREATE TABLE {table} (LIKE {table}_before INCLUDING DEFAULTS) PARTITION BY RANGE ({key})")
        if table == "delivery":
            # Bodies are packed before they come; the database need not try it again.
            op.execute("ALTER TABLE delivery ALTER COLUMN content SET STORAGE EXTERNAL")
            op.execute("ALTER TABLE delivery_before ALTER COLUMN content SET STORAGE EXTERNAL")
        _index(table, key, indexes)
        op.execute(f"ALTER TABLE {table} ATTACH PARTITION {table}_before FOR VALUES FROM (MINVALUE) TO ({begins})")
        op.execute(f"CREATE TABLE {table}_rest PARTITION OF {table} DEFAULT")


def downgrade() -> None:
    op.drop_index("occurrence_by_word", "occurrence")
    op.drop_table("stamp_count")
    _unpack(op.get_bind())
    op.execute("ALTER TABLE delivery RENAME COLUMN content TO body")
    if op.get_bind().dialect.name == "sqlite":
        return
    for table, (key, indexes) in INDEXES.items():
        op.execute(f"ALTER TABLE {table} RENAME TO {table}_parted")
        op.execute(f"CREATE TABLE {table} (LIKE {table}_parted INCLUDING DEFAULTS)")
        op.execute(f"INSERT INTO {table} SELECT * FROM {table}_parted")  # noqa: S608  # names are ours
        op.execute(f"DROP TABLE {table}_parted")
        _index(table, key, indexes)


def _unpack(connection: sa.Connection) -> None:
    """Every body as it came, a hundred at a time."""
    table = sa.table("delivery", sa.column("id"), sa.column("content", sa.LargeBinary))
    packed = sa.func.substr(table.c.content, 1, len(MARK)) == MARK
    after = -1
    while rows := connection.execute(
        sa.select(table).where(table.c.id > after, packed).order_by(table.c.id).limit(100)
    ).all():
        for row in rows:
            whole = sa.update(table).where(table.c.id == row.id).values(content=unpack(bytes(row.content)))
            connection.execute(whole)
        after = rows[-1].id


def _index(table: str, key: str, indexes: dict[str, str]) -> None:
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {table}_pkey PRIMARY KEY ({key})")
    for name, columns in indexes.items():
        op.execute(f"CREATE INDEX {name} ON {table} ({columns})")
