"""A cut for one acquisition: from its data, else a control, else other visits, else the template."""

from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from corelab.cytometry.controls import Evidence, Read, find_fmo, find_negative, measure_control
from corelab.cytometry.groups import TwoGroups, fit_two_groups
from corelab.cytometry.recipes import (
    Negative,
    ValleyFit,
    approximate_axis,
    balance_counts,
    balance_groups,
    compute_swing,
    fit_negative,
    fit_valley,
    from_axis,
    to_axis,
)
from corelab.cytometry.records import ControlLimit, Cut, Values
from corelab.cytometry.template import CutRule
from corelab.vocabulary import GateSource

_USABLE: Final = 0.2
_TRUSTED: Final = 0.5
_SMALL_GROUP: Final = 25
_APART: Final = 1.0
_MANY: Final = 500
_ENOUGH: Final = 200
_BARE_MINIMUM: Final = 25
"""Cells behind a limit of last resort, where the default is far off; two bright groups ask for 100."""
_HUNDRED: Final = 100
_SETTLED: Final = 2000
_TELLING: Final = 50
"""Values below zero that tell the noise within a sixth: the median of m of them varies by 1.17 / sqrt(m)."""
_FAR_FROM_ZERO: Final = 15.0
_CLEAR_OF_ZERO: Final = 5.0
_LIFTED: Final = 2.5
_BELOW_NOISE: Final = 5.0
"""Units of noise below zero that no group with a middle above zero reaches with its middle 95 %."""
_MERGED: Final = 0.75
_K_BOUNDS: Final = (2.0, 8.0)
_AT_REST: Final = 1.25
"""How many times the default between levels a group at rest may lie high; above is a brighter level."""
_GAP_BOUNDS: Final = (2.0, 12.0)
"""Spreads above the negatives within which two groups may stand apart: a tail reaches far, not farther."""
_ONE_LEVEL: Final = 0.45
"""Spread of one level on the axis, of noise and of light alike; a wider group holds several."""
_MIN_SPREADS: Final = 2.0
_MAX_SPREADS: Final = 6.0


def fit_cut(rule: CutRule, evidence: Evidence) -> Cut:
    """Place one cut, or say why it cannot be placed.

    The chain is: a valley between two groups; the middle between groups that another marker tells
    apart; the limit between two groups that two normals describe; the negative group of a reference
    population; the same cut at the child's other visits, in units of noise; where that is not known, fewer
    negatives and then the other visits' cut as it stands; the template's default. A valley is never taken
    where the events do not show one. A limit between levels of one marker comes from other visits before the
    negatives: which level is there, a tube without a valley does not say.
    """
    column = evidence.tube.column(rule.marker)
    if column is None:
        return _unplaced(rule, "MARKER_MISSING")
    read = partial(evidence.tube.values, column)
    scale = float(evidence.tube.scales[column])
    if rule.quantile:
        cut = _fit_quantile(rule, evidence, read, scale)
    else:
        cut = (
            _fit_valley(rule, evidence, read, scale)
            or _fit_between(rule, evidence, read, scale)
            or (_carry_prior(rule, evidence, scale) if rule.on_axis else None)
            or _fit_inside(rule, evidence, read, scale)
            or _carry_prior(rule, evidence, scale)
            or _fit_above(rule, evidence, read, scale, at_least=_find_minimum(rule))
            or _take_prior(rule, evidence, scale)
            or _take_default(rule, scale)
        )
    is_sure = evidence.tube.n_below[column] >= _TELLING
    units = cut.cut / scale if cut.is_placed and is_sure else float("nan")
    is_known = evidence.tube.own_scale[column] or not cut.is_placed
    note = "" if is_known else "the channel has no negative values"
    return replace(cut, units=units, reason="; ".join(filter(None, (cut.reason, note))))


