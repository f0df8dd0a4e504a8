"""The routes behind the gate editor: who may ask, what they count, what they record, what never leaves."""

import json
import re

import numpy as np
import pytest

from corelab.cytometry.axes import Axis
from corelab.cytometry.gate_view import GateView
from corelab.cytometry.interchange.model import Linear
from corelab.cytometry.interchange.revision import Kind, Scope, Target, decide_cut, read_limit
from corelab.store.results import ResultScope, ResultTarget
from corelab.store.review import ReviewState, Signature
from corelab.vocabulary import GateSource, Role
from dashboards.access.roles import ROLES_ATTRIBUTE
from dashboards.desk import Desk, Known
from dashboards.gates_api import PREFIX
from dashboards.pages import acquisition
from dashboards.site import SnapshotTables
from dashboards.views.acquisition import list_siblings, stretch_view
from pipelines.run import run
from tests.dashboards.conftest import call, csrf, log_in
from tests.dashboards.trial import ACCOUNTS, NOW, PASSWORD

POSTS = {"count": {"population": "car_t", "gate": "CAR", "place": 0.5}, "preview": {}, "decisions": {}}
NOBODY = "0" * 64


@pytest.fixture
def client(trial_app):
    return trial_app.server.test_client()


@pytest.fixture
def tube(trial) -> dict:
    """The CAR-T tube with the most CAR-T cells."""
    table = trial.snapshots.current().table("populations")
    sound = (table["tube"] == "full") & (table["qc"] != "fail")
    cars = table[(table["population"] == "car_t") & sound]
    return cars.loc[cars["count"].astype(float).idxmax()].to_dict()


def post(client, tube, path, body):
    return client.post(f"{PREFIX}/{tube['file_id']}/{path}", json=body, headers=csrf(client))


def test_routes__each_name_the_roles_that_may_use_them(trial_app):
    rules = [rule for rule in trial_app.server.url_map.iter_rules() if rule.rule.startswith(PREFIX)]

    assert len(rules) == 5
    for rule in rules:
        roles = getattr(trial_app.server.view_functions[rule.endpoint], ROLES_ATTRIBUTE)
        wanted = (Role.SCIENTIST,) if "POST" in rule.methods else tuple(Role)
        assert roles == wanted, rule.rule


def test_posts__are_for_scientists_with_their_token(client, tube):
    addresses = {f"{PREFIX}/{tube['file_id']}/{path}": body for path, body in POSTS.items()}
    for address, body in addresses.items():
        assert client.post(address, json=body).status_code == 401
    for name in ("ortiz", "li.wei", "root"):
        log_in(other := client.application.test_client(), name)
        for address, body in addresses.items():
            assert other.post(address, json=body, headers=csrf(other)).status_code == 403
    log_in(client, "chen")
    for address, body in addresses.items():
        assert client.post(address, json=body).status_code == 403
        assert client.post(address, json=body, headers=csrf(client)).status_code in (200, 400)


def test_pictures__are_for_every_role(client, tube):
    address = f"{PREFIX}/{tube['file_id']}"
    assert client.get(f"{address}/plot.svg?population=car_t").status_code == 401
    for name in ACCOUNTS:
        log_in(reader := client.application.test_client(), name)
        large = reader.get(f"{address}/plot.svg?population=car_t&scheme=dark&back=cd4_t")
        small = reader.get(f"{address}/small.svg?population=car_t&width=110&height=110")
        assert (large.status_code, small.status_code) == (200, 200)
        assert large.content_type.startswith("image/svg+xml")
        assert large.text.count("data:image/png;base64,") == 1


def test_pictures__answer_for_what_is_not_there_or_has_no_size(client, tube):
    log_in(client, "ortiz")
    absent = (
        f"{NOBODY}/plot.svg?population=car_t", "..%2f..%2fregistry.db/plot.svg",
        "ABC/plot.svg?population=car_t", f"{tube['file_id']}/plot.svg?population=nothing",
        f"{tube['file_id']}/plot.svg", f"{tube['file_id']}/small.svg?population=car_t&like={NOBODY}",
    )  # fmt: skip
    for path in absent:
        assert client.get(f"{PREFIX}/{path}").status_code == 404, path
    for words in ("width=wide", "height=1e9", "width="):
        address = f"{PREFIX}/{tube['file_id']}/plot.svg?population=car_t&{words}"
        assert client.get(address).status_code == 400, words


