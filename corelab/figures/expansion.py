"""Expansion against what came of it: a panel an outcome, a mark a child, the exact test in words below."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from corelab.figures.catalog import Catalog
from corelab.figures.course import to_float
from corelab.figures.expansion_data import CHANGES, Pair, Panel
from corelab.figures.forest import draw_words
from corelab.figures.log_gutter import LogGutter, build_log_gutter, compute_ticks
from corelab.figures.numbers import escape_markup, format_interval, format_number, format_p
from corelab.figures.panel import Piece, font, linear_axis, note
from corelab.figures.text_width import shorten
from corelab.figures.tokens import (
    ARM_SYMBOLS,
    FONT_LABEL,
    FONT_TABLE,
    FONT_TICK,
    SCHEMES,
    Scheme,
    Tokens,
)

METHODS: Final = ("permutation", "mann_whitney", "kendall_tau_b", "jonckheere", "spearman")
EFFECTS: Final = ("permutation", "kendall_tau_b", "spearman")
LEFT_PX: Final = 46.0
GAP_PX: Final = 20.0
TITLE_PX: Final = 26.0
WORDS_PX: Final = 106.0
LINE_PX: Final = 14.0
COLUMN_LEAST_PX: Final = 252.0
ROW_LEAST_PX: Final = 300.0
NAME_GAP_PX: Final = 11.0
NEAR_PX: Final = 48.0
NAME_SIDES: Final = ("top center", "bottom center", "middle right", "middle left")
DODGE: Final = 0.075
SWARM: Final = (0, 1, -1, 2, -2, 3, -3, 4, -4)
NAMED: Final = 3
MANY: Final = 14
"""Children above which the marks have no names beside them; pointing at one tells it."""
DECADES: Final[Mapping[str, tuple[float, float]]] = {
    "CAR_VCN_UG": (1_500.0, 100_000.0), "CAR_ABS": (1.5, 500.0),
}  # fmt: skip


def expansion_figure(
    panels: Sequence[Panel],
    *,
    analyte: str,
    size: tuple[int, int],
    scheme: Scheme,
    catalog: Catalog,
) -> dict[str, Any]:
    """Return the panels in two rows on one scale of exposure.

    Notes
    -----
    Each mark has ``customdata`` ``[association, outcome, subject_id, sentence]``.
    """
    tokens = SCHEMES[scheme]
    values = [pair.exposure for panel in panels for pair in panel.pairs]
    if not values:
        return draw_words(catalog.text("expansion.empty"), width=size[0], height=160, tokens=tokens)
    fitting = max(1, int((size[0] - LEFT_PX) // COLUMN_LEAST_PX))
    columns = min(math.ceil(len(panels) / 2) if len(panels) > 2 else len(panels), fitting)
    rows = math.ceil(len(panels) / columns)
    size = (size[0], max(size[1], round(ROW_LEAST_PX * rows)))
    plot_px = size[1] / rows - TITLE_PX - WORDS_PX
    axis = build_log_gutter(values, height_px=plot_px, least=DECADES[analyte], gutter_px=1.0)
    width = (size[0] - LEFT_PX - GAP_PX * (columns - 1)) / columns
    places = [
        _Place(
            panel=panel, number=number + 1, left_px=LEFT_PX + (number % columns) * (width + GAP_PX),
            top_px=(number // columns) * size[1] / rows, width_px=width, height_px=plot_px, size=size,
            is_first=number % columns == 0,
        )
        for number, panel in enumerate(panels)
    ]  # fmt: skip
    layout = _layout(size, tokens)
    data: list[Piece] = []
    notes: list[Piece] = []
    for place in places:
        layout |= _axes(place, axis, tokens, catalog)
        data.append(_draw_marks(place, axis, tokens, catalog))
        notes += _draw_texts(place, tokens, catalog)
    units = [
        note(
            escape_markup(catalog.text(f"analyte.{analyte}")), xref="paper", yref="paper",
            at=(LEFT_PX / size[0], 1 - place.top_px / size[1]), xshift=4, yshift=-TITLE_PX - 2,
            font=font(FONT_TICK, tokens.muted),
        )
        for place in places
        if place.is_first
    ]  # fmt: skip
    return {"data": data, "layout": {**layout, "annotations": [*notes, *units]}}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    panel: Panel
    number: int
    left_px: float
    top_px: float
    width_px: float
    height_px: float
    size: tuple[int, int]
    is_first: bool

    @property
    def suffix(self) -> str:
        return "" if self.number == 1 else str(self.number)

    def paper(self, px: float) -> float:
        return 1.0 - (self.top_px + px) / self.size[1]

    @property
    def is_scatter(self) -> bool:
        return self.panel.outcome in CHANGES


def _layout(size: tuple[int, int], tokens: Tokens) -> Piece:
    return {
        "template": None, "width": size[0], "height": size[1], "autosize": False,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0}, "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": tokens.zone, "font": font(FONT_LABEL, tokens.ink_2), "showlegend": False,
        "hovermode": "closest", "hoverdistance": 16, "dragmode": False, "uirevision": "expansion",
    }  # fmt: skip


def _axes(place: _Place, axis: LogGutter, tokens: Tokens, catalog: Catalog) -> Piece:
    ticks, labels = compute_ticks(axis)
    shown = labels if place.is_first else [""] * len(labels)
    left, right = place.left_px / place.size[0], (place.left_px + place.width_px) / place.size[0]
    x_axis: Piece = {
        "domain": [left, right], "anchor": f"y{place.suffix}", "fixedrange": True, "zeroline": False,
        "showgrid": place.is_scatter, "gridcolor": tokens.grid, "ticks": "", "tickangle": 0,
        "tickfont": font(FONT_LABEL, tokens.ink_2),
    }  # fmt: skip
    if not place.is_scatter:
        groups = _list_groups(place.panel, catalog)
        x_axis |= {
            "tickmode": "array", "tickvals": list(range(len(groups))), "range": [-0.6, len(groups) - 0.4],
            "ticktext": [escape_markup(text) for _, text in groups],
        }  # fmt: skip
    else:
        x_axis |= {"nticks": 5, **_span([pair.outcome for pair in place.panel.pairs])}
    return {
        f"xaxis{place.suffix}": x_axis,
        f"yaxis{place.suffix}": {
            **linear_axis(axis.floor, axis.top, ticks=ticks, labels=shown, tokens=tokens),
            "domain": [place.paper(TITLE_PX + place.height_px), place.paper(TITLE_PX)],
            "anchor": f"x{place.suffix}",
        },
    }


def _span(values: Sequence[float]) -> Piece:
    if not values:
        return {"range": [-1, 1]}
    low, high = min(*values, 0.0), max(*values, 0.0)
    edge = 0.12 * (high - low or 1.0)
    return {"range": [low - edge, high + 3 * edge]}


def _list_groups(panel: Panel, catalog: Catalog) -> list[tuple[float, str]]:
    """Return the groups of an outcome with the number of children in each."""
    if panel.outcome == "CRS_GRADE":
        found: list[float] = sorted({pair.outcome for pair in panel.pairs})
        names = [
            catalog.text("expansion.grade", grade=int(value))
            if value
            else catalog.text("expansion.no_release")
            for value in found
        ]
    else:
        found = [1.0, 0.0]
        names = [catalog.text(f"expansion.group.{panel.outcome}.{side}") for side in ("first", "second")]
    counts = [sum(pair.outcome == value for pair in panel.pairs) for value in found]
    groups = [
        (value, catalog.text("expansion.counted", name=name, n=n))
        for value, name, n in zip(found, names, counts, strict=True)
    ]
    # Low stands before high here as in every other figure.
    return groups[::-1] if panel.outcome == "DOSE_HIGH" else groups


def _draw_marks(place: _Place, axis: LogGutter, tokens: Tokens, catalog: Catalog) -> Piece:
    pairs = sorted(place.panel.pairs, key=lambda pair: (pair.outcome, pair.exposure))
    groups = [] if place.is_scatter else _list_groups(place.panel, catalog)
    order = {value: number for number, (value, _) in enumerate(groups)}
    if place.is_scatter:
        x = [pair.outcome for pair in pairs]
        names = [f" {escape_markup(pair.subject_id)}" if len(pairs) <= MANY else "" for pair in pairs]
        sides = _place_names(pairs, place, axis)
    else:
        rightmost = groups[-1][0] if len(groups) > 1 else None
        shifts = _dodge(pairs, axis, rightmost)
        x = [order[pair.outcome] + shift for pair, (shift, _) in zip(pairs, shifts, strict=True)]
        names = [name if len(pairs) <= MANY else "" for _, name in shifts]
        sides = ["middle left" if pair.outcome == rightmost else "middle right" for pair in pairs]
    colours = [{"low": tokens.low, "high": tokens.high}.get(pair.arm, tokens.muted) for pair in pairs]
    return {
        "type": "scatter", "mode": "markers+text", "xaxis": f"x{place.suffix}", "yaxis": f"y{place.suffix}",
        "x": x, "y": [axis.height(pair.exposure) for pair in pairs], "showlegend": False,
        "name": place.panel.outcome, "text": names,
        "textposition": sides,
        "textfont": font(FONT_TICK, tokens.muted),
        "marker": {
            "symbol": [ARM_SYMBOLS.get(pair.arm, "circle-open") for pair in pairs], "size": 8,
            "color": colours, "opacity": 1, "line": {"color": tokens.zone, "width": 1},
        },
        "customdata": [
            ["association", place.panel.outcome, pair.subject_id, _say(place.panel, pair, catalog)]
            for pair in pairs
        ],
        "hoverinfo": "none", "cliponaxis": False,
    }  # fmt: skip


def _cluster(pairs: Sequence[Pair], axis: LogGutter) -> list[list[Pair]]:
    """Join the marks of a group that would lie on each other, from the lowest up."""
    clusters: list[list[Pair]] = []
    for pair in pairs:
        height = axis.height(pair.exposure) / axis.units_per_px
        before = clusters[-1][-1] if clusters else None
        is_near = (
            before is not None
            and before.outcome == pair.outcome
            and height - axis.height(before.exposure) / axis.units_per_px < NAME_GAP_PX
        )
        if is_near:
            clusters[-1].append(pair)
        else:
            clusters.append([pair])
    return clusters


def _swarm(cluster: Sequence[Pair], axis: LogGutter) -> list[int]:
    """Return for each mark the nearest free place beside the middle, counted to the right."""
    tops: dict[int, float] = {}
    placed = []
    for pair in cluster:
        height = axis.height(pair.exposure) / axis.units_per_px
        free = (place for place in SWARM if height - tops.get(place, -math.inf) >= NAME_GAP_PX)
        place = next(free, SWARM[-1])
        tops[place] = height
        placed.append(place)
    return placed


def _dodge(pairs: Sequence[Pair], axis: LogGutter, rightmost: float | None) -> list[tuple[float, str]]:
    """Return for each mark its shift to the side, and the names that stand beside the last of a cluster.

    In the rightmost group they stand before the first of it: beside it there is no room.
    """
    placed = []
    for cluster in _cluster(pairs, axis):
        shifts = _swarm(cluster, axis)
        is_left = cluster[0].outcome == rightmost
        last = shifts.index(min(shifts) if is_left else max(shifts))
        names = ", ".join(escape_markup(pair.subject_id) for pair in cluster[:NAMED])
        more = "…" if len(cluster) > NAMED else ""
        for number, shift in enumerate(shifts):
            told = f"{names}{more} " if is_left else f" {names}{more}"
            placed.append((shift * DODGE, told if number == last else ""))
    return placed


def _place_names(pairs: Sequence[Pair], place: _Place, axis: LogGutter) -> list[str]:
    """Return a side for each name that none of those near it has, so that they do not overlap."""
    low, high = _span([pair.outcome for pair in place.panel.pairs])["range"]

    def is_near(one: Pair, other: Pair) -> bool:
        across = abs(one.outcome - other.outcome) / (high - low) * place.width_px
        upwards = abs(axis.height(one.exposure) - axis.height(other.exposure)) / axis.units_per_px
        return bool(max(across, upwards) < NEAR_PX)

    sides: list[str] = []
    for pair in pairs:
        taken = {side for side, other in zip(sides, pairs, strict=False) if is_near(pair, other)}
        sides.append(next((side for side in NAME_SIDES if side not in taken), NAME_SIDES[0]))
    return sides


def _say(panel: Panel, pair: Pair, catalog: Catalog) -> str:
    key = "expansion.said_change" if panel.outcome in CHANGES else "expansion.said"
    outcome = name_outcome(panel, catalog)
    return catalog.text(
        key, subject=pair.subject_id, exposure=format_number(pair.exposure), outcome=outcome,
        value=format_number(pair.outcome) if pair.outcome else "0",
    )  # fmt: skip


def tell_outcome(outcome: str, catalog: Catalog) -> str:
    """Return the word of an outcome."""
    return catalog.text(f"expansion.outcome.{outcome.replace('-', '_')}")


def name_outcome(panel: Panel, catalog: Catalog) -> str:
    """Return an outcome in words with its landmark visit."""
    name = tell_outcome(panel.outcome, catalog)
    return catalog.text("expansion.at", outcome=name, visit=panel.visit) if panel.visit else name


def _draw_texts(place: _Place, tokens: Tokens, catalog: Catalog) -> list[Piece]:
    left = place.left_px / place.size[0]
    title = shorten(name_outcome(place.panel, catalog), FONT_TABLE * 1.06, place.width_px)
    heading = note(
        f"<b>{escape_markup(title)}</b>", xref="paper", yref="paper",
        at=(left, place.paper(6)), font=font(FONT_TABLE, tokens.ink),
    )  # fmt: skip
    lines = describe_tests(place.panel, catalog)
    return [
        heading,
        *(
            note(
                escape_markup(text), xref="paper", yref="paper", font=font(FONT_LABEL, getattr(tokens, tone)),
                at=(left, place.paper(TITLE_PX + place.height_px + 24 + LINE_PX * number)),
            )
            for number, (text, tone) in enumerate(lines)
        ),
    ]  # fmt: skip


def describe_tests(panel: Panel, catalog: Catalog) -> list[tuple[str, str]]:
    """Write effect, tests and what they can say, each line with the name of its colour."""
    by_method = {str(row["method"]): row for row in panel.tests}
    effect = next((by_method[method] for method in EFFECTS if method in by_method), panel.tests[0])
    reasons = {str(row["reason"]) for row in panel.tests}
    if "NO_CONTRAST" in reasons:
        return [(catalog.text("expansion.no_contrast"), "warn")]
    lines = [(text, "ink_2") for text in _write_effect(effect, catalog)]
    tests = [
        catalog.text("expansion.test", method=catalog.text(f"expansion.method.{method}"), p=format_p(p))
        for method in METHODS
        if method in by_method and math.isfinite(p := to_float(by_method[method]["p_value"]))
    ]
    lines.append((" · ".join(tests), "ink_2"))
    if "NOT_INFORMATIVE" in reasons:
        lines.append((catalog.text("expansion.not_informative"), "warn"))
    else:
        adjusted = format_p(to_float(effect["p_holm"]))
        lines.append((catalog.text("expansion.adjusted", p=adjusted), "muted"))
    return lines


def _write_effect(row: Mapping[str, Any], catalog: Catalog) -> list[str]:
    estimate, low, high = (to_float(row[name]) for name in ("estimate", "ci_low", "ci_high"))
    key = "ratio" if row["method"] == "permutation" else str(row["method"])
    effect = catalog.text(f"expansion.effect.{key}", value=format_number(estimate))
    n = int(to_float(row["n"]))
    if not (math.isfinite(low) and math.isfinite(high)):
        return [effect, catalog.text("expansion.no_interval", n=n)]
    interval = format_interval(low, high, estimate=estimate)
    return [effect, catalog.text("expansion.interval", interval=interval, n=n)]