def _find_minimum(rule: CutRule) -> int:
    """Return the cells that a limit of last resort needs.

    Dim markers lie near the noise, and of three levels each panel has its own: no default knows them.
    """
    return _HUNDRED if rule.valley and not rule.on_axis else _BARE_MINIMUM


def _make(rule: CutRule, cut: float, recipe: str, source: GateSource, score: float) -> Cut:
    return Cut(
        gate=rule.name, marker=rule.marker, cut=cut, units=float("nan"), score=score, recipe=recipe,
        source=source, control="", n_reference=0, reason="",
    )  # fmt: skip


def _unplaced(rule: CutRule, reason: str) -> Cut:
    cut = _make(rule, float("nan"), "", GateSource.AUTO, 0.0)
    return replace(cut, source="", reason=reason)


def _fit_valley(rule: CutRule, evidence: Evidence, read: Read, scale: float) -> Cut | None:
    """Place the cut in a valley of the population that the rule names."""
    mask = evidence.select(rule.on) if rule.valley else None
    if mask is None:
        return None
    at_least = 0.0  # what lies below zero is the noise of negatives, never a group beside them
    if rule.above_of:
        negative = find_negative(rule.above_of, evidence, read, scale=scale)
        if negative is not None:
            floor = negative.mode + rule.above_k * negative.spread
            at_least = max(0.0, float(to_axis(np.array([floor]), scale)[0]))
    fit = fit_valley(approximate_axis(read(), scale, mask), which=rule.valley, at_least=at_least)
    if fit is None or fit.score < _USABLE:
        return None
    cut = _make(rule, from_axis(fit.position, scale), "valley", GateSource.AUTO, fit.score)
    reason = "" if fit.score >= _TRUSTED else "a shallow valley"
    return replace(cut, n_reference=int(mask.sum()), reason=reason)


def _fit_between(rule: CutRule, evidence: Evidence, read: Read, scale: float) -> Cut | None:
    """Place the cut between two groups that another marker tells apart, nearer to the narrower.

    Two groups that overlap in this marker alone show no valley, yet their middles are known.
    """
    masks = [evidence.select(population) for population in rule.between]
    found = [to_axis(read()[mask], scale) for mask in masks if mask is not None]
    if len(found) != 2 or min(map(len, found)) < _SMALL_GROUP:
        return None
    (low, low_sd), (high, high_sd) = (_middle(y) for y in found)
    distance = (high - low) / max(low_sd + high_sd, 1e-9)
    if distance < _APART:
        return None
    cut = from_axis(low + (high - low) * low_sd / (low_sd + high_sd), scale)
    made = _make(rule, cut, "between", GateSource.AUTO, 1 - float(np.exp(-distance)))
    reason = f"no valley; between {rule.between[0]} and {rule.between[1]}"
    return replace(made, n_reference=sum(map(len, found)), reason=reason)


def _middle(y: Values) -> tuple[float, float]:
    """Median and robust spread."""
    centre = float(np.median(y))
    return centre, 1.4826 * float(np.median(np.abs(y - centre)))


def _fit_inside(rule: CutRule, evidence: Evidence, read: Read, scale: float) -> Cut | None:
    """Place the cut by two groups or above a negative one; a gap between groups goes before both."""
    above = _fit_above(rule, evidence, read, scale, at_least=_BARE_MINIMUM)
    is_enough = above is not None and above.n_reference >= _ENOUGH
    if above is not None and is_enough and above.recipe == "valley":
        return above
    found = _fit_groups(rule, evidence, read, scale)
    if found is None:
        return above if is_enough else None
    groups, fit = found
    if above is None or not fit.holds_between(float(to_axis(np.array([above.cut]), scale)[0])):
        return groups  # no limit above negatives lies within a spread of the middle of either group
    is_settled = fit.is_sure and groups.n_reference >= _SETTLED
    return groups if is_settled or min(groups.cut, above.cut) <= 0 else _meet_halfway(groups, above, fit)


