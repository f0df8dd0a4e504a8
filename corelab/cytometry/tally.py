"""What is counted of a gated tube: sums over its events, so that parts of a file add up to the whole."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from corelab.cytometry.engine import Engine
from corelab.cytometry.quality import Counts
from corelab.cytometry.records import Mask
from corelab.cytometry.template import PopulationRule, Term
from corelab.vocabulary import is_run_tube

MARGIN: Final = "margin"
SINGLETS: Final = "singlets"
VIABLE: Final = "viable"
CAR_LOST: Final = "car_lost"
CAR_KEPT: Final = "car_kept"

Band = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Events by population (None without a gate), with the deciding limit moved, and for the checks.

    ``shares`` are events and among how many: at the end of a range (`MARGIN`), singlets, viable, CAR+ of the
    T cells in the time that was left out (`CAR_LOST`) and in the rest (`CAR_KEPT`); what is not judged
    is not there.
    """

    counts: Mapping[str, int | None]
    bands: Mapping[str, Band]
    shares: Mapping[str, Counts]


def count_tube(engine: Engine, rules: Iterable[PopulationRule]) -> Tally:
    """Count a tube, or a part of one."""
    wanted = list(rules)
    names = {rule.name: rule.parent for rule in wanted}
    counts = {name: engine.count(name) for name in {**names, **dict.fromkeys(names.values())} if name}
    return Tally(
        counts=counts,
        bands={rule.name: engine.count_band(rule) for rule in wanted if not rule.hidden},
        shares=_count_shares(engine),
    )


def add_tallies(tallies: Sequence[Tally]) -> Tally:
    """Add up the parts of a file."""
    first = tallies[0]
    return Tally(
        counts={name: _add(one.counts[name] for one in tallies) for name in first.counts},
        bands={
            name: (_add(one.bands[name][0] for one in tallies), _add(one.bands[name][1] for one in tallies))
            for name in first.bands
        },
        shares={
            name: (sum(one.shares[name][0] for one in tallies), sum(one.shares[name][1] for one in tallies))
            for name in first.shares
        },
    )


def _add(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _count_shares(engine: Engine) -> dict[str, Counts]:
    found = _count_scatter(engine)
    if not is_run_tube(engine.name):
        found |= _count_viable(engine)
    if engine.name == "full":
        found |= _count_lost(engine)
    return found


def _share(part: Mask, whole: Mask) -> Counts:
    return int(np.count_nonzero(part & whole)), int(np.count_nonzero(whole))


def _count_scatter(engine: Engine) -> dict[str, Counts]:
    """Count margin and doublets among what is no bead."""
    parent, beads = engine.select("time_ok"), engine.select("beads")
    if parent is None:
        return {}
    found = {MARGIN: _share(engine.margin, parent if beads is None else parent & ~beads)}
    singlets = engine.select("singlets")
    if singlets is not None and "singlets" not in engine.reasons:
        found[SINGLETS] = _share(singlets, engine.usable(parent))
    return found


def _count_viable(engine: Engine) -> dict[str, Counts]:
    """Count living and all CD45+ singlets; where no height tells singlets, beads are among them."""
    singlets, dead = engine.select("singlets"), find_above(engine, "viability")
    if singlets is None or dead is None:
        return {}
    beads, leukocyte = engine.select("beads"), find_above(engine, "CD45")
    cells = singlets if beads is None else singlets & ~beads
    return {VIABLE: _share(~dead, cells if leukocyte is None else cells & leukocyte)}


def _count_lost(engine: Engine) -> dict[str, Counts]:
    """Count CAR+ T cells by their two limits alone, in the time that was left out and in the rest."""
    car, cells = find_above(engine, "CAR"), find_above(engine, "CD3")
    if engine.time is None or car is None or cells is None:
        return {}
    if engine.tube.beads is not None:
        cells &= ~engine.tube.beads.mask
    kept = engine.time.kept
    return {CAR_LOST: _share(car, cells & ~kept), CAR_KEPT: _share(car, cells & kept)}


def find_above(engine: Engine, cut: str) -> Mask | None:
    """Return the events above a limit, None where it is not placed."""
    if cut not in engine.cuts or not engine.cuts[cut].is_placed:
        return None
    return engine.meets(Term(cut=cut, positive=True, optional=False, if_shared=""))
