"""The list of acquisitions: states, ages, filters, and the address of one of them."""

import pytest

from corelab.store.acquisitions import AcquisitionFile, list_acquisitions, read_mark
from corelab.study import builtin_study
from corelab.vocabulary import Level
from dashboards.app import create_app
from dashboards.desk import Desk, Known
from dashboards.site import SnapshotTables
from dashboards.views.acquisition import (
    build_target,
    find_before,
    find_fmo,
    list_siblings,
    list_visit_tubes,
)
from dashboards.views.address import GateAddress, parse_gate_address
from dashboards.views.samples import (
    COUNTED,
    SampleFilter,
    compute_age,
    find_state,
    list_choices,
    list_samples,
    parse_filter,
)
from tests.dashboards.conftest import SECRET, call, log_in


def make_file(**words: str) -> AcquisitionFile:
    given = {
        "file_id": "a" * 64, "object_id": "b" * 64, "name": "a.fcs", "subject_id": "CL-001", "visit": "D7",
        "collected_at": "2026-05-13T09:00:00+08:00", "panel": "cart", "tube": "full",
        "acquired_at": "2026-05-13T21:30:00", "received_at": "", "state": "active",
    }  # fmt: skip
    return AcquisitionFile(**{**given, **words})


@pytest.mark.parametrize(
    ("acquired", "collected", "hours"),
    [("2026-05-13T21:30:00", "2026-05-13T09:00:00+08:00", 12.5), ("", "2026-05-13T09:00:00+08:00", None),
     ("2026-05-13T21:30:00", "", None), ("yesterday", "2026-05-13T09:00:00+08:00", None),
     ("2026-05-13T08:00:00", "2026-05-13T09:00:00+08:00", -1.0)],
)  # fmt: skip
def test_compute_age__counts_hours_on_the_clock_of_the_draw(acquired, collected, hours):
    assert compute_age(make_file(acquired_at=acquired, collected_at=collected)) == hours


@pytest.mark.parametrize(
    ("words", "quality", "is_known", "waits", "state"),
    [({"state": "withdrawn"}, "pass", True, True, "withdrawn"), ({}, "", False, False, "waiting"),
     ({}, "fail", True, True, "stale"), ({}, Level.FAIL, True, False, "failed"),
     ({}, "warn", True, False, "current")],
)  # fmt: skip
def test_find_state__what_waits_comes_before_what_was(words, quality, is_known, waits, state):
    assert find_state(make_file(**words), quality, is_known=is_known, waits=waits) == state


def test_list_samples__lists_every_file_of_a_run_with_its_counts(trial):
    tables = SnapshotTables(trial.snapshots.current())
    rows = list_samples(tables, Desk(trial).known(), builtin_study())
    populations = tables["populations"]

    assert len(rows) == len(trial.registry.inputs().acquisitions) == len(list_acquisitions(trial.registry))
    for row in rows:
        mine = populations[populations["file_id"] == row.file_id].set_index("population")
        counts = mine["count"].dropna()  # a tube of beads has no cell
        assert row.counts == {name: counts.get(name) for name in COUNTED}
        assert (row.counts["lymphocytes"] is None) == (row.tube == "bead_qc")
        assert row.quality == mine["qc"].iloc[0]
        assert row.state == ("failed" if row.quality == "fail" else "current")
        assert ((row.age_h or 0) > 0) == (row.tube != "bead_qc")  # beads run when they are taken
    of_runs = [not row.subject_id for row in rows]
    assert any(of_runs)
    assert of_runs == sorted(of_runs)
    choices = list_choices(rows)
    assert choices["panel"] == ["bcell", "cart"]
    assert choices["tube"][0] == "full"
    chosen = [row for row in rows if SampleFilter(panel="cart", tube="full").lets_through(row)]
    assert {(row.panel, row.tube) for row in chosen} == {("cart", "full")}


def test_list_samples__before_the_first_run_every_file_waits(trial):
    rows = list_samples(None, Desk(trial).known(), builtin_study())

    assert {row.state for row in rows} == {"waiting"}
    assert {row.quality for row in rows} == {""}


def test_parse_filter__takes_its_own_words_alone():
    wanted = parse_filter({"panel": "cart", "page": "2", "quality": "x" * 200})

    assert (wanted.panel, wanted.n_on, len(wanted.quality)) == ("cart", 2, 64)


