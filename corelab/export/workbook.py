"""All tables as one workbook, a sheet a table."""

import io
import math
import re
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from corelab.errors import ContractError

if TYPE_CHECKING:
    import pandas as pd

_MOST_ROWS: Final = 1_048_575
_LONGEST_TEXT: Final = 32_767
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)
_MOMENT: Final = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*")


def format_workbook(tables: "Mapping[str, pd.DataFrame]", *, mark: str = "") -> bytes:
    """Write tables as an ``.xlsx`` workbook with frozen headers; the same tables give the same bytes.

    ``mark`` is the workbook's title and stands over every printed page.

    Numbers are numbers and texts stay texts, whatever sign they begin with. Times are ISO 8601 texts: a
    cell of a workbook has no zone.

    Raises
    ------
    ContractError
        If a table has more rows than a sheet.
    """
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    book.properties.title = mark or None
    for name, table in tables.items():
        if len(table) > _MOST_ROWS:
            raise ContractError(f"{len(table)} rows do not fit into a sheet", place=name)
        sheet = book.create_sheet(title=name[:31])
        sheet.freeze_panes = "A2"
        sheet.oddHeader.center.text = mark or None
        sheet.append([_cell(sheet, column) for column in table.columns])
        for row in table.itertuples(index=False):
            sheet.append([_cell(sheet, value) for value in row])
    buffer = io.BytesIO()
    book.save(buffer)
    return _forget_moment(buffer.getvalue())


def _cell(sheet: Any, value: Any) -> Any:
    import pandas as pd
    from openpyxl.cell import WriteOnlyCell

    if isinstance(value, str):
        # A text that begins with "=" (the relation of a value, say) would become a formula.
        text, kind = _FORBIDDEN.sub(" ", value)[:_LONGEST_TEXT], "s"
    elif isinstance(value, float) and math.isfinite(value):
        # openpyxl writes 16 digits of a number; the same double needs up to 17.
        text, kind = repr(float(value)), "n"
    else:
        return None if pd.isna(value) else value
    if not text:
        return None
    cell = WriteOnlyCell(sheet, value=text)
    cell.data_type = kind
    return cell


def _forget_moment(data: bytes) -> bytes:
    """Pack the workbook again without the moment at which it was written."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "docProps/core.xml":
                content = _MOMENT.sub(rb"\g<1>1980-01-01T00:00:00Z", content)
            new.writestr(zipfile.ZipInfo(name, _EARLIEST), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
