"""``corelab gates`` and ``corelab gate --gates``: out of one home, into another, the same events."""

import csv
import datetime as dt
import warnings
from collections.abc import Callable
from pathlib import Path

import flowkit
import pandas as pd
import pytest

from corelab.cytometry.interchange.evaluate import evaluate
from corelab.cytometry.interchange.flowjo import read_flowjo
from corelab.cytometry.interchange.gatingml import read_gatingml
from corelab.cytometry.interchange.revision import Scope, Target, decide_cut
from corelab.errors import ConfigError, InputError
from corelab.ingest.fcs import read_fcs
from corelab.store import Home
from corelab.store.gates import open_revisions
from corelab.store.objects import compute_sha256
from pipelines.cli import main
from pipelines.gate import gate_files
from pipelines.gates import Choice, export_gates, import_gates, read_name_map
from pipelines.ingest import ingest
from pipelines.run import run
from tests.cytometry.interchange.workspaces import make_gatingml, make_tree, make_tube, make_workspace
from tests.deliveries import SUBJECT, TUBE, write_delivery
from tests.ingest.real_data import find_real_data

NOW = dt.datetime(2025, 4, 1, tzinfo=dt.UTC)
SAID = {"at": NOW, "actor": "zhang"}


@pytest.fixture
def trial_home(make_home: Callable[..., Home], tiny_trial: Path, tmp_path: Path) -> Home:
    """Two visits of a synthetic child, both panels."""
    rows = [row for row in read_csv(tiny_trial / "manifest.csv") if row["visit"] in ("D14", "D28")]
    delivery = write_delivery(
        tmp_path / "trial", tables={"subjects": read_csv(tiny_trial / "subjects.csv"), "manifest": rows},
        files={row["file"]: (tiny_trial / row["file"]).read_bytes() for row in rows},
    )  # fmt: skip
    home = make_home()
    ingest(home, [delivery], at=NOW, actor="test")
    return home


@pytest.fixture
def tube_home(make_home: Callable[..., Home], tmp_path: Path) -> Home:
    home = make_home("tube")
    _, data = make_tube()
    delivery = write_delivery(
        tmp_path / "d", tables={"subjects": [SUBJECT], "manifest": [TUBE | {"file": "a.fcs"}]},
        files={"a.fcs": data},
    )  # fmt: skip
    ingest(home, [delivery], at=NOW, actor="test")
    return home


def counts(home: Home) -> pd.DataFrame:
    run(home, at=NOW)
    table = home.snapshots.current().table("populations")
    return table.set_index(["file_id", "population"]).sort_index()


@pytest.mark.parametrize(("suffix", "source"), [("wsp", "flowjo"), ("gml", "gatingml")])
def test_export_gates__imported_again_gives_the_same_counts(
    trial_home: Home, tmp_path: Path, suffix: str, source: str
) -> None:
    before = counts(trial_home)
    exported = export_gates(trial_home, tmp_path / "out", choice=Choice(visit="D14"), formats=[suffix])
    paths = [path for path in exported.paths if path.suffix == f".{suffix}"]
    assert (len(paths), exported.troubles) == (1 if suffix == "wsp" else 2, [])
    report = import_gates(trial_home, paths, **SAID)
    assert report.troubles == ()
    if suffix == "wsp":
        assert {row.verdict for row in report.parity if row.population} == {"equal"}
    after = counts(trial_home)
    chosen = sorted({one.target.file_id for one in open_revisions(trial_home).all()})
    assert len(chosen) == 2
    both = pd.concat([before.loc[chosen], after.loc[chosen]], axis=1, keys=["before", "after"])
    assert (both["before"]["count"].fillna(-1) == both["after"]["count"].fillna(-1)).all()
    # What is its parent, event for event, has no gate to be drawn.
    gated = both["after"][both["after"]["count"] != both["after"]["parent_count"]].dropna(subset="count")
    assert set(gated["gate_source"]) == {source}
    others = ~before.index.get_level_values("file_id").isin(chosen)
    pd.testing.assert_frame_equal(after[others], before[others])


