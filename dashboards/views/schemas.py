"""What the tables of a snapshot are: the contract's schemas, and those that depend on what was measured."""

from collections.abc import Mapping
from typing import Any

from corelab.tables.schema import Column, TableSchema
from corelab.tables.schemas import ANALYSIS_KEYS, SCHEMAS
from dashboards.ports import SnapshotPort


def find_schemas(snapshot: SnapshotPort) -> dict[str, TableSchema]:
    """Return the schema of every table of a snapshot; that of ``analysis`` stands in its manifest."""
    return {name: SCHEMAS.get(name) or _read_wide(name, snapshot.manifest) for name in snapshot.table_names}


def _read_wide(name: str, manifest: Mapping[str, Any]) -> TableSchema:
    described = manifest.get(f"{name}_columns", [])
    columns = tuple(Column(**{**column, "codes": tuple(column["codes"])}) for column in described)
    key = tuple(column.name for column in ANALYSIS_KEYS)
    return TableSchema(name=name, row="subject x visit", columns=columns, key=key)
