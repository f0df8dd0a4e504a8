"""What the tables of a snapshot are."""

from collections.abc import Iterable

from corelab.export import dictionary
from corelab.tables.schema import TableSchema
from corelab.tables.schemas import SCHEMAS
from dashboards.ports import SnapshotPort


def find_schemas(snapshot: SnapshotPort) -> dict[str, TableSchema]:
    """Return the schema of every table of a snapshot."""
    return dictionary.find_schemas(snapshot.table_names, snapshot.manifest)


def order_tables(tables: Iterable[str]) -> list[str]:
    """Return the names of the tables as the contract lists them, others after these."""
    known = list(tables)
    return [*(name for name in SCHEMAS if name in known), *(name for name in known if name not in SCHEMAS)]
