"""Gate revisions: what people decided about gates."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REFUSAL = "gate revisions are never changed or removed"


def upgrade() -> None:
    op.create_table(
        "gate_revision",
        sa.Column("id", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("file_id", sa.String(64), nullable=False),
        sa.Column("subject_id", sa.String(64), nullable=False),
        sa.Column("visit", sa.String(16), nullable=False),
        sa.Column("panel", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("gate", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.String(32), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("supersedes", SERIAL, nullable=True),
    )
    op.create_index("gate_revision_by_file", "gate_revision", ["file_id"])
    op.create_index("gate_revision_by_subject", "gate_revision", ["subject_id"])
    _refuse_changes(op.get_bind().dialect.name)


def _refuse_changes(dialect: str) -> None:
    """Let the database itself refuse to change or remove a revision."""
    if dialect == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER gate_revision_no_{event.lower()} BEFORE {event} ON gate_revision "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION refuse_gate_revision_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER gate_revision_no_change BEFORE UPDATE OR DELETE ON gate_revision "
        "FOR EACH ROW EXECUTE FUNCTION refuse_gate_revision_change()"
    )
