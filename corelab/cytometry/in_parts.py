"""Files of more events than memory should hold: a part is fitted, then all events are gated in blocks."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Final

import numpy as np

from corelab.cytometry.columns import Columns
from corelab.cytometry.decided import Decided, prepare_decisions
from corelab.cytometry.engine import Engine
from corelab.cytometry.expression import BinnedExpression
from corelab.cytometry.interchange.revision import Decision
from corelab.cytometry.records import Cut, Expression, Mask, Values
from corelab.cytometry.scatter import Limits, Recorded, apply_beads, find_margin, find_top
from corelab.cytometry.tally import Tally, add_tallies, count_tube
from corelab.cytometry.template import PopulationRule
from corelab.cytometry.timing import TimeCheck, keep_time
from corelab.cytometry.tube import Tube, list_bead_scatter, measure_brightness
from corelab.ingest.fcs import Acquisition, forget_events
from corelab.ingest.fcs_layout import find_native

BLOCK: Final = 1 << 18
"""Events that are gated together."""


def take_part(acquisition: Acquisition, *, most: int) -> Acquisition:
    """Take every k-th event, no more than ``most``, each channel in one piece."""
    step = -(-acquisition.n_events // most)
    n_taken = -(-acquisition.n_events // step)
    columns = np.empty((len(acquisition.detectors), n_taken), dtype=find_native(acquisition.events))
    for begin in range(0, columns.shape[1], BLOCK // step + 1):
        end = begin + BLOCK // step + 1
        columns[:, begin:end] = acquisition.events[begin * step : end * step : step].T
        forget_events(acquisition.events)
    return replace(acquisition, events=columns.T)


def drop_parity(decided: Decided) -> Decided:
    """Leave out how a part counts beside the program in which gates were drawn: that knew all events."""
    found = tuple(one for one in decided.findings if one.check != "GATE_PARITY")
    return replace(decided, findings=found)


def gate_blocks(
    acquisition: Acquisition,
    fitted: Engine,
    *,
    rules: Sequence[PopulationRule],
    decisions: Sequence[Decision],
) -> tuple[Tally, list[Expression]]:
    """Gate all events by what was fitted to a part of them.

    Parameters
    ----------
    acquisition
        The whole file; a mapped one is given back block after block.
    fitted
        Has gated the part.
    rules
        The populations to count.
    decisions
        What people decided about the tube.

    Returns
    -------
    tuple
        The counts, and medians and spreads of bins.
    """
    top = np.max([find_top(block.events) for block in _list_blocks(acquisition)], axis=0)
    expression = BinnedExpression(fitted.tube, fitted.template.expression)
    tallies: list[Tally] = []
    for block in _list_blocks(acquisition):
        tube = _prepare(block, fitted.tube)
        engine = _Settled(tube, fitted, decisions, top=top)
        tallies.append(count_tube(engine, rules))
        expression.add(engine)
    return add_tallies(tallies), expression.measure()


def _list_blocks(acquisition: Acquisition) -> Iterator[Acquisition]:
    for begin in range(0, acquisition.n_events, BLOCK):
        events = np.asfortranarray(
            acquisition.events[begin : begin + BLOCK], dtype=find_native(acquisition.events)
        )
        forget_events(acquisition.events)
        yield replace(acquisition, events=events)


def _prepare(block: Acquisition, fitted: Tube) -> Tube:
    compensated = replace(fitted.compensated, acquisition=block)
    beads = fitted.beads
    if beads is not None:
        brightness = measure_brightness(block, fitted.markers, fitted.noise)
        beads = apply_beads(beads, brightness, list_bead_scatter(block, fitted.markers))
    return replace(
        fitted, acquisition=block, compensated=compensated, values=Columns(compensated), beads=beads
    )


class _Settled(Engine):
    """Gates a block; everything that is fitted elsewhere is given."""

    def __init__(self, tube: Tube, fitted: Engine, decisions: Sequence[Decision], *, top: Values) -> None:
        decided = fitted.decided
        if decided.masks:
            decided = prepare_decisions(
                decisions, tube.acquisition, fitted.template, read_own=tube.read, alone=decided.alone
            )
        super().__init__(tube, fitted.template, fitted.name, controls={}, priors={}, decided=decided)
        self.cuts, self._fitted, self._top = fitted.cuts, fitted, top

    def place(self, name: str) -> Cut:
        """Return the limit as it was fitted."""
        return self._fitted.place(name)

    @cached_property
    def margin(self) -> Mask:
        """Events at the end of a range of scatter."""
        events = self.tube.acquisition.events
        return find_margin(events, self._ranges(), list(self._scatter_columns()), top=self._top)

    def _check_time(self, time: Recorded, columns: list[int]) -> TimeCheck:
        if self._fitted.time is None:
            return super()._check_time(time, columns)
        return keep_time(self._fitted.time, time)

    def _place_singlets(self, area: Recorded, height: Recorded, usable: Mask) -> Limits:
        return self._fitted.singlets or super()._place_singlets(area, height, usable)

    def _place_side_scatter(self, rule: PopulationRule, usable: Mask, side: Recorded) -> Cut:
        return self._fitted.cuts[rule.name]
