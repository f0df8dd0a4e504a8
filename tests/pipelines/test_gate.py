import io
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from corelab.cytometry.compensation import compute_matrix_sha256
from corelab.errors import ConfigError
from corelab.ingest.spillover import parse_spillover_csv
from corelab.tables.schemas import POPULATIONS
from pipelines.gate import gate_files
from pipelines.gate_inputs import read_marker_labels
from tests.cytometry.acquisitions import make_t_cells
from tests.cytometry.test_single_stains import draw_matrix, make_stains
from tests.ingest.fcs_files import build_float_fcs
from tests.ingest.real_data import find_real_data

KINDS = {"cd4_naive": 900, "cd4_em": 700, "cd8_temra": 800, "car_cd8_em": 300, "b": 400, "debris": 300}


@pytest.fixture
def tube(tmp_path) -> Path:
    acquisition, _ = make_t_cells(KINDS, seed=1)
    keywords = {f"$P{i}S": label for i, label in enumerate(acquisition.labels, start=1)}
    path = tmp_path / "tube.fcs"
    path.write_bytes(build_float_fcs(acquisition.events, names=acquisition.detectors, keywords=keywords))
    return path


def run(paths, **options):
    out, err = io.StringIO(), io.StringIO()
    code = gate_files(paths, stdout=out, stderr=err, **options)
    return code, out.getvalue(), err.getvalue()


def read(text):
    return pd.read_csv(io.StringIO(text), keep_default_na=False)


def test_gate_files__prints_the_populations_table(tube):
    code, out, err = run([tube], panel="cart")
    table = read(out).set_index("population")
    assert (code, err) == (0, "")
    assert list(read(out).columns) == POPULATIONS.column_names
    assert float(table.loc["car_t", "count"]) == pytest.approx(300, abs=6)
    assert table.loc["car_t", "status"] == "quantified"
    assert set(table["subject_id"]) == {""}
    assert (table.loc["beads", "count"], table.loc["beads", "status"]) == ("", "missing")
    low, share, high = (
        float(table.loc["car_t", name]) for name in ("ci_low", "percent_of_parent", "ci_high")
    )
    assert low < share < high


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_gate_files__writes_a_file(tube, tmp_path, suffix):
    out = tmp_path / f"populations{suffix}"
    assert run([tube], panel="cart", out=out)[:2] == (0, "")
    table = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
    assert list(table.columns) == POPULATIONS.column_names


def test_gate_files__gives_the_same_with_two_workers(tube, tmp_path):
    other = tmp_path / "other.fcs"
    acquisition, _ = make_t_cells(KINDS, seed=2)
    keywords = {f"$P{i}S": label for i, label in enumerate(acquisition.labels, start=1)}
    other.write_bytes(build_float_fcs(acquisition.events, names=acquisition.detectors, keywords=keywords))
    assert run([tube, other], panel="cart", workers=2) == run([other, tube], panel="cart")


def test_gate_files__names_refused_files_and_goes_on(tube, tmp_path):
    bad = tmp_path / "bad.fcs"
    bad.write_bytes(tube.read_bytes()[:-100])
    code, out, err = run([bad, tmp_path / "none.fcs", tube], panel="cart")
    assert code == 1
    assert [line.split(":")[0] for line in err.splitlines()] == ["bad.fcs", "none.fcs"]
    assert len(read(out)) > 50


def test_gate_files__takes_the_same_bytes_once(tube, tmp_path):
    copy = tmp_path / "copy.fcs"
    copy.write_bytes(tube.read_bytes())
    assert run([tube, copy], panel="cart") == run([tube], panel="cart")


def test_gate_files__names_markers_from_a_csv(tmp_path):
    acquisition, _ = make_t_cells(KINDS, seed=1)
    path = tmp_path / "bare.fcs"
    path.write_bytes(build_float_fcs(acquisition.events, names=acquisition.detectors))
    markers = tmp_path / "markers.csv"
    lines = [f"{d},{m}" for d, m in zip(acquisition.detectors, acquisition.labels, strict=True)]
    markers.write_text("\n".join(["detector,marker", *lines]), encoding="utf-8")
    without = read(run([path], panel="cart")[1]).set_index("population")
    assert without.loc["t_cells", "status"] == "missing"
    table = read(run([path], panel="cart", markers=markers)[1]).set_index("population")
    assert float(table.loc["car_t", "count"]) == pytest.approx(300, abs=6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"panel": "nk"}, "no panel"),
        ({"panel": "cart", "out": Path("x.xlsx")}, "format"),
        ({"panel": "cart", "markers": Path("/nowhere/m.csv")}, "cannot be read"),
    ],
)
def test_gate_files__refuses_wrong_options_before_it_begins(tube, options, message):
    with pytest.raises(ConfigError, match=message):
        run([tube], **options)


