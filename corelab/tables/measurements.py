"""`measurements`: one long table of every assay."""

from typing import Final

import pandas as pd

from corelab.tables.clock import DRAW_KEY, WHEN, Clocks
from corelab.tables.rows import stack_rows
from corelab.tables.schemas import SCHEMAS
from corelab.vocabulary import Assay

COLUMNS: Final = [
    *DRAW_KEY, *WHEN, "assay", "name", "metric", "value", "relation", "low", "high", "unit", "status",
    "reason", "lod", "lloq", "uloq", "ci_low", "ci_high", "bridged", "source_id",
]  # fmt: skip


def derive_qpcr(transgene: pd.DataFrame) -> pd.DataFrame:
    """Return transgene copies as measurements, every delivered row."""
    return transgene.assign(assay=Assay.QPCR.value, name=transgene["analyte"], metric="copies_per_ug")


def derive_measurements(parts: list[pd.DataFrame], *, clocks: Clocks) -> pd.DataFrame:
    """Put the assays under each other and on the clock."""
    columns = [name for name in COLUMNS if name not in WHEN]
    return SCHEMAS["measurements"].conform(clocks.place(stack_rows(parts, columns))[COLUMNS])
