"""Populations on demand: a population asks for its parent and its cuts, a cut for its references."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Final

import numpy as np

from corelab.cytometry.columns import PackedMasks
from corelab.cytometry.controls import Evidence
from corelab.cytometry.decided import NOT_GIVEN, Decided, make_decided_cut, take_limit
from corelab.cytometry.fitting import fit_cut
from corelab.cytometry.interchange.revision import PEOPLE
from corelab.cytometry.recipes import approximate_axis, fit_valley
from corelab.cytometry.records import ControlLimit, Cut, Mask, Prior, Values
from corelab.cytometry.scatter import Limits, Recorded, find_margin, fit_singlets, keep_ratio
from corelab.cytometry.template import PopulationRule, Template, Term
from corelab.cytometry.timing import TimeCheck, scan_time
from corelab.cytometry.tube import Tube
from corelab.vocabulary import BEAD_POPULATIONS, BEAD_QC, GateSource

NO_CELLS: Final = "NO_CELLS"
"""Why a population of cells is not counted in a tube of quality beads."""

_SOURCE_ORDER: Final = (
    "", GateSource.AUTO, GateSource.CONTROL, GateSource.OTHER_VISIT, GateSource.TEMPLATE,
    *PEOPLE,
)  # fmt: skip
_LYMPHOID: Final = ("CD3", "CD19", "CD20")
_BRIGHT: Final = 15.0
_FEWEST_LYMPHOID: Final = 100
_SCATTER_WIDTH: Final = 2.0


class Engine:
    """Gates one tube on demand; what was fitted and selected so far stays in it.

    ``reasons`` says why a population is missing, ``sources`` is the least certain cut behind one (one that a
    person set before all others), ``time`` and ``margin`` what the checks of quality need, ``singlets``
    where these lie.
    """

    def __init__(
        self,
        tube: Tube,
        template: Template,
        name: str,
        *,
        controls: Mapping[str, Mapping[str, ControlLimit]],
        priors: Mapping[str, Prior],
        decided: Decided,
    ) -> None:
        self.tube = tube
        self.template = template
        self.name = name
        self.decided = decided
        self.rules = {rule.name: rule for rule in template.populations}
        self.masks = PackedMasks()
        self.reasons: dict[str, str] = {}
        self.sources: dict[str, Cut] = {}
        self.cuts: dict[str, Cut] = {}
        self.time: TimeCheck | None = None
        self.singlets: Limits | None = None
        self._above = PackedMasks()
        self._controls = controls
        self._priors = priors

    @property
    def evidence(self) -> Evidence:
        """What cuts may be fitted to; not kept, or the two would hold each other and all events in memory."""
        return Evidence(
            tube=self.tube,
            select=self.select,
            tube_name=self.name,
            controls=self._controls,
            priors=self._priors,
        )

    def select(self, name: str) -> Mask | None:
        """Return the events of a population, gating it first if need be."""
        if name in self.masks:
            return self.masks[name]
        mask = self._gate(self.rules[name])
        self.masks[name] = mask
        return mask

    def count(self, name: str) -> int | None:
        """Return how many events a population has, None where it is missing."""
        if name not in self.masks:
            self.select(name)
        return self.masks.count(name)

    def _gate(self, rule: PopulationRule) -> Mask | None:
        if not rule.parent:
            return np.ones(self.tube.acquisition.n_events, dtype=bool)
        if self.name == BEAD_QC and rule.name not in BEAD_POPULATIONS:
            self.reasons[rule.name] = NO_CELLS
            return None
        if rule.name in self.decided.masks:
            return self._take_shape(rule)
        if rule.name in self.decided.opposites:
            return self._take_opposite(rule)
        if self.decided.alone and not self.decided.decides(rule):
            self.reasons[rule.name] = NOT_GIVEN
            return self.select(rule.parent) if rule.passes_on else None
        return self._widen(rule, self._fit(rule))

    def _take_shape(self, rule: PopulationRule) -> Mask:
        """Take what a person's shape holds, inside the nearest population above it that there is."""
        decision = self.decided.shapes[rule.name]
        self.sources[rule.name] = make_decided_cut(rule.name, "", decision)
        above, parent = rule.parent, None
        while parent is None:
            parent, above = self.select(above), self.rules[above].parent
        return parent & self.decided.masks[rule.name]

    def _take_opposite(self, rule: PopulationRule) -> Mask | None:
        """Take what a person's shape of the contrary population leaves of their parent."""
        drawn, parent = self.decided.opposites[rule.name], self.select(rule.parent)
        decision = self.decided.shapes[drawn]
        if parent is None:
            self.reasons[rule.name] = self.reasons.get(rule.parent, "")
            return None
        self.sources[rule.name] = make_decided_cut(rule.name, "", decision)
        return parent & ~self.decided.masks[drawn]

    def _widen(self, rule: PopulationRule, mask: Mask | None) -> Mask | None:
        """Let in what people put into a population below a fitted one; a limit they set stands."""
        below = None if self.decided.decides(rule) else self.decided.collect_below(rule, self.template)
        if mask is None or below is None:
            return mask
        parent = self.select(rule.parent)
        return mask | (below if parent is None else below & parent)

    def _fit(self, rule: PopulationRule) -> Mask | None:
        parent = self.select(rule.parent)
        if parent is None:
            self.reasons[rule.name] = self.reasons.get(rule.parent, "")
            return None
        special = {
            "time": self._gate_time,
            "beads": self._gate_beads,
            "singlets": self._gate_singlets,
            "lymphocytes": self._gate_lymphocytes,
        }.get(rule.gate)
        mask = special(rule, parent) if special else self._gate_terms(rule, parent)
        return parent if mask is None and rule.passes_on else mask

    def _gate_terms(self, rule: PopulationRule, parent: Mask) -> Mask | None:
        mask = parent.copy()
        for term in rule.all_of:
            if self._is_left_out(term):
                continue
            cut = self.place(term.cut)
            if not cut.is_placed:
                self.reasons[rule.name] = cut.reason
                return None
            mask &= self.meets(term)
            self._note_source(rule.name, cut)
        if rule.any_of:
            placed = [term for term in rule.any_of if self.place(term.cut).is_placed]
            if not placed:
                self.reasons[rule.name] = self.place(rule.any_of[0].cut).reason
                return None
            mask &= np.logical_or.reduce([self.meets(term) for term in placed])
            for term in placed:
                self._note_source(rule.name, self.place(term.cut))
        return self._exclude(rule, mask)

    def _exclude(self, rule: PopulationRule, mask: Mask) -> Mask:
        for name in rule.none_of:
            other = self.select(name)
            if other is not None:
                mask &= ~other
        return mask

    def _is_left_out(self, term: Term) -> bool:
        if term.if_shared and term.if_shared not in self.tube.markers.shared:
            return True
        absent = self.tube.column(self.template.cuts[term.cut].marker) is None
        return absent and (term.optional or bool(term.if_shared))

    def place(self, name: str) -> Cut:
        """Return a cut, fitting it first if need be."""
        if name not in self.cuts:
            rule, decision = self.template.cuts[name], self.decided.cuts.get(name)
            self.cuts[name] = (
                take_limit(rule, decision, self.tube) if decision else fit_cut(rule, self.evidence)
            )
        return self.cuts[name]

    def meets(self, term: Term, *, moved: float = 0.0) -> Mask:
        """Return the events of the tube that meet one claim, its limit moved up by some units."""
        above = self._find_above(term.cut) if moved == 0 else self._compare(term.cut, moved)
        return above if term.positive else ~above

    def _find_above(self, name: str) -> Mask:
        """Return the events above a cut; many populations ask for the same ones."""
        above = self._above.get(name)
        if above is None:
            above = self._compare(name, 0.0)
            self._above[name] = above
        return above

    def _compare(self, name: str, moved: float) -> Mask:
        column = self.tube.column(self.template.cuts[name].marker)
        return np.asarray(self.tube.values(column or 0) > self.place(name).cut + moved)

    def count_band(self, rule: PopulationRule) -> tuple[int | None, int | None]:
        """Count a population with its deciding limit moved up, and down, as the template says."""
        deciding = next((t for t in rule.all_of if t.positive and self.template.cuts[t.cut].shift), None)
        counted = self.count(rule.name)
        is_drawn = rule.name in self.decided.masks or rule.name in self.decided.opposites
        if deciding is None or counted is None or is_drawn:
            return None, None
        spread = self.place(deciding.cut).spread
        if not np.isfinite(spread):
            return None, None
        down, up = self.template.cuts[deciding.cut].shift
        others = self.select(rule.parent)
        base = np.ones(self.tube.acquisition.n_events, dtype=bool) if others is None else others.copy()
        for term in rule.all_of:
            if term is not deciding and not self._is_left_out(term):
                base &= self.meets(term)
        base = self._exclude(rule, base)
        low, high = (int(np.count_nonzero(base & self.meets(deciding, moved=m * spread))) for m in (up, down))
        n = self.count(rule.name) or 0  # with what people put into a population below
        return min(low, n), max(high, n)

    def _note_source(self, population: str, cut: Cut) -> None:
        """Keep the least certain of the cuts that decide a population."""
        known = self.sources.get(population)
        if known is None or _SOURCE_ORDER.index(cut.source) > _SOURCE_ORDER.index(known.source):
            self.sources[population] = cut

    def _gate_time(self, rule: PopulationRule, parent: Mask) -> Mask | None:
        time = self.tube.recorded("time")
        if time is None:
            self.reasons[rule.name] = "NO_TIME"
            return None
        # Only channels that a gate may use: a fault elsewhere costs nothing.
        columns = sorted(set(self.tube.markers.columns.values()) or self.tube.markers.fluorescence)
        columns += [c for n, c in self.tube.markers.scatter.items() if n in ("FSC-A", "SSC-A")]
        self.time = self._check_time(time, columns)
        return self._drop_overflow(parent & self.time.kept)

    def _check_time(self, time: Recorded, columns: list[int]) -> TimeCheck:
        channels = zip(self.tube.values.each(columns), self.tube.scales[columns].tolist(), strict=True)
        return scan_time(time, (approximate_axis(values, scale) for values, scale in channels))

    def _drop_overflow(self, mask: Mask) -> Mask:
        """Leave out what compensation carried beyond all numbers; what was recorded is finite."""
        columns = sorted(set(self.tube.markers.columns.values()))
        for column in self.tube.compensated.list_unbounded(columns):
            mask &= np.isfinite(self.tube.values(column))
        return mask

    def _gate_beads(self, rule: PopulationRule, parent: Mask) -> Mask | None:
        if self.tube.beads is None:
            self.reasons[rule.name] = "NO_BEADS"
            return None
        return parent & self.tube.beads.mask

    def _gate_singlets(self, rule: PopulationRule, parent: Mask) -> Mask | None:
        area, height = self.tube.recorded("FSC-A"), self.tube.recorded("FSC-H")
        if area is None or height is None or area is height:
            self.reasons[rule.name] = "NO_SCATTER"
            return None
        usable = self.usable(parent)
        self.singlets = self._place_singlets(area, height, usable)
        return keep_ratio(usable, area, height, limits=self.singlets)

    def _place_singlets(self, area: Recorded, height: Recorded, usable: Mask) -> Limits:
        return fit_singlets(area, height, usable)

    @cached_property
    def margin(self) -> Mask:
        """Events at the end of a range of scatter."""
        return find_margin(self.tube.acquisition.events, self._ranges(), list(self._scatter_columns()))

    def usable(self, parent: Mask) -> Mask:
        """Leave beads and events at the end of a range out."""
        beads = self.select("beads")
        cells = parent if beads is None else parent & ~beads
        return cells & ~self.margin

    def _ranges(self) -> Values:
        """Ranges, infinite for time, which reaches its own end by nature."""
        ranges = self.tube.acquisition.ranges.copy()
        column = self.tube.markers.scatter.get("time")
        if column is not None:
            ranges[column] = np.inf
        return ranges

    def _scatter_columns(self) -> set[int]:
        return {column for name, column in self.tube.markers.scatter.items() if name != "time"}

    def _gate_lymphocytes(self, rule: PopulationRule, parent: Mask) -> Mask | None:
        side = self.tube.recorded("SSC-A")
        if side is None:
            self.reasons[rule.name] = "NO_SCATTER"
            return None
        usable = parent & (side > 0)
        if rule.name in self.decided.cuts:
            return self._take_side_scatter(rule, usable, side)
        cut = self._place_side_scatter(rule, usable, side)
        self.cuts[rule.name] = cut
        self.sources[rule.name] = cut
        return usable & (side <= np.float64(cut.cut)) if cut.is_placed else parent.copy()

    def _place_side_scatter(self, rule: PopulationRule, usable: Mask, side: Recorded) -> Cut:
        """Place the limit of lymphocytes: on a logarithm groups of scatter are half as wide as of light."""
        at_least = self._find_lymphoid(usable, side)
        places = _SCATTER_WIDTH * np.log(side[usable], dtype=np.float64)
        fit = fit_valley(places, which="first", at_least=at_least)
        cut = Cut(
            gate=rule.name, marker="SSC-A", cut=float("nan"), units=float("nan"), score=0.0,
            recipe="default", source=GateSource.TEMPLATE, control="", n_reference=int(usable.sum()),
            reason="no valley in side scatter; every leukocyte passes",
        )  # fmt: skip
        if fit is None or fit.score < 0.2:
            return cut
        limit = float(np.exp(fit.position / _SCATTER_WIDTH))
        return replace(cut, cut=limit, score=fit.score, recipe="valley", source=GateSource.AUTO, reason="")

    def _find_lymphoid(self, usable: Mask, side: Recorded) -> float:
        """Return where bright T or B cells lie in side scatter, if no CD45 has left out the debris below."""
        if self.tube.column("CD45") is not None:
            return -np.inf
        columns = [c for c in map(self.tube.column, _LYMPHOID) if c is not None]
        for column in columns:
            bright = usable & (self.tube.values(column) > _BRIGHT * self.tube.scales[column])
            if np.count_nonzero(bright) >= _FEWEST_LYMPHOID:
                return float(_SCATTER_WIDTH * np.log(np.median(side[bright])))
        return -np.inf

    def _take_side_scatter(self, rule: PopulationRule, usable: Mask, side: Recorded) -> Mask:
        cut = make_decided_cut(rule.name, "SSC-A", self.decided.cuts[rule.name])
        self.cuts[rule.name] = self.sources[rule.name] = cut
        return usable & (side <= np.float64(cut.cut))
