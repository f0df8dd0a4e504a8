"""The tubes of a run that serve its samples: tied by batch, else by date and panel."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from corelab.cytometry.single_stains import UNSTAINED
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
