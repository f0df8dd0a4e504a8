"""What is withdrawn leaves analysis, stays in the registry and in the audit, and does not come back."""

import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa

from corelab.errors import ConfigError
from corelab.store import Home
from corelab.store.withdrawal import withdraw
from pipelines.ingest import ingest
from tests.deliveries import LAB, SUBJECT, TUBE, make_fcs, write_delivery

NOW = dt.datetime(2025, 4, 1, 9, 0, tzinfo=dt.UTC)
OTHER = SUBJECT | {"subject_id": "S-2"}
SECOND = TUBE | {"file": "fcs/b.fcs", "tube": "fmo_car"}
LAB_2 = LAB | {"subject_id": "S-2"}


@pytest.fixture
def stocked(home: Home, tmp_path: Path) -> Home:
    delivery = write_delivery(
        tmp_path / "d",
        tables={
            "subjects": [SUBJECT, OTHER],
            "manifest": [TUBE, SECOND],
            "labs": [LAB, LAB | {"test": "ANC"}, LAB_2],
        },
        files={"fcs/a.fcs": make_fcs(), "fcs/b.fcs": make_fcs(2), "stray.fcs": make_fcs(3)},
    )
    ingest(home, [delivery], at=NOW, actor="ann")
    return home


def take(home: Home, folder: Path, **tables: list[dict[str, str]]) -> list[str]:
    report = ingest(home, [write_delivery(folder, tables=tables)], at=NOW, actor="ann", accept_reason="so")
    return list(report.waiting)


def out(home: Home, what: str) -> int:
    return withdraw(home, what, reason="consent withdrawn", at=NOW, author="ann").n_rows


def sizes(home: Home) -> tuple[int, int, int]:
    inputs = home.registry.inputs()
    return len(inputs.subjects), len(inputs.acquisitions), len(inputs.labs)


def waiting(home: Home) -> dict[str, str]:
    return {row["path"]: row["reason"] for row in home.registry.quarantine_rows()}


def test_withdraw__takes_a_child_with_everything_that_is_its_own(stocked: Home) -> None:
    before = len(list(stocked.objects.names()))
    assert sizes(stocked) == (2, 2, 3)
    assert out(stocked, "S-1") == 5
    assert sizes(stocked) == (1, 0, 1)
    assert len(list(stocked.objects.names())) == before
    assert list(waiting(stocked)) == ["stray.fcs"]
    line = stocked.registry.audit.rows(limit=1).loc[0]
    assert (line["action"], line["object"], line["reason"]) == ("withdraw", "child S-1", "consent withdrawn")
    assert line["old"] == "acquisitions 2, labs 2, subjects 1"
    assert stocked.registry.status()["states"]["withdrawn"] == 5
    assert stocked.registry.audit.verify() == []


def test_withdraw__keeps_a_child_out_that_is_delivered_again(stocked: Home, tmp_path: Path) -> None:
    out(stocked, "S-1")
    named = take(
        stocked, tmp_path / "again", subjects=[SUBJECT | {"sex": "M"}], labs=[LAB | {"test": "PLT"}],
        manifest=[TUBE | {"file": "fcs/b.fcs", "batch": "x"}],
    )  # fmt: skip
    assert len(named) == 3
    assert all("withdrawn (consent withdrawn)" in line for line in named)
    assert sizes(stocked) == (1, 0, 1)


@pytest.mark.parametrize("what", ["fcs/a.fcs", "a.fcs", "id", "manifest.csv:2"])
def test_withdraw__takes_a_tube_by_name_by_id_and_by_row(stocked: Home, what: str, tmp_path: Path) -> None:
    inputs = stocked.registry.inputs().acquisitions
    file_id = inputs[inputs["tube"] == "full"]["file_id"].iloc[0]
    assert out(stocked, file_id[:12] if what == "id" else what) == 1
    assert list(stocked.registry.inputs().acquisitions["tube"]) == ["fmo_car"]
    assert list(waiting(stocked)) == ["stray.fcs"]
    named = take(stocked, tmp_path / "again", manifest=[TUBE | {"batch": "B2"}])
    assert ["this file was withdrawn" in line for line in named] == [True]
    assert len(stocked.registry.inputs().acquisitions) == 1


