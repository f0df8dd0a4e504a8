"""An external copy of a snapshot's tables: what goes into it, and what it says of itself."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from corelab.errors import ConfigError
from corelab.export.external.disguise import Disguise, describe_disguised, disguise_table, forget
from corelab.export.external.small_cells import (
    ASSOCIATION_VALUES,
    SUMMARY_VALUES,
    withhold_associations,
    withhold_summary,
)
from corelab.ingest.names import is_known_item
from corelab.tables.schema import Column, TableSchema

if TYPE_CHECKING:
    import pandas as pd

FORMATS: Final = ("csv", "parquet", "xlsx", "xpt", "h5ad")
MARK: Final = "EXTERNAL COPY: dates moved, names of the house replaced, small groups withheld"
_FREE_TEXTS: Final = {"medications": ("reason",), "plate_wells": ("vendor_remark",)}
"""Columns that somebody wrote freely; nobody can say what they name."""
_WITHHOLDERS: Final = {"summary": withhold_summary, "associations": withhold_associations}
_WITHHELD_VALUES: Final = {"summary": SUMMARY_VALUES, "associations": ASSOCIATION_VALUES}
_AGE: Final = "age_years"
_BAND: Final = "age_band"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExternalCopy:
    """The tables of an external copy with their schemas, and what was withheld, by table and kind."""

    tables: "Mapping[str, pd.DataFrame]"
    schemas: Mapping[str, TableSchema]
    withheld: Mapping[str, Mapping[str, int]]
    disguise: Disguise
    smallest: int
    bands: tuple[int, ...]

    def describe(self) -> dict[str, Any]:
        """Say what the copy is and what was done to it; how far dates were moved is said nowhere."""
        return {
            "mark": MARK,
            "dates": "moved by whole weeks, the same for all dates of a subject; study days, durations and "
            "days of the week are unchanged; times that belong to no subject are empty",
            "names": "plates, batches, files and the hashes of files are replaced by others",
            "age": f"in bands from {', '.join(map(str, self.bands))} years; {_AGE} is empty",
            "free_texts": [f"{table}.{name}" for table, names in _FREE_TEXTS.items() for name in names],
            "smallest_cell": self.smallest,
            "suppressed": {name: dict(told) for name, told in self.withheld.items()},
            "suppressed_because": "small: fewer children than the smallest cell with, without or in all; "
            "complementary: a small one could be computed back from it; of_one_child: the value of one child",
            "remark": "rows of single children can be counted; where groups must not be, send the tables "
            "summary and associations alone",
        }


def check_external_format(format_name: str, *, with_replay: bool) -> None:
    """Check that an external copy can be made in a format.

    Raises
    ------
    ConfigError
        If the format shows what an external copy must not.
    """
    if format_name == "pdf":
        raise ConfigError(
            "a report on paper shows true dates beside signatures and is not for external copies",
            place="--format pdf", expected=", ".join(FORMATS),
        )  # fmt: skip
    if with_replay:
        raise ConfigError(
            "a replay bundle holds the delivered rows with their true dates and is not for external copies",
            place="--replay", remedy="leave one of --replay and --external out",
        )  # fmt: skip


def make_external_copy(
    read_table: "Callable[[str], pd.DataFrame]",
    schemas: Mapping[str, TableSchema],
    *,
    secret: bytes,
    settings: Mapping[str, Any],
    plates: frozenset[str] = frozenset(),
) -> ExternalCopy:
    """Make the external copy of some tables.

    Parameters
    ----------
    read_table
        Gives a table by its name.
    schemas
        The tables that go into the copy, with their schemas.
    secret
        The home's secret.
    settings
        Section ``external`` of the study: ``shift_weeks``, ``smallest_cell``, ``age_bands``.
    plates
        Names of all plates, which findings may name.

    Raises
    ------
    ConfigError
        If the settings are none that a copy can be made with.
    """
    weeks, smallest, bands = _read_settings(settings)
    disguise = Disguise(secret=secret, weeks=weeks)
    plates = (
        frozenset(read_table("plates")["plate"])
        if "quality" in schemas and "plates" in schemas
        else frozenset()
    )
    tables, withheld = {}, {}
    for name, schema in schemas.items():
        table = _coarsen(_take_texts_out(read_table(name), name), name, bands)
        if name in _WITHHOLDERS:
            table, withheld[name] = _WITHHOLDERS[name](table, smallest=smallest)
        tables[name] = disguise_table(table, _describe(schema), disguise, plates=plates)
    return ExternalCopy(
        tables=tables, schemas={name: _describe(schema) for name, schema in schemas.items()},
        withheld=withheld, disguise=disguise, smallest=smallest, bands=bands,
    )  # fmt: skip


def _read_settings(settings: Mapping[str, Any]) -> tuple[tuple[int, int], int, tuple[int, ...]]:
    try:
        low, high = (int(one) for one in settings["shift_weeks"])
        smallest, bands = int(settings["smallest_cell"]), tuple(int(one) for one in settings["age_bands"])
    except (TypeError, ValueError) as error:
        raise ConfigError("cannot be read", place="study.yaml: settings: external") from error
    if not 0 < low < high or smallest < 1 or list(bands) != sorted(set(bands)) or not bands:
        raise ConfigError(
            f"shift_weeks [{low}, {high}], smallest_cell {smallest}, age_bands {list(bands)}",
            place="study.yaml: settings: external",
            expected="0 < first < second week, a cell of 1 or more, rising ages",
        )
    return (low, high), smallest, bands


def _take_texts_out(table: "pd.DataFrame", name: str) -> "pd.DataFrame":
    emptied = {column: forget(table[column]) for column in _FREE_TEXTS.get(name, ())}
    if name == "plate_wells":  # what a laboratory calls a specimen may name a child
        emptied["name"] = table["name"].where(table["role"] != "unknown", "")
    if name == "assessments":  # the answer to an item that nobody here knows may be a text about the child
        pairs = zip(table["instrument"], table["item"], strict=True)
        emptied["value"] = table["value"].where([is_known_item(*pair) for pair in pairs], "")
    return table.assign(**emptied)


def _coarsen(table: "pd.DataFrame", name: str, bands: Sequence[int]) -> "pd.DataFrame":
    """Write ages in bands: of a subject, and where a criterion of age was judged."""
    if name == "subjects":
        words = [name_band(age, bands) for age in table[_AGE]]
        return table.assign(**{_AGE: float("nan"), _BAND: words})
    if name == "eligibility":
        is_age = (table["unit"] == "a") & (table["value"] != "")
        words = [name_band(_read_age(text), bands) for text in table.loc[is_age, "value"]]
        changed = table["value"].copy()
        changed.loc[is_age] = words
        return table.assign(value=changed)
    return table


def _read_age(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def name_band(age: float, bands: Sequence[int]) -> str:
    """Name the band of an age in years.

    Examples
    --------
    >>> [name_band(age, (6, 12, 18)) for age in (5.9, 6, 11, 17, 30, float("nan"))]
    ['<6', '6-11', '6-11', '12-17', '>=18', '']
    """
    if age != age:  # noqa: PLR0124 - not a number
        return ""
    place = bisect_right(bands, age)
    if place == 0:
        return f"<{bands[0]}"
    return f">={bands[-1]}" if place == len(bands) else f"{bands[place - 1]}-{bands[place] - 1}"


def _describe(schema: TableSchema) -> TableSchema:
    """Say in the dictionary what was done to each column."""
    said = describe_disguised(schema)
    said |= dict.fromkeys(_FREE_TEXTS.get(schema.name, ()), "free text: left out")
    said |= dict.fromkeys(
        _WITHHELD_VALUES.get(schema.name, ()),
        "empty with the reason SUPPRESSED where few children stand behind it",
    )
    if schema.name == "subjects":
        said[_AGE] = "left out; see age_band"
    columns = [_append(column, said.get(column.name, "")) for column in schema.columns]
    if schema.name == "subjects":
        columns.append(Column(name=_BAND, label="Age in bands", derivation="study file, external: age_bands"))
    return replace(schema, columns=tuple(columns))


def _append(column: Column, said: str) -> Column:
    joined = "; ".join(text for text in (column.derivation, f"external copy: {said}") if text)
    return replace(column, derivation=joined) if said else column
