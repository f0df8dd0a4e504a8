"""What every exported column is: the data dictionary and the code lists, made from the schemas."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from corelab.cytometry.template import list_meanings
from corelab.tables.schema import Column, TableSchema
from corelab.tables.schemas import ANALYSIS_KEYS, SCHEMAS

if TYPE_CHECKING:
    import pandas as pd

DICTIONARY_COLUMNS: Final = ("table", "name", "label", "type", "unit", "codelist", "origin", "derivation")
CODELIST_COLUMNS: Final = ("codelist", "order", "code", "meaning", "ontology")
POPULATIONS: Final = "population"
"""Code list of the gated populations, explained; a template of one's own may name others."""

DIMENSIONLESS: Final = "1"


def find_schemas(names: Iterable[str], manifest: Mapping[str, Any]) -> dict[str, TableSchema]:
    """Return the schemas of a snapshot's tables.

    The columns of a wide table depend on what was measured; they stand in the snapshot's manifest as
    ``<table>_columns``.
    """
    return {name: SCHEMAS.get(name) or _read_wide(name, manifest) for name in names}


def _read_wide(name: str, manifest: Mapping[str, Any]) -> TableSchema:
    described = manifest.get(f"{name}_columns", [])
    columns = tuple(
        _say_dimension(Column(**{**column, "codes": tuple(column["codes"])})) for column in described
    )
    key = ("subject_id", "visit", "collected_at")
    return TableSchema(name=name, row="subject x visit", columns=columns or ANALYSIS_KEYS, key=key)


def _say_dimension(column: Column) -> Column:
    """Write the unit of a ratio, an index or a score, which laboratories leave empty, as 1."""
    is_bare = column.type != "text" and not column.unit
    return replace(column, unit=DIMENSIONLESS) if is_bare else column


def make_dictionary(schemas: Mapping[str, TableSchema]) -> "pd.DataFrame":
    """Describe each column of each table; ``codelist`` names the list in `make_codelists`."""
    import pandas as pd

    rows = [
        {
            "table": schema.name, "name": column.name, "label": column.label, "type": column.type,
            "unit": column.unit, "codelist": name_codelist(schema, column), "origin": column.origin,
            "derivation": column.derivation,
        }
        for schema in schemas.values()
        for column in schema.columns
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(DICTIONARY_COLUMNS))


def make_codelists(schemas: Mapping[str, TableSchema]) -> "pd.DataFrame":
    """List the words of each code list in their order; those of populations with their meaning.

    ``ontology`` is the id in the Cell Ontology, where it has one for the population.
    """
    import pandas as pd

    lists = {
        name_codelist(schema, column): column.codes
        for schema in schemas.values()
        for column in schema.columns
        if column.codes
    }
    rows = [
        {"codelist": name, "order": order, "code": str(code), "meaning": "", "ontology": ""}
        for name, codes in sorted(lists.items())
        for order, code in enumerate(codes, start=1)
    ]
    if any(_is_population(column) for schema in schemas.values() for column in schema.columns):
        rows += [
            {
                "codelist": POPULATIONS, "order": order, "code": one.name, "meaning": one.definition,
                "ontology": one.cell_ontology,
            }
            for order, one in enumerate(list_meanings(), start=1)
        ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(CODELIST_COLUMNS))


def name_codelist(schema: TableSchema, column: Column) -> str:
    """Name a column's code list: the column alone where all tables agree on it, else with its table."""
    if _is_population(column):
        return POPULATIONS
    if not column.codes:
        return ""
    others = {
        other.codes
        for one in SCHEMAS.values()
        for other in one.columns
        if other.name == column.name and other.codes
    }
    return column.name if others <= {column.codes} else f"{schema.name}.{column.name}"


def _is_population(column: Column) -> bool:
    return column.name in {"population", "parent"} and not column.codes
