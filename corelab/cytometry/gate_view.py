"""What a plot of one gate shows: its two axes, its limits on them, and the events they divide."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from corelab.cytometry.axes import Axis, build_axis
from corelab.cytometry.bench import SIDE_SCATTER, Bench
from corelab.cytometry.drawn import Drawn, Frame, Point, move_drawn, outline_drawn
from corelab.cytometry.gate_shape import (
    draw_as_then,
    find_drawn,
    list_shape_channels,
    select_in_shape,
)
from corelab.cytometry.records import Mask, Values
from corelab.cytometry.template import PopulationRule, Term

Side = Literal["x", "y"]
Counts = npt.NDArray[np.int64]

_OF_KIND: Final[Mapping[str, tuple[str, str]]] = {
    "time": ("time", "SSC-A"),
    "beads": ("FSC-A", "SSC-A"),
    "singlets": ("FSC-A", "FSC-H"),
    "lymphocytes": ("CD45", "SSC-A"),
}
_OF_POPULATION: Final[Mapping[str, tuple[str, str]]] = {
    "plasmablasts": ("CD27", "CD38"),
    "transitional": ("CD38", "CD24"),
    "cd19_positive": ("CD20", "CD19"),
    "live": ("FSC-A", "viability"),
    "leukocytes": ("SSC-A", "CD45"),
}
_BESIDE: Final = ("CD4", "CD45RA", "SSC-A", "FSC-A", "CD3")
"""What stands across from a single marker, by preference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A limit on one axis of a plot: events above it are in where ``is_positive``."""

    side: Side
    gate: str
    limit: float
    place: float
    is_positive: bool
    is_alternative: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GateView:
    """A plot of one gate.

    ``shown`` marks the events to draw: those of the parent that meet every claim which has no axis
    here (``held``); ``inside`` those of the population. ``lines`` are what divides them, or ``shape``
    where a person drew one on these axes. ``is_whole``: everything of the parent is shown, as a shape is
    drawn on it.
    """

    population: str
    parent: str
    x: Axis
    y: Axis
    shown: Mask
    inside: Mask
    lines: tuple[Line, ...]
    held: tuple[Term, ...]
    unseen: tuple[Term, ...]
    """Alternatives without an axis here: one of them alone lets an event in as well."""
    time_step: float | None
    shape: Drawn | None = None
    is_whole: bool = False

    @property
    def has_lines(self) -> bool:
        """Whether limits on these axes decide; beads, singlets and time have gates of other kinds."""
        return bool(self.lines)

    @property
    def has_gate(self) -> bool:
        """Whether limits or a shape on these axes decide."""
        return bool(self.lines) or self.shape is not None

    @property
    def is_divided(self) -> bool:
        """Whether what divides the events is on these axes, or is still to be drawn on them."""
        return self.has_gate or self.is_whole

    @property
    def frame(self) -> Frame:
        """The axes, for shapes."""
        return Frame(x=self.x, y=self.y, time_step=self.time_step)


def describe_view(
    bench: Bench, population: str, *, x: str = "", y: str = "", is_whole: bool = False
) -> GateView | None:
    """Choose and describe the plot of a population's gate.

    Parameters
    ----------
    bench
        The tube.
    population
        Whose gate.
    x, y
        Channels to take instead of the usual ones; one that the tube does not have is ignored.
    is_whole
        Show everything of the parent and no gate: a shape is to be drawn there.

    Returns
    -------
    GateView or None
        None where neither the population nor its parent has a gate in this tube, or the tube no two channels
        to draw it on.

    Raises
    ------
    KeyError
        If the template has no such population.
    """
    rule = bench.rule(population)
    inside, parent = bench.select(population), bench.select(rule.parent) if rule.parent else None
    channels = choose_channels(bench, rule, x=x, y=y)
    axes = _build_axes(bench, population, channels)
    if axes is None or (inside is None and (parent is None or _lacks_marker(bench, rule))):
        return None
    is_whole = is_whole or inside is None
    shown = parent if is_whole and parent is not None else bench.select_shown(population, channels)
    if shown is None:
        return None
    terms = () if is_whole else bench.terms(population)
    view = GateView(
        population=population, parent=rule.parent, x=axes[0], y=axes[1], shown=shown,
        inside=np.zeros_like(shown) if inside is None else inside,
        lines=() if is_whole else tuple(_list_lines(bench, rule, *axes)),
        held=tuple(t for t in terms if bench.template.cuts[t.cut].marker not in channels),
        unseen=tuple(
            t for t in (() if is_whole else bench.alternatives(population))
            if bench.template.cuts[t.cut].marker not in channels
        ),
        time_step=bench.tube.acquisition.time_step, is_whole=is_whole,
    )  # fmt: skip
    return view if is_whole else replace(view, shape=find_drawn(bench, population, view.frame))


def _lacks_marker(bench: Bench, rule: PopulationRule) -> bool:
    """Tell whether a claim of a population is about a marker that the tube does not have."""
    needed = (bench.template.cuts[term.cut].marker for term in rule.all_of if not term.optional)
    return any(bench.tube.column(marker) is None for marker in needed)


def _build_axes(bench: Bench, population: str, channels: tuple[str, str]) -> tuple[Axis, Axis] | None:
    """Build the axes of a plot; those of a shape that was drawn here are as they were then."""
    axes = [build_axis(bench.tube, name) for name in channels]
    if axes[0] is None or axes[1] is None:
        return None
    return draw_as_then(bench, population, axes[0]), draw_as_then(bench, population, axes[1])


def choose_channels(bench: Bench, rule: PopulationRule, *, x: str = "", y: str = "") -> tuple[str, str]:
    """Choose the two channels of a plot: those that were asked for, else those of the gate itself."""
    usual_x, usual_y = _find_usual(bench, rule)
    across = x if _has(bench, x) else usual_x
    up = y if _has(bench, y) else usual_y
    return (across, up) if across != up else (next(_others(bench, up)), up)


def _find_usual(bench: Bench, rule: PopulationRule) -> tuple[str, str]:
    drawn = list_shape_channels(bench, rule.name)
    if len(drawn) == 2 and all(_has(bench, name) for name in drawn) and drawn[0] != drawn[1]:
        return drawn[0], drawn[1]
    known = _OF_KIND.get(rule.gate) or _OF_POPULATION.get(rule.name)
    if known and all(_has(bench, name) for name in known):
        return known
    cuts = bench.template.cuts
    either = [cuts[term.cut].marker for term in bench.alternatives(rule.name)]
    own = [cuts[term.cut].marker for term in bench.terms(rule.name)]
    markers = list(dict.fromkeys(name for name in (*either[:2], *own) if _has(bench, name)))
    if len(markers) >= 2:
        return markers[0], markers[1]
    up = markers[0] if markers else next(_others(bench, ""))
    return next(_others(bench, up)), up


def list_channels(bench: Bench) -> list[str]:
    """Return the channels that a plot may take: markers by name, then scatter and time."""
    return [*sorted(bench.markers.columns), *bench.markers.scatter]


def _has(bench: Bench, channel: str) -> bool:
    return channel in bench.markers.columns or channel in bench.markers.scatter


def _others(bench: Bench, channel: str) -> Iterator[str]:
    yield from (name for name in (*_BESIDE, *list_channels(bench)) if _has(bench, name) and name != channel)
    yield channel


def _list_lines(bench: Bench, rule: PopulationRule, x: Axis, y: Axis) -> Iterator[Line]:
    claims = [(term, False) for term in bench.terms(rule.name)]
    claims += [(term, True) for term in bench.alternatives(rule.name)]
    side_scatter = bench.find_term(rule.name, SIDE_SCATTER)
    if side_scatter is not None:
        claims.append((side_scatter, False))
    for term, is_alternative in claims:
        marker = "SSC-A" if term.cut == SIDE_SCATTER else bench.template.cuts[term.cut].marker
        side: Side | None = "x" if marker == x.channel else "y" if marker == y.channel else None
        cut = bench.cuts.get(term.cut)
        if side is not None and cut is not None and cut.is_placed:
            place = (x if side == "x" else y).place(cut.cut)
            yield Line(
                side=side, gate=term.cut, limit=cut.cut, place=place, is_positive=term.positive,
                is_alternative=is_alternative,
            )  # fmt: skip


def outline_view(view: GateView) -> list[list[Point]]:
    """Return the closed lines around what a view's limits or its shape let in."""
    if view.shape is not None:
        return [outline_drawn(view.shape)]
    return outline_region(view.lines) if view.lines else []


