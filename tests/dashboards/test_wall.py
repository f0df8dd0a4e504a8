"""A chart on a wall screen is the same drawing, larger."""

import plotly.graph_objects as go

from dashboards.components.wall import enlarge_figure

FIGURE = {
    "data": [
        {
            "type": "scatter",
            "x": [1, 2],
            "y": [3, 4],
            "marker": {"size": [7, 8], "line": {"width": 1}},
            "line": {"width": 2, "dash": "4px,3px"},
            "textfont": {"size": 10},
        },
        {"type": "bar", "x": [1], "y": [2], "width": 0.5},
    ],
    "layout": {
        "width": 1200,
        "height": 800,
        "margin": {"l": 100, "r": 20, "t": 0, "b": 0},
        "xaxis": {"range": [0, 30], "ticklen": 5, "tickfont": {"size": 10}, "domain": [0, 1]},
        "shapes": [
            {"type": "rect", "xsizemode": "pixel", "xanchor": 30, "x0": -3.5, "x1": 3.5, "y0": 0, "y1": 1},
            {"type": "line", "x0": 5, "x1": 5, "y0": 0, "y1": 1, "line": {"width": 1, "dash": "dot"}},
        ],
        "annotations": [{"text": "a", "x": 1.0, "y": 0.5, "xshift": 8, "font": {"size": 11}}],
    },
}


def test_enlarge_figure__multiplies_lengths_and_leaves_positions():
    grown = enlarge_figure(FIGURE, 1.2)

    line, bar = grown["data"]
    assert (line["x"], line["y"]) == ([1, 2], [3, 4])
    assert line["marker"] == {"size": [8.4, 9.6], "line": {"width": 1.2}}
    assert line["line"] == {"width": 2.4, "dash": "4.8px,3.6px"}
    assert bar["width"] == 0.5
    layout = grown["layout"]
    assert (layout["width"], layout["height"], layout["margin"]["l"]) == (1440, 960, 120)
    assert layout["xaxis"] == {"range": [0, 30], "ticklen": 6, "tickfont": {"size": 12}, "domain": [0, 1]}
    assert (layout["shapes"][0]["x0"], layout["shapes"][0]["y1"]) == (-4.2, 1)
    assert layout["shapes"][1] == {**FIGURE["layout"]["shapes"][1], "line": {"width": 1.2, "dash": "dot"}}
    assert layout["annotations"][0]["x"] == 1.0
    assert layout["annotations"][0]["xshift"] == 9.6
    go.Figure(grown)


def test_enlarge_figure__leaves_a_desk_screen_as_it_is():
    assert enlarge_figure(FIGURE, 1.0) is FIGURE
