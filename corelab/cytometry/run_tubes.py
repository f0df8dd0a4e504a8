"""What compensates a tube: the matrix delivered with it, and the single stains of its run.

Single stains are tied to samples by batch, else by date and panel.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from corelab.cytometry.single_stains import UNSTAINED
from corelab.errors import CorelabError
from corelab.ingest.fcs import Acquisition, FcsBytes, Spillover, read_fcs
from corelab.ingest.spillover import parse_spillover_csv
from corelab.vocabulary import is_run_tube

Row = Mapping[str, Any]
Stains = tuple[tuple[str, str], ...]

_COMP: Final = "comp_"


def find_stains(rows: Sequence[Row]) -> dict[str, Stains]:
    """Find the single-stain controls of every sample tube.

    Parameters
    ----------
    rows
        Acquisitions as in `corelab.tables.inputs.Inputs`.

    Returns
    -------
    dict
        File id to pairs of tube and object id, sorted; a tube without ``comp_`` controls is left out.
        Of several controls of one name the latest counts.
    """
    controls = [row for row in rows if row["tube"].startswith(_COMP) or row["tube"] == UNSTAINED]
    if not any(row["tube"].startswith(_COMP) for row in controls):
        return {}
    found = {}
    for row in rows:
        if is_run_tube(row["tube"]):
            continue
        stains = _latest(_tie(row, controls))
        if any(tube.startswith(_COMP) for tube, _ in stains):
            found[row["file_id"]] = stains
    return found


def read_matrix(spillover_id: str, read_object: Callable[[str], FcsBytes]) -> Spillover | None:
    """Read the matrix that was delivered with a tube; None where there was none.

    Raises
    ------
    InputError
        If it is no spillover matrix.
    """
    if not spillover_id:
        return None
    return parse_spillover_csv(bytes(read_object(spillover_id)), name=f"matrix {spillover_id[:12]}")


def read_stains(stains: Stains, read_object: Callable[[str], FcsBytes]) -> dict[str, Acquisition]:
    """Read single-stain controls by tube; one that cannot be read says so in its own row."""
    found = {}
    for name, object_id in stains:
        try:
            found[name] = read_fcs(read_object(object_id), name=name)
        except (CorelabError, OSError):
            continue
    return found


def _tie(row: Row, controls: Iterable[Row]) -> list[Row]:
    batch = str(row.get("batch", ""))
    same = [one for one in controls if batch and str(one.get("batch", "")) == batch]
    if same:
        return [one for one in same if one["panel"] == row["panel"]] or same
    return [
        one
        for one in controls
        if (one["panel"], one["collected_at"][:10]) == (row["panel"], row["collected_at"][:10])
        and not (batch and one.get("batch"))
        and _same_instrument(row, one)
    ]


def _same_instrument(row: Row, other: Row) -> bool:
    names = {str(row.get("instrument", "")), str(other.get("instrument", ""))} - {""}
    return len(names) < 2


def _latest(controls: Iterable[Row]) -> Stains:
    best = {one["tube"]: one for one in sorted(controls, key=lambda c: (c["collected_at"], c["file_id"]))}
    return tuple((tube, str(best[tube]["object_id"])) for tube in sorted(best))
