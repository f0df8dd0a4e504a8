# ruff: noqa: E501 - a row of a table, or of cases, reads best on one line
"""Outcomes and cytokines: what opens behind a mark, and views that an address names."""

import json

import pytest

from tests.dashboards.conftest import call, log_in
from tests.dashboards.trial import PASSWORD

VIEWPORT = {"width": 1440, "height": 900}


def read(answer):
    return json.dumps(answer.json, ensure_ascii=False)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (["event", "CL-001", "Neutrophil count decreased", ""], ["worst G4", "CTCAE v5.0", "day 3", "15 d"]),
        (["lab", "CL-001", "ANC:low", "expansion", ""], ["G4", "0.300 10⁹/L", "CTCAE5/1", "not an adverse event"]),
        (["lab", "CL-002", "ANC:low", "expansion", ""], ["not graded"]),
        (
            ["response", "CL-001", "M3", "CRR", "CORELAB_DEFAULT", ""],
            ["did not respond", "proteinuria/baseline 0.375", "proteinuria < 0.5", "labs.csv:9", "RESPONSE/1"],
        ),
        (["response", "CL-001", "M3", "SRI4", "SRI-4", ""], ["● fall of SLEDAI-2K 12 (≥4)"]),
        (["response", "CL-002", "M3", "ORR", "CORELAB_DEFAULT", ""], ["not evaluable", "MISSING labs.csv M3 UPCR"]),
        (["share", "ORR", "M3", "nri", "all", ""], ["1/2 · 50.0 (1.3–98.7)", "not observed counts as no response"]),
        (["share", "ORR", "M3", "evaluable_only", "low", ""], ["nobody was judged"]),
        (["association", "DOSE_HIGH", "CL-001", ""], ["permutation · 5.22 (–) · p 1.0 · not informative"]),
    ],
)  # fmt: skip
def test_outcomes_drawer__tells_what_stands_behind_a_mark(app, client, sent, told):
    log_in(client, "ortiz")

    shown = read(call(client, app, "outcomes-drawer.children", sent))

    for part in told:
        assert part in shown


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (
            ["draw", "CL-001", "IL-6", "2026-05-13T09:00:00+08:00", ""],
            ["210 pg/mL", "2026-05-13 09:00", "105"],
        ),
        (["well", "P1", "IL-6", "B2", ""], ["210 pg/mL", "190–232 pg/mL", "CL-001 D7", "208"]),
        (["well", "P1", "IL-6", "C2", ""], ["< 1.20 pg/mL", "not detected", "LOW_BEAD", "BELOW_CURVE"]),
        (["control", "P3", "IL-6", "QC1", ""], ["out of control", "1_3s", "3.60"]),
    ],
)
def test_cytokines_drawer__tells_a_result_a_well_and_a_control(app, client, sent, told):
    log_in(client, "chen")

    shown = read(call(client, app, "cytokines-drawer.children", sent))

    for part in told:
        assert part in shown


def test_cytokines__a_reviewer_locks_and_opens_a_plate_on_its_page(app, client, home):
    def page() -> str:
        return str(call(client, app, "page.children", "/cytokines", "?view=plates").json)

    def sign(act: str, reason: str = "", password: str = PASSWORD):
        about = {"plate": "P1", "act": act, "snapshot": home.snapshots.current().id}
        return call(client, app, "cytokines-lock-answer.children", 1, about, reason, password)

    log_in(client, "chen")
    assert "cytokines-lock-sign" not in page()
    assert sign("lock").status_code == 403
    log_in(client, "li.wei")
    assert "Lock P1" in page()
    assert "password does not fit" in read(sign("lock", password="wrong"))
    answer = sign("lock").json["response"]
    assert "P1 is locked" in str(answer["cytokines-lock"])
    assert "Unlock P1" in str(answer["cytokines-lock"])
    assert "locked by li.wei" in str(answer["cytokines-plate-list"])
    assert "locked by li.wei" in page()
    assert "Unlock P1" in page()
    assert "no reason" in read(sign("unlock"))
    assert "P1 is open again" in read(sign("unlock", "a slip"))


@pytest.mark.parametrize("page", ["outcomes", "cytokines"])
@pytest.mark.parametrize(
    "sent", [None, [], ["nonsense", "a", "b", "c", ""], ["event"], ["well", 1, 2, 3, ""], "x"]
)
def test_drawers__stay_shut_for_what_is_not_there(app, client, page, sent):
    log_in(client, "ortiz")

    answer = call(client, app, f"{page}-drawer.children", sent).json["response"]

    assert answer[f"{page}-drawer"]["hidden"] is True


@pytest.mark.parametrize("name", ["chen", "li.wei", "ortiz", "root"])
def test_pages__open_in_every_view_for_every_role(app, client, name):
    log_in(client, name)
    views = [f"/outcomes?view={view}" for view in ("safety", "response", "expansion")]
    views += [f"/cytokines?view={view}" for view in ("courses", "plates", "controls", "nonsense")]

    for view in views:
        path, _, search = view.partition("?")
        shown = read(call(client, app, "page.children", path, f"?{search}"))
        assert ("/api/v1/tables/" in shown) is (name != "root")


def test_outcomes__draws_each_view(app, client):
    log_in(client, "ortiz")
    for output, values in {
        "outcomes-matrix.figure": ("expansion", VIEWPORT, "dark"),
        "outcomes-responses.figure": ("ORR", "M3", "CORELAB_DEFAULT", VIEWPORT, "light"),
        "outcomes-expansion.figure": ("CAR_VCN_UG", "CMAX", VIEWPORT, "dark", True),
        "cytokines-courses.figure": ("CL-001", "0", VIEWPORT, "light", False),
        "cytokines-map.figure": ("P1", "IL-6", VIEWPORT, "dark"),
        "cytokines-controls.figure": ("IL-6", VIEWPORT, "light", True),
    }.items():
        answer = call(client, app, output, *values)
        assert answer.status_code == 200
        figures = [part["figure"] for part in answer.json["response"].values() if "figure" in part]
        assert all(figure["data"] for figure in figures), output


def test_outcomes__a_value_that_nobody_offers_is_the_first_one(app, client):
    log_in(client, "ortiz")
    answer = call(client, app, "outcomes-responses.figure", 7, "M99", ["x"], VIEWPORT, "light")

    assert answer.status_code == 200
    assert answer.json["response"]["outcomes-responses"]["figure"]["data"]


def test_pages__an_older_snapshot_without_the_tables_is_empty_and_not_broken(app, client, home, clock):
    from tests.dashboards.trial import make_tables

    tables = make_tables()
    for name in [
        name for name in tables if name.startswith("plate") or name in ("lab_shift", "associations")
    ]:
        del tables[name]
    home.snapshots.write(tables, {"cutoff": "2026-11-23T09:00:00+08:00"}, run_key="older", at=clock())
    log_in(client, "ortiz")

    assert "No plate has been delivered" in read(
        call(client, app, "page.children", "/cytokines", "?view=plates")
    )
    assert call(client, app, "outcomes-matrix.figure", "late", VIEWPORT, "dark").status_code == 200
    assert (
        call(
            client, app, "outcomes-expansion.figure", "CAR_VCN_UG", "CMAX", VIEWPORT, "dark", True
        ).status_code
        == 200
    )
