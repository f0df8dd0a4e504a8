"""A snapshot's tables as files: what goes into an export folder, by name."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from corelab.errors import ConfigError
from corelab.export.dictionary import make_codelists, make_dictionary
from corelab.export.text import format_csv
from corelab.export.workbook import format_workbook
from corelab.tables.schema import TableSchema

if TYPE_CHECKING:
    import pandas as pd

TABLE_FORMATS: Final = ("csv", "parquet", "xlsx")
FORMATS: Final = (*TABLE_FORMATS, "xpt", "h5ad", "pdf")

ReadTable = Callable[[str], "pd.DataFrame"]
ReadBytes = Callable[[str], bytes]


def check_format(name: str) -> str:
    """Return the name of a format.

    Raises
    ------
    ConfigError
        If it is not one of `FORMATS`.
    """
    if name not in FORMATS:
        raise ConfigError(f"format {name!r} is not in this version", expected=", ".join(FORMATS))
    return name


def format_tables(
    names: tuple[str, ...], *, format_name: str, read_table: ReadTable, read_parquet: ReadBytes,
    mark: str = "",
) -> Iterator[tuple[str, bytes]]:  # fmt: skip
    """Yield the files of the tables in one of `TABLE_FORMATS`: name and bytes."""
    if format_name == "xlsx":
        yield "corelab.xlsx", format_workbook({name: read_table(name) for name in names}, mark=mark)
        return
    for name in names:
        if format_name == "csv":
            yield f"{name}.csv", format_csv(read_table(name))
        else:
            yield f"{name}.parquet", read_parquet(name)


def format_companions(
    schemas: Mapping[str, TableSchema], provenance: Mapping[str, Any]
) -> Iterator[tuple[str, bytes]]:
    """Yield what goes with every export: dictionary, code lists, provenance."""
    yield "dictionary.csv", format_csv(make_dictionary(schemas))
    yield "codelists.csv", format_csv(make_codelists(schemas))
    text = json.dumps(provenance, sort_keys=True, indent=1, ensure_ascii=False)
    yield "provenance.json", text.encode("utf-8")
