"""B-cell tubes: CD19 by its control, subsets that sum, and no B cell where there is none."""

import dataclasses

import numpy as np
import pytest

from corelab.cytometry.gating import gate_acquisition
from corelab.vocabulary import Panel
from tests.cytometry.acquisitions import make_acquisition
from tests.cytometry.test_gating import BCELL, cut, f1, row
from tests.validation.gate_tubes import draw_tube


def make_b_tube(*, n_b, cd19, seed, n_t=6000):
    """A B-cell tube whose B cells carry CD20 and as much CD19 as told, in spreads."""
    rng = np.random.default_rng(seed)
    n = n_t + n_b
    is_b = np.arange(n) >= n_t
    level = {
        "CD45": np.full(n, 60.0), "CD3": np.where(is_b, 0, 60), "CD14": np.zeros(n),
        "CD19": np.where(is_b, cd19, 0), "CD20": np.where(is_b, 50, 0),
        "IgD": np.where(is_b & (rng.random(n) < 0.7), 40, 0),
        "CD27": np.where(is_b & (rng.random(n) < 0.25), 40, 0),
        "CD38": np.where(is_b, 10, 3), "CD24": np.where(is_b, 12, 0),
    }  # fmt: skip
    columns = {
        f"D{i}-A": 200 * (value * np.exp(rng.normal(0, 0.25, n)) + rng.normal(0, 1, n))
        for i, value in enumerate(level.values())
    }
    return make_acquisition(columns, labels={f"D{i}-A": m for i, m in enumerate(level)}), is_b


def test_gate_acquisition__b_subsets_sum_to_the_b_cells():
    acquisition, is_b = make_b_tube(n_b=2500, cd19=40, seed=1)
    gated = gate_acquisition(acquisition, template=BCELL)
    assert f1(gated.membership["b_cells"], is_b) > 0.995
    subsets = ("plasmablasts", "transitional", "naive_b", "unswitched_memory_b", "switched_memory_b",
               "double_negative_b")  # fmt: skip
    assert sum(gated.count(name) for name in subsets) == gated.count("b_cells")
    assert {row(gated, name).parent for name in subsets} == {"b_cells"}


def test_gate_acquisition__calls_cd19_by_the_fmo():
    fmo = gate_acquisition(make_b_tube(n_b=1500, cd19=0, seed=2)[0], template=BCELL, tube="fmo_cd19")
    full = make_b_tube(n_b=1500, cd19=40, seed=3)[0]
    gated = gate_acquisition(full, template=BCELL, controls={"fmo_cd19": fmo})
    positive = row(gated, "cd19_positive")
    assert (positive.gate_source, positive.control) == ("control", "fmo_cd19")
    assert positive.count == positive.parent_count
    # 99 % of a normal negative lie below its mode + 2.33 spreads.
    assert cut(gated, "CD19_call").units == pytest.approx(2.33, abs=0.35)


def test_gate_acquisition__calls_cd19_negative_b_cells_negative():
    fmo = gate_acquisition(make_b_tube(n_b=1500, cd19=0, seed=2)[0], template=BCELL, tube="fmo_cd19")
    gated = gate_acquisition(
        make_b_tube(n_b=1500, cd19=0, seed=4)[0], template=BCELL, controls={"fmo_cd19": fmo}
    )
    positive = row(gated, "cd19_positive")
    assert positive.parent_count == pytest.approx(1500, rel=0.01)
    assert positive.count / positive.parent_count == pytest.approx(0.01, abs=0.01)
    assert gated.count("b_cells") == pytest.approx(1500, rel=0.01)


def test_gate_acquisition__carries_the_fmo_over_a_change_of_gain():
    fmo = gate_acquisition(make_b_tube(n_b=1500, cd19=0, seed=2)[0], template=BCELL, tube="fmo_cd19")
    full = make_b_tube(n_b=1500, cd19=0, seed=4)[0]
    louder = dataclasses.replace(full, events=full.events * 2.0)
    counts = [
        row(gate_acquisition(tube, template=BCELL, controls={"fmo_cd19": fmo}), "cd19_positive").count
        for tube in (full, louder)
    ]
    assert counts[0] == counts[1]


def test_gate_acquisition__falls_back_to_t_cells_and_then_to_nothing():
    few = gate_acquisition(make_b_tube(n_b=80, cd19=0, seed=2)[0], template=BCELL, tube="fmo_cd19")
    full = make_b_tube(n_b=1500, cd19=40, seed=3)[0]
    gated = gate_acquisition(full, template=BCELL, controls={"fmo_cd19": few})
    positive = row(gated, "cd19_positive")
    assert (positive.control, cut(gated, "CD19_call").reason) == ("t_cells", "NO_FMO")
    assert positive.count > 0.99 * positive.parent_count
    alone = gate_acquisition(make_b_tube(n_b=1500, cd19=40, seed=3, n_t=300)[0], template=BCELL)
    assert (row(alone, "cd19_positive").status, row(alone, "cd19_positive").reason) == (
        "missing", "NO_CONTROL",
    )  # fmt: skip


@pytest.mark.parametrize("n_b", [0, 15])
def test_gate_acquisition__invents_no_b_cells(n_b):
    gated = gate_acquisition(make_b_tube(n_b=n_b, cd19=40, seed=5, n_t=12000)[0], template=BCELL)
    assert abs(gated.count("b_cells") - n_b) <= 12
    assert cut(gated, "CD19").source == "control"
    assert "t_cells" in cut(gated, "CD19").reason


def test_gate_acquisition__gives_the_cd19_call_a_band():
    gated = gate_acquisition(make_b_tube(n_b=1500, cd19=4, seed=3)[0], template=BCELL)
    positive = row(gated, "cd19_positive")
    assert 0 < positive.band_low < positive.count < positive.band_high < positive.parent_count


@pytest.mark.parametrize("seed", [55001, 55014, 55040, 55048])
def test_gate_acquisition__finds_b_subsets_among_a_few_dozen_b_cells(seed):
    """Forty resting cells tell where they lie; units of noise would cut through their middle."""
    tube = draw_tube(seed, Panel.BCELL, kind="few", b=400.0 if seed % 2 else 100.0)
    gated = gate_acquisition(tube.acquisition, template=BCELL)
    assert 30 <= tube.truth["naive_b"].sum() <= 110
    assert f1(gated.membership["naive_b"], tube.truth["naive_b"]) > 0.93
    assert f1(gated.membership["plasmablasts"], tube.truth["plasmablasts"]) > 0.9
