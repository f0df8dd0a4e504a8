"""Signing over the route and on the page: reviewers only, the password again, refusals in words."""

import shutil

import pytest

from corelab.figures.numbers import format_number
from corelab.store.users import LOCK_AFTER_FAILURES
from dashboards.app import create_app
from tests.dashboards.conftest import SECRET, call, csrf, log_in
from tests.dashboards.trial import ACCOUNTS, CUT_OFF, PASSWORD, make_tables

PATH = "/api/v1/reviews"
D14 = {"scope": "visit", "subject_id": "CL-001", "visit": "D14"}


@pytest.fixture
def reviewer(client):
    log_in(client, "li.wei")
    return client


def sign(client, home, *targets, state="reviewed", password=PASSWORD, **more):
    body = {
        "targets": list(targets), "state": state, "password": password,
        "snapshot": home.snapshots.current().id,
    } | more  # fmt: skip
    return client.post(PATH, json=body, headers=csrf(client))


def test_sign__is_for_reviewers_only(app, client, home):
    assert client.get(PATH).status_code == 401
    assert client.post(PATH, json={}).status_code == 401
    for name in ACCOUNTS:
        log_in(one := app.server.test_client(), name)
        assert one.get(PATH).status_code == 200
        assert sign(one, home, D14).status_code == (200 if name == "li.wei" else 403), name
        assert ("review-sign" in str(call(one, app, "page.children", "/review", "").json)) is (
            name == "li.wei"
        )


def test_sign__asks_for_the_token_of_the_session(reviewer):
    assert reviewer.post(PATH, json={}).status_code == 403


def test_sign__moves_results_and_tells_where_they_stand(reviewer, home):
    assert sign(reviewer, home, D14).json == {"signed": 1}
    assert sign(reviewer, home, D14, state="locked").json == {"signed": 1}
    (standing,) = reviewer.get(PATH).json
    assert (standing["state"], standing["stale"], standing["by"]) == ("locked", False, "li.wei")
    refused = sign(reviewer, home, D14, state="draft")
    assert (refused.status_code, "no reason" in refused.json["reason"]) == (409, True)
    assert sign(reviewer, home, D14, state="draft", reason="a gate was wrong").status_code == 200
    assert reviewer.get(PATH).json[0]["state"] == "draft"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"password": "wrong"}, 409), ({"snapshot": "0" * 16}, 409), ({"targets": []}, 400),
        ({"targets": "all"}, 400), ({"targets": [{}]}, 400), ({"state": "final"}, 400),
        ({"targets": [D14 | {"scope": "trial"}]}, 400), ({"targets": [D14 | {"visit": "M9"}]}, 409),
        ({"targets": [D14 | {"visit": ""}]}, 400),
    ],
)  # fmt: skip
def test_sign__answers_a_refusal_in_words(reviewer, home, change, status):
    answer = sign(reviewer, home, D14, **change)
    assert answer.status_code == status
    assert status == 400 or answer.json["reason"]
    assert home.reviews.all() == []


def test_sign__shuts_the_account_after_wrong_passwords(reviewer, home):
    for _ in range(LOCK_AFTER_FAILURES):
        sign(reviewer, home, D14, password="wrong")
    assert sign(reviewer, home, D14).status_code == 409


def test_page__lists_what_waits_and_signs_what_is_selected(reviewer, app, home):
    page = str(call(reviewer, app, "page.children", "/review", "").json)
    assert "to review 11" in page
    seen = home.snapshots.current().id
    values = (1, [D14, D14 | {"visit": "D7"}], "reviewed", "", PASSWORD, seen)
    answer = call(reviewer, app, "review-grid.rowData", *values).json["response"]
    assert answer["review-answer"]["children"] == "2 signed."
    assert answer["review-password"]["value"] == ""
    assert answer["review-grid"]["selectedRows"] == []
    assert "to review 9 · reviewed, not locked 2" in answer["review-waiting"]["children"]
    states = {row["visit"]: row["state"] for row in answer["review-grid"]["rowData"]}
    assert (states["D14"], states["D7"], states["D10"]) == ("reviewed", "reviewed", "draft")
    nothing = call(reviewer, app, "review-grid.rowData", 2, [], "reviewed", "", PASSWORD, seen).json[
        "response"
    ]
    assert "Select" in nothing["review-answer"]["children"]


def test_page__names_what_changed_since_it_was_signed(reviewer, app, home, clock):
    sign(reviewer, home, D14, D14 | {"visit": "D7"})
    tables = make_tables()
    rows = tables["persistence"]
    is_d14 = (rows["subject_id"] == "CL-001") & (rows["visit"] == "D14") & (rows["analyte"] == "CAR_ABS")
    before = format_number(rows.loc[is_d14, "value"].iloc[0])
    rows.loc[is_d14, "value"] = 77.0
    home.snapshots.write(tables, {"cutoff": CUT_OFF}, run_key="next", at=clock())

    shown = find_rows(call(reviewer, app, "page.children", "/review", "").json)

    changed = {row["visit"]: row["changed"] for row in shown if row["changed"]}
    assert changed == {"D14": f"CAR-T [cells/µL] {before} → 77.0"}
    assert shown[0]["state"] == "changed since signed"


def test_page__claims_no_values_of_a_signed_snapshot_that_cannot_be_read(reviewer, app, home, clock):
    signed = home.snapshots.current()
    sign(reviewer, home, D14)
    tables = make_tables()
    tables["persistence"].loc[tables["persistence"]["visit"] == "D14", "value"] = 77.0
    home.snapshots.write(tables, {"cutoff": CUT_OFF}, run_key="next", at=clock())
    (place,) = home.path.glob(f"snapshots/{signed.id}*")
    shutil.rmtree(place)

    shown = find_rows(call(reviewer, app, "page.children", "/review", "").json)

    (changed,) = {row["changed"] for row in shown if row["changed"]}
    assert changed == "not kept: the snapshot that was signed cannot be read"


def test_page__shows_what_is_signed_beside_its_visit(trial, clock):
    """Values and findings of the tables by child and visit; a value below its limit is a word."""
    snapshot = trial.snapshots.current()
    app = create_app(trial, secret_key=SECRET, clock=clock)
    log_in(client := app.server.test_client(), "li.wei")
    page = call(client, app, "page.children", "/review", "").json
    rows = {(row["subject_id"], row["visit"]): row for row in find_rows(page)}
    car = snapshot.table("persistence").query("analyte == 'CAR_ABS' and collected_at != ''")
    quality = snapshot.table("quality")

    assert {row.status for row in car.itertuples()} > {"quantified"}
    for row in car.itertuples():
        shown = rows[row.subject_id, row.visit]["car_t"]
        assert (format_number(row.value) in shown) is (row.status == "quantified")
        assert shown
    for (subject, visit), mine in quality.groupby(["subject_id", "visit"]):
        told = rows.get((subject, visit), {}).get("quality", "")
        assert not told or all(check in told for check in mine["check"])
        assert not told or told[0] == ("×" if "fail" in set(mine["level"]) else "△")


def find_rows(thing):
    """The rows of the grid anywhere in a page."""
    if isinstance(thing, dict):
        if "rowData" in thing:
            return thing["rowData"]
        thing = list(thing.values())
    if isinstance(thing, list):
        return next((rows for one in thing if (rows := find_rows(one))), None)
    return None
