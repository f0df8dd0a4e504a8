"""Gate revisions: only ever added to, the narrowest and newest counts, each with its line of the audit."""

import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa

from corelab.cytometry.interchange.revision import (
    Kind,
    Scope,
    Target,
    TubeKey,
    decide_cut,
    decide_labels,
    pick_decisions,
    take_back,
)
from corelab.errors import ConfigError, InputError
from corelab.store import Home
from corelab.store.database import connect_database, migrate, reading, writing
from corelab.store.gates import open_revisions, read_revisions
from corelab.vocabulary import GateSource

NOW = dt.datetime(2025, 4, 1, tzinfo=dt.UTC)
TUBE = TubeKey(file_id="f" * 64, subject_id="S-1", visit="D14", panel="cart")
FILE = Target(scope=Scope.ACQUISITION, file_id=TUBE.file_id)
VISIT = Target(scope=Scope.VISIT, subject_id="S-1", visit="D14", panel="cart")
CHILD = Target(scope=Scope.CHILD, subject_id="S-1", panel="cart")
PANEL = Target(scope=Scope.PANEL, panel="cart")


def add(home: Home, *decisions, **options):
    said = {"at": NOW, "author": "zhang", "role": "scientist", "reason": "the valley is shallow"} | options
    return open_revisions(home).add(decisions, **said)


def picked(home: Home, tube: TubeKey = TUBE) -> dict[str, float]:
    revisions = open_revisions(home).all()
    return {one.gate: float(one.content) for one in pick_decisions(revisions, tube) if one.kind is Kind.CUT}


def test_pick_decisions__takes_the_newest_of_the_narrowest_scope(home: Home) -> None:
    add(home, (PANEL, decide_cut("CD3", 1.0)), (PANEL, decide_cut("CD4", 1.5)))
    add(home, (FILE, decide_cut("CD3", 4.0)))
    add(home, (CHILD, decide_cut("CD3", 2.0)), (VISIT, decide_cut("CD3", 3.0)))
    assert picked(home) == {"CD3": 4.0, "CD4": 1.5}
    other_visit = TubeKey(file_id="a" * 64, subject_id="S-1", visit="D28", panel="cart")
    other_child = TubeKey(file_id="b" * 64, subject_id="S-2", visit="D14", panel="cart")
    other_panel = TubeKey(file_id="c" * 64, subject_id="S-1", visit="D14", panel="bcell")
    run_tube = TubeKey(file_id="d" * 64, subject_id="", visit="", panel="cart")
    assert [picked(home, one).get("CD3") for one in (other_visit, other_child, other_panel, run_tube)] == [
        2.0, 1.0, None, 1.0,
    ]  # fmt: skip
    add(home, (FILE, decide_cut("CD3", 5.0)))
    assert picked(home)["CD3"] == 5.0


def test_pick_decisions__lets_the_wider_one_count_after_a_withdrawal(home: Home) -> None:
    add(home, (PANEL, decide_cut("CD3", 1.0)), (FILE, decide_cut("CD3", 4.0)))
    add(home, (FILE, take_back(decide_cut("CD3", 4.0))), reason="it was the wrong tube")
    assert picked(home) == {"CD3": 1.0}
    add(home, (PANEL, take_back(decide_cut("CD3", 1.0))))
    assert picked(home) == {}
    rows = home.registry.audit.rows()
    assert list(rows["action"][:2]) == ["gate_take_back"] * 2
    assert home.registry.audit.verify() == []


def test_add__records_nothing_that_stands_already(home: Home) -> None:
    first = add(home, (FILE, decide_cut("CD3", 4.0)))
    assert add(home, (FILE, decide_cut("CD3", 4.0))) == []
    assert add(home, (FILE, take_back(decide_cut("CD8", 4.0)))) == []
    second = add(home, (FILE, decide_cut("CD3", 4.5)), origin="9" * 64)
    assert (first[0].supersedes, second[0].supersedes) == (None, first[0].id)
    assert [one.origin for one in open_revisions(home).all()] == ["", "9" * 64]


def test_add__writes_who_when_and_why_to_the_audit(home: Home) -> None:
    add(home, (FILE, decide_cut("CD3", 4.0)))
    add(home, (FILE, decide_cut("CD3", 5.0)))
    row = home.registry.audit.rows(limit=1).iloc[0]
    assert (row["actor"], row["role"], row["action"]) == ("zhang", "scientist", "gate_edit")
    assert (row["old"], row["new"], row["reason"]) == (
        "manual cut 4.0",
        "manual cut 5.0",
        "the valley is shallow",
    )
    assert row["object"] == f"gate acquisition {TUBE.file_id} CD3"


@pytest.mark.parametrize("reason", ["", "  "])
def test_add__asks_for_a_reason(home: Home, reason: str) -> None:
    with pytest.raises(ConfigError, match="no reason"):
        add(home, (FILE, decide_cut("CD3", 4.0)), reason=reason)


@pytest.mark.parametrize(
    "target",
    [
        Target(scope=Scope.ACQUISITION),
        Target(scope=Scope.CHILD, subject_id="S-1"),
        Target(scope=Scope.PANEL, panel="cart", visit="D14"),
    ],
)
def test_add__refuses_a_target_that_names_too_little_or_too_much(home: Home, target: Target) -> None:
    with pytest.raises(InputError, match="scope"):
        add(home, (FILE, decide_cut("CD4", 1.0)), (target, decide_cut("CD3", 4.0)))
    assert open_revisions(home).all() == []


def test_decide_cut__refuses_what_is_no_number() -> None:
    for limit in (float("nan"), float("inf")):
        with pytest.raises(InputError, match="finite"):
            decide_cut("CD3", limit)


def test_database__refuses_to_change_or_remove_a_revision(home: Home) -> None:
    add(home, (FILE, decide_cut("CD3", 4.0)))
    for statement in ("UPDATE gate_revision SET gate = 'CD4'", "DELETE FROM gate_revision"):
        with (
            pytest.raises(sa.exc.DatabaseError, match="never changed"),
            home.registry.engine.begin() as connection,
        ):
            connection.execute(sa.text(statement))


def test_decide_labels__keeps_names_in_any_script(home: Home) -> None:
    add(home, (FILE, decide_labels({"B": "CD4 α", "A": "CD3"}, GateSource.FLOWJO)))
    assert open_revisions(home).all()[0].decision.content == '{"A": "CD3", "B": "CD4 α"}'


def test_migrate__gives_older_revisions_no_origin(tmp_path: Path) -> None:
    engine = connect_database(f"sqlite:///{tmp_path / 'registry.db'}")
    migrate(engine, revision="0002")
    row = {
        "scope": "acquisition", "file_id": FILE.file_id, "subject_id": "", "visit": "", "panel": "",
        "kind": "cut", "gate": "CD3", "content": "4.0", "source": "manual", "author": "zhang",
        "recorded_at": "2025-04-01", "reason": "the valley is shallow",
    }  # fmt: skip
    columns, values = ", ".join(row), ", ".join(f":{name}" for name in row)
    with writing(engine) as connection:
        connection.execute(sa.text(f"INSERT INTO gate_revision ({columns}) VALUES ({values})"), row)
    migrate(engine)
    with reading(engine) as connection:
        assert [one.origin for one in read_revisions(connection)] == [""]
    with pytest.raises(sa.exc.DatabaseError, match="never changed"), engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM gate_revision"))
    engine.dispose()
