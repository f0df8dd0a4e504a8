"""Synthetic instruments run quality beads, and one of them loses light, as the rules of Westgard find."""

import pandas as pd
import pytest

from corelab.cytometry.gating import gate_acquisition
from corelab.cytometry.template import load_template
from corelab.ingest.fcs import read_fcs
from corelab.study import Study
from corelab.synthetic.bead_runs import BEADS, list_manifest_rows, plan_beads, render_beads
from corelab.synthetic.plan import TrialPlan
from corelab.tables.bead_quality import judge_beads


def test_plan_beads__runs_before_the_first_samples_of_an_instrument_in_a_month(plan: TrialPlan) -> None:
    months = [(run.instrument, run.acquired_at.year, run.acquired_at.month) for run in plan.beads]
    assert len(set(months)) == len(months)
    assert {run.instrument for run in plan.beads} == {tube.instrument for tube in plan.tubes}
    for run in plan.beads:
        samples = [t for t in plan.tubes if (t.instrument, t.batch) == (run.instrument, run.batch)]
        assert min(t.acquired_at for t in samples) > run.acquired_at
    assert plan_beads(()) == ()


def test_render_beads__one_detector_fades_and_its_run_is_warned_of(plan: TrialPlan, study: Study) -> None:
    peaks = []
    for run in plan.beads:
        acquisition = read_fcs(render_beads(plan.seed, run), name=run.path)
        assert acquisition.n_events == BEADS
        gated = gate_acquisition(acquisition, template=load_template("cart"), tube="bead_qc")
        assert gated.findings == ()
        peaks += [
            {
                "file_id": run.path,
                "detector": p.detector,
                "median": p.median,
                "robust_cv": p.robust_cv,
                "n": p.n,
            }
            for p in gated.bead_peaks
        ]
    rows = pd.DataFrame(list_manifest_rows(plan.beads)).rename(columns={"file": "file_id"}).assign(lot="")
    verdicts = judge_beads(rows, pd.DataFrame(peaks), study=study)
    found = verdicts[verdicts["level"].isin(["warn", "fail"])]
    faded = plan.traps["fading_detector"]
    assert found[["file_id", "detector", "metric", "rule", "level"]].to_numpy().tolist() == [
        [min(faded["left"], key=faded["left"].get), faded["detector"], "median", "1-2s", "warn"]
    ]
    assert found["z"].iloc[0] == pytest.approx(-3.6, abs=0.4)
