"""Gate one acquisition by its template: populations on demand, cuts as they are needed."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np

from corelab.cytometry.fitting import Evidence, fit_cut, measure_control
from corelab.cytometry.quality import (
    check_beads,
    check_double_positive,
    check_doublets,
    check_drift,
    check_events,
    check_margin,
    check_templates,
    check_viability,
    find_failure,
)
from corelab.cytometry.recipes import fit_valley, to_axis
from corelab.cytometry.records import (
    ControlLimit,
    Cut,
    Expression,
    Finding,
    GatedAcquisition,
    Mask,
    PopulationCount,
    Values,
)
from corelab.cytometry.scatter import find_margin, find_singlets
from corelab.cytometry.template import PopulationRule, Template, Term
from corelab.cytometry.timing import TimeCheck, check_time
from corelab.cytometry.tube import Tube, prepare_tube
from corelab.ingest.fcs import Acquisition, Spillover
from corelab.vocabulary import GateSource, Level, Status, is_run_tube

GATING_VERSION: Final = "1"
_SOURCE_ORDER: Final = (
    "",
    *(GateSource.AUTO, GateSource.CONTROL, GateSource.OTHER_VISIT, GateSource.TEMPLATE),
)
_MIN_EXPRESSION: Final = 1
_SCATTER_WIDTH: Final = 2.0


def gate_acquisition(  # noqa: PLR0913 - the seam that architecture.md names
    acquisition: Acquisition,
    *,
    template: Template,
    tube: str = "full",
    controls: Mapping[str, GatedAcquisition] | None = None,
    priors: Mapping[str, float] | None = None,
    marker_labels: Mapping[str, str] | None = None,
    spillover: Spillover | None = None,
) -> GatedAcquisition:
    """Gate one acquisition.

    Parameters
    ----------
    acquisition
        As read.
    template
        What to gate (`corelab.cytometry.template.load_template`).
    tube
        ``full``, ``fmo_<marker>`` or a run tube.
    controls
        The gated control tubes of the same subject, visit and panel, by tube name.
    priors
        Cuts of the child's other visits in units of noise, by gate (`Cut.units`).
    marker_labels
        Detector to label, where ``$PnS`` and ``$PnN`` name no antigen.
    spillover
        A matrix to use instead of the embedded one.

    Returns
    -------
    GatedAcquisition
        A row for every population of the template, whatever the file holds.

    Raises
    ------
    InputError
        If the spillover matrix cannot belong to the file.
    """
    prepared = prepare_tube(acquisition, template=template, marker_labels=marker_labels, spillover=spillover)
    limits = {name: gated.limits for name, gated in (controls or {}).items()}
    run = _Run(prepared, template, tube, limits, priors or {})
    return run.summarise()


class _Run:
    """The state of gating one tube: what has been fitted and selected so far."""

    def __init__(
        self,
        tube: Tube,
        template: Template,
        name: str,
        controls: Mapping[str, Mapping[str, ControlLimit]],
        priors: Mapping[str, float],
    ) -> None:
        self.tube = tube
        self.template = template
        self.name = name
        self.rules = {rule.name: rule for rule in template.populations}
        self.masks: dict[str, Mask | None] = {}
        self.reasons: dict[str, str] = {}
        self.sources: dict[str, Cut] = {}
        self.cuts: dict[str, Cut] = {}
        self.time: TimeCheck | None = None
        self.margin = np.zeros(tube.acquisition.n_events, dtype=bool)
        self.evidence = Evidence(
            tube=tube, select=self.select, tube_name=name, controls=controls, priors=priors
        )

    # -- populations ------------------------------------------------------------------------

    def select(self, name: str) -> Mask | None:
        """Return the events of a population, gating it first if need be."""
        if name not in self.masks:
            self.masks[name] = self._gate(self.rules[name])
        return self.masks[name]

    def _gate(self, rule: PopulationRule) -> Mask | None:
        if not rule.parent:
            return np.ones(self.tube.acquisition.n_events, dtype=bool)
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
            cut = self._cut(term.cut)
            if not cut.is_placed:
                self.reasons[rule.name] = cut.reason
                return None
            mask &= self._meets(term)
            self._note_source(rule.name, cut)
        if rule.any_of:
            placed = [term for term in rule.any_of if self._cut(term.cut).is_placed]
            if not placed:
                self.reasons[rule.name] = self._cut(rule.any_of[0].cut).reason
                return None
            mask &= np.logical_or.reduce([self._meets(term) for term in placed])
            for term in placed:
                self._note_source(rule.name, self._cut(term.cut))
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

    def _cut(self, name: str) -> Cut:
        if name not in self.cuts:
            self.cuts[name] = fit_cut(self.template.cuts[name], self.evidence)
        return self.cuts[name]

    def _meets(self, term: Term) -> Mask:
        column = self.tube.column(self.template.cuts[term.cut].marker)
        above = self.tube.events[:, column or 0] > self._cut(term.cut).cut
        return above if term.positive else ~above

    def _note_source(self, population: str, cut: Cut) -> None:
        """Keep the least certain of the cuts that decide a population."""
        known = self.sources.get(population)
        if known is None or _SOURCE_ORDER.index(cut.source) > _SOURCE_ORDER.index(known.source):
            self.sources[population] = cut

    # -- gates without antibodies -----------------------------------------------------------

    def _gate_time(self, rule: PopulationRule, parent: Mask) -> Mask | None:
        time = self.tube.scatter("time")
        if time is None:
            self.reasons[rule.name] = "NO_TIME"
            return None
        # Only channels that a gate may use: a fault elsewhere costs nothing.
        columns = sorted(set(self.tube.markers.columns.values()) or self.tube.markers.fluorescence)
        columns += [c for n, c in self.tube.markers.scatter.items() if n in ("FSC-A", "SSC-A")]
        y = to_axis(self.tube.events[:, columns], self.tube.scales[columns])
        self.time = check_time(time, y)
        return parent & self.time.kept & np.isfinite(self.tube.events).all(axis=1)

    def _gate_beads(self, rule: PopulationRule, parent: Mask) -> Mask | None:
        if self.tube.beads is None:
            self.reasons[rule.name] = "NO_BEADS"
            return None
        return parent & self.tube.beads.mask

    def _gate_singlets(self, rule: PopulationRule, parent: Mask) -> Mask | None:
        area, height = self.tube.scatter("FSC-A"), self.tube.scatter("FSC-H")
        self.margin = find_margin(self.tube.acquisition.events, self._ranges(), list(self._scatter_columns()))
        if area is None or height is None or area is height:
            self.reasons[rule.name] = "NO_SCATTER"
            return None
        return find_singlets(area, height, self._usable(parent))

    def _usable(self, parent: Mask) -> Mask:
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
        side = self.tube.scatter("SSC-A")
        if side is None:
            self.reasons[rule.name] = "NO_SCATTER"
            return None
        usable = parent & (side > 0)
        # On a logarithm groups of scatter are half as wide as groups of light on their axis.
        fit = fit_valley(_SCATTER_WIDTH * np.log(side[usable]), which="first")
        cut = Cut(
            gate=rule.name, marker="SSC-A", cut=float("nan"), units=float("nan"), score=0.0,
            recipe="default", source=GateSource.TEMPLATE, control="", n_reference=int(usable.sum()),
            reason="no valley in side scatter; every leukocyte passes",
        )  # fmt: skip
        if fit is not None and fit.score >= 0.2:
            limit = float(np.exp(fit.position / _SCATTER_WIDTH))
            cut = replace(cut, cut=limit, score=fit.score, recipe="valley", source=GateSource.AUTO, reason="")
        self.cuts[rule.name] = cut
        self.sources[rule.name] = cut
        return usable & (side <= cut.cut) if cut.is_placed else parent.copy()

    # -- results ----------------------------------------------------------------------------

    def summarise(self) -> GatedAcquisition:
        """Gate everything that the template names and lay it out."""
        rules = [rule for rule in self.template.populations if self._applies(rule)]
        for rule in rules:
            self.select(rule.name)
        findings = self._find()
        failure = find_failure(findings)
        counts = tuple(self._count(rule, failure, findings) for rule in rules if not rule.hidden)
        return GatedAcquisition(
            name=self.tube.acquisition.name,
            tube=self.name,
            template=f"{self.template.panel}/{self.template.version}",
            n_events=self.tube.acquisition.n_events,
            counts=counts,
            cuts=tuple(self.cuts[name] for name in sorted(self.cuts)),
            expression=tuple(self._measure_expression()),
            findings=findings,
            membership=MappingProxyType(
                {name: mask for name, mask in self.masks.items() if mask is not None}
            ),
            limits=self._measure_limits(),
            spillover_sha256=self.tube.compensated.sha256,
        )

    def _applies(self, rule: PopulationRule) -> bool:
        has = {
            name: self.tube.column(name) is not None
            for name in (rule.with_marker, rule.without_marker)
            if name
        }
        return has.get(rule.with_marker, True) and not has.get(rule.without_marker, False)

    def _find(self) -> tuple[Finding, ...]:
        findings = [*self.tube.markers.findings, *self.tube.compensated.findings]
        findings += check_drift(self.time)
        parent = self.select("time_ok")
        if parent is not None:
            beads = self.select("beads")
            findings += check_margin(self.margin, parent if beads is None else parent & ~beads)
            singlets = self.select("singlets")
            if singlets is not None and "singlets" not in self.reasons:
                findings += check_doublets(singlets, self._usable(parent))
        findings += [*self._missing_channels(), *check_beads(self.select("beads"))]
        if not is_run_tube(self.name):
            findings += check_viability(self.select, self._above("CD45"), self._below("viability"))
        if self.name == "full":
            findings += check_events(self.template, self.select)
        if "car_cd19_double" in self.rules and "CAR" not in self.tube.markers.shared:
            findings += check_double_positive(self.select)
        return (*findings, *check_templates(self.cuts.values()))

    def _missing_channels(self) -> list[Finding]:
        """Say which gates pass everything on because their channel is not there."""
        words = {"NO_TIME": "no time channel", "NO_SCATTER": "no scatter channel for"}
        return [
            Finding(
                check="CHANNEL_MISSING", level=Level.WARN, value=float("nan"), limit=float("nan"),
                reason=f"{words[reason]} {name}: every event passes",
            )
            for name, reason in self.reasons.items()
            if reason in words and self.rules[name].passes_on
        ]  # fmt: skip

    def _above(self, cut: str) -> Mask | None:
        placed = cut in self.cuts and self.cuts[cut].is_placed
        return self._meets(Term(cut=cut, positive=True, optional=False, if_shared="")) if placed else None

    def _below(self, cut: str) -> Mask | None:
        above = self._above(cut)
        return None if above is None else ~above

    def _count(self, rule: PopulationRule, failure: str, findings: tuple[Finding, ...]) -> PopulationCount:
        mask = self.select(rule.name)
        parent = self.select(rule.parent) if rule.parent else mask
        source = self.sources.get(rule.name)
        status, reason = self._judge(rule, failure, findings)
        return PopulationCount(
            population=rule.name,
            parent=rule.parent,
            count=None if mask is None else int(mask.sum()),
            parent_count=None if parent is None else int(parent.sum()),
            status=status,
            reason=reason,
            gate_source=(source.source if source else GateSource.AUTO) if mask is not None else "",
            gate_version=f"{self.template.panel}/{self.template.version}+{GATING_VERSION}",
            control=source.control if source else "",
        )

    def _judge(self, rule: PopulationRule, failure: str, findings: tuple[Finding, ...]) -> tuple[Status, str]:
        if rule.name in self.reasons:
            return Status.MISSING, self.reasons[rule.name]
        if failure:
            return Status.FAILED, failure
        if rule.name == "beads" and any(f.check == "BEADS" and f.level == Level.FAIL for f in findings):
            return Status.FAILED, "BEADS"
        return Status.QUANTIFIED, ""

    def _measure_expression(self) -> list[Expression]:
        rows = []
        for population in self.template.expression:
            mask = self.select(population)
            if mask is None or int(mask.sum()) < _MIN_EXPRESSION:
                continue
            for marker, column in self.tube.markers.columns.items():
                rows.append(_measure(population, marker, self.tube.events[mask, column]))
        return rows

    def _measure_limits(self) -> Mapping[str, ControlLimit]:
        limits = {
            rule.name: measure_control(rule, self.evidence)
            for rule in self.template.cuts.values()
            if rule.control == self.name
        }
        return MappingProxyType({name: limit for name, limit in limits.items() if limit})


def _measure(population: str, marker: str, values: Values) -> Expression:
    median = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - median)))
    return Expression(
        population=population, marker=marker, median_intensity=median, robust_sd=spread,
        n=len(values),
    )  # fmt: skip