def _meet_halfway(groups: Cut, above: Cut, fit: TwoGroups) -> Cut:
    """Place a limit midway, by logarithms, between two groups' and that above the negatives.

    Few events, or groups of another shape, cannot tell which of the two descriptions holds. What a limit
    loses grows with the square of its distance from the best one: midway costs at most a quarter of what the
    wrong choice would.
    """
    why = "few events" if fit.is_sure else "groups of another shape"
    reason = "; ".join(filter(None, (f"{why}: midway to the limit above the negatives", groups.reason)))
    return replace(groups, cut=float(np.sqrt(groups.cut * above.cut)), reason=reason)


def _fit_groups(rule: CutRule, evidence: Evidence, read: Read, scale: float) -> tuple[Cut, TwoGroups] | None:
    """Place the cut that errs least between two groups of a population, where two normals describe it.

    Their five numbers come from all events of the population: with few of them they are surer than the left
    half of its negatives.
    """
    mask = evidence.select(rule.groups) if rule.groups else None
    fit = None if mask is None else fit_two_groups(approximate_axis(read(), scale, mask))
    if mask is None or fit is None or from_axis(fit.low, scale) > _FAR_FROM_ZERO * scale:
        return None
    position, wrong = fit.place_limit()
    n = int(fit.share * np.count_nonzero(mask))
    linear, reason = _average_with_prior(rule, evidence, from_axis(position, scale), scale=scale, n=n)
    cut = _make(rule, linear, "groups", GateSource.AUTO, n / (n + _ENOUGH) * (1 - wrong))
    return replace(cut, n_reference=n, reason=reason), fit


def _average_with_prior(
    rule: CutRule, evidence: Evidence, linear: float, *, scale: float, n: int
) -> tuple[float, str]:
    """Average a limit with the other visits' where few events are behind it, and say so.

    Only a noise that is well known carries the other visits' limit over.
    """
    prior = evidence.priors.get(rule.name)
    is_sure = evidence.tube.n_below[evidence.tube.column(rule.marker) or 0] >= _TELLING
    if n < _SETTLED and is_sure and prior is not None and prior.units > 0 and linear > 0:
        return float(np.sqrt(linear * prior.units * scale)), "averaged with other visits"
    return linear, ""


def _fit_above(rule: CutRule, evidence: Evidence, read: Read, scale: float, *, at_least: int) -> Cut | None:
    """Place the cut above the negative group of the first reference population that is large enough."""
    place = _Placed(rule, evidence, read, scale)
    unit = 0.4 if rule.on_axis else scale
    # How far is far from zero can be told only in the noise of the channel.
    is_known = not rule.on_axis and bool(evidence.tube.own_scale[evidence.tube.column(rule.marker) or 0])
    found: list[tuple[str, Negative]] = []
    for population in rule.of:
        own = place(population)
        negative = None if own is None else fit_negative(own, scale=unit)
        if negative is None or (is_known and _is_merged(negative, scale)):
            continue
        # B cells that return are all of the highest level: well above the default nothing is at rest.
        if not rule.on_axis or not from_axis(negative.mode, scale) > _AT_REST * rule.default * scale:
            found.append((population, negative))
    # On the axis the first reference is the one level that a limit lies above; others mix levels.
    many = _BARE_MINIMUM if rule.on_axis else _MANY
    enough = [pair for pair in found if pair[1].n >= many]
    best = enough[:1] or sorted(found, key=lambda pair: -pair[1].n)[:1]
    if not best or best[0][1].n < at_least:
        return None
    population, negative = best[0]
    if rule.on_axis and population != rule.of[0]:
        negative = replace(negative, spread=min(negative.spread, _ONE_LEVEL))
    return _place_above(rule, evidence, place, scale, population, negative)


