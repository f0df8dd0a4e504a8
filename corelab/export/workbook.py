"""All tables as one workbook, a sheet a table."""

import io
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from corelab.errors import ContractError

if TYPE_CHECKING:
    import pandas as pd

_MOST_ROWS: Final = 1_048_575
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def format_workbook(tables: "Mapping[str, pd.DataFrame]") -> bytes:
    """Write tables as an ``.xlsx`` workbook; texts stay texts, whatever sign they begin with.

    Raises
    ------
    ContractError
        If a table has more rows than a sheet.
    """
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    for name, table in tables.items():
        if len(table) > _MOST_ROWS:
            raise ContractError(f"{len(table)} rows do not fit into a sheet", place=name)
        sheet = book.create_sheet(title=name[:31])
        sheet.append(list(table.columns))
        for row in table.itertuples(index=False):
            sheet.append([_cell(sheet, value) for value in row])
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _cell(sheet: Any, value: Any) -> Any:
    import pandas as pd
    from openpyxl.cell import WriteOnlyCell

    if isinstance(value, str):
        if not value:
            return None
        cell = WriteOnlyCell(sheet, value=_FORBIDDEN.sub(" ", value)[:32767])
        # A text that begins with "=" (the relation of a value, say) would become a formula.
        cell.data_type = "s"
        return cell
    return None if pd.isna(value) else value
