"""The brightest peak of quality beads, measured where it is known."""

import numpy as np
import pytest

from corelab.cytometry.gating import gate_acquisition
from corelab.cytometry.interchange.revision import decide_cut
from corelab.cytometry.template import load_template
from tests.cytometry.acquisitions import make_acquisition, make_t_cells

CART = load_template("cart")
PEAKS = (300.0, 900.0, 2700.0, 8100.0, 24_300.0)


def draw_beads(n=3000, *, peaks=PEAKS, cv=0.04, seed=1, gain=1.0, upper=262144.0):
    """Beads of several brightnesses with debris and clumps; the brightest are known."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, len(peaks), n)
    light = np.asarray(peaks)[kind]
    columns = {f"FL{i}-A": gain * light * (1 + cv * rng.normal(0, 1, n)) for i in (1, 2)}
    columns["FSC-A"], columns["SSC-A"] = (level * (1 + 0.03 * rng.normal(0, 1, n)) for level in (60e3, 90e3))
    odd = {name: rng.uniform(10, 2e5, n // 10) for name in columns}
    events = {name: np.minimum(np.append(x, odd[name]), upper) for name, x in columns.items()}
    order = rng.permutation(len(events["FSC-A"]))
    events = {name: x[order] for name, x in events.items()} | {"Time": np.arange(len(order)) / 10.0}
    return make_acquisition(events, upper=upper), int((kind == len(peaks) - 1).sum())


def find(gated, detector):
    return next(peak for peak in gated.bead_peaks if peak.detector == detector)


@pytest.mark.parametrize("peaks", [PEAKS, PEAKS[-1:]])
def test_bead_peaks__are_those_of_the_brightest_beads(peaks):
    acquisition, n_brightest = draw_beads(peaks=peaks)
    gated = gate_acquisition(acquisition, template=CART, tube="bead_qc")
    assert [peak.detector for peak in gated.bead_peaks] == ["FL1-A", "FL2-A", "FSC-A", "SSC-A"]
    for detector in ("FL1-A", "FL2-A"):
        peak = find(gated, detector)
        assert peak.median == pytest.approx(24_300, rel=0.01)
        assert peak.robust_cv == pytest.approx(0.04, rel=0.15)
        assert peak.n == pytest.approx(n_brightest, rel=0.03)
    assert find(gated, "SSC-A").median == pytest.approx(90e3, rel=0.01)
    assert gated.findings == ()


def test_bead_peaks__follow_the_gain_exactly():
    one, other = (
        gate_acquisition(draw_beads(gain=gain, upper=1e9)[0], template=CART, tube="bead_qc")
        for gain in (1.0, 0.5)
    )
    for detector in ("FL1-A", "FL2-A"):
        assert find(other, detector).median == pytest.approx(0.5 * find(one, detector).median, rel=1e-9)
        assert find(other, detector).robust_cv == pytest.approx(find(one, detector).robust_cv, rel=1e-9)


def test_bead_peaks__pass_over_a_peak_at_the_end_of_the_range():
    gated = gate_acquisition(draw_beads(upper=20_000.0)[0], template=CART, tube="bead_qc")
    assert find(gated, "FL1-A").median == pytest.approx(8100, rel=0.01)


@pytest.mark.parametrize("n", [0, 1, 60])
def test_bead_peaks__of_too_few_beads_are_none_and_said(n):
    acquisition, _ = draw_beads(n)
    gated = gate_acquisition(acquisition, template=CART, tube="bead_qc")
    assert all(np.isnan(peak.median) for peak in gated.bead_peaks)
    (finding,) = gated.findings
    assert (finding.check, finding.level, finding.value) == ("BEAD_QC", "warn", len(gated.bead_peaks))


@pytest.mark.parametrize("at_once", [100_000, 2000])
def test_gate_acquisition__counts_no_cell_among_quality_beads_whole_or_in_blocks(at_once):
    beads, _ = make_t_cells({"cd4_naive": 900, "cd8_temra": 800, "car_cd8_em": 300, "b": 400}, seed=1)
    drawn = decide_cut("cd3", 100.0)
    gated = gate_acquisition(beads, template=CART, tube="bead_qc", decisions=[drawn], at_once=at_once)
    assert gate_acquisition(beads, template=CART).count("t_cells")
    found = {row.population: row for row in gated.counts}
    assert (found["events"].count, found["time_ok"].count) == (beads.n_events, beads.n_events)
    assert found["beads"].status != "not_calculated"
    cells = [row for name, row in found.items() if name not in ("events", "time_ok", "beads")]
    assert {"singlets", "lymphocytes", "car_t", "car_t.pd1"} <= {row.population for row in cells}
    assert {(row.status, row.reason, row.count, row.gate_source) for row in cells} == {
        ("not_calculated", "NO_CELLS", None, "")
    }
    assert (gated.expression, gated.cuts) == ((), ())


def test_bead_peaks__are_of_a_tube_of_beads_alone():
    assert gate_acquisition(draw_beads()[0], template=CART, tube="full").bead_peaks == ()