class _Placed:
    """Gives the values of a population on the axis of a fit; the latest are kept."""

    def __init__(self, rule: CutRule, evidence: Evidence, read: Read, scale: float) -> None:
        self._rule, self._evidence, self._read, self._scale = rule, evidence, read, scale
        self._latest: tuple[str, Values | None] = ("", None)

    def __call__(self, population: str) -> Values | None:
        """Return its values, None where it has no gate."""
        if self._latest[0] != population:
            self._latest = ("", None)
            mask = self._evidence.select(population)
            own = None if mask is None else self._read()[mask]
            if own is not None and self._rule.on_axis:
                own = to_axis(own, self._scale)
            self._latest = (population, own)
        return self._latest[1]


def _is_merged(negative: Negative, scale: float) -> bool:
    """Tell two groups taken for one: clear of zero it reaches down to it, or from near it far below it."""
    reaches_down = negative.mode > _CLEAR_OF_ZERO * scale and negative.spread > _MERGED * negative.mode
    lowest = negative.mode - _MIN_SPREADS * negative.spread
    return reaches_down or (negative.mode > _LIFTED * scale and lowest < -_BELOW_NOISE * scale)


def _place_above(
    rule: CutRule, evidence: Evidence, place: "_Placed", scale: float, population: str,
    negative: Negative,
) -> Cut:  # fmt: skip
    """Turn a negative group into a cut, with the prior where the group is small."""
    reason = ""
    if not rule.on_axis and negative.mode > _FAR_FROM_ZERO * scale:
        # The lowest group is far from zero: nothing there is negative.
        negative = Negative(mode=0.0, spread=scale, n=negative.n)
        reason = "no negative group: noise of the channel"
    fmo = find_fmo(rule, evidence)
    k = (
        _choose_k(rule, place, population, negative)
        if fmo is None
        else float(np.clip(fmo[1].spreads, *_K_BOUNDS))
    )
    cut = negative.mode + k * negative.spread
    linear = from_axis(cut, scale) if rule.on_axis else cut
    own = place(population)
    gap = None if own is None else _find_gap(rule, own, negative, scale)
    if gap is not None:
        made = _make(rule, from_axis(gap.position, scale), "valley", GateSource.AUTO, gap.score)
        return replace(made, n_reference=negative.n, spread=negative.spread, reason=reason)
    linear, averaged = _average_with_prior(rule, evidence, linear, scale=scale, n=negative.n)
    reason = reason or averaged
    swing = compute_swing(own, cut, negative.spread) if own is not None else 100.0
    score = negative.n / (negative.n + _ENOUGH) * float(np.exp(-swing / 10.0))
    if rule.valley:
        reason = reason or f"no valley; above the negatives of {population}"
    control = population if rule.valley and population != rule.on else fmo[0] if fmo else ""
    source = GateSource.CONTROL if control else GateSource.AUTO
    made = _make(rule, linear, "negative", source, score)
    spread = float("nan") if rule.on_axis else negative.spread
    return replace(made, control=control, n_reference=negative.n, reason=reason, spread=spread)


def _find_gap(rule: CutRule, x: Values, negative: Negative, scale: float) -> ValleyFit | None:
    """Find a valley just above a negative group where two groups stand clearly apart, as the rule asks.

    A group of negatives with a tail reaches beyond any number of its left-hand spreads; where next to
    nothing lies between it and the positives, the middle of the gap is nearer to the truth.
    """
    if not rule.apart:
        return None
    low, high = (negative.mode + k * negative.spread for k in _GAP_BOUNDS)
    fit = fit_valley(
        approximate_axis(x, scale), which="first", at_least=float(to_axis(np.array([low]), scale)[0])
    )
    if fit is None or fit.score < rule.apart or from_axis(fit.position, scale) > high:
        return None
    return fit


def _choose_k(rule: CutRule, place: "_Placed", population: str, negative: Negative) -> float:
    """Return the number of spreads; fewer where the positives lie close to the negatives.

    A smear gets the rule's smaller number; a group of its own, be it dim, the limit that is fair to both.
    """
    own = place(population) if rule.fair else place(rule.on) if rule.smear_k else None
    z = np.zeros(0) if own is None else (own - negative.mode) / negative.spread
    if rule.fair:
        return balance_counts(z, rule.k, rule.fair) or rule.k
    positive = z[z > rule.k]
    if len(positive) < _HUNDRED or float(np.median(positive)) >= rule.smear_below:
        return rule.k
    fair = balance_groups(z, rule.k)
    return rule.smear_k if fair is None else float(np.clip(fair, _K_BOUNDS[0], rule.smear_k))