def test_read_mark__changes_with_rows_and_decisions(trial):
    from corelab.cytometry.interchange.revision import Scope, Target, decide_cut

    before = read_mark(trial.registry)
    desk = Desk(trial)
    assert desk.known() is desk.known()
    known = desk.known()
    target = Target(scope=Scope.PANEL, panel="cart")
    trial.gates.add(
        [(target, decide_cut("CAR", 5.0))], at=trial.snapshots.current().created_at, author="a", reason="r"
    )
    assert read_mark(trial.registry) != before
    assert desk.known() is not known
    assert desk.known().revisions[-1].target == target


def known_of(*files: AcquisitionFile) -> Known:
    return Known(files={file.file_id: file for file in files}, decisions={}, revisions=())


def test_visit_tubes__are_those_of_the_same_draw():
    own = make_file(visit="UNS")
    later = make_file(file_id="c" * 64, visit="UNS", collected_at="2026-05-20T09:00:00+08:00")
    control = make_file(file_id="d" * 64, visit="UNS", tube="fmo_pd1")
    gone = make_file(file_id="e" * 64, visit="UNS", state="withdrawn")
    run_tube = make_file(file_id="f" * 64, subject_id="", visit="", tube="comp_CD3")
    known = known_of(own, later, control, gone, run_tube)

    assert list_visit_tubes(known, own) == [own, control]
    assert list_visit_tubes(known, run_tube) == [run_tube]
    assert list_siblings(known, own, builtin_study()) == [own, later]
    assert find_fmo(known, own, ("PD-1", "CD4")) == control
    assert find_fmo(known, own, ("CAR",)) is None
    assert [build_target(run_tube, scope) is None for scope in ("visit", "child")] == [True, True]


def test_find_before__is_the_last_sound_tube_before_infusion(trial):
    tables = SnapshotTables(trial.snapshots.current())
    known = Desk(trial).known()
    cart = [file for file in known.files.values() if (file.panel, file.tube) == ("cart", "full")]
    firsts = tables["populations"].drop_duplicates("file_id").set_index("file_id")
    sound = [
        file
        for file in cart
        if firsts.loc[file.file_id, "study_day"] <= 0 and firsts.loc[file.file_id, "qc"] != "fail"
    ]
    last = max(sound, key=lambda file: firsts.loc[file.file_id, "study_day"])

    for file in cart:
        is_later = firsts.loc[file.file_id, "study_day"] > 0
        assert find_before(tables, known, file) == (last if is_later else None), file.visit


def test_gate_address__keeps_only_what_is_not_usual():
    address = GateAddress(file_id="ab", population="car_t")

    assert address.href() == "/samples/ab?population=car_t"
    assert address.href(overlay="none", strip="gates").endswith("?population=car_t&overlay=none&strip=gates")
    again = parse_gate_address("ab", {"population": "car_t", "overlay": "none", "strip": "gates"})
    assert again.href() == address.href(overlay="none", strip="gates")


def test_trends__a_mark_opens_its_tube_with_what_the_checks_found(trial, clock):
    app = create_app(trial, secret_key=SECRET, clock=clock)
    log_in(client := app.server.test_client(), "ortiz")
    assert "home-trends" in call(client, app, "page.children", "/", "?view=trends").text
    drawn = call(client, app, "home-trends.figure", {"width": 1440, "height": 900}, "light", True).json
    (marks,) = (
        trace for trace in drawn["response"]["home-trends"]["figure"]["data"] if trace["name"] == "events"
    )
    quality = trial.snapshots.current().table("quality")
    file_id = next(one for one in quality["object"] if any(one.startswith(m[1]) for m in marks["customdata"]))
    chosen = next(mark for mark in marks["customdata"] if file_id.startswith(mark[1]))

    shown = call(client, app, "trends-drawer.children", chosen).json["response"]
    assert shown["trends-drawer"]["hidden"] is False
    told = str(shown["trends-drawer"]["children"])
    assert all(check in told for check in quality.loc[quality["object"] == file_id, "check"])
    assert f"/samples/{file_id}" in told
    for sent in (
        None,
        [],
        ["tube", "unknown", "x", ""],
        ["tube", "", "x", ""],
        ["tube"],
        "x",
        ["point", chosen[1], "x", ""],
    ):
        answer = call(client, app, "trends-drawer.children", sent).json["response"]
        assert answer["trends-drawer"]["hidden"] is True
