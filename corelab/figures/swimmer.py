"""Every infused child's road on the infusion clock: followed how long, aplasia, release, response, loss."""

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from corelab.figures.catalog import Catalog
from corelab.figures.clock import (
    MONTH_SEAM,
    ClockSpan,
    VisitTick,
    clock_position,
    compute_span,
    select_labels,
)
from corelab.figures.cohort_data import nominal_day
from corelab.figures.course import SECONDS_PER_DAY, to_float
from corelab.figures.forest import draw_words
from corelab.figures.panel import SEAM_PX, Piece, box, font, note
from corelab.figures.response_matrix import read_states, state_look, write_child
from corelab.figures.safety import list_infused, read_grade
from corelab.figures.text_width import measure_text
from corelab.figures.tokens import FONT_LABEL, FONT_TICK, SCHEMES, Scheme, Tokens, ink_on, with_alpha
from corelab.vocabulary import VISITS

LEFT_PX: Final = 76.0
RIGHT_PX: Final = 14.0
HEAD_PX: Final = 44.0
FOOT_PX: Final = 4.0
ROW_LEAST_PX: Final = 14.0
ROW_MOST_PX: Final = 44.0
RELEASE: Final = ("cytokine release syndrome", "crs")
KEY: Final = ("followed", "aplasia", "release", "response", "no_response")


@dataclass(frozen=True, slots=True, kw_only=True)
class Road:
    """One child in days from infusion, NaN where there is none.

    ``aplasia`` is its first day, the last day it was seen and the day by which it was over; NaN while it
    goes on.
    """

    subject_id: str
    arm: str
    followed: float
    aplasia: tuple[float, float, float]
    release: tuple[float, float]
    release_grade: int
    release_term: str
    responses: tuple[tuple[float, str, str], ...]


def build_roads(tables: Mapping[str, pd.DataFrame], definition: str) -> list[Road]:
    """Return the roads of all infused children, the longest followed first within a dose group.

    Reads ``subjects``, ``persistence``, ``b_cell_recovery``, ``adverse_events`` and ``responses``.
    """
    infusions = {
        str(row["subject_id"]): str(row["infusion_at"])
        for row in tables["subjects"].to_dict(orient="records")
    }
    last = {
        subject: max((_count_days(at, infusions[subject]) for at in group["collected_at"] if at), default=0.0)
        for subject, group in tables["persistence"].groupby("subject_id")
        if infusions.get(subject)
    }
    recovery = {str(r["subject_id"]): r for r in tables["b_cell_recovery"].to_dict(orient="records")}
    events = tables["adverse_events"]
    release = {
        str(row["subject_id"]): row
        for row in events[events["term"].str.lower().isin(RELEASE)].to_dict(orient="records")
    }
    states = read_states(tables["responses"], definition)
    roads = [
        _build_road(child, arm, last.get(child, 0.0), (recovery.get(child), release.get(child)), states)
        for child, arm in list_infused(tables["subjects"])
    ]
    return sorted(roads, key=lambda road: (road.arm != "low", -road.followed, road.subject_id))


def _count_days(collected_at: str, infusion_at: str) -> float:
    elapsed = dt.datetime.fromisoformat(collected_at) - dt.datetime.fromisoformat(infusion_at)
    return elapsed.total_seconds() / SECONDS_PER_DAY


def _build_road(
    child: str,
    arm: str,
    last: float,
    found: tuple[Mapping[str, Any] | None, Mapping[str, Any] | None],
    states: Mapping[tuple[str, str, str], Mapping[str, Any]],
) -> Road:
    recovery, release = found
    seen = [
        (to_float(row["study_day"]), visit, str(row["state"]))
        for (subject, visit, endpoint), row in states.items()
        if subject == child and endpoint == "ORR" and math.isfinite(to_float(row["study_day"]))
    ]
    ends = ("aplasia_day", "recovery_10_low", "recovery_10_high")
    start, seen_to, over = (math.nan if recovery is None else to_float(recovery[end]) for end in ends)
    onset = math.nan if release is None else to_float(release["onset_day"])
    lasted = math.nan if release is None else to_float(release["duration_days"])
    return Road(
        subject_id=child, arm=arm, followed=max([last, *(day for day, _, _ in seen)]),
        aplasia=(start, seen_to, over), release=(onset, onset + lasted),
        release_grade=0 if release is None else read_grade(release["worst_grade"]),
        release_term="" if release is None else str(release["term"]),
        responses=tuple(sorted(seen)),
    )  # fmt: skip


