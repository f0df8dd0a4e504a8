"""How many of how many, by dose group, from the table of summaries: safety and response in one shape."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from corelab.figures.catalog import Catalog
from corelab.figures.course import to_float
from corelab.figures.forest import ForestLine, ForestLook, ForestRow, forest_figure
from corelab.figures.numbers import format_fraction, format_interval, format_number
from corelab.figures.tokens import ARM_GLYPHS, Scheme

SAFETY: Final = (
    "AE_ANY", "AE_ANY_RELATED", "AE_G3", "AE_G3_RELATED", "SAE_RELATED", "AESI", "CRS", "ICANS",
)  # fmt: skip
GROUPS: Final = ("low", "high", "all")
COLOURS: Final[Mapping[str, str]] = {"low": "low", "high": "high", "all": "ink"}
SYMBOLS: Final[Mapping[str, str]] = {"low": "circle", "high": "square", "all": "diamond"}
GLYPHS: Final[Mapping[str, str]] = {**ARM_GLYPHS, "all": "◆"}
LEFT_PX: Final = 198.0
RIGHT_PX: Final = 136.0

Summaries = Mapping[tuple[str, str, str, str], Mapping[str, Any]]


def index_summary(summary: pd.DataFrame) -> dict[tuple[str, str, str, str], dict[str, Any]]:
    """Return the rows of ``summary`` by endpoint, visit, method and group."""
    return {
        (str(row["endpoint"]), str(row["visit"]), str(row["method"]), str(row["arm"])): row
        for row in summary.to_dict(orient="records")
    }


def incidence_figure(
    summary: pd.DataFrame, *, size: tuple[int, int], scheme: Scheme, catalog: Catalog
) -> dict[str, Any]:
    """Return the share of infused children with an event, by dose group and over all.

    Parameters
    ----------
    summary
        Table of that name.
    size
        Outer width and height in px.
    """
    found = index_summary(summary)
    rows = [
        ForestRow(label=catalog.text(f"incidence.{endpoint}"), lines=lines)
        for endpoint in SAFETY
        if (lines := _list_lines(found, (endpoint, "", "observed"), catalog, is_hollow=False))
    ]
    look = ForestLook(
        width=size[0], height=size[1], left_px=LEFT_PX, right_px=RIGHT_PX, scheme=scheme,
        heads=(catalog.text("incidence.percent"), catalog.text("incidence.counted")),
    )  # fmt: skip
    return forest_figure(rows, look, empty=catalog.text("incidence.empty"))


def response_share_figure(
    summary: pd.DataFrame,
    *,
    endpoint: str,
    definition: str,
    visits: Sequence[str],
    size: tuple[int, int],
    look: tuple[Scheme, Catalog],
) -> dict[str, Any]:
    """Return the share of responders at each visit: imputed for everyone due, beside those observed only.

    Parameters
    ----------
    definition
        Suffix of the method for a definition that is not the primary one, else empty.
    visits
        In the order of time.
    """
    scheme, catalog = look
    found = index_summary(summary)
    suffix = f":{definition}" if definition else ""
    rows = []
    for visit in visits:
        lines = (
            *_list_lines(found, (endpoint, visit, f"nri{suffix}"), catalog, is_hollow=False),
            *_list_lines(found, (endpoint, visit, f"evaluable_only{suffix}"), catalog, is_hollow=True),
        )
        if lines:
            rows.append(ForestRow(label=visit, lines=lines))
    shape = ForestLook(
        width=size[0], height=size[1], left_px=118.0, right_px=RIGHT_PX, scheme=scheme,
        heads=(catalog.text("incidence.responders"), catalog.text("incidence.counted")),
    )  # fmt: skip
    return forest_figure(rows, shape, empty=catalog.text("incidence.no_visit"))


def _list_lines(
    found: Summaries, place: tuple[str, str, str], catalog: Catalog, *, is_hollow: bool
) -> tuple[ForestLine, ...]:
    return tuple(
        _build_line(row, arm, catalog, is_hollow=is_hollow)
        for arm in GROUPS
        if (row := found.get((*place, arm))) is not None
    )


def _build_line(row: Mapping[str, Any], arm: str, catalog: Catalog, *, is_hollow: bool) -> ForestLine:
    share, low, high = (to_float(row[name]) for name in ("estimate", "ci_low", "ci_high"))
    has_any = to_float(row["n_total"]) > 0
    text = write_share(row) if has_any else catalog.text("incidence.nobody")
    group = catalog.text(f"group.{arm}")
    words = (str(row["endpoint"]), str(row["visit"]), str(row["method"]), arm)
    return ForestLine(
        share=share, low=low, high=high, colour=COLOURS[arm], symbol=SYMBOLS[arm], is_hollow=is_hollow,
        text=text, name=f"{GLYPHS[arm]} {group}",
        choice=("share", *words, f"{name_endpoint(words[0], catalog)} {words[1]} · {group} · {text}"),
    )  # fmt: skip


def name_endpoint(endpoint: str, catalog: Catalog) -> str:
    """Return an endpoint in words where the catalog knows it."""
    key = f"incidence.{endpoint}"
    return catalog.text(key) if catalog.has(key) else endpoint


def write_share(row: Mapping[str, Any]) -> str:
    """Write count, percent and interval of a share."""
    share = to_float(row["estimate"])
    counted = format_fraction(to_float(row["n"]), to_float(row["n_total"]))
    interval = format_interval(to_float(row["ci_low"]), to_float(row["ci_high"]), estimate=max(share, 10.0))
    return f"{counted} · {format_number(share)} ({interval})"
