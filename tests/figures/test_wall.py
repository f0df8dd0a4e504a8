import copy

import plotly.graph_objects as go
import pytest

from corelab.figures.catalog import figure_catalog
from corelab.figures.patient import build_course, patient_figure
from corelab.figures.wall import scale_figure
from corelab.study import builtin_study
from tests.figures.trial import AS_OF, child_tables, medications


@pytest.fixture(scope="module")
def figure():
    course = build_course(
        child_tables(), "CL-017", study=builtin_study(), as_of=AS_OF, medications=medications()
    )
    return patient_figure(
        course, width=1500, height=860, scheme="light", catalog=figure_catalog(), stamp="corelab"
    )


def test_scale_figure__every_pixel_grows_and_no_datum_moves(figure):
    before = copy.deepcopy(figure)
    large = scale_figure(figure, 1.2)
    go.Figure(large)
    assert figure == before
    assert (large["layout"]["width"], large["layout"]["margin"]["l"]) == (1800, pytest.approx(153.6))
    for small_trace, large_trace in zip(figure["data"], large["data"], strict=True):
        for key in ("x", "y", "customdata", "base", "text"):
            assert small_trace.get(key) == large_trace.get(key)
        if small_trace["type"] == "bar":
            assert small_trace["width"] == large_trace["width"]
    assert large["layout"]["xaxis"]["range"] == figure["layout"]["xaxis"]["range"]


def test_scale_figure__type_marks_lines_dashes_and_seams_grow(figure):
    large = scale_figure(figure, 2.0)
    marks = next(i for i, t in enumerate(figure["data"]) if t.get("name") == "car_abs")
    assert large["data"][marks]["marker"]["size"] == [2 * s for s in figure["data"][marks]["marker"]["size"]]
    assert large["layout"]["yaxis"]["tickfont"]["size"] == 20
    pairs = list(zip(figure["layout"]["shapes"], large["layout"]["shapes"], strict=True))
    seams = [(small, big) for small, big in pairs if small.get("xsizemode") == "pixel"]
    assert seams
    assert all((big["x0"], big["x1"]) == (2 * small["x0"], 2 * small["x1"]) for small, big in seams)
    dashed = [(s, b) for s, b in pairs if s["line"].get("dash") == "5px,3px"]
    assert dashed[0][1]["line"] == {**dashed[0][0]["line"], "dash": "10px,6px", "width": 2}
    plain = [(s, b) for s, b in pairs if s.get("xsizemode") != "pixel"]
    assert all((s["x0"], s["x1"]) == (b["x0"], b["x1"]) for s, b in plain)
