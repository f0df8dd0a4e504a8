"""Rows of several origins under each other."""

from collections.abc import Sequence
from typing import Any

import pandas as pd


def stack_rows(parts: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """Put tables under each other in given columns; an absent column is missing.

    Columns become ``object``, so that a part without a value of some kind does not decide the type of the
    others; a schema gives them their types.
    """
    return pd.DataFrame({name: _stack_column(parts, name) for name in columns}, columns=list(columns))


def _stack_column(parts: Sequence[pd.DataFrame], name: str) -> "pd.Series[Any]":
    values: list[Any] = []
    for part in parts:
        values += part[name].tolist() if name in part.columns else [None] * len(part)
    return pd.Series(values, dtype=object)
