"""Acts of the audit log may go where a tombstone says that all up to their moment were dropped, and not otherwise."""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

REFUSAL = "the audit log is appended to, never edited"
BURIED = "EXISTS (SELECT 1 FROM tombstone WHERE kind = 'audit' AND last_at >= OLD.recorded_at)"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_no_delete")
        op.execute(
            f"CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit WHEN NOT {BURIED} "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        )
        return
    _replace_function(f"IF TG_OP = 'DELETE' THEN IF {BURIED} THEN RETURN OLD; END IF; END IF;")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_no_delete")
        op.execute(f"CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END")
        return
    _replace_function("")


def _replace_function(unless: str) -> None:
    op.execute(
        "CREATE OR REPLACE FUNCTION audit_is_fixed() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {unless} RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'insufficient_privilege'; END $$"
    )
