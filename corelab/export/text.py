"""A table as CSV: UTF-8, a point as decimal sign, numbers that read back to the same double."""

import io
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pandas as pd

MARK: Final = "'"
_RELATIONS: Final = ("=", "<", ">", "<=", ">=")
_FORMULA: Final = re.compile(r"'*(?:[=@\t\r]|[+-].*[^A-Za-z0-9._%+ -])", re.DOTALL)
"""What a spreadsheet would compute: a text that begins like a formula. A signed number, a range and a name
that begins with a hyphen are none."""


def format_csv(table: "pd.DataFrame") -> bytes:
    """Write a table as CSV; missing values are empty, and a table without rows keeps its header.

    A text that a spreadsheet would take for a formula gets an apostrophe in front (`neutralise_text`);
    numbers, relations and code words never do.
    """
    buffer = io.StringIO(newline="")
    texts = {name: table[name].map(_neutralise) for name in table.columns if table[name].dtype == object}
    table.assign(**texts).to_csv(buffer, index=False, lineterminator="\n")
    return buffer.getvalue().encode("utf-8", "surrogatepass")


def _neutralise(value: Any) -> Any:
    return neutralise_text(value) if isinstance(value, str) else value


def neutralise_text(text: str) -> str:
    """Put an apostrophe before a text that would run as a formula; any other stays as it is.

    Taking one apostrophe away from what begins like ``'=`` gives the text back (`restore_text`).

    Examples
    --------
    >>> neutralise_text("=1+1"), neutralise_text("="), neutralise_text("-2.5"), neutralise_text("-S1")
    ("'=1+1", '=', '-2.5', '-S1')
    >>> neutralise_text("-1+cmd|' /C calc'!A0")
    "'-1+cmd|' /C calc'!A0"
    """
    return MARK + text if text not in _RELATIONS and _FORMULA.match(text) else text


def restore_text(text: str) -> str:
    """Undo `neutralise_text`.

    Examples
    --------
    >>> restore_text("'=1+1"), restore_text("'quoted'"), restore_text("=")
    ('=1+1', "'quoted'", '=')
    """
    is_marked = text.startswith(MARK) and neutralise_text(text[1:]) == text
    return text[1:] if is_marked else text
