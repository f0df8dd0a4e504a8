"""A chart whose marks can be chosen, by a click or by arrow keys and Enter.

What is pointed at is written in a fixed line above it. The browser's part is `assets/40-pick.js`. A mark's
``customdata`` are the words that are sent, the last one the sentence that is said.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from dash import html

from dashboards.components.graph import build_graph
from dashboards.site import Site

LONGEST_WORD: Final = 200


def build_pick(
    site: Site,
    name: str,
    *,
    label: str,
    store: str,
    chosen: Sequence[str] | None = None,
    is_told: bool = True,
) -> Any:
    """Build a chart that writes the words of a chosen mark into a store.

    Parameters
    ----------
    name
        Id of the chart; its frame is ``<name>-pick``.
    label
        What the chart shows, for people who do not see it.
    store
        Id of the store that takes the words.
    chosen
        Words that are chosen from the start.
    is_told
        Whether the line above the chart says how to use it while nothing is pointed at.
    """
    hint = site.text("pick.hint") if is_told else ""
    picked = {"data-picked": json.dumps(list(chosen))} if chosen else {}
    return html.Div(
        [
            html.P(hint, className="said", id=f"{name}-said", **{"aria-live": "polite"}),
            html.Div(
                [build_graph(name), html.Div(className="ring", id=f"{name}-ring")],
                className="pick-chart",
            ),
        ],
        className="pick",
        id=f"{name}-pick",
        tabIndex="0",
        role="group",
        **{"aria-label": label, "data-store": store, "data-hint": hint, **picked},
    )


def build_close(site: Site, store: str, *, prop: str = "data") -> Any:
    """Build the button that empties a store, and so closes what it opened; Escape presses it."""
    return html.Button(
        site.text("drawer.close_glyph"),
        id="drawer-close",
        className="icon",
        **{
            "aria-label": site.text("drawer.close"),
            "data-pick": "[]",
            "data-store": store,
            "data-prop": prop,
        },
    )


def build_pick_button(label: str, words: Sequence[str], store: str) -> Any:
    """Build a button that chooses what a mark of a chart would choose."""
    return html.Button(
        label, className="link", **{"data-pick": json.dumps([*words, ""]), "data-store": store}
    )


def read_words(sent: object, count: int) -> tuple[str, ...] | None:
    """Read the words of a choice, or None for anything else than ``count`` short words at least."""
    if not isinstance(sent, Sequence) or isinstance(sent, str) or len(sent) < count:
        return None
    words = tuple(sent[:count])
    return words if all(isinstance(word, str) and len(word) <= LONGEST_WORD for word in words) else None
