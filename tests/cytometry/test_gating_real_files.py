"""The automatic chain on real cells, with its figures (``pytest -s`` shows them)."""

import csv
import sys

import flowkit
import numpy as np
import pytest

from corelab.cytometry.compensation import compensate
from corelab.cytometry.gating import gate_acquisition
from corelab.cytometry.template import load_template
from corelab.ingest.fcs import read_fcs
from tests.ingest.real_data import find_real_data

pytestmark = pytest.mark.real_data


def report(line):
    """Print a figure; ``pytest -s`` shows it."""
    sys.stdout.write(line + "\n")


def load(path):
    return read_fcs(path.read_bytes(), name=path.name)


def read_rows(path):
    with path.open(encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_gate_acquisition__finds_t_and_b_cells_of_donor_a():
    folder = find_real_data("flowvs_hd_tbnk")
    for known in read_rows(folder / "reference_fixed_threshold_percentages.csv"):
        acquisition = load(folder / f"HD_{known['sample']}.fcs")
        gated = gate_acquisition(acquisition, template=load_template("bcell"))
        b, t = (100 * gated.count(name) / gated.n_events for name in ("b_cells", "t_cells"))
        true_b, true_t = float(known["pct_CD19pos_CD3neg"]), float(known["pct_CD3pos_CD19neg"])
        report(f"{known['sample']}: B {b:.2f} % ({true_b:.2f}), T {t:.2f} % ({true_t:.2f})")
        assert b == pytest.approx(true_b, abs=0.3)
        assert t == pytest.approx(true_t, abs=0.3)


def test_compensate__agrees_with_flowkit_on_a_real_file():
    path = find_real_data("flowsom_68983_mouse_cd19") / "68983.fcs"
    acquisition = load(path)
    ours = compensate(acquisition)
    sample = flowkit.Sample(str(path))
    sample.apply_compensation(sample.metadata["spill"])
    columns = [acquisition.detectors.index(name) for name in acquisition.spillover.detectors]
    expected = sample.get_events(source="comp")[:, columns]
    np.testing.assert_allclose(ours.events[:, columns], expected, rtol=1e-9, atol=1e-6)
    assert len(ours.sha256) == 64


def test_gate_acquisition__selects_the_same_events_as_flowkit_gates():
    """Our cuts as Gating-ML rectangles in FlowKit: every event falls on the same side."""
    path = find_real_data("flowsom_68983_mouse_cd19") / "68983.fcs"
    acquisition = load(path)
    gated = gate_acquisition(acquisition, template=load_template("bcell"))
    sample = flowkit.Sample(str(path))
    strategy = flowkit.GatingStrategy()
    strategy.add_comp_matrix(
        "spill",
        flowkit.Matrix(acquisition.keywords["SPILL"], detectors=list(acquisition.spillover.detectors)),
    )
    cuts = {cut.gate: cut for cut in gated.cuts if cut.gate in ("CD3", "CD19")}
    detectors = {"CD3": "PE-Cy7-A", "CD19": "PE-Cy5-A"}
    for name, cut in cuts.items():
        dimension = flowkit.Dimension(detectors[name], compensation_ref="spill", range_min=cut.cut)
        strategy.add_gate(flowkit.gates.RectangleGate(name, [dimension]), ("root",))
    result = strategy.gate_sample(sample)
    lymphocytes = gated.membership["lymphocytes"]
    t_cells = lymphocytes & result.get_gate_membership("CD3")
    assert (t_cells == gated.membership["t_cells"]).all()
    b_cells = lymphocytes & ~result.get_gate_membership("CD3") & result.get_gate_membership("CD19")
    assert (b_cells == gated.membership["b_cells"]).all()
    # Manual gates of the same file, NK1.1+ cells left out and dead cells kept: 10,745 T, 2,459 B.
    assert t_cells.sum() == pytest.approx(10745, rel=0.05)
    assert b_cells.sum() == pytest.approx(2459, rel=0.10)