def _carry_prior(rule: CutRule, evidence: Evidence, scale: float) -> Cut | None:
    """Carry the other visits' limit over in units of noise, where both know theirs."""
    prior = evidence.priors.get(rule.name)
    is_known = bool(evidence.tube.own_scale[evidence.tube.column(rule.marker) or 0])
    if prior is None or not is_known or not np.isfinite(prior.units):
        return None
    cut = _make(rule, prior.units * scale, "prior", GateSource.OTHER_VISIT, 0.3)
    return replace(cut, spread=scale, reason="too few events; the other visits' limit in units of noise")


def _take_prior(rule: CutRule, evidence: Evidence, scale: float) -> Cut | None:
    """Take the other visits' limit as it stands: gains change less than a default is off."""
    prior = evidence.priors.get(rule.name)
    if prior is None:
        return None
    cut = _make(rule, prior.linear, "prior", GateSource.OTHER_VISIT, 0.2)
    reason = "too few events; the other visits' limit as it stands, for its noise is not known"
    return replace(cut, spread=scale, reason=reason)


def _take_default(rule: CutRule, scale: float) -> Cut:
    if not np.isfinite(rule.default):
        return _unplaced(rule, "NO_CONTROL")
    cut = _make(rule, rule.default * scale, "default", GateSource.TEMPLATE, 0.1)
    return replace(cut, spread=scale, reason="too few events; the template's default in units of noise")


def _fit_quantile(rule: CutRule, evidence: Evidence, read: Read, scale: float) -> Cut:
    """Take the limit of a control tube, else that of the tube's own negative cells."""
    if evidence.tube_name == rule.control:
        own = measure_control(rule, evidence)
        limit, negative = own, None
    else:
        limit = evidence.controls.get(rule.control, {}).get(rule.name)
        negative = find_negative(rule.otherwise, evidence, read, scale=scale)
    if limit is not None and limit.n >= rule.minimum:
        linear = _carry(limit, negative, rule.minimum)
        cut = _make(rule, linear, "quantile", GateSource.CONTROL, 0.9)
        return replace(
            cut, control=rule.control, n_reference=limit.n, spread=_spread_of(negative, evidence, rule)
        )
    mask = evidence.select(rule.otherwise)
    if mask is None or negative is None or int(mask.sum()) < rule.minimum:
        return _unplaced(rule, "NO_CONTROL")
    high = float(np.quantile(read()[mask], rule.quantile))
    # Doublets with a B cell lie far above the T cells' own spread and must not set the limit.
    low, top = (negative.mode + k * negative.spread for k in (_MIN_SPREADS, _MAX_SPREADS))
    cut = _make(rule, min(max(high, low), top), "quantile", GateSource.CONTROL, 0.7)
    made = replace(cut, control=rule.otherwise, n_reference=int(mask.sum()), reason="NO_FMO")
    return replace(made, spread=negative.spread)


def _spread_of(negative: Negative | None, evidence: Evidence, rule: CutRule) -> float:
    """Spread of the tube's own negative cells, the noise of the channel where there are too few."""
    if negative is not None and negative.n >= rule.minimum:
        return negative.spread
    return float(evidence.tube.scales[evidence.tube.column(rule.marker) or 0])


def _carry(limit: ControlLimit, negative: Negative | None, minimum: int) -> float:
    """Carry a control's limit over in spreads, so that a change of gain does not move it."""
    if negative is None or negative.n < minimum or not np.isfinite(limit.spreads):
        return limit.linear
    return negative.mode + limit.spreads * negative.spread
