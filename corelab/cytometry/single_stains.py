"""A spillover matrix from single-stain controls, checked on events that did not make it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from corelab.cytometry.compensation import compute_compensated
from corelab.cytometry.markers import MarkerMap, find_antigens, keep_signs
from corelab.cytometry.recipes import DEFAULT_SCALE, compute_scale, fit_negative, fit_valley, to_axis
from corelab.cytometry.records import Finding, Mask, Values
from corelab.ingest.fcs import Acquisition, Spillover

UNSTAINED: Final = "unstained"
_PREFIX: Final = "comp_"
_MIN_EVENTS: Final = 100
_BRIGHT: Final = 10.0
_CORE: Final = 3.0
_TOP: Final = 0.98
_MAX_RESIDUAL: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasuredSpillover:
    """A matrix over the stained detectors, None where no control could be used, and findings."""

    spillover: Spillover | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Stain:
    """One control: its own detector's place, observed light of stained and of dark events."""

    detector: str
    own: int
    stained: Values
    dark: Values

    def slopes(self, part: slice, dark_part: slice) -> Values:
        """Shift of the median in every detector for a unit shift in its own."""
        return _compute_slopes(self.stained[part], self.dark[dark_part], self.own)


def measure_spillover(
    stains: Mapping[str, Acquisition], markers: MarkerMap, detectors: Sequence[str]
) -> MeasuredSpillover:
    """Measure the spillover of the detectors that have a single-stain control.

    Parameters
    ----------
    stains
        By tube: ``comp_<marker>`` and, if there is one, ``unstained``.
    markers
        Channels of the tube that is to be compensated; a control's own detector is the one of its
        marker there (or the one that its tube is named after).
    detectors
        Names of that tube's channels.

    Returns
    -------
    MeasuredSpillover
        Row = fluorochrome, column = detector. A control that is missing a detector, too dim, brighter
        elsewhere or without enough events is a finding and has no row. So is a residual above 2 %: half
        of the events give the matrix by which the other half is compensated.

    References
    ----------
    Bagwell and Adams 1993, Ann N Y Acad Sci 677:167: spill as ratio of the shifts of the medians.
    """
    own = {
        tube: name
        for tube in sorted(stains)
        if tube != UNSTAINED and (name := _find_detector(tube, markers, detectors))
    }
    lost = [tube for tube in sorted(stains) if tube != UNSTAINED and tube not in own]
    findings = [_finding(f"{tube} names no detector of this tube") for tube in lost]
    wanted = [name for name in detectors if name in own.values()]
    found: dict[str, _Stain] = {}
    for tube, name in own.items():
        stain = _read_stain(stains[tube], name, wanted, stains.get(UNSTAINED))
        if isinstance(stain, str):
            findings.append(_finding(f"{tube}: {stain}"))
        else:
            found[name] = stain
    used = [name for name in wanted if name in found]
    if not used:
        return MeasuredSpillover(spillover=None, findings=tuple(findings))
    columns = [wanted.index(name) for name in used]
    matrix = _stack([found[name] for name in used], columns, slice(None))
    findings += _check_residuals([found[name] for name in used], columns, used)
    spillover = Spillover(detectors=tuple(used), matrix=matrix)
    return MeasuredSpillover(spillover=spillover, findings=tuple(findings))


def _find_detector(tube: str, markers: MarkerMap, detectors: Sequence[str]) -> str | None:
    """Find the detector that a control was stained for."""
    word = tube.removeprefix(_PREFIX)
    column = next((markers.columns[m] for m in find_antigens(word) if m in markers.columns), None)
    if column is None:
        column = next((c for m, c in markers.columns.items() if keep_signs(m) == keep_signs(word)), None)
    if column is not None:
        return detectors[column]
    stained = [detectors[c] for c in markers.fluorescence]
    return next(
        (n for n in stained if keep_signs(word) in (keep_signs(n), keep_signs(n.removesuffix("-A")))), None
    )