def test_count__is_that_of_the_snapshot_where_the_limit_stays(client, trial, tube):
    log_in(client, "chen")
    cuts = trial.snapshots.current().table("cuts")
    own = cuts[(cuts["file_id"] == tube["file_id"]) & (cuts["gate"] == "CAR")].iloc[0]

    asked = {"population": "car_t", "gate": "CAR", "limit": float(own["cut"])}
    told = post(client, tube, "count", asked).json
    assert told["count"] == f"{tube['count']:,}".replace(",", "\u202f")
    assert told["limit"] == own["cut"]
    moved = post(client, tube, "count", {**asked, "limit": float(own["cut"]) * 50}).json
    assert moved["count"] != told["count"]
    assert 0 < told["place"] < moved["place"] <= 1.2
    assert set(told) == {"gate", "limit", "place", "count", "parent", "percent", "interval", "cells", "label"}


def test_count__refuses_nonsense(client, tube):
    log_in(client, "chen")
    good = {"population": "car_t", "gate": "CAR", "place": 0.5}
    bad = (
        None, [], "x", {"population": 3}, {**good, "place": "half"}, {**good, "limit": True},
        {**good, "limits": {"CD4": "x"}}, {**good, "limits": {"NOTHING": 1.0}}, {**good, "limits": [1]},
        {"population": "car_t", "gate": "CAR"},
    )  # fmt: skip
    for body in bad:
        assert post(client, tube, "count", body).status_code == 400, body
    assert post(client, tube, "count", {**good, "gate": "CD45"}).status_code == 404
    assert post(client, tube, "count", {**good, "population": "nothing"}).status_code == 404


SHAPES = {
    "polygon": [[0.0, 0.5], [1.0, 0.45], [1.0, 1.0], [0.0, 1.0]],
    "rectangle": [[0.0, 0.5], [1.0, 1.0]],
    "ellipse": [[0.5, 0.7], [0.9, 0.7], [0.5, 0.9]],
    "quadrant": [[0.4, 0.5], [0, 1]],
}
VIEW = {"population": "car_t", "x": "CD4", "y": "CAR"}


def drawn(kind: str) -> dict:
    return {**VIEW, "shape": {"kind": kind, "points": SHAPES[kind]}}


def test_shape__is_counted_tried_and_refused_where_it_is_none(client, tube):
    log_in(client, "chen")
    for kind in SHAPES:
        told = post(client, tube, "count", drawn(kind)).json
        number = int("".join(sign for sign in told["count"] if sign.isdigit()))
        assert number > 0
        assert len(told["quadrants"]) == (4 if kind == "quadrant" else 0)
        tried = post(client, tube, "preview", drawn(kind)).json
        rows = {name: after for name, _, after, _ in tried["changes"]["rows"]}
        assert rows.get("car_t", told["count"]) == told["count"], kind
        assert tried["controls"]["before"]
    nonsense = (
        {"kind": "polygon", "points": [[0, 0], [1]]}, {"kind": "polygon", "points": [[0.1, "x"]] * 3}, [],
        {"kind": "polygon", "points": [[0.1, 0.2]] * 65}, {"points": None},
        {"kind": "star", "points": [[0, 0]]},
        {"kind": "rectangle", "points": [[0.2, 0.2], [0.2, 0.9]]},
        {"kind": "rectangle", "points": [[0, 0], [1, 1]]},
    )  # fmt: skip
    for shape in nonsense:
        for path in ("count", "preview", "decisions"):
            body = {**VIEW, "shape": shape, "scope": "acquisition", "reason": "why"}
            assert post(client, tube, path, body).status_code == 400, (path, shape)
    assert post(client, tube, "count", {**drawn("polygon"), "population": "events"}).status_code == 404


