"""A page's state in the address: every view has a URL that shows it again.

The browser writes the values of a page's controls into the query without loading anything
(`assets/40-pick.js`); the page reads them when it is opened.
"""

from collections.abc import Mapping
from typing import Any, Final

from dash import ClientsideFunction, Input, Output, State, dcc

SEPARATOR: Final = "~"
"""Between the words of a choice."""


def build_address(page: str, names: list[str]) -> list[Any]:
    """Build the stores behind `keep_in_address`: the names of the page's parameters."""
    return [dcc.Store(id=f"{page}-names", data=names), dcc.Store(id=f"{page}-address")]


def keep_in_address(app: Any, page: str, controls: Mapping[str, str]) -> None:
    """Write controls into the address whenever one changes.

    Parameters
    ----------
    controls
        Ids of the components with their property, in the order of the page's names.
    """
    app.clientside_callback(
        ClientsideFunction("corelab", "keepAddress"),
        Output(f"{page}-address", "data"),
        *(Input(name, prop) for name, prop in controls.items()),
        State(f"{page}-names", "data"),
    )


def read_choice(query: Mapping[str, str], name: str = "open") -> list[str] | None:
    """Return the words of a choice in the address, as a store holds them."""
    text = query.get(name, "")
    return [*text.split(SEPARATOR), ""] if text else None


def read_option(query: Mapping[str, str], name: str, options: tuple[str, ...]) -> str:
    """Return the option that the address names; the first for anything unknown."""
    sent = query.get(name, "")
    return sent if sent in options else options[0]
