"""SQLite replaces a row past the triggers that refuse removing it; PostgreSQL empties a table past them."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_KEYS = {"audit": "seq", "gate_revision": "id", "withdrawal": "id", "review": "id"}


def upgrade() -> None:
    for table, key in _KEYS.items():
        refusal = f"{table} rows are never changed or removed"
        if op.get_bind().dialect.name == "sqlite":
            op.execute(
                f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
                f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key}) "
                f"BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
            )
        elif table != "audit":
            op.execute(
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION refuse_{table}_change()"
            )
