"""Shares of cells over time: every value is inside its panel, and an interval that runs on says so."""

from typing import Any

import pytest

from corelab.figures.catalog import figure_catalog
from corelab.figures.share_courses import SharePanel, SharePoint, find_top, share_courses_figure


def make_point(day: float, value: float, high: float) -> SharePoint:
    return SharePoint(
        subject_id="LN-001", arm="low", day=day, visit_label=f"D{day:.0f}", value=value, low=0.5 * value,
        high=high, status="quantified", choice=("LN-001", f"D{day:.0f}"),
    )  # fmt: skip


def draw(panel: SharePanel, highlight: str) -> list[dict[str, Any]]:
    figure = share_courses_figure(
        [panel], highlight=highlight, size=(900, 300), scheme="light", catalog=figure_catalog()
    )
    return [trace for trace in figure["data"] if trace["name"] == "cut"]


@pytest.mark.parametrize("highlight", ["", "LN-001"])
def test_share_courses__an_interval_above_the_axis_ends_in_a_tip(highlight: str) -> None:
    points = (make_point(7, 4.0, 5.0), make_point(14, 7.0, 22.0), make_point(28, 2.0, 8.0))
    panel = SharePanel(title="naive", detail="of CAR-T cells", unit="%", points=points)
    assert find_top(panel) == 8.0
    (tips,) = draw(panel, highlight)
    assert tips["y"] == [8.0]
    within = SharePanel(title="naive", detail="", unit="%", points=(points[0], points[2]))
    assert draw(SharePanel(title="", detail="", unit="%", points=(make_point(7, 4.0, 4.9),)), highlight) == []
    assert [tip["y"] for tip in draw(within, highlight)] == [[5.0]]
