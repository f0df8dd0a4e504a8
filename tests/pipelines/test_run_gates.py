"""People's gates in a run: a new snapshot, only the affected tubes gated again, and back again."""

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

import pipelines.gating
from corelab.cytometry.interchange.revision import Scope, Target, decide_cut, take_back
from corelab.store import Home
from corelab.store.gates import open_revisions
from pipelines.ingest import ingest
from pipelines.run import run

NOW = dt.datetime(2025, 4, 1, tzinfo=dt.UTC)


@pytest.fixture
def ready(make_home: Callable[..., Home], tiny_trial: Path) -> Home:
    home = make_home()
    ingest(home, [tiny_trial], at=NOW, actor="test")
    return home


@pytest.fixture
def gated(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Object ids of the tubes that were really gated, in their order."""
    seen: list[str] = []
    known = pipelines.gating._Subject._gate_rows

    def note(self, tube, template, priors):
        seen.append(tube.file_id)
        return known(self, tube, template, priors)

    monkeypatch.setattr(pipelines.gating._Subject, "_gate_rows", note)
    return seen


def populations(home: Home) -> pd.DataFrame:
    return home.snapshots.current().table("populations")


def decide(home: Home, target: Target, decision, reason: str = "the valley is shallow") -> None:
    open_revisions(home).add([(target, decision)], at=NOW, author="zhang", role="scientist", reason=reason)


def test_run__takes_a_persons_gate_for_one_tube_and_gives_it_back(ready: Home, gated: list[str]) -> None:
    first = run(ready, at=NOW)
    before = populations(ready)
    full = before[(before["tube"] == "full") & (before["panel"] == "cart")]
    file_id = full["file_id"].iloc[0]
    target = Target(scope=Scope.ACQUISITION, file_id=file_id)
    gated.clear()
    decide(ready, target, decide_cut("CAR", 900.0))
    assert ready.status()["stale"] == 1
    second = run(ready, at=NOW)
    assert (second.is_new, ready.status()["stale"]) == (True, 0)
    assert set(gated) == {file_id}
    after = populations(ready)
    changed = after[(after["file_id"] == file_id) & (after["population"] == "car_t")].iloc[0]
    assert changed["gate_source"] == "manual"
    assert "#" in changed["gate_version"]
    others = ~after["file_id"].eq(file_id)
    pd.testing.assert_frame_equal(after[others], before[others])
    assert ready.snapshots.current().manifest["gates"][file_id]["cut CAR"] in changed["gate_version"]

    assert not run(ready, at=NOW).is_new
    decide(ready, target, take_back(decide_cut("CAR", 900.0)), reason="it was the wrong tube")
    gated.clear()
    third = run(ready, at=NOW)
    assert gated == []
    assert third.snapshot_id == first.snapshot_id
    pd.testing.assert_frame_equal(populations(ready), before)


def test_run__takes_a_gate_for_a_group_and_a_narrower_one_before_it(ready: Home) -> None:
    run(ready, at=NOW)
    before = populations(ready)
    full = before[(before["tube"] == "full") & (before["panel"] == "cart")]
    subject = full["subject_id"].iloc[0]
    one = full["file_id"].iloc[-1]
    decide(ready, Target(scope=Scope.CHILD, subject_id=subject, panel="cart"), decide_cut("CAR", 900.0))
    decide(ready, Target(scope=Scope.ACQUISITION, file_id=one), decide_cut("CAR", 1200.0))
    run(ready, at=NOW)
    after = populations(ready)
    car = after[(after["population"] == "car_t") & (after["subject_id"] == subject)]
    assert set(car["gate_source"]) == {"manual"}
    assert car.set_index("file_id").loc[one, "gate_version"] not in set(
        car[car["file_id"] != one]["gate_version"]
    )
    b_cells = after[after["panel"] == "bcell"].reset_index(drop=True)
    pd.testing.assert_frame_equal(b_cells, before[before["panel"] == "bcell"].reset_index(drop=True))
