"""Readings of a whole grid area, which have its name in place of a point."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite cannot make a column nullable in place: there the table is copied, its rows and ids unchanged.
    with op.batch_alter_table("reading") as table:
        table.add_column(sa.Column("grid_area", sa.Text(), nullable=True))
        table.alter_column("latitude", existing_type=sa.Float(), nullable=True)
        table.alter_column("longitude", existing_type=sa.Float(), nullable=True)
    op.create_index("reading_by_grid_area", "reading", ["grid_area", "variable", "at"], unique=False)


def downgrade() -> None:
    op.execute("DELETE FROM reading WHERE latitude IS NULL OR longitude IS NULL")
    op.drop_index("reading_by_grid_area", table_name="reading")
    with op.batch_alter_table("reading") as table:
        table.drop_column("grid_area")
        table.alter_column("latitude", existing_type=sa.Float(), nullable=False)
        table.alter_column("longitude", existing_type=sa.Float(), nullable=False)
