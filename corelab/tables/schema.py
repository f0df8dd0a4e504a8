"""What a table is: named columns with type, unit, code list, origin and derivation, and a key."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from corelab.errors import ContractError

if TYPE_CHECKING:
    import pandas as pd

PANDAS_TYPES: Final[Mapping[str, str]] = {"text": "object", "number": "float64", "integer": "Int64"}

ColumnType = Literal["text", "number", "integer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table and its line in the data dictionary.

    ``type`` is ``text`` (missing is the empty string), ``number`` (float64, missing is NaN) or
    ``integer`` (nullable Int64). ``codes`` are the allowed words; empty text is always allowed unless
    ``required``.
    """

    name: str
    label: str
    type: ColumnType = "text"
    unit: str = ""
    codes: tuple[str, ...] = ()
    origin: str = "derived"
    derivation: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSchema:
    """One table: its name, what a row is, its columns in order and the key by which it is sorted."""

    name: str
    row: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def column_names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]

    def empty(self) -> "pd.DataFrame":
        """Return the table without a row, with its types."""
        import pandas as pd

        return pd.DataFrame(
            {column.name: pd.Series(dtype=PANDAS_TYPES[column.type]) for column in self.columns}
        )

    def conform(self, rows: "pd.DataFrame | list[dict[str, Any]]") -> "pd.DataFrame":
        """Bring rows into this table's columns, types and order, sort by key, and check the result.

        Absent columns become missing; unknown ones are refused.

        Raises
        ------
        ContractError
            If a column is unknown, a value is outside its code list or of the wrong type, a required
            value is missing, or a key occurs twice.
        """
        ordered = self.give_types(rows).sort_values(list(self.key), kind="stable", na_position="first")
        return self.check(ordered.reset_index(drop=True))

    def settle(self, rows: "pd.DataFrame") -> "pd.DataFrame":
        """Return rows that conform; without a row the empty table, whatever columns there were.

        Raises
        ------
        ContractError
            As in `conform`.
        """
        return self.conform(rows) if len(rows) else self.empty()

    def give_types(self, rows: "pd.DataFrame | list[dict[str, Any]]") -> "pd.DataFrame":
        """Bring rows into this table's columns and types, in the order in which they are.

        Raises
        ------
        ContractError
            If a column is unknown or a value of the wrong type.
        """
        import pandas as pd

        table = pd.DataFrame(rows)
        unknown = [name for name in table.columns if name not in self.column_names]
        if unknown:
            raise ContractError(f"columns {', '.join(map(str, unknown))} are not part of it", place=self.name)
        typed = {column.name: self._typed(table, column) for column in self.columns}
        return pd.DataFrame(typed, columns=self.column_names, index=table.index)

    def check(self, table: "pd.DataFrame") -> "pd.DataFrame":
        """Return the table unchanged if it obeys this schema.

        Raises
        ------
        ContractError
            Naming the table, the column and the first offending rows.
        """
        if self._plainly_holds(table):
            return table
        import pandera.pandas as pa

        try:
            self._pandera().validate(table, lazy=True)
        except pa.errors.SchemaErrors as error:
            cases = error.failure_cases[["column", "check", "failure_case", "index"]].head(5)
            raise ContractError(
                f"breaks its schema: {cases.to_dict(orient='records')}", place=self.name
            ) from error
        return table

    def _plainly_holds(self, table: "pd.DataFrame") -> bool:
        """Tell whether a table obeys this schema beyond doubt; where not, pandera judges and says what it is.

        Pandera takes longer over a small table than all that derives it.
        """
        return (
            list(table.columns) == self.column_names
            and all(_plainly_fits(table[column.name], column) for column in self.columns)
            and not table.duplicated(list(self.key)).any()
        )

    def _typed(self, table: "pd.DataFrame", column: Column) -> Any:
        """Return the values of a column in its type, without an index to be aligned."""
        import pandas as pd

        dtype = PANDAS_TYPES[column.type]
        if column.name not in table.columns:
            fill: Any = "" if column.type == "text" else None
            return pd.array([fill] * len(table), dtype=dtype)
        values = table[column.name]
        if column.type == "text":
            return _spell(values)
        try:
            return values.astype(dtype).array
        except (TypeError, ValueError) as error:
            raise ContractError(
                f"holds a value that is no {column.type}", place=f"{self.name}.{column.name}"
            ) from error

    def _pandera(self) -> Any:
        import pandera.pandas as pa

        columns = {}
        for column in self.columns:
            checks = []
            if column.codes:
                allowed = list(column.codes) + ([] if column.required else [""])
                checks.append(pa.Check.isin(allowed))
            if column.required and column.type == "text":
                checks.append(pa.Check(lambda values: values != "", name="not empty"))
            nullable = not column.required
            columns[column.name] = pa.Column(PANDAS_TYPES[column.type], checks, nullable=nullable)
        return pa.DataFrameSchema(columns, strict=True, ordered=True, unique=list(self.key))


def _spell(values: "pd.Series[Any]") -> Any:
    """Return values as plain texts; a missing one is empty."""
    import numpy as np

    given = values.to_numpy(dtype=object)
    gone = values.isna().to_numpy()
    texts = np.empty(len(given), dtype=object)
    texts[:] = [
        "" if is_gone else text if type(text) is str else str(text)
        for text, is_gone in zip(given, gone, strict=True)
    ]
    return texts


def _plainly_fits(values: "pd.Series[Any]", column: Column) -> bool:
    """Tell whether a column has its type, only words of its code list, and no gap where it is required."""
    if str(values.dtype) != PANDAS_TYPES[column.type]:
        return False
    if column.codes and not set(values.unique()) <= {*column.codes, *([] if column.required else [""])}:
        return False
    if not column.required:
        return True
    return not values.isna().any() and (column.type != "text" or bool((values != "").all()))
