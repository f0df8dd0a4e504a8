"""Plates: their verdicts with reasons, their locks, the map of one, and its curve for one analyte."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html, no_update
from flask_login import current_user

from corelab.errors import ReviewError
from corelab.figures.course import to_float
from corelab.figures.numbers import format_fraction, format_number
from corelab.figures.plate_map import build_wells, plate_map_figure
from corelab.figures.standard_curve import standard_curve_figure
from corelab.figures.tokens import Scheme
from corelab.store.review import ReviewState, Signature, Standing
from corelab.vocabulary import Role
from dashboards.access.roles import EVERY_ROLE, allow, may
from dashboards.components.address import keep_in_address, read_choice
from dashboards.components.empty import build_empty
from dashboards.components.graph import build_graph, empty_figure, name_data
from dashboards.components.pick import build_pick
from dashboards.components.wall import enlarge_figure
from dashboards.site import Site, SnapshotTables, read_scheme_word
from dashboards.sizes import Viewport, read_viewport

PARAMETERS: Final = ("plate", "analyte")
SHAPE: Final = ""
STORE: Final = "cytokines-choice"
STATE_KINDS: Final = {"accepted": "ok", "locked": "ok", "rejected": "fail"}
STATE_GLYPHS: Final = {"accepted": "✓", "locked": "✓", "rejected": "×"}
AROUND_PX: Final = 40 + 44 + 18 + 2 * (22 + 22 + 18) + 12
ASIDE_PX: Final = 372
SIDES_PX: Final = 3 * 12 + 22
LEAST_PX: Final = 460
MAP_SHARE: Final = 0.44


def read_plate(tables: SnapshotTables, query: Mapping[str, Any]) -> tuple[str, str]:
    """Return the plate and the analyte that the address names; the first ones for anything unknown."""
    plates = list(tables["plates"]["plate"])
    plate = query.get("plate") if query.get("plate") in plates else next(iter(plates), "")
    curves = tables["plate_curves"]
    analytes = list(curves.loc[curves["plate"] == plate, "analyte"])
    analyte = query.get("analyte") if query.get("analyte") in analytes else next(iter(analytes), "")
    return str(plate), str(analyte)


def build_switches(_site: Site, _tables: SnapshotTables, _query: Mapping[str, str]) -> list[Any]:
    """Build nothing: plates and analytes are chosen from the lists beside."""
    return []


def build_main(site: Site, tables: SnapshotTables, query: Mapping[str, str]) -> list[Any]:
    """Build the map and the curve, or say how plates get here."""
    plate, analyte = read_plate(tables, query)
    stores = [
        dcc.Store(id="cytokines-plate", data=plate),
        dcc.Store(id="cytokines-analyte", data=analyte),
    ]
    if tables["plates"].empty:
        hidden = [build_graph(f"cytokines-{name}") for name in ("map", "curve")]
        return [build_empty(site, "cytokines.no_plate"), html.Div([*stores, *hidden], hidden=True)]
    chosen = read_choice(query)
    cards = [
        html.Div(
            [
                html.H2([f"{plate} · {analyte} ", html.Small(site.text(f"cytokines.{name}.title"))]),
                build_pick(
                    site, f"cytokines-{name}", label=site.text(f"cytokines.{name}.chart"), store=STORE,
                    chosen=chosen, is_told=name == "map",
                ),
            ],
            className="card",
        )
        for name in ("map", "curve")
    ]  # fmt: skip
    return [*stores, *cards]


def build_aside(site: Site, tables: SnapshotTables, query: Mapping[str, str]) -> list[Any]:
    """Build the list of plates, and the analytes of the one that is open."""
    if tables["plates"].empty:
        return []
    plate, analyte = read_plate(tables, query)
    curves = tables["plate_curves"]
    mine = curves[curves["plate"] == plate].to_dict(orient="records")
    locks = site.home.plate_locks.standings()
    analyte_heads = [site.text(f"cytokines.plates.{name}") for name in ("analyte", "range", "verdict")]
    return [
        html.Div(build_plates(site, tables, plate, locks), className="card", id="cytokines-plate-list"),
        html.Div(
            build_lock(site, tables.snapshot.id, plate, locks.get(plate)),
            className="card", id="cytokines-lock", hidden=not may(Role.REVIEWER),
        ),
        html.Div(
            [
                html.H2(site.text("cytokines.plates.analytes", plate=plate)),
                build_table(
                    analyte_heads, [build_analyte_row(site, row, row["analyte"] == analyte) for row in mine]
                ),
            ],
            className="card analytes",
            tabIndex="0",
            role="region",
            **{"aria-label": site.text("cytokines.plates.analytes", plate=plate)},
        ),
    ]  # fmt: skip


def build_plates(
    site: Site, tables: SnapshotTables, current: str, locks: Mapping[str, Standing]
) -> list[Any]:
    """Build the list of plates, the latest first."""
    plates = tables["plates"].sort_values(["run_at", "plate"], ascending=False).to_dict(orient="records")
    heads = [site.text(f"cytokines.plates.{name}") for name in ("plate", "run", "accepted", "verdict")]
    rows = [
        build_plate_row(site, row, locks.get(row["plate"]), is_current=row["plate"] == current)
        for row in plates
    ]
    return [html.H2(site.text("cytokines.plates.title", count=len(plates))), build_table(heads, rows)]


def build_table(heads: list[str], rows: list[Any]) -> Any:
    """Build a plain table."""
    head = html.Thead(html.Tr([html.Th(text, scope="col") for text in heads]))
    return html.Table([head, html.Tbody(rows)], className="plain")


def link(plate: str, analyte: str = "") -> str:
    """Return the address of a plate, and of one of its analytes."""
    words = {"view": "plates", "plate": plate} | ({"analyte": analyte} if analyte else {})
    return f"/cytokines?{urlencode(words)}"


def build_verdict(site: Site, state: str) -> Any:
    """Write a verdict by shape and word."""
    glyph = STATE_GLYPHS.get(state, "◇")
    return html.Span(
        f"{glyph} {site.text(f'cytokines.state.{state}')}", className=f"tone-{STATE_KINDS.get(state, 'warn')}"
    )


def is_locked(standing: Standing | None) -> bool:
    """Tell whether a reviewer has locked a plate."""
    return standing is not None and standing.state is ReviewState.LOCKED


def write_lock(site: Site, standing: Standing | None) -> str:
    """Say who locked a plate and when, and whether it is another one now; empty where it is open."""
    review = standing.review if standing is not None and is_locked(standing) else None
    if standing is None or review is None:
        return ""
    word = "cytokines.lock.changed" if standing.is_stale else "cytokines.lock.by"
    return site.text(word, name=review.author, day=review.at[:10])


def build_lock(
    site: Site, snapshot_id: str, plate: str, standing: Standing | None, *, answer: str = ""
) -> list[Any]:
    """Build what a reviewer needs to lock or to open a plate; for others its parts are not there."""
    if not may(Role.REVIEWER):
        return []
    word = "unlock" if is_locked(standing) else "lock"
    return [
        html.H2(site.text(f"cytokines.lock.{word}_title", plate=plate)),
        html.P(site.text(f"cytokines.lock.{word}_means"), className="quiet"),
        dmc.TextInput(id="cytokines-lock-reason", label=site.text("review.reason"), size="xs"),
        dmc.PasswordInput(
            id="cytokines-lock-password",
            label=site.text("review.password"),
            size="xs",
            visibilityToggleButtonProps={"aria-label": site.text("review.show")},
        ),
        html.Button(
            site.text(f"cytokines.lock.{word}"), id="cytokines-lock-sign", className="button primary"
        ),
        html.P(answer, id="cytokines-lock-answer", role="status"),
        dcc.Store(id="cytokines-lock-about", data={"plate": plate, "act": word, "snapshot": snapshot_id}),
    ]


def is_about(about: Any) -> bool:
    """Tell whether this is what the form was built about."""
    names = ("plate", "act", "snapshot")
    return isinstance(about, dict) and all(isinstance(about.get(name), str) for name in names)


def sign_lock(site: Site, about: Mapping[str, str], reason: str, password: str) -> str:
    """Lock or open a plate in the name of the person of this request; say why not, empty where it is done."""
    signature = Signature(
        author=current_user.name, password=password, at=site.clock(), snapshot_id=about["snapshot"],
        reason=reason,
    )  # fmt: skip
    locks = site.home.plate_locks
    act = locks.unlock if about["act"] == "unlock" else locks.lock
    try:
        act([about["plate"]], signature)
    except ReviewError as error:
        return site.say(str(error))
    return ""


def show_signed(site: Site, about: Mapping[str, str]) -> tuple[list[Any], list[Any]]:
    """Build form and list anew after a plate was locked or opened, with what was done in words."""
    tables, plate = site.cache.current(), about["plate"]
    locks = site.home.plate_locks.standings()
    done = site.text(f"cytokines.lock.{about['act']}_done", plate=plate)
    form = build_lock(site, about["snapshot"], plate, locks.get(plate), answer=done)
    return form, [] if tables is None else build_plates(site, tables, plate, locks)


def build_plate_row(
    site: Site, row: Mapping[str, Any], standing: Standing | None, *, is_current: bool
) -> Any:
    """Build one line of the list of plates; a locked one says so beside its verdict."""
    counted = format_fraction(to_float(row["n_accepted"]), to_float(row["n_analytes"]))
    cells = [
        html.Th(dcc.Link(row["plate"], href=link(row["plate"])), scope="row"),
        html.Td(str(row["run_at"])[:10]),
        html.Td(counted, className="number"),
        html.Td(
            [
                build_verdict(site, row["state"]), *write_reason(site.say(row["reason"])),
                *write_reason(write_lock(site, standing)),
            ]
        ),
    ]  # fmt: skip
    return html.Tr(cells, className="current" if is_current else "")


def build_analyte_row(site: Site, row: Mapping[str, Any], is_current: bool) -> Any:  # noqa: FBT001 - as above
    """Build one line of the list of analytes, with the reason where its run is not accepted."""
    ends = [format_number(to_float(row[name])) for name in ("lloq", "uloq")]
    cells = [
        html.Th(dcc.Link(row["analyte"], href=link(row["plate"], row["analyte"])), scope="row"),
        html.Td("–".join(ends) if ends[0] != ends[1] else ends[0], className="number"),
        html.Td([build_verdict(site, row["state"]), *write_reason(site.say(row["reason"]))]),
    ]
    return html.Tr(cells, className="current" if is_current else "")


def write_reason(reason: str) -> list[Any]:
    """Write why, under the verdict."""
    return [html.Div(reason, className="quiet")] if reason else []


def draw_charts(
    site: Site, chosen: tuple[object, object], viewport: Viewport | None, scheme: Scheme
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw the map and the curve of one analyte of one plate."""
    tables = site.cache.current()
    if tables is None or viewport is None:
        return empty_figure(), empty_figure()
    plate, analyte = read_plate(tables, {"plate": chosen[0], "analyte": chosen[1]})
    room = max(viewport.drawn[1] - AROUND_PX, LEAST_PX)
    across = viewport.beside(ASIDE_PX) - SIDES_PX
    look = (scheme, site.figure_catalog)
    wells = build_wells(tables["plate_wells"], plate, analyte)
    size = (across, round(room * MAP_SHARE))
    plate_map = plate_map_figure(wells, size=size, scheme=scheme, catalog=site.figure_catalog)
    curve = standard_curve_figure(
        tables, plate=plate, analyte=analyte, size=(across, room - size[1]), look=look
    )
    named = {"plate": plate, "analyte": analyte}
    return (
        enlarge_figure(name_data(plate_map, "plate_wells", **named), viewport.scale),
        enlarge_figure(name_data(curve, "plate_curve_points", **named), viewport.scale),
    )