def outline_region(lines: Sequence[Line]) -> list[list[tuple[float, float]]]:
    """Return the corners of what the limits of a plot let in, in places, as closed shapes.

    Claims that must all hold make a rectangle; each alternative makes one of its own.

    Examples
    --------
    >>> cd3 = Line(side="x", gate="CD3", limit=1e3, place=0.4, is_positive=True, is_alternative=False)
    >>> outline_region([cd3])
    [[(0.4, 0.0), (1.0, 0.0), (1.0, 1.0), (0.4, 1.0)]]
    """
    fixed = [line for line in lines if not line.is_alternative]
    either = [line for line in lines if line.is_alternative]
    if len(either) == 2 and not fixed and {line.side for line in either} == {"x", "y"}:
        return [_outline_corner(*either)]
    return [_outline_box([*fixed, line]) for line in either] if either else [_outline_box(fixed)]


def _outline_box(lines: Sequence[Line]) -> list[tuple[float, float]]:
    low, high = {"x": 0.0, "y": 0.0}, {"x": 1.0, "y": 1.0}
    for line in lines:
        if line.is_positive:
            low[line.side] = max(low[line.side], line.place)
        else:
            high[line.side] = min(high[line.side], line.place)
    left, right, bottom, top = low["x"], high["x"], low["y"], high["y"]
    return [(left, bottom), (right, bottom), (right, top), (left, top)]