def test_export_gates__is_read_by_flowkit_with_the_same_counts(
    trial_home: Home, tiny_trial: Path, tmp_path: Path
) -> None:
    table = trial_home.registry.inputs().acquisitions
    full = table[(table["visit"] == "D14") & (table["panel"] == "cart")]
    file_id = full["file_id"].iloc[0]
    out = tmp_path / "out"
    export_gates(trial_home, out, choice=Choice(files=(file_id[:12],)))
    (document,) = out.glob("*.gml")
    fcs = next(tiny_trial.rglob(f"{document.stem}.fcs"))
    acquisition = read_fcs(fcs.read_bytes(), name=fcs.name)
    tree = read_gatingml(document.read_bytes(), name=document.name).tree
    result = flowkit.parse_gating_xml(str(document)).gate_sample(flowkit.Sample(str(fcs)))
    masks = evaluate(tree, acquisition).masks
    assert len(masks) > 60
    assert all((result.get_gate_membership(name) == mask).all() for name, mask in masks.items())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        workspace = flowkit.Workspace(str(out / "gates.wsp"), str(fcs), filename_as_id=True)
    workspace.analyze_samples(use_mp=False)
    (sample,) = read_flowjo((out / "gates.wsp").read_bytes(), name="gates.wsp")
    for name, mask in evaluate(sample.tree, acquisition).masks.items():
        path = ("root", *name.split("/"))
        found = workspace.get_gate_membership(fcs.name, path[-1], gate_path=path[:-1])
        assert (found == mask).all(), name
        assert sample.tree.gates[name].stored_count in (None, mask.sum()), name


def test_import_gates__says_why_and_from_which_file(tube_home: Home, tmp_path: Path) -> None:
    path = tmp_path / "a.gml"
    path.write_bytes(make_gatingml())
    report = import_gates(tube_home, [path], reason="second reader", **SAID)
    assert (report.n_new, report.troubles) == (4, ())
    revisions = open_revisions(tube_home).all()
    assert {(one.reason, one.author) for one in revisions} == {("second reader", "zhang")}
    assert len(next(iter({one.origin for one in revisions}))) == 64
    assert import_gates(tube_home, [path], **SAID).n_new == 0
    assert tube_home.registry.audit.verify() == []
    kept = tube_home.registry.object_ids()
    assert "a.gml" in kept.values()


def test_import_gates__changes_nothing_for_what_it_cannot_match(tube_home: Home, tmp_path: Path) -> None:
    other = tmp_path / "other.gml"
    other.write_bytes(make_gatingml())
    with pytest.raises(InputError, match="names none of the FCS files"):
        import_gates(tube_home, [other], **SAID)
    assert open_revisions(tube_home).all() == []
    assert import_gates(tube_home, [other], choice=Choice(files=("a.fcs",)), **SAID).n_new == 4
    with pytest.raises(ConfigError, match="names 0 acquisitions"):
        import_gates(tube_home, [other], choice=Choice(files=("b.fcs",)), **SAID)
    with pytest.raises(InputError, match="cannot be read"):
        import_gates(tube_home, [tmp_path / "none.wsp"], **SAID)


def test_import_gates__takes_names_from_a_small_file(tube_home: Home, tmp_path: Path) -> None:
    path = tmp_path / "a.wsp"
    path.write_bytes(make_workspace({"a.fcs": make_tube()[0]}).replace(b'name="T cells', b'name="My own'))
    assert import_gates(tube_home, [path], **SAID).n_new == 0
    names = tmp_path / "names.yaml"
    names.write_text("populations:\n  t_cells: [my own]\n  cd4_t: {names: [cd4], within: [t_cells]}\n")
    assert import_gates(tube_home, [path], names=read_name_map(names), **SAID).n_new == 2
    with pytest.raises(ConfigError, match="cannot be read"):
        read_name_map(tmp_path / "none.yaml")


