"""What a drawer shows of a chosen mark: a title, what counts most, and facts."""

from collections.abc import Sequence
from typing import Any

from dash import html

Fact = tuple[str, Any]


def build_evidence(  # noqa: PLR0913 - the parts of a drawer, all by keyword
    *,
    close: Any,
    title: str,
    lead: Any,
    chips: Sequence[Any] = (),
    lines: Sequence[str] = (),
    facts: Sequence[Fact] = (),
    foot: Sequence[Any] = (),
) -> list[Any]:
    """Build the inside of a drawer; facts without a value are left out."""
    rows = [html.Tr([html.Th(head, scope="row"), html.Td(fact)]) for head, fact in facts if fact]
    return [
        html.Header([html.H2(title), close]),
        html.P(lead, className="lead", id="drawer-lead"),
        *[html.P(line, className="interval") for line in lines],
        html.Div(list(chips), className="chips"),
        html.Table(html.Tbody(rows), className="plain"),
        *foot,
    ]