def swimmer_figure(
    tables: Mapping[str, pd.DataFrame],
    *,
    definition: str,
    size: tuple[int, int],
    look: tuple[Scheme, Catalog],
) -> dict[str, Any]:
    """Return the swimmer plot; a click on a child's bar or response sends what it is.

    Notes
    -----
    Responses have ``customdata`` ``[response, subject_id, visit, ORR, definition, sentence]``, bars of
    release ``[event, subject_id, term, sentence]``.
    """
    scheme, catalog = look
    tokens = SCHEMES[scheme]
    roads = build_roads(tables, definition)
    if not roads:
        return draw_words(catalog.text("response.empty"), width=size[0], height=120, tokens=tokens)
    row_px = min(max((size[1] - HEAD_PX - FOOT_PX) / len(roads), ROW_LEAST_PX), ROW_MOST_PX)
    height = math.ceil(HEAD_PX + FOOT_PX + row_px * len(roads))
    right = max(28.0, *(road.followed for road in roads))
    span = compute_span([], right_day=right, width_px=size[0] - LEFT_PX - RIGHT_PX)
    span = ClockSpan(left=-span.units(14), right=span.right, width_px=span.width_px)
    return {
        "data": [
            _draw_followed(roads, span, tokens),
            *_draw_aplasia(roads, span, tokens),
            _draw_release(roads, span, tokens, catalog),
            *(_draw_responses(state, roads, definition, tokens, catalog) for state in _SHOWN),
        ],
        "layout": _layout(roads, span, (size[0], height), tokens, catalog),
    }


_SHOWN: Final = ("responder", "non_responder", "not_evaluable")


def _bar(roads: list[Road], tokens: Tokens, name: str, ends: list[tuple[float, float]]) -> Piece:
    left = [clock_position(start) for start, _ in ends]
    return {
        "type": "bar", "orientation": "h", "xaxis": "x", "yaxis": "y", "y": list(range(len(roads))),
        "base": left, "x": [clock_position(end) - at for (_, end), at in zip(ends, left, strict=True)],
        "name": name, "showlegend": False, "hoverinfo": "skip", "width": 0.5,
        "marker": {"color": tokens.drug, "line": {"width": 0}},
    }  # fmt: skip


def _draw_followed(roads: list[Road], _span: ClockSpan, tokens: Tokens) -> Piece:
    bars = _bar(roads, tokens, "followed", [(0.0, road.followed) for road in roads])
    colours = [with_alpha(tokens.low if road.arm == "low" else tokens.high, 0.28) for road in roads]
    return {**bars, "marker": {"color": colours, "line": {"width": 0}}}


def _draw_aplasia(roads: list[Road], span: ClockSpan, tokens: Tokens) -> list[Piece]:
    """Draw the days without B cells: solid while seen, pale until they were back, an arrow if not yet."""
    known = [(place, road) for place, road in enumerate(roads) if math.isfinite(road.aplasia[0])]
    sure = [(road.aplasia[0], max(_last_seen(road), road.aplasia[0])) for _, road in known]
    back = [(place, road) for place, road in known if math.isfinite(road.aplasia[2])]
    common = {"width": 0.16}
    solid = _bar([road for _, road in known], tokens, "aplasia", sure)
    pale = _bar(
        [road for _, road in back], tokens, "aplasia unsure", [(_last_seen(r), r.aplasia[2]) for _, r in back]
    )
    going = [(place, road) for place, road in known if not math.isfinite(road.aplasia[2])]
    arrows = {
        "type": "scatter", "mode": "markers", "xaxis": "x", "yaxis": "y", "showlegend": False,
        "x": [clock_position(_last_seen(road)) + span.units(6) for _, road in going],
        "y": [place + 0.36 for place, _ in going], "hoverinfo": "skip", "name": "aplasia goes on",
        "marker": {"symbol": "triangle-right", "size": 8, "color": tokens.b_cells, "opacity": 1},
        "cliponaxis": False,
    }  # fmt: skip
    return [
        {
            **solid, **common, "y": [place + 0.36 for place, _ in known],
            "marker": {"color": tokens.b_cells, "line": {"width": 0}},
        },
        {
            **pale, **common, "y": [place + 0.36 for place, _ in back],
            "marker": {"color": with_alpha(tokens.b_cells, 0.35), "line": {"width": 0}},
        },
        arrows,
    ]  # fmt: skip


def _last_seen(road: Road) -> float:
    return road.aplasia[1] if math.isfinite(road.aplasia[1]) else road.followed


def _draw_release(roads: list[Road], span: ClockSpan, tokens: Tokens, catalog: Catalog) -> Piece:
    known = [(p, r) for p, r in enumerate(roads) if math.isfinite(r.release[0]) and r.release_grade > 0]
    ends = [
        (road.release[0], road.release[1] if math.isfinite(road.release[1]) else road.followed)
        for _, road in known
    ]
    bars = _bar([road for _, road in known], tokens, "release", ends)
    fills = [tokens.grades[road.release_grade - 1] for _, road in known]
    least = span.units(16)
    return {
        **bars, "y": [place for place, _ in known], "x": [max(width, least) for width in bars["x"]],
        "marker": {"color": fills, "line": {"color": tokens.ink_2, "width": 0.75}},
        "text": [f"G{road.release_grade}" for _, road in known], "textposition": "inside", "textangle": 0,
        "constraintext": "none", "insidetextanchor": "middle", "hoverinfo": "none",
        "textfont": {**font(FONT_TICK - 1, tokens.ink), "color": [ink_on(fill) for fill in fills]},
        "customdata": [
            [
                "event", road.subject_id, road.release_term,
                catalog.text("swimmer.release", subject=road.subject_id, grade=road.release_grade),
            ]
            for _, road in known
        ],
    }  # fmt: skip