def test_withdraw__takes_a_row_and_lets_its_neighbours_stand(stocked: Home, tmp_path: Path) -> None:
    assert out(stocked, "labs.csv:3") == 1
    assert sorted(stocked.registry.inputs().labs["test"]) == ["ALC", "ALC"]
    named = take(stocked, tmp_path / "again", labs=[LAB | {"test": "ANC", "value": "9"}])
    assert ["this row was withdrawn" in line for line in named] == [True]
    assert len(stocked.registry.inputs().labs) == 2


def test_withdraw__takes_what_only_a_table_delivered(stocked: Home, tmp_path: Path) -> None:
    take(stocked, tmp_path / "more" / "labs2", labs=[LAB, LAB | {"test": "PLT"}])
    files = stocked.registry.object_ids().values()
    assert sorted(files).count("labs.csv") == 2
    with pytest.raises(ConfigError, match="2 things are called"):
        out(stocked, "labs.csv")
    with stocked.registry.engine.connect() as connection:
        (first,) = connection.execute(
            sa.text("SELECT file_id FROM file WHERE kind = 'labs' AND facts LIKE '%3%'")
        )
    assert out(stocked, first.file_id) == 2  # ANC of S-1 and the row of S-2; ALC of S-1 came twice
    assert sorted(stocked.registry.inputs().labs["test"]) == ["ALC", "PLT"]
    # The second file still delivers what the first one did, and a third may bring the rest again.
    assert take(stocked, tmp_path / "third", labs=[LAB_2, LAB | {"test": "ANC"}]) == []
    assert len(stocked.registry.inputs().labs) == 4


def test_withdraw__takes_what_waits_out_of_the_quarantine(stocked: Home, tmp_path: Path) -> None:
    assert out(stocked, "stray.fcs") == 0
    assert waiting(stocked) == {}
    take(stocked, tmp_path / "again", labs=[LAB | {"subject_id": "S-9"}])
    assert list(waiting(stocked)) == ["labs.csv:2"]
    file_id = stocked.registry.quarantine_rows()[0]["file_id"]
    with pytest.raises(ConfigError, match=f"things are called .* id \\(.*{file_id[:12]}:2"):
        out(stocked, "labs.csv:2")
    assert out(stocked, f"{file_id}:2") == 0
    assert waiting(stocked) == {}


def test_withdraw__sets_aside_what_waited_to_change_it(stocked: Home, tmp_path: Path) -> None:
    second = write_delivery(tmp_path / "second", tables={"labs": [LAB | {"value": "7"}]})
    ingest(stocked, [second], at=NOW, actor="ann")
    assert len(stocked.registry.corrections()) == 1
    out(stocked, "S-1")
    assert stocked.registry.corrections().empty
    report = ingest(stocked, [second], at=NOW, actor="ann", accept_reason="typo")
    assert report.counts["rows_corrected"] == 0
    assert sizes(stocked) == (1, 0, 1)


@pytest.mark.parametrize(
    ("what", "reason", "found"),
    [("S-1", " ", "no reason"), ("S-7", "x", "nothing is called"), ("", "x", "nothing is called")],
)
def test_withdraw__refuses_what_it_does_not_know(stocked: Home, what: str, reason: str, found: str) -> None:
    before = stocked.registry.content_hash()
    with pytest.raises(ConfigError, match=found):
        withdraw(stocked, what, reason=reason, at=NOW, author="ann")
    assert stocked.registry.content_hash() == before


def test_withdraw__takes_nothing_twice(stocked: Home) -> None:
    out(stocked, "S-1")
    with pytest.raises(ConfigError, match="withdrawn already"):
        out(stocked, "S-1")


def test_database__refuses_to_change_a_withdrawal(stocked: Home) -> None:
    out(stocked, "S-2")
    with (
        pytest.raises(sa.exc.DBAPIError, match="never changed"),
        stocked.registry.engine.begin() as connection,
    ):
        connection.execute(sa.text("UPDATE withdrawal SET reason = 'none'"))


def test_active_rows__are_those_of_an_earlier_position(stocked: Home, tmp_path: Path) -> None:
    position, before = stocked.registry.position(), stocked.registry.active_rows()
    take(stocked, tmp_path / "more", labs=[LAB | {"value": "3"}, LAB | {"test": "WBC"}], subjects=[])
    out(stocked, "S-2")
    middle, then = stocked.registry.position(), stocked.registry.active_rows()
    out(stocked, "S-1")
    assert stocked.registry.active_rows(position) == before
    assert stocked.registry.active_rows(middle) == then
    assert stocked.registry.active_rows() == stocked.registry.active_rows(stocked.registry.position())
    assert before != then
