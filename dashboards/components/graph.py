"""The one way in which a chart gets onto a page."""

from collections.abc import Mapping
from typing import Any, Final

from dash import dcc

CONFIG: Final[Mapping[str, object]] = {
    # plotly.js 4 offers by default to post each chart's data to a public server.
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "displaylogo": False,
    "displayModeBar": False,
    "doubleClick": "reset",  # codespell:ignore doubleclick
    "scrollZoom": False,
    "responsive": False,
}


def build_graph(name: str, figure: Mapping[str, Any] | None = None, *, class_name: str = "") -> Any:
    """Build a chart that shows a plain-dict figure and shares it with nobody."""
    return dcc.Graph(
        id=name,
        figure=dict(figure) if figure else empty_figure(),
        config=dict(CONFIG),
        className=f"graph {class_name}".strip(),
        responsive=False,
    )


def empty_figure() -> dict[str, Any]:
    """Return a figure without axes, shown until the browser has told its size."""
    return {
        "data": [],
        "layout": {
            "template": None,
            "width": 10,
            "height": 10,
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "xaxis": {"visible": False},
            "yaxis": {"visible": False},
        },
    }


def name_data(figure: dict[str, Any], table: str, **filters: str) -> dict[str, Any]:
    """Say in a figure which table it was drawn from and which rows, so that they can be saved.

    Parameters
    ----------
    figure
        A plain-dict figure.
    table
        A table of the snapshot, or ``overview``.
    filters
        Columns of it and their value; an empty one filters nothing.
    """
    kept = {name: value for name, value in filters.items() if value}
    return {**figure, "layout": {**figure["layout"], "meta": {"table": table, "filters": kept}}}