def _draw_responses(
    state: str, roads: list[Road], definition: str, tokens: Tokens, catalog: Catalog
) -> Piece:
    found = [
        (place, road, day, visit)
        for place, road in enumerate(roads)
        for day, visit, told in road.responses
        if told == state
    ]
    told = catalog.text(f"response.state.{state}")
    return {
        "type": "scatter", "mode": "markers", "xaxis": "x", "yaxis": "y", "showlegend": False, "name": state,
        "x": [clock_position(day) for _, _, day, _ in found], "y": [place for place, _, _, _ in found],
        "marker": state_look(state, tokens), "hoverinfo": "none", "cliponaxis": False,
        "customdata": [
            [
                "response", road.subject_id, visit, "ORR", definition,
                f"{road.subject_id} · {visit} · ORR · {told}",
            ]
            for _, road, _, visit in found
        ],
    }  # fmt: skip


def _layout(
    roads: list[Road], span: ClockSpan, size: tuple[int, int], tokens: Tokens, catalog: Catalog
) -> Piece:
    days = [(nominal_day(visit), visit) for visit in VISITS]
    ticks = [VisitTick(label=v, day=d, is_due=True) for d, v in sorted(days) if math.isfinite(d)]
    ticks = [tick for tick in ticks if clock_position(tick.day) <= span.right]
    shown = select_labels(ticks, span)
    rows = len(roads)
    ground = [box("y domain", (0, 1), (0, 1), xref="x domain", fillcolor=tokens.zone, layer="below")]
    if span.right > MONTH_SEAM:
        half = SEAM_PX / 2
        ground.append(
            box(
                "y", (-half, half), (rows - 0.5, -0.5), xsizemode="pixel", xanchor=MONTH_SEAM,
                fillcolor=tokens.body, layer="below",
            )
        )  # fmt: skip
    ground.append(box("y", (0, 0), (rows - 0.5, -0.5), type="line", line={"color": tokens.ink, "width": 1.5}))
    return {
        "template": None, "width": size[0], "height": size[1], "autosize": False,
        "margin": {"l": LEFT_PX, "r": RIGHT_PX, "t": HEAD_PX, "b": FOOT_PX, "pad": 0},
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)", "showlegend": False,
        "font": font(FONT_LABEL, tokens.ink_2), "hovermode": "closest", "hoverdistance": 14,
        "dragmode": False, "barmode": "overlay", "uirevision": "swimmer",
        "xaxis": {
            "range": [span.left, span.right], "side": "top", "showgrid": True, "gridcolor": tokens.grid,
            "zeroline": False, "fixedrange": True, "ticks": "", "tickangle": 0, "tickmode": "array",
            "tickvals": [clock_position(tick.day) for tick in ticks],
            "ticktext": [tick.label if tick.label in shown else "" for tick in ticks],
            "tickfont": font(FONT_TICK, tokens.ink_2),
        },
        "yaxis": {
            "range": [rows - 0.5, -0.5], "fixedrange": True, "tickmode": "array", "zeroline": False,
            "tickvals": list(range(rows)), "ticks": "", "showgrid": False,
            "ticktext": [write_child(road.subject_id, road.arm, tokens) for road in roads],
            "tickfont": font(FONT_LABEL, tokens.ink),
        },
        "shapes": ground, "annotations": _draw_key(tokens, catalog),
    }  # fmt: skip


def _draw_key(tokens: Tokens, catalog: Catalog) -> list[Piece]:
    """Name bars and marks in one line above the clock."""
    colours = {
        "followed": with_alpha(tokens.low, 0.6), "aplasia": tokens.b_cells, "release": tokens.grades[2],
        "response": tokens.ok, "no_response": tokens.ink_2,
    }  # fmt: skip
    left = 4.0 - LEFT_PX
    notes = []
    for name in KEY:
        word, glyph = catalog.text(f"swimmer.key.{name}"), catalog.text(f"swimmer.glyph.{name}")
        notes.append(
            note(
                f'<span style="color:{colours[name]}">{glyph}</span> {word}', xref="paper", yref="paper",
                at=(0.0, 1.0), xshift=left, yshift=HEAD_PX - 2, font=font(FONT_LABEL, tokens.ink_2),
            )
        )  # fmt: skip
        left += measure_text(f"{glyph} {word}", FONT_LABEL) + 18
    return notes
