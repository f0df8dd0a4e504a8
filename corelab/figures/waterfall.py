"""Change of proteinuria from baseline, a bar a child, from the greatest rise to the greatest fall."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from corelab.figures.catalog import Catalog
from corelab.figures.forest import draw_words
from corelab.figures.numbers import escape_markup, format_exact, format_number
from corelab.figures.panel import Piece, font, linear_axis, note
from corelab.figures.response_matrix import read_states, write_child
from corelab.figures.tokens import DASH_THRESHOLD, FONT_LABEL, FONT_TICK, SCHEMES, Scheme, Tokens

RATIO: Final = re.compile(r"proteinuria/baseline ([0-9.eE+-]+)")
GLYPHS: Final[Mapping[str, str]] = {"responder": "✓", "non_responder": "○", "not_evaluable": "◇"}
LEFT_PX: Final = 44.0
FOOT_PX: Final = 58.0
HEAD_PX: Final = 20.0
HALF: Final = -50.0
GAP: Final = 2.5
"""Between a bar's end and its words, in percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One child's change of proteinuria in percent of baseline, with its renal response."""

    subject_id: str
    arm: str
    percent: float
    state: str


def read_changes(responses: pd.DataFrame, *, visit: str, definition: str) -> list[Change]:
    """Return the change that each response at a visit was judged by, the greatest rise first.

    A response without a proteinuria at the visit or at baseline has none and is left out.
    """
    states = read_states(responses, definition)
    found = []
    for (subject, at, endpoint), row in states.items():
        ratio = RATIO.search(str(row.get("value", "")))
        if at == visit and endpoint == "ORR" and ratio is not None:
            percent = 100.0 * (float(ratio.group(1)) - 1.0)
            found.append(
                Change(subject_id=subject, arm=str(row["arm"]), percent=percent, state=str(row["state"]))
            )
    return sorted(found, key=lambda change: (-change.percent, change.subject_id))


def waterfall_figure(
    responses: pd.DataFrame,
    *,
    visit: str,
    definition: str,
    size: tuple[int, int],
    look: tuple[Scheme, Catalog],
) -> dict[str, Any]:
    """Return the bars with the response written at their end, and the line of a fall by half.

    Notes
    -----
    Each bar has ``customdata`` ``[response, subject_id, visit, ORR, definition, sentence]``.
    """
    scheme, catalog = look
    tokens = SCHEMES[scheme]
    changes = read_changes(responses, visit=visit, definition=definition)
    if not changes:
        return draw_words(
            catalog.text("waterfall.empty", visit=visit), width=size[0], height=size[1], tokens=tokens
        )
    top = max(20.0, *(change.percent for change in changes))
    return {
        "data": [_draw_bars(changes, visit, definition, tokens, catalog), _draw_ends(changes, tokens)],
        "layout": _layout(changes, top, size, tokens, catalog),
    }


def _draw_bars(changes: list[Change], visit: str, definition: str, tokens: Tokens, catalog: Catalog) -> Piece:
    return {
        "type": "bar", "xaxis": "x", "yaxis": "y", "x": list(range(len(changes))), "width": 0.66,
        "y": [change.percent for change in changes], "name": "change", "showlegend": False,
        "marker": {
            "color": [{"low": tokens.low, "high": tokens.high}.get(c.arm, tokens.muted) for c in changes],
            "line": {"width": 0},
        },
        "customdata": [
            ["response", c.subject_id, visit, "ORR", definition, _say(c, visit, catalog)] for c in changes
        ],
        "hoverinfo": "none",
    }  # fmt: skip


def _say(change: Change, visit: str, catalog: Catalog) -> str:
    return catalog.text(
        "waterfall.said", subject=change.subject_id, visit=visit,
        change=_write_percent(change.percent), state=catalog.text(f"response.state.{change.state}"),
    )  # fmt: skip


def _write_percent(percent: float) -> str:
    sign = "+" if percent > 0 else ""
    return f"{sign}{format_number(percent, digits=2 if abs(percent) < 100 else 3)}"


def _draw_ends(changes: list[Change], tokens: Tokens) -> Piece:
    """Write the percent and the mark of the response outside each bar's end."""
    room = len(changes) <= 16
    return {
        "type": "scatter", "mode": "text", "xaxis": "x", "yaxis": "y", "showlegend": False, "name": "ends",
        "x": list(range(len(changes))), "hoverinfo": "skip",
        "y": [change.percent + (GAP if change.percent >= 0 else -GAP) for change in changes],
        "text": [
            f"{_write_percent(c.percent)} {GLYPHS[c.state]}" if room else GLYPHS[c.state] for c in changes
        ],
        "textposition": ["top center" if c.percent >= 0 else "bottom center" for c in changes],
        "textfont": font(FONT_TICK, tokens.ink), "cliponaxis": False,
    }  # fmt: skip


def _layout(
    changes: list[Change], top: float, size: tuple[int, int], tokens: Tokens, catalog: Catalog
) -> Piece:
    has_names = (size[0] - LEFT_PX) / len(changes) >= 12
    is_flat = (size[0] - LEFT_PX) / len(changes) > 54
    foot = (24.0 if is_flat else FOOT_PX) if has_names else 12.0
    ticks = [tick for tick in (-100, -50, 0, 50, 100, 200, 400) if tick <= top]
    labels = [format_exact(float(tick)) for tick in ticks]
    heights = [float(tick) for tick in ticks]
    y_axis = linear_axis(-116.0, top * 1.12, ticks=heights, labels=labels, tokens=tokens)
    line = {"color": tokens.ok, "width": 1, "dash": DASH_THRESHOLD}
    return {
        "template": None, "width": size[0], "height": size[1], "autosize": False,
        "margin": {"l": LEFT_PX, "r": 8, "t": HEAD_PX, "b": foot, "pad": 0},
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": tokens.zone, "showlegend": False,
        "font": font(FONT_LABEL, tokens.ink_2), "hovermode": "closest", "dragmode": False, "bargap": 0.3,
        "uirevision": "waterfall", "yaxis": y_axis,
        "xaxis": {
            "range": [-0.7, len(changes) - 0.3], "fixedrange": True, "showgrid": False, "zeroline": False,
            "tickmode": "array", "tickvals": list(range(len(changes))), "ticks": "",
            "ticktext": [write_child(c.subject_id, c.arm, tokens) if has_names else "" for c in changes],
            "tickangle": 0 if is_flat else -90,
            "tickfont": font(FONT_TICK, tokens.ink),
        },
        "shapes": [
            _across(0.0, {"color": tokens.ink_2, "width": 1}),
            _across(HALF, line),
        ],
        "annotations": [
            note(
                escape_markup(catalog.text("waterfall.axis")), xref="paper", yref="paper", at=(0.0, 1.0),
                yanchor="bottom", xshift=-LEFT_PX + 4, font=font(FONT_TICK, tokens.muted),
            )
        ],
    }  # fmt: skip


def _across(at: float, line: Piece) -> Piece:
    return {
        "type": "line", "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": at, "y1": at, "line": line,
        "layer": "between",
    }  # fmt: skip
