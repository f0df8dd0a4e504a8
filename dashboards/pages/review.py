"""What waits for a reviewer: results of visits, signed one by one or together."""

from typing import Any, Final

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html, no_update

from corelab.errors import ReviewError
from corelab.store.review import MEANINGS, ReviewState
from corelab.vocabulary import Role
from dashboards.access.roles import allow, may
from dashboards.components.empty import build_empty
from dashboards.components.grid import GRID_THEME, list_grid_words
from dashboards.components.stamp import build_stamp
from dashboards.reviews import read_targets, sign_targets
from dashboards.site import Site
from dashboards.views.review import count_waiting, list_rows

COLUMNS: Final[dict[str, dict[str, Any]]] = {
    "subject_id": {"cellRenderer": "ChildLink", "width": 100},
    "visit": {"cellRenderer": "TubesLink", "width": 80},
    "state": {"width": 160, "cellClassRules": {"warn": "params.data.kind == 'stale'"}},
    "changed": {"width": 220, "tooltipField": "changed", "cellClass": "warn"},
    "car_t": {"width": 140, "tooltipField": "car_t", "type": "rightAligned"},
    "b_cells": {"width": 150, "tooltipField": "b_cells", "type": "rightAligned"},
    "quality": {
        "width": 220, "tooltipField": "why",
        "cellClassRules": {
            "warn": "params.data.level == 'warn'", "fail": "params.data.level == 'fail'",
        },
    },
    "by_hand": {"width": 90},
    "by": {"width": 110},
    "at": {"width": 130},
    "reason": {"width": 160, "tooltipField": "reason"},
}  # fmt: skip
"""What is signed, how far it holds, and who has signed it; child and visit lead to the evidence."""


def layout(site: Site) -> Any:
    """Build the page from the current snapshot."""
    tables = site.cache.current()
    if tables is None:
        return build_empty(site, "review.empty")
    counts = count_waiting(site, tables)
    heading = html.Div(
        [
            html.H1(site.text("review.title")),
            html.Span(site.text("review.waiting", **counts), className="quiet", id="review-waiting"),
        ],
        className="strip",
    )
    parts = [heading, build_grid(site, list_rows(site, tables))]
    if may(Role.REVIEWER):
        parts.append(build_form(site, tables.snapshot.id))
    return [*parts, build_stamp(site, tables)]


def build_grid(site: Site, rows: list[dict[str, Any]]) -> Any:
    """Build the grid of visits; a reviewer selects in it what to sign."""
    selection = {"mode": "multiRow", "headerCheckbox": True} if may(Role.REVIEWER) else None
    options = {
        "theme": GRID_THEME, "rowHeight": 26, "headerHeight": 28, "ensureDomOrder": True,
        "localeText": list_grid_words(site),
        **({"rowSelection": selection} if selection else {}),
    }  # fmt: skip
    empty = {"changed"} if not any(row["changed"] for row in rows) else set()
    grid = dag.AgGrid(
        id="review-grid",
        columnDefs=[
            {"field": name, "headerName": site.text(f"review.column.{name}"), "hide": name in empty, **look}
            for name, look in COLUMNS.items()
        ],
        rowData=rows,
        getRowId="params.data.subject_id + ' ' + params.data.visit",
        defaultColDef={"sortable": True, "filter": True, "resizable": True, "minWidth": 90},
        columnSize="responsiveSizeToFit",
        dashGridOptions=options,
        style={"height": "calc(100vh - 320px)", "minHeight": "240px"},
    )
    return html.Div(grid, className="card preview")


def build_form(site: Site, snapshot_id: str) -> Any:
    """Build what a signature needs: its meaning, a reason where one is due, and the password."""
    choices = [dmc.Radio(site.text(f"review.meaning.{state}"), value=state.value) for state in MEANINGS]
    return html.Div(
        [
            dmc.RadioGroup(
                dmc.Stack(choices, gap="xs"),
                id="review-state",
                label=site.text("review.meaning_label"),
                value=ReviewState.REVIEWED.value,
                size="xs",
            ),
            dmc.TextInput(id="review-reason", label=site.text("review.reason"), size="xs", className="grow"),
            dmc.PasswordInput(
                id="review-password",
                label=site.text("review.password"),
                size="xs",
                visibilityToggleButtonProps={"aria-label": site.text("review.show")},
            ),
            html.Button(site.text("review.sign"), id="review-sign", className="button primary"),
            html.P(id="review-answer", role="status"),
            dcc.Store(id="review-snapshot", data=snapshot_id),
        ],
        className="card signing",
    )


def sign(site: Site, selected: Any, given: dict[str, Any]) -> tuple[Any, Any, str, str, Any]:
    """Sign what is selected; the rows, the counts, what came of it, an empty password field and selection."""
    try:
        signed = sign_targets(site, read_targets(selected or []), given)
    except ReviewError as error:
        return no_update, no_update, site.say(str(error)), "", no_update
    except (ValueError, KeyError, TypeError):
        return no_update, no_update, site.text("review.nothing"), "", no_update
    tables = site.cache.current()
    rows = list_rows(site, tables) if tables else no_update
    waiting = site.text("review.waiting", **count_waiting(site, tables)) if tables else no_update
    return rows, waiting, site.text("review.signed", count=len(signed)), "", []


def register(app: Any, site: Site) -> None:
    """Sign when the button is pressed."""

    def press(
        clicks: int | None, selected: Any, state: str, reason: str | None, password: str | None, seen: str
    ) -> tuple[Any, ...]:
        if not clicks:
            return (no_update,) * 5
        given = {"state": state, "reason": reason, "password": password or "", "snapshot": seen}
        return sign(site, selected, given)

    app.callback(
        Output("review-grid", "rowData"),
        Output("review-waiting", "children"),
        Output("review-answer", "children"),
        Output("review-password", "value"),
        Output("review-grid", "selectedRows"),
        Input("review-sign", "n_clicks"),
        State("review-grid", "selectedRows"),
        State("review-state", "value"),
        State("review-reason", "value"),
        State("review-password", "value"),
        State("review-snapshot", "data"),
        prevent_initial_call=True,
    )(allow(Role.REVIEWER)(press))
