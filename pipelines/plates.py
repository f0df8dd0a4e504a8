"""Reads the stored exports of plate readers."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from corelab.ingest.plates.reader import read_plate
from corelab.ingest.plates.sheets import unpack_sheets

if TYPE_CHECKING:
    import pandas as pd

    from corelab.ingest.plates.records import PlateExport


def read_plates(plates: "pd.DataFrame", read_object: Callable[[str], bytes]) -> "dict[str, PlateExport]":
    """Return the export of each recorded plate by the id of its file."""
    return {
        str(row.file_id): read_plate(
            unpack_sheets(read_object(row.object_id)), name=f"plates/{row.plate}.csv"
        )
        for row in plates.itertuples(index=False)
    }
