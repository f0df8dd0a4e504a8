"""Which tubes are controls of which, and whether they may place limits."""

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

from corelab.cytometry.records import GatedAcquisition
from corelab.vocabulary import Level

if TYPE_CHECKING:
    from pipelines.gating import TubeFile


def has_failed(control: GatedAcquisition) -> bool:
    """Tell whether a control failed by its own quality: then it places no limit."""
    return any(finding.level == Level.FAIL for finding in control.findings)


def find_controls(tube: "TubeFile", tubes: "Sequence[TubeFile]") -> "list[TubeFile]":
    """Find the FMO tubes of the same visit and panel; of several the one nearest in time, else the later."""
    if tube.tube != "full":
        return []
    candidates = [
        other
        for other in tubes
        if other.tube.startswith("fmo_") and (other.visit, other.panel) == (tube.visit, tube.panel)
        and (tube.visit != "UNS" or other.collected_at[:10] == tube.collected_at[:10])
    ]  # fmt: skip
    best: dict[str, TubeFile] = {}
    for other in sorted(candidates, key=lambda c: (-_count_seconds(c, tube), c.collected_at, c.file_id)):
        best[other.tube] = other
    return [best[name] for name in sorted(best)]


def _count_seconds(one: "TubeFile", other: "TubeFile") -> float:
    """Return the time between two draws; without the time of one they lie as far apart as can be."""
    try:
        first, second = (dt.datetime.fromisoformat(tube.collected_at) for tube in (one, other))
        return abs((first - second).total_seconds())
    except (ValueError, TypeError):
        return float("inf")
