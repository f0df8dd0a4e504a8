"""The first registry: files, records, quarantine, accounts, snapshots and the audit chain."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REFUSAL = "audit rows are never changed or removed"


def upgrade() -> None:
    op.create_table(
        "file",
        sa.Column("file_id", sa.String(64), primary_key=True),
        sa.Column("object_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("received_at", sa.String(32), nullable=False),
    )
    op.create_table(
        "record",
        sa.Column("id", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("base_version", sa.Integer, nullable=False),
        sa.Column("subject_id", sa.String(64), nullable=False),
        sa.Column("values", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("file_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.String(32), nullable=False),
        sa.UniqueConstraint("kind", "key", "version", name="record_version"),
    )
    op.create_index("record_by_state", "record", ["kind", "state"])
    op.create_index("record_by_file", "record", ["file_id"])
    op.create_index("record_by_subject", "record", ["subject_id"])
    op.create_table(
        "sighting",
        sa.Column("id", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("base_version", sa.Integer, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("file_id", sa.String(64), nullable=False),
        sa.UniqueConstraint("kind", "key", "base_version", "file_id", "source", name="sighting_once"),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("file_id", sa.String(64), nullable=False),
        sa.Column("row", sa.Integer, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("values", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("recorded_at", sa.String(32), nullable=False),
        sa.UniqueConstraint("file_id", "row", "path", name="quarantine_once"),
    )
    op.create_index("quarantine_by_state", "quarantine", ["state"])
    _create_people()
    _create_snapshots()
    _create_audit()


def _create_people() -> None:
    op.create_table(
        "account",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("role", sa.String(24), nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("session_version", sa.Integer, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
    )
    op.create_table(
        "login_attempt",
        sa.Column("id", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("name_hash", sa.String(64), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("success", sa.Boolean, nullable=False),
    )
    op.create_index("login_attempt_by_name", "login_attempt", ["name_hash", "at"])


def _create_snapshots() -> None:
    op.create_table(
        "snapshot",
        sa.Column("seq", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("snapshot_id", sa.String(64), nullable=False),
        sa.Column("run_key", sa.String(64), nullable=False),
        sa.Column("manifest_hash", sa.String(64), nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
    )
    op.create_index("snapshot_by_id", "snapshot", ["snapshot_id"])


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", SERIAL, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(32), nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("actor", "role", "action", "object", "old", "new", "reason")
        ),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "seq": 0, "hash": "0" * 64}])
    _refuse_changes(op.get_bind().dialect.name)


def _refuse_changes(dialect: str) -> None:
    """Let the database itself refuse to change or remove an audit row."""
    if dialect == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{event.lower()} BEFORE {event} ON audit "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit "
        "FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()"
    )
    op.execute(
        "CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
    )
