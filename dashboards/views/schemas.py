"""What the tables of a snapshot are."""

from corelab.export import dictionary
from corelab.tables.schema import TableSchema
from dashboards.ports import SnapshotPort


def find_schemas(snapshot: SnapshotPort) -> dict[str, TableSchema]:
    """Return the schema of every table of a snapshot."""
    return dictionary.find_schemas(snapshot.table_names, snapshot.manifest)
