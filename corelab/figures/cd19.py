"""CD19 at screening: the share of reference B cells that carry it, with its interval, count and control."""

import math
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from corelab.figures.catalog import Catalog
from corelab.figures.course import to_float
from corelab.figures.forest import ForestLine, ForestLook, ForestRow, forest_figure
from corelab.figures.numbers import format_count, format_interval, format_number
from corelab.figures.tokens import Scheme

COLOURS: Final[Mapping[str, str]] = {"positive": "b_cells", "negative": "fail", "not_evaluable": "warn"}
SYMBOLS: Final[Mapping[str, str]] = {
    "positive": "circle",
    "negative": "x-thin-open",
    "not_evaluable": "diamond",
}
LEFT_PX: Final = 66.0
RIGHT_PX: Final = 128.0


def cd19_figure(
    cd19_status: pd.DataFrame,
    *,
    cutoff: float,
    criterion: str,
    size: tuple[int, int],
    scheme: Scheme,
    catalog: Catalog,
) -> dict[str, Any]:
    """Return one line a child with the exact interval, and the cut-off of the call.

    Parameters
    ----------
    cd19_status
        Rows of the children to show, in their order.
    cutoff
        Percent above which the interval of a positive child lies.
    criterion
        Id of the criterion that rests on the call: a click sends it with the child.
    size
        Outer width and height in px.
    """
    rows = [
        ForestRow(label=str(row["subject_id"]), lines=(_build_line(row, criterion, catalog),))
        for row in cd19_status.to_dict(orient="records")
    ]
    look = ForestLook(
        width=size[0], height=size[1], left_px=LEFT_PX, right_px=RIGHT_PX, scheme=scheme, threshold=cutoff,
        heads=(catalog.text("cd19.percent"), catalog.text("cd19.counted")),
    )  # fmt: skip
    return forest_figure(rows, look, empty=catalog.text("cd19.empty"))


def _build_line(row: Mapping[str, Any], criterion: str, catalog: Catalog) -> ForestLine:
    call, source = str(row["call"]), str(row["threshold_source"])
    cells = to_float(row["n_b_reference"])
    counted = catalog.text("cd19.no_cells") if math.isnan(cells) else format_count(cells)
    where = catalog.text(f"cd19.source.{source}") if source else catalog.text("cd19.source.none")
    return ForestLine(
        share=to_float(row["percent_cd19"]), low=to_float(row["ci_low"]), high=to_float(row["ci_high"]),
        colour=COLOURS[call], symbol=SYMBOLS[call], is_hollow=call == "not_evaluable",
        text=catalog.text("cd19.row", cells=counted, source=where),
        choice=(criterion, str(row["subject_id"]), describe_call(row, catalog)),
    )  # fmt: skip


def describe_call(row: Mapping[str, Any], catalog: Catalog) -> str:
    """Say a child's call with its percentage, interval and count."""
    percent = to_float(row["percent_cd19"])
    call = catalog.text(f"cd19.call.{row['call']}")
    if math.isnan(percent):
        return catalog.text("cd19.said_open", subject=row["subject_id"], call=call)
    interval = format_interval(to_float(row["ci_low"]), to_float(row["ci_high"]), estimate=percent)
    cells = to_float(row["n_b_reference"])
    return catalog.text(
        "cd19.said", subject=row["subject_id"], call=call, percent=format_number(percent), interval=interval,
        cells=format_count(cells),
    )  # fmt: skip
