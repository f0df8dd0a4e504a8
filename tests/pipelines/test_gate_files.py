"""Workspaces and Gating-ML in a delivery: kept without names, matched, recorded, and counted in a run."""

import datetime as dt
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from corelab.cytometry.interchange.evaluate import evaluate
from corelab.cytometry.interchange.flowjo import read_flowjo
from corelab.cytometry.interchange.revision import Kind, Scope, Target, decide_cut, take_back
from corelab.store import Home
from corelab.store.gates import open_revisions
from pipelines.ingest import ingest
from pipelines.run import run
from tests.cytometry.interchange.workspaces import (
    PERSONAL,
    make_gatingml,
    make_tree,
    make_tube,
    make_workspace,
)
from tests.deliveries import SUBJECT, TUBE, write_delivery

NOW = dt.datetime(2025, 4, 1, tzinfo=dt.UTC)
MEANT = {"T cells": "t_cells", "T cells/CD4": "cd4_t", "T cells/CD8": "cd8_t", "T cells/CAR+": "car_t"}


@pytest.fixture
def home(make_home: Callable[..., Home]) -> Home:
    return make_home()


@pytest.fixture(scope="module")
def tube():
    return make_tube()


def deliver(folder: Path, files: dict[str, bytes], *, names: tuple[str, ...] = ("a.fcs",)) -> Path:
    manifest = [TUBE | {"file": name} for name in names]
    return write_delivery(folder, tables={"subjects": [SUBJECT], "manifest": manifest}, files=files)


def take(home: Home, folder: Path):
    return ingest(home, [folder], at=NOW, actor="test")


def populations(home: Home) -> pd.DataFrame:
    run(home, at=NOW)
    return home.snapshots.current().table("populations").set_index("population")


def expected(tube) -> dict[str, int]:
    masks = evaluate(make_tree(), tube).masks
    return {population: int(masks[gate].sum()) for gate, population in MEANT.items()}


def test_ingest__gives_a_tube_the_gates_of_its_workspace(home: Home, tube, tmp_path: Path) -> None:
    acquisition, data = tube
    workspace = make_workspace({"a.fcs": acquisition}, counts={"T cells": expected(acquisition)["t_cells"]})
    report = take(home, deliver(tmp_path / "d", {"a.fcs": data, "gates.wsp": workspace}))
    assert report.is_clean, (report.waiting, report.troubles)
    assert any(line.startswith("gates.wsp: a.fcs: 4 gates of the trial; 2 equal") for line in report.remarks)
    table = populations(home)
    assert {name: int(table.loc[name, "count"]) for name in MEANT.values()} == expected(acquisition)
    assert set(table.loc[list(MEANT.values()), "gate_source"]) == {"flowjo"}
    assert table.loc["cd4_t.em", "gate_source"] == "auto"
    revisions = open_revisions(home).all()
    assert {one.target.scope for one in revisions} == {Scope.ACQUISITION}
    assert {one.reason for one in revisions} == {"delivered in gates.wsp"}
    assert len({one.origin for one in revisions}) == 1
    assert home.registry.audit.verify() == []


def test_ingest__keeps_a_workspace_without_operator_computer_and_paths(
    home: Home, tube, tmp_path: Path
) -> None:
    acquisition, data = tube
    workspace = make_workspace({"tube_LiLei.fcs": acquisition, "b.fcs": acquisition})
    assert all(word in workspace.decode() for word in PERSONAL)
    folder = deliver(
        tmp_path / "d", {"tube_LiLei.fcs": data, "gates.wsp": workspace}, names=("tube_LiLei.fcs",)
    )
    take(home, folder)
    kept = [path.read_bytes() for path in (home.path / "objects").rglob("*") if path.is_file()]
    stored = next(one for one in kept if b"Workspace" in one)
    registry = (home.path / "registry.db").read_bytes()
    for word in PERSONAL:
        assert word.encode() not in stored, word
        # The manifest names a file as it was delivered; the rest is nowhere at all.
        assert word == "tube_LiLei" or not [one for one in (*kept, registry) if word.encode() in one], word
    before, after = read_flowjo(workspace, name="w"), read_flowjo(stored, name="w")
    assert [one.tree for one in after] == [one.tree for one in before]
    assert [one.labels for one in after] == [one.labels for one in before]
    assert after[1].name == "sample 2"
    assert len(after[0].name) == 64


def test_ingest__names_the_markers_of_a_tube_without_them(home: Home, tmp_path: Path) -> None:
    acquisition, data = make_tube(with_labels=False)
    workspace = make_workspace({"a.fcs": acquisition})
    take(home, deliver(tmp_path / "d", {"a.fcs": data, "w.wsp": workspace}))
    table = populations(home)
    assert int(table.loc["leukocytes", "count"]) > 0
    assert (table.loc["leukocytes", "status"], table.loc["cd4_t.em", "status"]) == (
        "quantified",
        "quantified",
    )
    kinds = {one.decision.kind for one in open_revisions(home).all()}
    assert kinds == {Kind.SHAPE, Kind.LABELS}


def test_ingest__records_a_workspace_once_and_leaves_later_edits(home: Home, tube, tmp_path: Path) -> None:
    acquisition, data = tube
    folder = deliver(tmp_path / "d", {"a.fcs": data, "gates.wsp": make_workspace({"a.fcs": acquisition})})
    take(home, folder)
    revisions = open_revisions(home)
    target = Target(scope=Scope.ACQUISITION, file_id=revisions.all()[0].target.file_id)
    shape = next(one.decision for one in revisions.all() if one.decision.gate == "car_t")
    revisions.add(
        [(target, take_back(shape)), (target, decide_cut("CAR", 2500.0))],
        at=NOW, author="zhang", role="scientist", reason="the line cuts the cloud",
    )  # fmt: skip
    n = len(revisions.all())
    take(home, folder)
    assert len(revisions.all()) == n
    assert populations(home).loc["car_t", "gate_source"] == "manual"