def register(app: Any, site: Site) -> None:
    """Redraw for the plate, the analyte, the size and the scheme."""

    def draw(plate: Any, analyte: Any, viewport: Any, scheme: Any) -> tuple[Any, Any]:
        return draw_charts(site, (plate, analyte), read_viewport(viewport), read_scheme_word(scheme))

    app.callback(
        Output("cytokines-map", "figure"),
        Output("cytokines-curve", "figure"),
        Input("cytokines-plate", "data"),
        Input("cytokines-analyte", "data"),
        Input("viewport", "data"),
        Input("scheme", "data"),
    )(allow(*EVERY_ROLE)(draw))

    def sign(clicks: int | None, about: Any, reason: str | None, password: str | None) -> tuple[Any, ...]:
        if not clicks or not is_about(about):
            return (no_update,) * 4
        refused = sign_lock(site, about, str(reason or ""), str(password or ""))
        return (
            (refused, "", no_update, no_update)
            if refused
            else (no_update, no_update, *show_signed(site, about))
        )

    app.callback(
        Output("cytokines-lock-answer", "children"),
        Output("cytokines-lock-password", "value"),
        Output("cytokines-lock", "children"),
        Output("cytokines-plate-list", "children"),
        Input("cytokines-lock-sign", "n_clicks"),
        State("cytokines-lock-about", "data"),
        State("cytokines-lock-reason", "value"),
        State("cytokines-lock-password", "value"),
        prevent_initial_call=True,
    )(allow(Role.REVIEWER)(sign))
    controls = {f"cytokines-{name}": "data" for name in ("view", *PARAMETERS)}
    keep_in_address(app, "cytokines-plates", {**controls, STORE: "data"})
