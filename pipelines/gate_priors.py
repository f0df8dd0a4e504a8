"""What the other visits of a child say about the limits of a tube, and when it needs to be told."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from corelab.cytometry.records import Prior
from corelab.vocabulary import GateSource
from pipelines.gate_cache import Rows

if TYPE_CHECKING:
    from pipelines.gating import TubeFile

Priors = Mapping[str, Prior]
"""Limits of a child's other visits by gate."""

_SOLID_SCORE: Final = 0.3
_SOLID_REFERENCE: Final = 500
_SETTLED: Final = 2000


def collect_priors(
    tube: "TubeFile", tubes: "Sequence[TubeFile]", rows: Mapping[str, Rows]
) -> dict[str, Prior]:
    """Collect the limits of the child's other full tubes of this panel, as medians by gate.

    One of another marker, which stands in for the gate's own there, tells nothing here.
    """
    if tube.tube != "full":
        return {}
    own = {row["gate"]: row["marker"] for row in rows[tube.file_id] if row["table"] == "cuts"}
    found: dict[str, list[tuple[float, float]]] = {}
    for other in tubes:
        if other.file_id == tube.file_id or (other.panel, other.tube) != (tube.panel, "full"):
            continue
        for row in rows[other.file_id]:
            if row["table"] == "cuts" and own.get(row["gate"]) == row["marker"] and _is_solid(row):
                found.setdefault(row["gate"], []).append((float(row["units"]), float(row["cut"])))
    return {gate: _find_middle(np.array(limits)) for gate, limits in sorted(found.items())}


def _find_middle(limits: npt.NDArray[np.float64]) -> Prior:
    units = limits[np.isfinite(limits[:, 0]), 0]
    return Prior(
        units=float(np.median(units)) if len(units) else float("nan"), linear=float(np.median(limits[:, 1]))
    )


def _is_solid(row: Mapping[str, Any]) -> bool:
    """Tell whether a cut was placed by its own data well enough to speak for another visit."""
    return bool(
        row["gate_source"] == GateSource.AUTO
        and np.isfinite(row["cut"])
        and row["score"] >= _SOLID_SCORE
        and row["n_reference"] >= _SOLID_REFERENCE
    )


def needs_priors(rows: Rows, priors: Priors) -> bool:
    """Tell whether any cut rests on the template or on few negative events and has a prior."""
    return any(
        row["table"] == "cuts"
        and row["gate"] in priors
        and (
            row["gate_source"] == GateSource.TEMPLATE
            or (
                row["recipe"] in {"groups", "negative"}
                and row["n_reference"] < _SETTLED
                and np.isfinite(priors[row["gate"]].units)
            )
        )
        for row in rows
    )
