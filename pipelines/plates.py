"""Reads the stored exports of plate readers, and judges plates of which anything changed."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from corelab.ingest.plates.reader import read_plate
from corelab.ingest.plates.sheets import unpack_sheets

if TYPE_CHECKING:
    import pandas as pd

    from corelab.ingest.plates.records import PlateExport
    from corelab.tables.inputs import Inputs
    from corelab.tables.plate_tables import PlateTables

ReadObject = Callable[[str], bytes]
_RESULTS: Final = "results"
_FINDINGS: Final = "findings"


def read_plates(plates: "pd.DataFrame", read_object: ReadObject) -> "dict[str, PlateExport]":
    """Return the export of each recorded plate by the id of its file."""
    return {
        str(row.file_id): read_plate(
            unpack_sheets(read_object(row.object_id)), name=f"plates/{row.plate}.csv"
        )
        for row in plates.itertuples(index=False)
    }


def derive_changed_plates(
    inputs: "Inputs", read_object: ReadObject, *, settings: Mapping[str, Any], cache_dir: Path | None,
    program: str,
) -> "PlateTables":  # fmt: skip
    """Judge the plates of ordered inputs, or read back what was judged of the same ones.

    Parameters
    ----------
    inputs
        Delivered rows.
    read_object
        Gives the bytes of a stored export.
    settings
        The study's section ``immunoassay``.
    cache_dir
        Where tables are kept.
    program
        Names the code, packages and study by which they are derived.
    """
    from corelab.store.frames import lay_out_frame, make_frame
    from corelab.tables.plate_schemas import PLATE_TABLES
    from corelab.tables.plate_tables import PlateTables, derive_plates
    from pipelines.kept_tables import compute_tables_key, read_tables, write_tables

    rows = (inputs.plates, inputs.plate_layout, inputs.plate_standards)
    key = compute_tables_key(program, *(repr(list(one.itertuples(index=False, name=None))) for one in rows))
    kept = read_tables(cache_dir, key, (*PLATE_TABLES, _RESULTS, _FINDINGS))
    if kept is not None:
        frames = {name: make_frame(table) for name, table in kept.items()}
        results, findings = frames.pop(_RESULTS), frames.pop(_FINDINGS)
        return PlateTables(tables=frames, results=results, findings=findings)
    judged = derive_plates(inputs, read_plates(inputs.plates, read_object), settings=settings)
    parts = {**judged.tables, _RESULTS: judged.results, _FINDINGS: judged.findings}
    write_tables(cache_dir, key, {name: lay_out_frame(table) for name, table in parts.items()})
    return judged