def test_decided__is_shown_until_a_run_counts_with_it_and_taken_back(client, trial_app, trial, tube):
    """A shape of one gate and a limit of another, in the same tube."""
    log_in(client, "chen")
    path = f"/samples/{tube['file_id']}"
    assert "gate-waits" not in call(client, trial_app, "page.children", path, "?population=car_t").text
    told = post(client, tube, "count", drawn("polygon")).json
    body = {**drawn("polygon"), "scope": "visit", "reason": "dim cells belong to it"}
    assert post(client, tube, "decisions", body).status_code == 200
    decision = trial.gates.all()[-1].decision
    assert (decision.kind, decision.gate, decision.source) == (Kind.SHAPE, "car_t", GateSource.MANUAL)
    assert json.loads(decision.content)["tree"]["gates"]["car_t"]["geometry"]["kind"] == "Polygon"

    target = Target(scope=Scope.ACQUISITION, file_id=tube["file_id"])
    trial.gates.add([(target, decide_cut("PD-1", 1e6))], at=NOW, author="chen", reason="none is real")

    waits = call(client, trial_app, "page.children", path, "?population=car_t").text
    assert "gate-waits" in waits
    assert "none is real" in call(client, trial_app, "page.children", path, "?population=car_t.pd1").text
    assert tube["file_id"] in call(client, trial_app, "page.children", "/samples", "?state=stale").text
    assert "dim cells belong to it" in waits
    assert '"kind":"polygon"' in waits
    assert '"is_drawn":true' in waits
    assert "polygon" in call(client, trial_app, "page.children", path, "?population=car_neg_t").text
    run(trial, at=NOW)
    table = trial.snapshots.current().table("populations")
    rows = table[table["file_id"] == tube["file_id"]].set_index("population")
    assert f"{rows.loc['car_t', 'count']:,}".replace(",", "\u202f") == told["count"]
    assert list(rows.loc[["car_t", "car_neg_t"], "gate_source"]) == ["manual", "manual"]
    assert (rows.loc["car_t.pd1", "count"], rows.loc["car_t.pd1", "gate_source"]) == (0, "manual")
    assert rows.loc["car_t", "gate_version"].endswith(f"#{decision.version}")
    after = call(client, trial_app, "page.children", path, "?population=car_t").text
    assert "gate-waits" not in after
    assert "\\u270e" in after
    plot = client.get(f"{PREFIX}/{tube['file_id']}/small.svg?population=car_t&width=110&height=110").text
    assert plot.count("<path") >= 2
    taken = {"take_back": "car_t", "kind": "shape", "scope": "visit", "reason": "the limit was right"}
    assert post(client, tube, "decisions", taken).status_code == 200
    assert trial.gates.all()[-1].decision.content == ""
    back = call(client, trial_app, "page.children", path, "?population=car_t").text
    assert '"is_drawn":false' in back


def test_preview__counts_before_and_after_and_names_what_is_fitted_anew(client, tube):
    log_in(client, "chen")
    told = post(client, tube, "preview", {"limits": {"CD3": 1e6}}).json

    rows = {name: (before, after) for name, before, after, _ in told["changes"]["rows"]}
    assert rows["t_cells"][1] == "0"
    assert "lymphocytes" not in rows
    assert {"CD4", "CAR"} <= set(told["dependents"])
    assert post(client, tube, "preview", {"limits": {}}).json == {
        "changes": {"more": "", "rows": []}, "dependents": [], "controls": {},
    }  # fmt: skip


def test_preview__counts_the_moved_limit_before_infusion_as_well(client, tube):
    log_in(client, "chen")
    words = {"population": "car_t", "x": "CD4", "y": "CAR"}

    low = post(client, tube, "preview", {**words, "limits": {"CAR": -1e6}}).json["controls"]["before"]
    high = post(client, tube, "preview", {**words, "limits": {"CAR": 1e9}}).json["controls"]["before"]
    assert (low[1], high[0]) == ("100 %", "0")
    assert high[1].startswith("≤")


def test_decisions__are_recorded_with_reason_and_audit_and_taken_back(client, trial, tube):
    log_in(client, "chen")
    body = {"limits": {"CAR": 1234.5}, "scope": "acquisition", "reason": "  above the spread  "}
    assert post(client, tube, "decisions", body).status_code == 200

    revision = trial.gates.all()[-1]
    assert revision.target == Target(scope=Scope.ACQUISITION, file_id=tube["file_id"])
    assert (read_limit(revision.decision), revision.reason) == (1234.5, "above the spread")
    newest = trial.registry.audit.rows(limit=1).iloc[0]
    assert (newest["actor"], newest["role"], newest["action"]) == ("chen", "scientist", "gate_edit")
    taken = {"take_back": "CAR", "scope": "acquisition", "reason": "wrong tube"}
    assert post(client, tube, "decisions", taken).status_code == 200
    assert trial.gates.all()[-1].decision.content == ""


