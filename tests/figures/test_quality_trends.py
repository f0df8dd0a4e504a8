"""Quality over time: values of the tables, levels of the checks, limits of the study, and no tube twice."""

import math

import pandas as pd
import plotly.graph_objects as go
import pytest

from corelab.figures.catalog import figure_catalog
from corelab.figures.quality_data import build_trends
from corelab.figures.quality_trends import quality_trends_figure
from corelab.study import builtin_study
from corelab.vocabulary import Level

LIMITS = builtin_study().settings["flow_quality"]
CATALOG = figure_catalog()


def tube(
    number: int, *, day: int, panel: str = "cart", beads: float | None = 2000, live: float = 93.0,
    name: str = "full",
):  # fmt: skip
    """The rows of one tube: beads, events kept in time, singlets, what lives, and the key population."""
    counts = {"time_ok": (98.0, 39_000), "singlets": (91.0, 36_000), "live": (live, 33_000)}
    counts["t_cells" if panel == "cart" else "lymphocytes"] = (70.0, 20_000 + number)
    counts |= {} if beads is None else {"beads": (5.0, beads)}
    return [
        {
            "file_id": f"file{number}", "subject_id": "CL-001", "visit": f"D{day}", "panel": panel,
            "tube": name, "collected_at": f"2025-04-{day:02}T12:00:00+08:00", "population": population,
            "percent_of_parent": percent, "count": count,
        }
        for population, (percent, count) in counts.items()
    ]  # fmt: skip


def finding(file_id: str, check: str, level: str):
    return {"object": file_id, "check": check, "level": level}


QUALITY = pd.DataFrame(
    [finding("file3", "VIABILITY", "fail"), finding("file3", "VIABILITY", "warn"),
     finding("file4", "BEAD_QC", "fail"),
     finding("file1", "LIMITED_SENSITIVITY", "warn"), finding("file1", "REPLICATE_CV", "fail")]
)  # fmt: skip
BEADS = pd.DataFrame(
    [("file4", "FITC-A", 1.2), ("file4", "PE-A", -4.5), ("file3", "PE-A", float("nan"))],
    columns=["file_id", "detector", "z_median"],
)
POPULATIONS = pd.DataFrame(
    [
        *tube(3, day=9, live=41.0),
        *tube(1, day=7),
        *tube(2, day=8, panel="bcell", beads=None),
        *tube(4, day=8, name="bead_qc"),
    ]
)


def follow(ages=None):
    trends = build_trends(POPULATIONS, QUALITY, ages_h=ages or {}, limits=LIMITS, bead_qc=BEADS)
    return {trend.key: trend for trend in trends}


def test_build_trends__takes_values_from_the_tables_and_levels_from_the_checks():
    trends = follow({"file1": 19.5, "file9": 1.0})

    assert {key: len(trend.points) for key, trend in trends.items()} == {
        "viability": 3, "drift": 4, "singlets": 3, "events": 3, "beads": 2, "age": 1,
        "instrument": 1,
    }  # fmt: skip
    assert [(one.file_id, one.value, one.level) for one in trends["viability"].points] == [
        ("file1", 93.0, Level.PASS), ("file2", 93.0, Level.PASS), ("file3", 41.0, Level.FAIL),
    ]  # fmt: skip
    assert [one.value for one in trends["drift"].points] == pytest.approx([2.0] * 4)
    assert [(one.value, one.level) for one in trends["events"].points] == [
        (20_001, Level.WARN), (20_002, Level.PASS), (20_003, Level.PASS),
    ]  # fmt: skip
    first = trends["age"].points[0]
    assert (first.value, first.day) == (19.5, 20_185.5)
    assert trends["viability"].limits == ()
    assert {limit.value for limit in trends["beads"].limits} == set(LIMITS["beads"])
    assert [(one.file_id, one.value, one.level) for one in trends["instrument"].points] == [
        ("file4", -4.5, Level.FAIL)
    ]
    none = {"limits": LIMITS, "bead_qc": BEADS.iloc[:0]}
    assert build_trends(POPULATIONS.iloc[:0], QUALITY, ages_h={}, **none) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1400, 700), (500, 400)])
def test_quality_trends_figure__marks_each_tube_once_in_each_panel(scheme, size):
    trends = list(follow({"file1": 19.5}).values())
    figure = quality_trends_figure(trends, size=size, scheme=scheme, catalog=CATALOG)

    go.Figure(figure)
    marks = [trace for trace in figure["data"] if trace["mode"] == "markers"]
    assert [len(trace["x"]) for trace in marks] == [len(trend.points) for trend in trends]
    assert marks[0]["customdata"][-1][:3] == ["tube", "file3", "viability"]
    assert marks[0]["customdata"][-1][3].endswith("Viability 41.0 % of singlets · failed")
    assert marks[0]["marker"]["symbol"] == ["circle", "circle", "x-thin-open"]
    events = marks[3]
    assert events["y"] == pytest.approx([math.log10(n) for n in (20_002, 20_003, 20_001)])
    assert "3 tubes · 1 △ · 0 ×" in figure["layout"]["annotations"][3]["text"]
    axes = [name for name in figure["layout"] if name.startswith("yaxis")]
    assert len(axes) == 7
    assert all(figure["layout"][name]["tickvals"] for name in axes)


def test_quality_trends_figure__says_that_there_is_no_tube():
    figure = quality_trends_figure([], size=(900, 400), scheme="light", catalog=CATALOG)
    assert "No tube" in figure["layout"]["annotations"][0]["text"]