def _outline_corner(one: Line, other: Line) -> list[tuple[float, float]]:
    """Draw "above either limit" as one shape with six corners."""
    x, y = (one, other) if one.side == "x" else (other, one)
    return [(x.place, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, y.place), (x.place, y.place)]


def bin_events(bench: Bench, mask: Mask, axis: Axis, *, n_bins: int) -> Counts:
    """Return the bin of each event of a mask on one axis; what lies beyond an end is in the last bin."""
    values = bench.values(axis.channel)
    if values is None:
        return np.zeros(0, dtype=np.int64)
    return find_bins(values[mask], axis, n_bins)


def find_bins(values: Values, axis: Axis, n_bins: int) -> Counts:
    """Return the bin of each linear value on an axis."""
    inner = axis.edges(n_bins)[1:-1]
    return np.asarray(np.searchsorted(inner, values, side="right"), dtype=np.int64)


def count_grid(bench: Bench, mask: Mask, *, x: Axis, y: Axis, shape: tuple[int, int]) -> Counts:
    """Count events on a grid.

    Parameters
    ----------
    bench, mask
        The tube and the events of it.
    x, y
        Axes.
    shape
        Bins up and across.

    Returns
    -------
    counts : (n_up, n_across), the lowest row first
    """
    up, across = shape
    place = bin_events(bench, mask, y, n_bins=up) * across + bin_events(bench, mask, x, n_bins=across)
    return np.bincount(place, minlength=up * across).reshape(up, across)


def select_shown_in(bench: Bench, view: GateView) -> Mask | None:
    """Return the events of another tube that a view would show: where a shape decides, all of the parent."""
    if view.shape is not None or view.is_whole:
        return bench.select(view.parent) if view.parent else None
    return bench.select_shown(view.population, (view.x.channel, view.y.channel))


def select_in_gate(bench: Bench, own: Bench, view: GateView) -> Mask | None:
    """Return the events of another tube that the limits, or the shape, of a view would let in.

    What has no axis in the view is judged by the tube's own limits.

    Parameters
    ----------
    bench
        The other tube.
    own
        The tube of the view.
    view
        The view.
    """
    is_drawn = own.find_shape(view.population) is not None and not view.is_whole
    return select_in_shape(bench, own, view.population) if is_drawn else select_in_limits(bench, view)


def select_in_limits(bench: Bench, view: GateView) -> Mask | None:
    """Return the events of another tube that the limits of a view would let in.

    What has no axis in the view is judged by the tube's own limits.
    """
    shown = select_shown_in(bench, view)
    if shown is None:
        return None
    mask = shown.copy()
    either = []
    for line in view.lines:
        values = bench.values((view.x if line.side == "x" else view.y).channel)
        if values is None:
            return None
        meets = values > line.limit if line.is_positive else values <= line.limit
        if line.is_alternative:
            either.append(meets)
        else:
            mask &= meets
    return mask & np.logical_or.reduce(either) if either else mask


def place_on(view: GateView, *, x: Axis, y: Axis) -> GateView:
    """Return the same plot on the axes of another tube, so that both compare."""
    lines = [replace(line, place=(x if line.side == "x" else y).place(line.limit)) for line in view.lines]
    moved = replace(view, x=x, y=y, lines=tuple(lines))
    shape = None if view.shape is None else move_drawn(view.shape, view.frame, moved.frame)
    return replace(moved, shape=shape)