def test_decisions__hold_for_the_tubes_of_their_scope(client, trial, tube):
    log_in(client, "chen")
    scopes = {
        "visit": {"subject_id", "visit", "panel"}, "child": {"subject_id", "panel"}, "panel": {"panel"},
    }  # fmt: skip
    for scope, expected in scopes.items():
        body = {"limits": {"CAR": 999.0}, "scope": scope, "reason": "all alike"}
        assert post(client, tube, "decisions", body).status_code == 200
        target = trial.gates.all()[-1].target
        for name in ("file_id", "subject_id", "visit", "panel"):
            assert getattr(target, name) == (tube[name] if name in expected else "")


def test_decisions__wait_until_locked_results_are_unlocked(client, trial, tube):
    log_in(client, "chen")
    snapshot = trial.snapshots.current().id
    visit = ResultTarget(scope=ResultScope.VISIT, subject_id=tube["subject_id"], visit=tube["visit"])

    signature = Signature(
        author="li.wei", password=PASSWORD, at=NOW, snapshot_id=snapshot, reason="high limit"
    )
    for state in (ReviewState.REVIEWED, ReviewState.LOCKED):
        trial.reviews.sign([visit], state, signature)
    before = len(trial.gates.all())
    for scope in Scope:
        body = {"limits": {"CAR": 777.0}, "scope": scope.value, "reason": "too low"}
        refused = post(client, tube, "decisions", body)
        assert (refused.status_code, "is locked" in refused.json["error"]) == (400, True), scope
    assert len(trial.gates.all()) == before
    trial.reviews.unlock([visit], signature)
    assert post(client, tube, "decisions", body).status_code == 200


def test_decisions__say_what_is_lacking_and_record_nothing(client, trial, tube):
    log_in(client, "chen")
    refused = (
        ({"limits": {"CAR": 1.0}, "scope": "child", "reason": "  "}, "reason"),
        ({"limits": {}, "scope": "child", "reason": "why"}, "No limit was moved and no shape drawn"),
        ({"limits": {"CAR": 1.0}, "scope": "world", "reason": "why"}, ""),
        ({"take_back": "NOTHING", "scope": "child", "reason": "why"}, ""),
    )
    for body, word in refused:
        response = post(client, tube, "decisions", body)
        assert response.status_code == 400
        assert word in (response.json or {}).get("error", "")
    assert trial.gates.all() == []


def test_page__leaves_out_what_a_role_may_not_do(trial_app, tube):
    for name in ("ortiz", "li.wei", "root"):
        log_in(reader := trial_app.server.test_client(), name)
        page = call(reader, trial_app, "page.children", f"/samples/{tube['file_id']}", "").text
        assert "gate-tree" in page
        assert '"may_edit":false' in page
        for part in ("gate-save", "gate-reason", "gate-scope", "take-back"):
            assert part not in page


def test_page__opens_every_panel_and_kind_of_population(client, trial_app, trial):
    log_in(client, "chen")
    table = trial.snapshots.current().table("populations")
    full = table[table["tube"] == "full"].drop_duplicates("panel")

    for file_id in full["file_id"]:
        names = table.loc[table["file_id"] == file_id, "population"]
        for population in (name for name in names if "." not in name or name.startswith("car_t.")):
            path = f"/samples/{file_id}"
            answer = call(client, trial_app, "page.children", path, f"?population={population}")
            assert answer.status_code == 200, population


def test_page__of_quality_beads_opens_with_their_events_and_shows_no_cells(client, trial_app, trial):
    log_in(client, "chen")
    table = trial.snapshots.current().table("populations")
    path = f"/samples/{table.loc[table['tube'] == 'bead_qc', 'file_id'].iloc[0]}"

    page = call(client, trial_app, "page.children", path, "").text
    assert '"population":"events"' in page
    assert page.count('"title":"not calculated"') > 10
    cells = call(client, trial_app, "page.children", path, "?population=lymphocytes")
    assert cells.status_code == 200
    for population, status in (("beads", 200), ("t_cells", 404)):
        picture = f"{PREFIX}/{path.rpartition('/')[2]}/plot.svg?population={population}"
        assert client.get(picture).status_code == status