def _read_stain(
    control: Acquisition, detector: str, wanted: Sequence[str], unstained: Acquisition | None
) -> _Stain | str:
    """Take the stained and the dark events of one control, or say why it cannot be used."""
    absent = [name for name in wanted if name not in control.detectors]
    if absent:
        return f"has no channel {absent[0]}"
    own = wanted.index(detector)
    light, usable = _observe(control, wanted)
    stained = usable & _find_stained(light[:, own], usable)
    if stained.sum() < _MIN_EVENTS:
        return f"fewer than {_MIN_EVENTS} stained events in {detector}"
    like = _find_alike(control, stained)
    # Dark events of the same size and granularity have the same light of their own.
    dark = light[usable & ~stained & like]
    if len(dark) < _MIN_EVENTS and unstained is not None and set(wanted) <= set(unstained.detectors):
        other, seen = _observe(unstained, wanted)
        dark = other[seen]
    if len(dark) < _MIN_EVENTS:
        dark = light[usable & ~stained]
    if len(dark) < _MIN_EVENTS:
        return f"fewer than {_MIN_EVENTS} unstained events, and no unstained tube"
    stain = _Stain(detector=detector, own=own, stained=light[stained & like], dark=dark)
    return _check_stain(stain, wanted)


def _check_stain(stain: _Stain, wanted: Sequence[str]) -> _Stain | str:
    shift = np.median(stain.stained, axis=0) - np.median(stain.dark, axis=0)
    brightest = int(np.argmax(shift))
    if brightest != stain.own:
        return f"brighter in {wanted[brightest]} than in {stain.detector}"
    return stain


def _observe(control: Acquisition, wanted: Sequence[str]) -> tuple[Values, Mask]:
    """Return observed light and which events are within every range."""
    columns = [control.detectors.index(name) for name in wanted]
    light = np.asarray(control.events[:, columns], dtype=np.float64)
    inside = np.isfinite(light).all(axis=1) & (light < _TOP * control.ranges[columns]).all(axis=1)
    return light, np.asarray(inside)


def _find_stained(light: Values, usable: Mask) -> Mask:
    """Mark events that stand clear of the dark group, however the two are mixed."""
    values = light[usable]
    scale = compute_scale(values)
    scale = scale if np.isfinite(scale) else DEFAULT_SCALE
    fit = fit_valley(to_axis(values, scale), which="deepest")
    if fit is not None:
        return np.asarray(light > np.sinh(fit.position) * 2.5 * scale)
    negative = fit_negative(values, scale=scale)
    if negative is None:
        return np.zeros(len(light), dtype=bool)
    if negative.mode > _BRIGHT * scale:  # one group, and that is bright: everything is stained
        return np.asarray(light > negative.mode - 3 * negative.spread)
    return np.asarray(light > negative.mode + _BRIGHT * negative.spread)


def _find_alike(control: Acquisition, stained: Mask) -> Mask:
    """Mark the events whose scatter is like that of most stained ones."""
    alike = np.ones(control.n_events, dtype=bool)
    for name in ("FSC-A", "SSC-A"):
        if name in control.detectors:
            values = control.column(control.detectors.index(name))
            centre = float(np.median(values[stained]))
            spread = 1.4826 * float(np.median(np.abs(values[stained] - centre)))
            alike &= np.abs(values - centre) <= _CORE * max(spread, 1e-9)
    return alike if (alike & stained).sum() >= _MIN_EVENTS else np.ones(control.n_events, dtype=bool)


def _compute_slopes(stained: Values, dark: Values, own: int) -> Values:
    shift = np.median(stained, axis=0) - np.median(dark, axis=0)
    return np.asarray(shift / shift[own])


def _stack(stains: Sequence[_Stain], columns: Sequence[int], part: slice) -> Values:
    return np.array([stain.slopes(part, part)[columns] for stain in stains])


def _check_residuals(stains: Sequence[_Stain], columns: list[int], names: Sequence[str]) -> list[Finding]:
    """Compensate every second event by the matrix of the others; what is left must be small."""
    first, second = slice(0, None, 2), slice(1, None, 2)
    matrix = _stack(stains, columns, first)
    findings = []
    for own, stain in enumerate(stains):
        stained = compute_compensated(stain.stained[second][:, columns], matrix)
        dark = compute_compensated(stain.dark[second][:, columns], matrix)
        bright = stained[stained[:, own] >= np.median(stained[:, own])]
        left = np.abs(_compute_slopes(bright, dark, own))
        left[own] = 0.0
        worst = int(np.argmax(left))
        if left[worst] > _MAX_RESIDUAL:
            reason = f"single stain of {names[own]} leaves a shift in {names[worst]} after compensation"
            findings.append(_finding(reason, value=float(left[worst]), limit=_MAX_RESIDUAL))
    return findings


def _finding(reason: str, *, value: float = float("nan"), limit: float = float("nan")) -> Finding:
    return Finding(
        check="COMPENSATION", level="warn", value=float(np.round(value, 6)), limit=limit, reason=reason
    )
