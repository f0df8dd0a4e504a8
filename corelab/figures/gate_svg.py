"""A gate's plot written as SVG: the picture of the events inside, axes, limits and curves around it."""

import base64
from dataclasses import dataclass
from typing import Final

import numpy as np

from corelab.cytometry.axes import Axis, Tick
from corelab.figures.catalog import Catalog
from corelab.figures.gate_plot import Curve, GatePlot, Margin
from corelab.figures.numbers import MINUS, escape_markup, format_number
from corelab.figures.tokens import FONT_FAMILY, FONT_LABEL, FONT_TICK, SCHEMES, Scheme, Tokens

LEFT: Final = 52
RIGHT: Final = 8
TOP: Final = 8
BOTTOM: Final = 40
MARGIN_WIDTH: Final = 116
MARGIN_GAP: Final = 10
_TICK: Final = 5
_MINOR: Final = 3
_CLOSEST_PX: Final = 30
_HALO: Final = 5
_STAMP: Final = 22
_SUPERSCRIPT: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A part of the drawing in px."""

    left: float
    top: float
    width: float
    height: float

    def across(self, place: float) -> float:
        """Return the px of a place across."""
        return self.left + place * self.width

    def up(self, place: float) -> float:
        """Return the px of a place up; px count down."""
        return self.top + (1 - place) * self.height


def find_plot_box(width: int, height: int, *, has_margin: bool) -> Box:
    """Return where the events lie in a drawing of a size."""
    right = RIGHT + (MARGIN_WIDTH + MARGIN_GAP if has_margin else 0)
    return Box(left=LEFT, top=TOP, width=width - LEFT - right, height=height - TOP - BOTTOM)


def write_gate_svg(
    plot: GatePlot, *, size: tuple[int, int], scheme: Scheme, catalog: Catalog, with_limits: bool = True,
    stamp: str = "",
) -> str:  # fmt: skip
    """Write a plot with axes; with the curves beside it where the plot has any.

    Parameters
    ----------
    plot
        The plot; its picture has the size of `find_plot_box`.
    size
        Width and height in px.
    scheme, catalog
        Colours and words.
    with_limits
        False where the page itself draws the limits, because they can be moved.
    stamp
        What the drawing was made from, written under it; nothing is added without it.
    """
    tokens = SCHEMES[scheme]
    box = find_plot_box(*size, has_margin=plot.margin is not None)
    parts = [
        f'<rect width="{size[0]}" height="{size[1]}" fill="{tokens.body}"/>',
        _write_picture(plot.picture, box),
        *_write_contour(plot, box, tokens),
        *(_write_limits(plot, box, tokens) if with_limits else []),
        f'<rect x="{box.left}" y="{box.top}" width="{box.width}" height="{box.height}" fill="none" '
        f'stroke="{tokens.border}"/>',
        *_write_axis_across(plot.x, box, tokens, catalog),
        *_write_axis_up(plot.y, box, tokens, catalog),
    ]
    if plot.margin is not None:
        beside = Box(
            left=box.left + box.width + MARGIN_GAP, top=box.top, width=MARGIN_WIDTH, height=box.height
        )
        parts += _write_margin(plot, plot.margin, beside, tokens)
        parts.append(_text(beside.left + beside.width / 2, box.top + box.height + 31,
                           catalog.text("gate.per_bin"), tokens.muted, FONT_TICK))  # fmt: skip
    if not stamp:
        return _wrap(size, "".join(parts))
    below = f'<rect y="{size[1]}" width="{size[0]}" height="{_STAMP}" fill="{tokens.body}"/>'
    line = _text(8, size[1] + 14, stamp, tokens.muted, FONT_TICK, anchor="start")
    return _wrap((size[0], size[1] + _STAMP), "".join([*parts, below, line]))


def write_small_svg(plot: GatePlot, *, size: tuple[int, int], scheme: Scheme) -> str:
    """Write a plot without axes: the picture and its limits, to stand among others like it."""
    tokens = SCHEMES[scheme]
    box = Box(left=0, top=0, width=size[0], height=size[1])
    over = [*_write_contour(plot, box, tokens), *_write_limits(plot, box, tokens, halo=3)]
    return _wrap(size, _write_picture(plot.picture, box) + "".join(over))


def _wrap(size: tuple[int, int], inner: str) -> str:
    font = FONT_FAMILY.replace('"', "'")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}" '
        f'viewBox="0 0 {size[0]} {size[1]}" font-family="{font}">{inner}</svg>'
    )


def _write_picture(picture: bytes, box: Box) -> str:
    data = base64.b64encode(picture).decode("ascii")
    return (
        f'<image x="{box.left}" y="{box.top}" width="{box.width}" height="{box.height}" '
        f'preserveAspectRatio="none" style="image-rendering:pixelated" href="data:image/png;base64,{data}"/>'
    )


def _write_limits(plot: GatePlot, box: Box, tokens: Tokens, *, halo: int = _HALO) -> list[str]:
    """Write the limits inside a frame of their own, so that no halo covers a tick."""
    inner = Box(left=0, top=0, width=box.width, height=box.height)
    paths = [
        _path([(inner.across(x), inner.up(y)) for x, y in corners], closed=True) for corners in plot.region
    ]
    if not plot.region:
        paths = [_path(_line_ends(line.side, line.place, inner)) for line in plot.lines]
    drawn = "".join(
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
        for path in paths
        for colour, width in ((tokens.body, halo), (plot.colour, 2))
    )
    return [f'<svg x="{box.left}" y="{box.top}" width="{box.width}" height="{box.height}">{drawn}</svg>']


def _line_ends(side: str, place: float, box: Box) -> list[tuple[float, float]]:
    if side == "x":
        return [(box.across(place), box.top), (box.across(place), box.top + box.height)]
    return [(box.left, box.up(place)), (box.left + box.width, box.up(place))]


def _write_contour(plot: GatePlot, box: Box, tokens: Tokens) -> list[str]:
    kinds = (
        (plot.contour, tokens.warn, ' stroke-dasharray="4 2.5"'),
        (plot.back_contour, plot.back_colour, ""),
    )
    return [
        f'<path d="{path}" fill="none" stroke="{ink}" stroke-width="{width}"{pattern}/>'
        for lines, colour, dash in kinds
        for path in [_path([(box.across(x), box.up(y)) for x, y in line.tolist()]) for line in lines]
        for ink, width, pattern in ((tokens.body, 4, ""), (colour, 1.5, dash))
    ]


def _path(points: list[tuple[float, float]], *, closed: bool = False) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + ("Z" if closed else "")


def _write_axis_across(axis: Axis, box: Box, tokens: Tokens, catalog: Catalog) -> list[str]:
    bottom = box.top + box.height
    parts, last = [], -1e9
    for tick in axis.ticks:
        at = box.across(tick.place)
        length = _TICK if tick.is_major else _MINOR
        parts.append(f'<path d="M{at:.1f} {bottom}v{length}" stroke="{tokens.muted}"/>')
        if tick.is_major and at - last >= _CLOSEST_PX:
            parts.append(_text(at, bottom + 16, label_tick(tick), tokens.muted, FONT_TICK))
            last = at
    parts.append(_text(box.left + box.width / 2, bottom + 32, _name(axis, catalog), tokens.ink, FONT_LABEL))
    return parts


def _write_axis_up(axis: Axis, box: Box, tokens: Tokens, catalog: Catalog) -> list[str]:
    parts, last = [], 1e9
    for tick in axis.ticks:
        at = box.up(tick.place)
        length = _TICK if tick.is_major else _MINOR
        parts.append(f'<path d="M{box.left} {at:.1f}h-{length}" stroke="{tokens.muted}"/>')
        if tick.is_major and last - at >= _CLOSEST_PX / 2:
            parts.append(
                _text(box.left - 8, at + 3.5, label_tick(tick), tokens.muted, FONT_TICK, anchor="end")
            )
            last = at
    middle = box.top + box.height / 2
    name = _text(12, middle, _name(axis, catalog), tokens.ink, FONT_LABEL)
    return [*parts, name.replace("<text ", f'<text transform="rotate(-90 12 {middle})" ', 1)]


def _name(axis: Axis, catalog: Catalog) -> str:
    if axis.channel == axis.detector:
        return axis.channel
    key = f"gate.channel.{axis.channel}"
    name = catalog.text(key) if catalog.has(key) else axis.channel
    return f"{name} · {axis.detector}"


def label_tick(tick: Tick) -> str:
    """Write a tick: a power of ten with its sign, or a plain number in thousands.

    Examples
    --------
    >>> label_tick(Tick(place=0.1, value=-1000.0, is_major=True, power=-3))
    '−10³'
    >>> label_tick(Tick(place=0.5, value=50000.0, is_major=True))
    '50k'
    """
    if tick.power is not None:
        sign = MINUS if tick.value < 0 else ""
        return f"{sign}10{str(abs(tick.power)).translate(_SUPERSCRIPT)}"
    if abs(tick.value) >= 10_000:
        return f"{format_number(tick.value / 1000)}k".replace(".0k", "k")
    return format_number(tick.value, digits=4).removesuffix(".0")


def _write_margin(plot: GatePlot, margin: Margin, box: Box, tokens: Tokens) -> list[str]:
    top = float(np.log10(1 + margin.own.max())) or 1.0
    outline = _curve(margin.own, box, top)
    area = f"{outline}L{box.left} {box.top}L{box.left} {box.top + box.height}Z"
    parts = [
        f'<rect x="{box.left}" y="{box.top}" width="{box.width}" height="{box.height}" fill="none" '
        f'stroke="{tokens.border}"/>',
        f'<path d="{area}" fill="{tokens.gutter}"/>',
        f'<path d="{outline}" fill="none" stroke="{tokens.ink_2}" stroke-width="1.5"/>',
    ]
    for curve, colour, dash in ((margin.fmo, tokens.warn, "4 2.5"), (margin.before, tokens.fail, "1.5 2.5")):
        if curve is not None:
            line = f'fill="none" stroke="{colour}" stroke-width="1.5" stroke-dasharray="{dash}"'
            parts.append(f'<path d="{_curve(curve, box, top)}" {line}/>')
    for power in range(1, int(top) + 1):
        at = box.left + power / top * box.width
        if at < box.left + box.width - 6:
            parts.append(f'<path d="M{at:.1f} {box.top + box.height}v{_TICK}" stroke="{tokens.muted}"/>')
            label = Tick(place=0.0, value=1.0, is_major=True, power=power)
            text = label_tick(label) if power > 1 else "10"
            parts.append(_text(at, box.top + box.height + 16, text, tokens.muted, FONT_TICK))
    return parts


def _curve(curve: Curve, box: Box, top: float) -> str:
    """Draw a curve upwards, its height to the right on a logarithm of one more than the count."""
    heights = np.minimum(np.log10(1 + np.maximum(curve, 0)) / top, 1.0)
    places = (np.arange(len(curve)) + 0.5) / len(curve)
    pairs = zip(places.tolist(), heights.tolist(), strict=True)
    return _path([(box.left + height * box.width, box.up(place)) for place, height in pairs])


def _text(x: float, y: float, text: str, colour: str, size: int, *, anchor: str = "middle") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" text-anchor="{anchor}" '
        f'style="font-variant-numeric:tabular-nums">{escape_markup(text)}</text>'
    )