def test_drawer__of_a_counted_value_shows_its_gate_and_leads_there(client, trial_app, tube):
    log_in(client, "ortiz")
    choice = [tube["subject_id"], "car_abs", tube["visit_label"], tube["collected_at"]]
    path = "..patient-drawer.children...patient-drawer.hidden.."

    drawer = json.dumps(call(client, trial_app, path, choice, "dark", tube["subject_id"]).json)

    assert f"/samples/{tube['file_id']}?population=car_t" in drawer
    picture = re.search(r'"src": "([^"]+)"', drawer).group(1)
    assert "scheme=dark" in picture
    assert client.get(picture).mimetype == "image/svg+xml"


def test_strip__of_quality_beads_holds_each_run_of_the_instrument_at_whatever_voltage(trial):
    snapshot = trial.snapshots.current()
    tables = SnapshotTables(snapshot)
    beads = snapshot.table("bead_qc").query("detector == 'FSC-A'")
    files = {file.file_id: file for file in trial.registry.acquisition_files()}
    first, *_ = (files[file_id] for file_id in beads["file_id"])
    siblings = list_siblings(Known(files=files, decisions={}, revisions=()), first, trial.study)
    alike = beads["instrument"] == beads["instrument"].iloc[0]
    assert [one.file_id for one in siblings] == beads[alike].sort_values("collected_at")["file_id"].tolist()
    axis = Axis(channel="FSC-A", detector="FSC-A", scale=Linear(t=beads["median"].min() / 2, a=0.0))
    nothing = np.zeros(0, dtype=bool)
    view = GateView(
        population="events", parent="", x=axis, y=axis, shown=nothing, inside=nothing, lines=(), held=(),
        unseen=(), time_step=None,
    )  # fmt: skip

    held = stretch_view(tables, siblings, view)

    highest = beads.loc[alike, "median"].max()
    assert 0.5 < held.x.place(highest) < 0.9


def test_page__of_a_large_file_says_what_is_done_and_then_opens(client, trial_app, tube, monkeypatch):
    log_in(client, "ortiz")
    path = f"/samples/{tube['file_id']}"
    monkeypatch.setattr(acquisition, "LARGE", 10)
    monkeypatch.setattr(Desk, "is_open", lambda *_: False)
    first = call(client, trial_app, "page.children", path, "?population=car_t").text
    assert "Reading and compensating" in first
    assert "gate-tree" not in first
    asked = {"file_id": tube["file_id"], "query": {"population": "cd4_t"}}
    then = call(client, trial_app, "gate-page.children", asked).text
    assert "gate-tree" in then
    assert '"population":"cd4_t"' in then
    for nonsense in (None, {}, {"file_id": tube["file_id"], "query": 3}, "x"):
        assert call(client, trial_app, "gate-page.children", nonsense).status_code in (200, 204)


def test_page__says_that_a_file_was_never_delivered_and_answers_404(client, trial_app):
    log_in(client, "chen")

    assert client.get(f"/samples/{NOBODY}").status_code == 404
    assert "No file" in call(client, trial_app, "page.children", f"/samples/{NOBODY}", "").text


def test_page__says_so_when_the_snapshot_has_no_gates_of_a_file(client, trial_app, trial, tube):
    tables = {name: trial.snapshots.current().table(name) for name in trial.snapshots.current().table_names}
    tables["cuts"] = tables["cuts"].iloc[:0]
    trial.snapshots.write(tables, {"cutoff": ""}, run_key="without", at=NOW)
    log_in(client, "chen")

    page = call(client, trial_app, "page.children", f"/samples/{tube['file_id']}", "").text
    assert "Not gated yet" in page
    assert client.get(f"{PREFIX}/{tube['file_id']}/plot.svg?population=car_t").status_code == 404


def test_controls__count_the_gate_in_other_tubes(client, trial_app, trial, tube):
    log_in(client, "ortiz")
    config = {"file_id": tube["file_id"], "population": "car_t", "x": "CD4", "y": "CAR"}

    told = call(client, trial_app, "gate-controls.children", config)
    assert told.status_code == 200
    assert "before infusion" in told.text
    for sent in (None, {}, {"file_id": NOBODY}, {**config, "population": "nothing"}, "x"):
        assert call(client, trial_app, "gate-controls.children", sent).status_code == 200