def test_ingest__takes_gatingml_by_name_by_id_and_for_all_files(home: Home, tmp_path: Path) -> None:
    (_, one), (_, two), (_, three) = (make_tube(seed) for seed in (1, 2, 3))
    ids = {name: hashlib.sha256(data).hexdigest() for name, data in (("a", one), ("b", two), ("c", three))}
    manifest = ("a.fcs", "b.fcs", "c.fcs")
    by_name = {"a.fcs": one, "b.fcs": two, "c.fcs": three, "a.gml": make_gatingml()}
    take(home, deliver(tmp_path / "d", by_name, names=manifest))
    assert {r.target.file_id for r in open_revisions(home).all()} == {ids["a"]}
    take(home, write_delivery(tmp_path / "e", tables={}, files={
        "a.fcs": one, "b.fcs": two, "sub/x.gml": make_gatingml(file_id=ids["b"]),
    }))  # fmt: skip
    assert {r.target.file_id for r in open_revisions(home).all()} == {ids["a"], ids["b"]}
    take(
        home, write_delivery(tmp_path / "f", tables={}, files=by_name | {"all.gml": make_gatingml(note="x")})
    )
    assert {r.target.file_id for r in open_revisions(home).all()} == set(ids.values())
    table = populations(home)
    assert set(table.loc["cd8_t", "gate_source"]) == {"gatingml"}


def test_ingest__refuses_gates_one_by_one_and_goes_on(home: Home, tube, tmp_path: Path) -> None:
    data = tube[1]
    document = make_gatingml().decode()
    lost = document.replace('data-type:name="D5-A"', 'data-type:name="BV999-A"').replace('="D4-A"', '="V9-A"')
    broken = lost.replace(
        "<gating:coordinate data-type:value=", '<gating:coordinate data-type:value="nan" x=', 1
    )
    report = take(home, deliver(tmp_path / "d", {"a.fcs": data, "a.gml": broken.encode()}))
    assert not report.is_clean
    assert report.waiting == ()
    told = "\n".join(report.troubles)
    assert "a.gml: a.fcs: T_cells_CAR_: channel 'V9-A' is not in the file" in told
    assert "T_cells_CD4: 'nan' is not finite" in told
    table = populations(home)
    sources = {name: table.loc[name, "gate_source"] for name in MEANT.values()}
    assert sources == {"t_cells": "gatingml", "cd4_t": "auto", "cd8_t": "gatingml", "car_t": "auto"}
    quality = home.snapshots.current().table("quality")
    refused = quality[quality["check"] == "GATE_REFUSED"]["reason"]
    assert any("T_cells_CAR_" in reason for reason in refused)
    assert any("nan" in reason for reason in refused)


ENTITIES = """<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "{text}"><!ENTITY b "&a;&a;&a;">]>
<Workspace><SampleList><Sample><SampleNode name="&b;"/></Sample></SampleList></Workspace>"""
XXE = """<?xml version="1.0"?><!DOCTYPE w SYSTEM "file:///etc/passwd"><Workspace/>"""


@pytest.mark.parametrize(
    ("rubbish", "message"),
    [
        (b"", "not XML"),
        (b"\x00\x01\x02", "not XML"),
        (b"<Workspace><SampleList>", "not XML"),
        (b"<html/>", "root element"),
        (ENTITIES.format(text="x" * 9).encode(), "document type"),
        (ENTITIES.format(text="x" * 9).encode("utf-16"), "document type"),
        (XXE.encode(), "document type"),
        (b"<a>" * 2000 + b"</a>" * 2000, "nested"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["gates.wsp", "a.gml"])
def test_ingest__holds_rubbish_with_one_clear_reason(
    home: Home, tube, tmp_path: Path, name: str, rubbish: bytes, message: str
) -> None:
    report = take(home, deliver(tmp_path / "d", {"a.fcs": tube[1], name: rubbish}))
    assert next(line for line in report.waiting if line.startswith(f"{name}: ")).count("\n") == 0
    assert message in report.waiting[0]
    assert open_revisions(home).all() == []
    assert home.status()["states"]["active"] == 2


def test_ingest__holds_a_workspace_until_its_files_come(home: Home, tube, tmp_path: Path) -> None:
    acquisition, data = tube
    workspace = make_workspace({"a.fcs": acquisition})
    alone = tmp_path / "gates.wsp"
    alone.write_bytes(workspace)
    report = ingest(home, [alone], at=NOW, actor="test")
    assert "names none of the FCS files" in report.waiting[0]
    assert "corelab gates import" in report.waiting[0]
    report = take(home, deliver(tmp_path / "d", {"a.fcs": data, "gates.wsp": workspace}))
    assert report.is_clean
    assert home.status()["quarantine"] == []
    assert len(open_revisions(home).all()) == 4


def test_run__says_where_counts_differ_from_those_of_the_workspace(home: Home, tube, tmp_path: Path) -> None:
    acquisition, data = tube
    workspace = make_workspace({"a.fcs": acquisition}, counts={"T cells": 10})
    report = take(home, deliver(tmp_path / "d", {"a.fcs": data, "gates.wsp": workspace}))
    assert any("T cells" in line and "for 10" in line for line in report.troubles)
    run(home, at=NOW)
    quality = home.snapshots.current().table("quality")
    row = quality[quality["check"] == "GATE_PARITY"].iloc[0]
    assert (row["limit"], row["level"]) == (10, "warn")
    assert row["value"] == expected(acquisition)["t_cells"]
    assert np.isfinite(row["value"])