def test_read_marker_labels__refuses_other_columns(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("channel,antigen\nA,CD3\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="detector, marker"):
        read_marker_labels(path, "x.fcs")


@pytest.mark.real_data
def test_gate_files__reads_marker_names_from_a_workspace():
    folder = find_real_data("flowatlas_human_tcell_memory")
    code, out, _ = run([folder / "412C_Blood_025.fcs"], panel="cart", markers=folder / "workspace.wsp")
    table = read(out).set_index("population")
    assert code == 0
    assert float(table.loc["cd4_t", "count"]) == pytest.approx(20114, rel=0.10)
    assert float(table.loc["cd8_t", "count"]) == pytest.approx(7965, rel=0.10)


@pytest.mark.real_data
def test_gate_files__gives_each_odd_file_a_result_or_one_line():
    paths = sorted(p for p in find_real_data("robustness_fcs").iterdir() if p.suffix != ".json")
    for panel in ("cart", "bcell"):
        code, out, err = run(paths, panel=panel)
        refused = err.splitlines()
        assert code == 1
        assert read(out)["file_id"].nunique() + len(refused) == len(paths)


MATRIX = "D0-A,D1-A\n1,0.1\n0.02,1\n"


def test_gate_files__compensates_by_an_external_matrix(tube, tmp_path):
    matrix, findings = tmp_path / "panel.spill.csv", tmp_path / "findings.csv"
    matrix.write_text(MATRIX, encoding="utf-8")
    code, out, _ = run([tube], panel="cart", spill=matrix, quality=findings)
    applied = parse_spillover_csv(MATRIX.encode(), name="x")
    assert code == 0
    assert set(read(out)["compensation"]) == {compute_matrix_sha256(applied)}
    assert "CHANNEL_MISSING" in set(pd.read_csv(findings)["check"])
    matrix.write_text("D0-A,Other-A\n1,0.1\n0.02,1\n", encoding="utf-8")
    code, out, err = run([tube], panel="cart", spill=matrix, quality=findings)
    assert (code, len(read(out))) == (1, 0)
    assert err.startswith("tube.fcs: spillover matrix for channels Other-A; expected each channel once")
    assert list(pd.read_csv(findings)["check"]) == ["UNREADABLE"]


def test_gate_files__compensates_by_single_stains(tube, tmp_path):
    folder = tmp_path / "stains"
    folder.mkdir()
    for name, one in make_stains(draw_matrix(1), seed=2, n=600).items():
        (folder / f"{name}.fcs").write_bytes(build_float_fcs(one.events, names=one.detectors))
    code, out, _ = run([tube], panel="cart", stains=folder)
    (applied,) = set(read(out)["compensation"])
    assert (code, len(applied)) == (0, 64)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("D0-A,D1-A\n1,x\n0,1\n", "a finite number"),
        ("D0-A,D1-A\n2,1\n0,3\n", "export the spillover matrix"),
    ],
)
def test_gate_files__refuses_a_matrix_that_is_none(tube, tmp_path, text, words):
    matrix = tmp_path / "panel.spill.csv"
    if text:
        matrix.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        run([tube], panel="cart", spill=matrix)


def test_gate_files__refuses_controls_that_do_not_help(tube, tmp_path):
    with pytest.raises(ConfigError, match="comp_<marker>"):
        run([tube], panel="cart", stains=tmp_path)
    (tmp_path / "comp_CD3.fcs").write_bytes(tube.read_bytes()[:-100])
    with pytest.raises(ConfigError, match=r"comp_CD3\.fcs"):
        run([tube], panel="cart", stains=tmp_path)
    matrix = tmp_path / "panel.spill.csv"
    matrix.write_text(MATRIX, encoding="utf-8")
    with pytest.raises(ConfigError, match="bring their own"):
        run([tube], panel="cart", spill=matrix, gates=matrix)


def test_gate_files__says_that_markers_belong_to_another_file(tube, tmp_path):
    markers = tmp_path / "markers.csv"
    markers.write_text("detector,marker\nV450-A,CD3\n", encoding="utf-8")
    code, out, err = run([tube], panel="cart", markers=markers)
    assert (code, len(read(out))) == (1, 0)
    assert err.startswith("tube.fcs: the markers name V450-A; expected some of its detectors D0-A, D1-A")
    markers.write_text("detector,marker\nD0-A,CD3\nD0-A,CD4\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="D0-A with two markers"):
        run([tube], panel="cart", markers=markers)


WORKER = """
import sys
from pathlib import Path
import pipelines.gating
from corelab.cytometry.template import load_template
from pipelines.gate import GateJob, gate_file
outcome = gate_file(GateJob(path=Path(sys.argv[1]), template=load_template("cart"), labels=()))
assert outcome.rows, outcome.refusal
print(*{"flowkit", "flowio", "flowutils", "scanpy", "anndata", "dash", "matplotlib"} & set(sys.modules))
"""


def test_gating_workers__import_neither_flowkit_nor_scanpy(tube):
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(tube)], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == []
