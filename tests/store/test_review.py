"""Draft, reviewed, locked: each step signed, never by whose work it is, stale as soon as it changes."""

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from corelab.cytometry.interchange.revision import Scope, Target, decide_cut
from corelab.errors import ReviewError
from corelab.store import Home, create_home, open_home
from corelab.store.backup import restore_backup, write_backup
from corelab.store.gates import open_revisions
from corelab.store.results import ResultScope, ResultTarget, hash_results, list_targets
from corelab.store.review import ReviewState, Signature
from corelab.store.withdrawal import withdraw
from corelab.study import builtin_study
from dashboards.app import create_app
from pipelines.ingest import ingest
from pipelines.run import run
from pipelines.verify import verify
from tests.dashboards.conftest import call, csrf
from tests.deliveries import LAB, SUBJECT, TUBE, make_fcs, write_delivery

NOW = dt.datetime(2025, 4, 1, 9, 0, tzinfo=dt.UTC)
PASSWORD = "correct horse battery"
OTHER = SUBJECT | {"subject_id": "S-2"}
DELIVERY = {
    "subjects": [SUBJECT, OTHER],
    "manifest": [TUBE, TUBE | {"file": "fcs/b.fcs", "subject_id": "S-2"}],
    "labs": [
        LAB,
        LAB | {"test": "ANC"},
        LAB | {"visit": "M2", "collected_at": "2025-05-03"},
        LAB | {"subject_id": "S-2"},
    ],
}
D14 = ResultTarget(scope=ResultScope.VISIT, subject_id="S-1", visit="D14")
M2 = ResultTarget(scope=ResultScope.VISIT, subject_id="S-1", visit="M2")
OTHER_D14 = ResultTarget(scope=ResultScope.VISIT, subject_id="S-2", visit="D14")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two children, three people and a snapshot, to be copied."""
    folder = tmp_path_factory.mktemp("reviews")
    home = create_home(folder / "home", study_text=builtin_study().source)
    files = {"fcs/a.fcs": make_fcs(), "fcs/b.fcs": make_fcs(2)}
    ingest(home, [write_delivery(folder / "d", tables=DELIVERY, files=files)], at=NOW, actor="chen")
    for name, role in (("rita", "reviewer"), ("rolf", "reviewer"), ("chen", "scientist")):
        home.registry.users.add(name, role=role, password=PASSWORD, at=NOW)
    run(home, at=NOW)
    write_backup(home, folder / "b.tar", at=NOW, actor="chen")
    home.close()
    return folder


@pytest.fixture
def ready(made: Path, tmp_path: Path) -> Iterator[Home]:
    home = open_home(shutil.copytree(made / "home", tmp_path / "home"))
    yield home
    home.close()


def signature(home: Home, author: str = "rita", password: str = PASSWORD, reason: str = "") -> Signature:
    current = home.snapshots.current()
    return Signature(
        author=author, password=password, at=NOW, snapshot_id=current.id if current else "", reason=reason
    )


def sign(home: Home, *targets: ResultTarget, state: str = "reviewed", author: str = "rita") -> None:
    home.reviews.sign(targets, ReviewState(state), signature(home, author))


def stale(home: Home) -> list[ResultTarget]:
    return [standing.target for standing in home.reviews.stale()]


def deliver(home: Home, folder: Path, *, actor: str = "chen", **tables: list[dict[str, str]]) -> None:
    ingest(home, [write_delivery(folder, tables=tables)], at=NOW, actor=actor, accept_reason="typo")


def test_sign__moves_from_draft_to_reviewed_to_locked(ready: Home) -> None:
    assert ready.reviews.standings([D14])[D14].state == "draft"
    sign(ready, D14)
    sign(ready, D14, state="locked", author="rolf")
    standing = ready.reviews.standings()[D14]
    assert (standing.state, standing.is_stale) == ("locked", False)
    line = ready.registry.audit.rows(limit=1).loc[0]
    current = ready.snapshots.current()
    assert current is not None
    content = hash_results(current.table, current.table_names, [D14])[D14]
    assert (line["actor"], line["role"], line["action"]) == ("rolf", "reviewer", "sign")
    assert line["object"] == "results visit S-1 D14"
    assert line["new"] == f"locked {content} of snapshot {current.id}"
    assert "approve" in line["reason"]
    assert ready.status()["reviews"] == {"locked": 1, "stale": 0}
    assert verify(ready) == []


def test_sign__is_for_acquisitions_as_well(ready: Home) -> None:
    current = ready.snapshots.current()
    assert current is not None
    tubes = [one for one in list_targets(current.table) if one.scope is ResultScope.ACQUISITION]
    assert [one.subject_id for one in tubes] == ["S-1", "S-2"]
    sign(ready, *tubes)
    assert {one.state for one in ready.reviews.standings(tubes).values()} == {ReviewState.REVIEWED}


def test_list_targets__are_the_visits_and_tubes_with_results(ready: Home) -> None:
    current = ready.snapshots.current()
    assert current is not None
    visits = [one for one in list_targets(current.table) if one.scope is ResultScope.VISIT]
    assert visits == [D14, M2, OTHER_D14]


@pytest.mark.parametrize(
    ("author", "password", "found"),
    [
        ("rita", "wrong password", "password"),
        ("chen", PASSWORD, "scientist"),
        ("nobody", PASSWORD, "password"),
    ],
)
def test_sign__asks_for_the_password_and_the_role(
    ready: Home, author: str, password: str, found: str
) -> None:
    with pytest.raises(ReviewError, match=found):
        ready.reviews.sign([D14], ReviewState.REVIEWED, signature(ready, author, password))
    assert ready.reviews.all() == []


def test_sign__counts_wrong_passwords_like_logins(ready: Home) -> None:
    for _ in range(5):
        with pytest.raises(ReviewError):
            ready.reviews.sign([D14], ReviewState.REVIEWED, signature(ready, "rita", "wrong password"))
    assert ready.registry.users.verify("rita", PASSWORD, at=NOW) is None
    assert list(ready.registry.audit.rows()["action"]).count("sign_password_failed") == 5


@pytest.mark.parametrize(
    "work", ["delivers", "delivers at a terminal", "corrects", "gates", "takes out", "takes a tube out"]
)
def test_sign__is_refused_to_whose_work_it_is(ready: Home, tmp_path: Path, work: str) -> None:
    if work.endswith("out"):
        what = "fcs/a.fcs" if "tube" in work else "labs.csv:3"
        withdraw(ready, what, reason="clotted", at=NOW, author="cli:rita")
    elif work == "gates":
        gate = (Target(scope=Scope.CHILD, subject_id="S-1", panel="cart"), decide_cut("CD3", 800.0))
        open_revisions(ready).add([gate], at=NOW, author="rita", role="reviewer", reason="too low")
    elif work == "corrects":
        deliver(ready, tmp_path / "x", actor="rita", labs=[LAB | {"value": "9"}])
    else:
        actor = "cli:rita" if "terminal" in work else "rita"
        deliver(ready, tmp_path / "x", actor=actor, labs=[LAB | {"test": "PLT"}])
    run(ready, at=NOW)
    with pytest.raises(ReviewError, match="nobody approves their own work"):
        sign(ready, D14)
    if work == "corrects":
        assert_no_road_leads_there(ready)
    sign(ready, D14, author="rolf")
    sign(ready, M2, OTHER_D14)  # nothing of rita's is in these


def assert_no_road_leads_there(home: Home) -> None:
    """By the route and by the page it is refused as well."""
    app = create_app(home, secret_key="a key for tests and nothing else")
    client, snapshot = app.server.test_client(), signature(home).snapshot_id
    client.post("/login", data={"username": "rita", "password": PASSWORD})
    target = {"scope": "visit", "subject_id": "S-1", "visit": "D14"}
    body = {"targets": [target], "state": "reviewed", "password": PASSWORD, "snapshot": snapshot}
    answer = client.post("/api/v1/reviews", json=body, headers=csrf(client))
    assert (answer.status_code, "own work" in answer.text) == (409, True)
    sent = (1, [target], "reviewed", "", PASSWORD, snapshot)
    assert "own work" in call(client, app, "review-grid.rowData", *sent).text
    assert home.reviews.all() == []


def test_sign__is_open_to_whose_unnamed_draw_is_unscheduled(ready: Home, tmp_path: Path) -> None:
    farther = LAB | {"visit": "", "collected_at": "2025-03-16T08:30"}  # D14 has an ALC, which was named
    deliver(ready, tmp_path / "x", actor="rita", labs=[farther])
    run(ready, at=NOW)
    sign(ready, D14)
    with pytest.raises(ReviewError, match="nobody approves their own work"):
        sign(ready, ResultTarget(scope=ResultScope.VISIT, subject_id="S-1", visit="UNS"))


def test_sign__binds_what_was_seen(ready: Home, tmp_path: Path) -> None:
    seen = signature(ready)
    deliver(ready, tmp_path / "x", labs=[LAB | {"value": "9"}])
    with pytest.raises(ReviewError, match="newer data of S-1 wait"):
        ready.reviews.sign([D14], ReviewState.REVIEWED, seen)
    run(ready, at=NOW)
    with pytest.raises(ReviewError, match="newer snapshot"):
        ready.reviews.sign([D14], ReviewState.REVIEWED, seen)


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        (["locked"], "not reviewed as it is now"),
        (["reviewed", "reviewed"], "reviewed already"),
        (["reviewed", "locked", "locked"], "locked already"),
        (["reviewed", "locked", "reviewed"], "locked already"),
        (["draft"], "nothing is signed as a draft"),
    ],
)
def test_sign__refuses_other_steps(ready: Home, steps: list[str], found: str) -> None:
    for step in steps[:-1]:
        sign(ready, D14, state=step)
    with pytest.raises(ReviewError, match=found):
        sign(ready, D14, state=steps[-1])


def test_sign__signs_all_or_none(ready: Home) -> None:
    nowhere = ResultTarget(scope=ResultScope.VISIT, subject_id="S-1", visit="M9")
    with pytest.raises(ReviewError, match="there are no results"):
        sign(ready, D14, nowhere)
    sign(ready, D14)
    with pytest.raises(ReviewError, match="reviewed already"):
        sign(ready, M2, D14)
    assert [one.target for one in ready.reviews.all()] == [D14]


def test_unlock__needs_a_reason_and_is_signed(ready: Home) -> None:
    sign(ready, D14)
    sign(ready, D14, state="locked")
    with pytest.raises(ReviewError, match="no reason"):
        ready.reviews.unlock([D14], signature(ready, reason=" "))
    with pytest.raises(ReviewError, match="password"):
        ready.reviews.unlock([D14], signature(ready, password="wrong password", reason="x"))
    ready.reviews.unlock([D14], signature(ready, reason="a gate was wrong"))
    assert ready.reviews.standings()[D14].state == "draft"
    assert "a gate was wrong" in ready.registry.audit.rows(limit=1).loc[0, "reason"]
    with pytest.raises(ReviewError, match="is a draft"):
        ready.reviews.unlock([D14], signature(ready, reason="again"))


def test_change_upstream__marks_exactly_the_affected_results(ready: Home, tmp_path: Path) -> None:
    current = ready.snapshots.current()
    assert current is not None
    targets = list_targets(current.table)
    sign(ready, *targets)
    sign(ready, D14, state="locked")
    assert ready.status()["stale"] == 0
    deliver(ready, tmp_path / "x", labs=[LAB | {"value": "9"}])
    assert ready.status()["stale"] == 1  # the child's data wait for a run
    assert stale(ready) == []
    run(ready, at=NOW)
    assert stale(ready) == [D14]
    assert ready.status()["stale"] == 1
    assert ready.reviews.standings()[D14].state == "locked"
    with pytest.raises(ReviewError, match="unlock it first"):
        sign(ready, D14)
    ready.reviews.unlock([D14], signature(ready, reason="a value was corrected"))
    sign(ready, D14)
    assert ready.status()["stale"] == 0
    # The same value from another file is no change.
    deliver(ready, tmp_path / "a", labs=[LAB | {"value": "9"}])
    run(ready, at=NOW)
    assert ready.status()["stale"] == 0


def test_withdrawn_child__is_no_longer_stale(ready: Home) -> None:
    sign(ready, D14)
    withdraw(ready, "S-1", reason="consent", at=NOW, author="chen")
    run(ready, at=NOW)
    assert ready.status()["stale"] == 0


def test_check_unlocked__refuses_a_change_to_locked_results(ready: Home) -> None:
    tubes = ready.registry.acquisition_files()
    of_d14 = [tube for tube in tubes if tube.visit == "D14"]
    others = [tube for tube in tubes if tube.visit != "D14"]
    assert of_d14
    ready.reviews.check_unlocked(tubes)
    sign(ready, D14)
    ready.reviews.check_unlocked(tubes)
    sign(ready, D14, state="locked")
    ready.reviews.check_unlocked(others)
    with pytest.raises(ReviewError, match="is locked"):
        ready.reviews.check_unlocked(tubes)


def test_verify__finds_a_signature_that_was_changed(ready: Home) -> None:
    sign(ready, D14, M2)
    with ready.registry.engine.begin() as connection:
        connection.execute(sa.text("DROP TRIGGER review_no_update"))
        connection.execute(sa.text("UPDATE review SET content_hash = 'f' WHERE id = 2"))
    assert [finding.split(":")[0] for finding in verify(ready)] == ["review 2"]


@pytest.mark.parametrize("statement", ["UPDATE review SET state = 'locked'", "DELETE FROM review"])
def test_database__refuses_to_change_a_signature(ready: Home, statement: str) -> None:
    sign(ready, D14)
    with pytest.raises(sa.exc.DBAPIError, match="never changed"), ready.registry.engine.begin() as connection:
        connection.execute(sa.text(statement))


@pytest.mark.postgres
def test_reviews__on_postgresql_are_the_same(made: Path, tmp_path: Path, postgres_url: str) -> None:
    home = restore_backup(made / "b.tar", tmp_path / "pg", database_url=postgres_url, at=NOW, actor="chen")
    sign(home, D14, M2)
    sign(home, D14, state="locked", author="rolf")
    home.reviews.unlock([D14], signature(home, reason="a gate was wrong"))
    deliver(home, tmp_path / "x", labs=[LAB | {"visit": "M2", "collected_at": "2025-05-03", "value": "9"}])
    run(home, at=NOW)
    assert stale(home) == [M2]
    assert verify(home) == []
    for statement in ("UPDATE review SET state = 'locked'", "DELETE FROM review"):
        with pytest.raises(sa.exc.DBAPIError, match="never changed"), home.registry.engine.begin() as one:
            one.execute(sa.text(statement))
    home.close()
