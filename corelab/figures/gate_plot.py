"""The plot of one gate, as data: its picture, its axes, its limits, and what lies over it."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from corelab.cytometry.axes import Axis
from corelab.cytometry.bench import Bench
from corelab.cytometry.gate_view import (
    GateView,
    Line,
    bin_events,
    count_grid,
    outline_view,
    select_in_gate,
    select_shown_in,
)
from corelab.cytometry.records import Mask
from corelab.figures.gate_raster import Grid, Layers, draw_events, smooth_grid, trace_contour
from corelab.figures.tokens import SCHEMES, Scheme, Tokens
from corelab.vocabulary import B_SUBSETS

FMO_SHARE: Final = 0.99
BACK_SHARE: Final = 0.9
_MARGIN_BINS: Final = 160
_MARGIN_SPREAD: Final = 1.5
_CONTOUR_BINS: Final = 128
_MOST_SINGLE: Final = 400
"""Events of a population that are drawn one by one; of more only the outline is seen."""
_MOST_CROSSES: Final = 120
_FEWEST_IN_CURVE: Final = 50
_B_POPULATIONS: Final = frozenset({"b_cells", "b_reference", "cd19_positive", *B_SUBSETS})

Curve = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """Width and height of a picture and of its bins in px, and whether curves stand beside it."""

    width: int
    height: int
    bin_px: int = 2
    has_margin: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overlays:
    """What may lie over a plot: the control without the stain, a tube from before infusion, a population."""

    fmo: Bench | None = None
    before: Bench | None = None
    back: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Margin:
    """Events along the upright axis in even bins: of the tube, and of other tubes scaled to its total."""

    own: Curve
    fmo: Curve | None
    before: Curve | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GatePlot:
    """A plot of one gate, ready to be written; places are between 0 and 1, up and across."""

    population: str
    x: Axis
    y: Axis
    picture: bytes
    colour: str
    lines: tuple[Line, ...]
    region: list[list[tuple[float, float]]]
    contour: list[Grid] = field(default_factory=list)
    back_contour: list[Grid] = field(default_factory=list)
    back_colour: str = ""
    margin: Margin | None = None
    n_before: int | None = None


def build_gate_plot(
    bench: Bench, view: GateView, *, canvas: Canvas, scheme: Scheme, overlays: Overlays | None = None
) -> GatePlot:
    """Draw the events of a view and gather what lies over them.

    Parameters
    ----------
    bench, view
        The tube, and what to show of it.
    canvas
        How large and how finely it is drawn.
    scheme
        Colour scheme.
    overlays
        Other tubes and a population to look for; nothing without it.
    """
    over = overlays or Overlays()
    shape = (max(canvas.height // canvas.bin_px, 8), max(canvas.width // canvas.bin_px, 8))
    tokens = SCHEMES[scheme]
    before = None if over.before is None or not view.has_gate else select_in_gate(over.before, bench, view)
    back = _find_back(bench, view, over.back)
    is_few = back is not None and back.sum() <= _MOST_SINGLE
    layers = Layers(
        density=_grid(bench, view.shown if view.is_divided else view.inside, view, shape),
        faint=None if view.is_divided else _grid(bench, view.shown & ~view.inside, view, shape),
        back=_grid(bench, back, view, shape) if back is not None and is_few else None,
        crosses=_find_crosses(over.before, before, view, shape),
    )
    back_colour = choose_back_colour(over.back, tokens)
    return GatePlot(
        population=view.population, x=view.x, y=view.y,
        picture=draw_events(layers, scheme=scheme, back_colour=back_colour, bin_px=canvas.bin_px),
        colour=choose_colour(view.population, tokens), lines=view.lines,
        region=outline_view(view),
        contour=_trace_fmo(over.fmo, view),
        back_contour=[] if back is None or is_few else _trace(bench, back, view, BACK_SHARE),
        back_colour=back_colour,
        margin=_build_margin(bench, view, over) if canvas.has_margin else None,
        n_before=None if before is None else int(before.sum()),
    )  # fmt: skip


def choose_colour(population: str, tokens: Tokens) -> str:
    """Return the colour of a population's gate: that of its lineage, else the ink."""
    root = population.partition(".")[0]
    if root.startswith("car_") and not root.startswith("car_neg"):
        return tokens.car_t
    return tokens.b_cells if root in _B_POPULATIONS else tokens.ink


def choose_back_colour(population: str, tokens: Tokens) -> str:
    """Return the colour of the events that are looked for; never that of the cloud."""
    colour = choose_colour(population, tokens)
    return tokens.car_t if colour == tokens.ink else colour


def _grid(bench: Bench, mask: Mask, view: GateView, shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    return count_grid(bench, mask, x=view.x, y=view.y, shape=shape)


def _find_back(bench: Bench, view: GateView, population: str) -> Mask | None:
    """Find where another population lies among the events that are shown."""
    mask = bench.select(population) if population else None
    return None if mask is None else mask & view.shown


def _find_crosses(
    before: Bench | None, inside: Mask | None, view: GateView, shape: tuple[int, int]
) -> npt.NDArray[np.int64] | None:
    """Find the events of the tube from before infusion that the gate lets in, if they can be told apart."""
    if before is None or inside is None or inside.sum() > _MOST_CROSSES:
        return None
    return _grid(before, inside, view, shape)


def _trace_fmo(fmo: Bench | None, view: GateView) -> list[Grid]:
    mask = None if fmo is None else select_shown_in(fmo, view)
    if fmo is None or mask is None or _lacks_channel(fmo, view) or not view.is_divided:
        return []
    return _trace(fmo, mask, view, FMO_SHARE)


def _trace(bench: Bench, mask: Mask, view: GateView, share: float) -> list[Grid]:
    return trace_contour(_grid(bench, mask, view, (_CONTOUR_BINS, _CONTOUR_BINS)), share)


def _lacks_channel(bench: Bench, view: GateView) -> bool:
    return any(bench.values(axis.channel) is None for axis in (view.x, view.y))


def _build_margin(bench: Bench, view: GateView, over: Overlays) -> Margin:
    own = _count_along(bench, view.shown, view)
    return Margin(own=own, fmo=_scale_to(own, over.fmo, view), before=_scale_to(own, over.before, view))


def _scale_to(own: Curve, other: Bench | None, view: GateView) -> Curve | None:
    """Count another tube along the axis, scaled to the events of this one, so that shapes compare."""
    mask = None if other is None else select_shown_in(other, view)
    if other is None or mask is None or _lacks_channel(other, view) or mask.sum() < _FEWEST_IN_CURVE:
        return None
    return np.asarray(_count_along(other, mask, view) * (own.sum() / mask.sum()))


def _count_along(bench: Bench, mask: Mask, view: GateView) -> Curve:
    counts = np.bincount(bin_events(bench, mask, view.y, n_bins=_MARGIN_BINS), minlength=_MARGIN_BINS)
    return smooth_grid(counts[:, None], _MARGIN_SPREAD)[:, 0]
