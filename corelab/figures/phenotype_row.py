"""The row of memory subsets: one stacked bar a draw, hatched or in words where few cells were seen."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from corelab.figures.clock import clock_position
from corelab.figures.course import SubsetBar
from corelab.figures.numbers import DASH, escape_markup
from corelab.figures.panel import Drawing, Frame, Piece, Slot, linear_axis
from corelab.figures.text_width import measure_text
from corelab.figures.tokens import FONT_TICK, Tokens

BAR_PX: Final = 25.0
WORDS_BELOW: Final = 50
HATCHED_BELOW: Final = 200
SUBSETS: Final = ("naive", "naive_or_scm", "scm", "cm", "em", "temra")


def subset_colours(tokens: Tokens) -> Mapping[str, str]:
    """Return the colour of each memory subset; naive that may hold scm shares the colour of naive."""
    naive, scm, cm, em, temra = tokens.t_subsets
    return {"naive": naive, "naive_or_scm": naive, "scm": scm, "cm": cm, "em": em, "temra": temra}


def draw_phenotype_row(bars: Sequence[SubsetBar], slot: Slot, frame: Frame) -> Drawing:
    """Draw the subsets as bars at their time of collection."""
    full = [bar for bar in bars if bar.parent_count >= WORDS_BELOW and not bar.failed]
    widths = compute_bar_widths([clock_position(bar.day) for bar in full], frame)
    colours = subset_colours(frame.tokens)
    present = [name for name in SUBSETS if any(name in bar.percents for bar in full)]
    traces = [
        _draw_subset(name, full, widths, colour=colours[name], slot=slot, frame=frame) for name in present
    ]
    axis = linear_axis(-1.5, 103, ticks=[0, 50, 100], labels=["0", "50", "100"], tokens=frame.tokens)
    return Drawing(axis=axis, traces=[*traces, *_draw_words(bars, slot, frame)])


def compute_bar_widths(positions: Sequence[float], frame: Frame) -> list[float]:
    """Return each bar's width on the clock: ``BAR_PX``, less where neighbours are close."""
    widest = frame.span.units(BAR_PX)
    widths = []
    for index, position in enumerate(positions):
        others = [abs(position - other) for at, other in enumerate(positions) if at != index]
        widths.append(min([widest, *(0.88 * gap for gap in others)]))
    return widths


def _draw_subset(
    name: str, bars: Sequence[SubsetBar], widths: list[float], *, colour: str, slot: Slot, frame: Frame
) -> Piece:
    hatched = ["/" if bar.parent_count < HATCHED_BELOW else "" for bar in bars]
    return {
        "type": "bar", "xaxis": "x", "yaxis": slot.axis, "name": name, "showlegend": False,
        "x": [clock_position(bar.day) for bar in bars], "width": widths,
        "y": [_none_if_nan(bar.percents.get(name, math.nan)) for bar in bars],
        "marker": {
            "color": colour, "line": {"color": frame.tokens.body, "width": 1},
            "pattern": {
                "shape": hatched, "fillmode": "overlay", "size": 5, "solidity": 0.25,
                "fgcolor": frame.tokens.body,
            },
        },
        "customdata": [[frame.subject_id, slot.key, bar.visit_label, bar.collected_at] for bar in bars],
        "hoverinfo": "none", "meta": {"row": slot.key, "subset": name},
    }  # fmt: skip


def _draw_words(bars: Sequence[SubsetBar], slot: Slot, frame: Frame) -> list[Piece]:
    """Say in words where there were too few cells, or the tube failed, instead of a bar."""
    few = [bar for bar in bars if bar.failed or bar.parent_count < WORDS_BELOW]
    if not few:
        return []
    failed = frame.tokens.fail
    return [
        {
            "type": "scatter", "mode": "text", "xaxis": "x", "yaxis": slot.axis, "showlegend": False,
            "x": [clock_position(bar.day) for bar in few], "y": [50] * len(few),
            "text": _choose_words(few, bars, frame),
            "textfont": {
                "size": [13 if bar.failed else FONT_TICK - 1 for bar in few],
                "color": [failed if bar.failed else frame.tokens.muted for bar in few],
            },
            "customdata": [[frame.subject_id, slot.key, bar.visit_label, bar.collected_at] for bar in few],
            "hoverinfo": "none", "name": slot.key, "meta": {"row": slot.key},
        }
    ]  # fmt: skip


def _choose_words(few: Sequence[SubsetBar], bars: Sequence[SubsetBar], frame: Frame) -> list[str]:
    """Return a cross for a failed tube, else the words, or a dash where the words would touch others."""
    words = frame.catalog.text("patient.few_parents", n=WORDS_BELOW)
    half = measure_text(words, FONT_TICK - 1) / 2
    taken = [(_pixel(bar, frame), BAR_PX / 2) for bar in bars if bar not in few]
    texts = []
    for bar in few:
        fits = all(abs(_pixel(bar, frame) - at) >= half + other + 2 for at, other in taken)
        texts.append("×" if bar.failed else escape_markup(words) if fits else DASH)
        if fits:
            taken.append((_pixel(bar, frame), half))
    return texts


def _pixel(bar: SubsetBar, frame: Frame) -> float:
    return frame.span.pixel(clock_position(bar.day))


def _none_if_nan(value: float) -> float | None:
    return None if math.isnan(value) else value
