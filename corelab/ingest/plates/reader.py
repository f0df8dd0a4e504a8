"""Which reader takes an export: told by what the export says of itself, never by its name."""

from collections.abc import Callable, Sequence
from typing import Final

from corelab.errors import PlateReadError
from corelab.ingest.plates.bioplex import is_bioplex, read_bioplex
from corelab.ingest.plates.intelliflex import is_intelliflex, read_intelliflex
from corelab.ingest.plates.matrix import is_matrix, read_matrix
from corelab.ingest.plates.methodical_mind import is_methodical_mind, read_methodical_mind
from corelab.ingest.plates.msd import is_msd, read_msd
from corelab.ingest.plates.records import PlateExport
from corelab.ingest.plates.sheets import Sheets
from corelab.ingest.plates.xponent import is_xponent, read_xponent

_Reader = tuple[Callable[[Sheets], bool], Callable[..., PlateExport]]
_READERS: Final[Sequence[_Reader]] = (
    (is_xponent, read_xponent), (is_intelliflex, read_intelliflex), (is_bioplex, read_bioplex),
    (is_msd, read_msd), (is_methodical_mind, read_methodical_mind), (is_matrix, read_matrix),
)  # fmt: skip


def read_plate(sheets: Sheets, *, name: str) -> PlateExport:
    """Read an export.

    Parameters
    ----------
    sheets
        Its cells, as `corelab.ingest.plates.sheets.open_export` gives them.
    name
        Path of the file, for messages; its stem is the plate's name.

    Raises
    ------
    PlateReadError
        If no reader knows its layout, or the one that does cannot read all of it.
    """
    for knows, read in _READERS:
        if knows(sheets):
            return read(sheets, name=name)
    raise PlateReadError(
        "the layout of this export is not known", place=name,
        expected="xPONENT, INTELLIFLEX, Bio-Plex Manager, Discovery Workbench, Methodical Mind, or a matrix",
        remedy="export it in one of these forms",
    )  # fmt: skip