def test_export_gates__writes_a_persons_limit_as_it_stands(tube_home: Home, tmp_path: Path) -> None:
    file_id = tube_home.registry.inputs().acquisitions["file_id"].iloc[0]
    target = Target(scope=Scope.ACQUISITION, file_id=file_id)
    open_revisions(tube_home).add(
        [(target, decide_cut("CAR", 2500.0))], at=NOW, author="zhang", reason="by eye"
    )
    out = tmp_path / "a.gml"
    export_gates(tube_home, out, choice=Choice())
    tree = read_gatingml(out.read_bytes(), name="a.gml").tree
    tube, _ = make_tube()
    car = tree.gates["car_t"].geometry.bounds[0]
    assert car.low == pytest.approx(2500.0, abs=60)
    column = tube.events[:, tube.detectors.index(car.dimension.channel)]
    assert ((column > 2500.0) == (column >= car.low)).all()


def test_export_gates__wants_one_acquisition_for_one_document(trial_home: Home, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="acquisitions for one Gating-ML file"):
        export_gates(trial_home, tmp_path / "a.gml", choice=Choice())
    with pytest.raises(ConfigError, match="no acquisition is chosen"):
        export_gates(trial_home, tmp_path / "out", choice=Choice(visit="M24", panel="nk"))


def test_gates_command__takes_in_and_gives_out(tube_home: Home, tmp_path: Path, capsys) -> None:
    def corelab(*words: object) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        return code, *capsys.readouterr()

    workspace = tmp_path / "a.wsp"
    expected = {gate: int(mask.sum()) for gate, mask in evaluate(make_tree(), make_tube()[0]).masks.items()}
    workspace.write_bytes(make_workspace({"a.fcs": make_tube()[0]}, counts=expected | {"T cells": 9}))
    home, parity, out = tube_home.path, tmp_path / "p.csv", tmp_path / "out"
    code, _, told = corelab("gates", "import", home, workspace, "--reason", "again", "--parity", parity)
    assert code == 1
    assert "a.wsp: a.fcs: T cells:" in told
    rows = {row["gate"]: row for row in read_csv(parity)}
    assert (rows["T cells"]["verdict"], rows["T cells/CD8"]["verdict"]) == ("outside", "equal")
    assert rows["T cells/CD4"]["gate_type"] == "polygon"
    _, printed, _ = corelab("gates", "import", home, workspace)
    assert "0 decisions are new" in printed
    assert any(line.split()[:2] == ["a.fcs", "T"] for line in printed.splitlines())
    assert corelab("gates", "export", home, out)[0] == 0
    assert sorted(path.name for path in out.iterdir()) == ["a.gml", "gates.wsp"]
    line = tube_home.registry.audit.rows(limit=1).iloc[0]
    assert (line["action"], line["object"], line["new"]) == ("export", "gates", "wsp, gml: all acquisitions")
    assert corelab("gates", "import", home, tmp_path / "none.wsp")[0] == 2
    assert corelab("gates", "export", home, tmp_path / "o", "--files", "zzz")[0] == 2


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def read_table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False).set_index("population")


def test_gate_files__takes_given_gates_instead_of_fitted_ones(tmp_path: Path) -> None:
    tube, data = make_tube()
    (tmp_path / "x.fcs").write_bytes(data)
    (tmp_path / "g.gml").write_bytes(make_gatingml(file_id="0" * 64))
    out = tmp_path / "p.csv"
    code = gate_files(
        [tmp_path / "x.fcs"], panel="cart", gates=tmp_path / "g.gml", out=out, parity=tmp_path / "parity.csv"
    )
    table = read_table(out)
    masks = evaluate(make_tree(), tube).masks
    given = {"t_cells": "T cells", "cd4_t": "T cells/CD4", "cd8_t": "T cells/CD8", "car_t": "T cells/CAR+"}
    assert code == 0
    assert {name: int(table.loc[name, "count"]) for name in given} == {
        name: int(masks[gate].sum()) for name, gate in given.items()
    }
    assert set(table.loc[list(given), "gate_source"]) == {"gatingml"}
    assert set(table.loc[list(given), "status"]) == {"quantified"}
    rest = table.drop(index=["events", *given])
    assert (set(rest["reason"]), set(rest["status"])) == ({"NOT_GIVEN"}, {"missing"})
    verdicts = {row["verdict"] for row in read_csv(tmp_path / "parity.csv")}
    assert verdicts == {"not_counted"}


