"""A table as CSV: UTF-8, a point as decimal sign, numbers that read back to the same double."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def format_csv(table: "pd.DataFrame") -> bytes:
    """Write a table as CSV; missing values are empty, and a table without rows keeps its header."""
    buffer = io.StringIO(newline="")
    table.to_csv(buffer, index=False, lineterminator="\n")
    return buffer.getvalue().encode("utf-8", "surrogatepass")