def test_gate_files__takes_a_workspace_with_its_markers(tmp_path: Path, capsys) -> None:
    tube, data = make_tube(with_labels=False)
    for name in ("x.fcs", "y.fcs"):
        (tmp_path / name).write_bytes(data + (b" " if name == "y.fcs" else b""))
    (tmp_path / "g.wsp").write_bytes(make_workspace({"x.fcs": tube}))
    code = gate_files(
        [tmp_path / "x.fcs", tmp_path / "y.fcs"], panel="cart", gates=tmp_path / "g.wsp", workers=2,
        out=tmp_path / "p.csv",
    )  # fmt: skip
    told = capsys.readouterr().err
    assert code == 1
    assert "y.fcs: the workspace has no sample of this name; expected x.fcs" in told
    assert "--names" not in told
    assert "not_counted" in told
    assert read_table(tmp_path / "p.csv").loc["t_cells", "gate_source"] == "flowjo"


def test_gate_files__says_that_no_gate_is_called_like_a_population(tmp_path: Path, capsys) -> None:
    (tmp_path / "x.fcs").write_bytes(make_tube()[1])
    (tmp_path / "g.gml").write_bytes(make_gatingml(file_id="0" * 64))
    (tmp_path / "names.yaml").write_text(
        "version: 1\npopulations:\n  car_t: {names: [nobody]}\n", encoding="utf-8"
    )
    gate_files(
        [tmp_path / "x.fcs"], panel="cart", gates=tmp_path / "g.gml", names=tmp_path / "names.yaml",
        out=tmp_path / "p.csv",
    )  # fmt: skip
    assert "no gate is called like a population; say which is which with --names" in capsys.readouterr().err


@pytest.mark.parametrize("rubbish", [b"", b"<a/>", b"<Workspace><SampleList>"])
def test_gate_files__refuses_rubbish_before_it_begins(tmp_path: Path, rubbish: bytes) -> None:
    (tmp_path / "x.fcs").write_bytes(make_tube()[1])
    (tmp_path / "g.gml").write_bytes(rubbish)
    with pytest.raises(ConfigError, match=r"g\.gml"):
        gate_files([tmp_path / "x.fcs"], panel="cart", gates=tmp_path / "g.gml", out=tmp_path / "p.csv")
    assert not (tmp_path / "p.csv").exists()


@pytest.mark.real_data
def test_run__gives_a_delivered_workspace_flowjos_counts(
    make_home: Callable[..., Home], tmp_path: Path
) -> None:
    """FlowAtlas from delivery to table: names of markers, manual gates, counts within max(6, 5 %)."""
    place = find_real_data("flowatlas_human_tcell_memory")
    names = sorted(path.name for path in place.glob("*.fcs"))
    manifest = [TUBE | {"file": name, "collected_at": f"2025-03-17T0{i}:30"} for i, name in enumerate(names)]
    files = {name: (place / name).read_bytes() for name in (*names, "workspace.wsp")}
    home = make_home()
    delivery = write_delivery(
        tmp_path / "d", tables={"subjects": [SUBJECT], "manifest": manifest}, files=files
    )
    report = ingest(home, [delivery], at=NOW, actor="test")
    assert report.is_clean, report.troubles
    table = counts(home).reset_index()
    meant = {
        "T cells": "t_cells", "CD4": "cd4_t", "CD8": "cd8_t", "CD8 | CM": "cd8_t.cm", "CD8 | EM": "cd8_t.em",
        "CD8 | EMRA": "cd8_t.temra", "CD4 | CM": "cd4_t.cm", "CD4 | EM": "cd4_t.em",
    }  # fmt: skip
    # By their bytes: some names hold a donor's, and lost it.
    ids = {name: compute_sha256(data) for name, data in files.items()}
    truth = read_csv(place / "truth_population_counts.csv")
    checked = 0
    for row in truth:
        if row["pop"] in meant:
            found = table[(table["file_id"] == ids[row["file"]]) & (table["population"] == meant[row["pop"]])]
            true = float(row["flowjo_count"])
            assert found["gate_source"].iloc[0] == "flowjo"
            assert abs(found["count"].iloc[0] - true) <= max(6, 0.05 * true), row
            checked += 1
    assert checked == 40
