"""The gates' figures with small counts; ``make validate`` measures them with full ones."""

import sys
from collections.abc import Callable

import pytest

from tests.ingest.real_data import find_real_data
from tests.validation.gate_figures import (
    Figures,
    measure_car,
    measure_donor_a,
    measure_drift,
    measure_f1,
    measure_flowatlas,
    measure_gains,
    measure_no_car,
)

SEEDS = (93_001, 93_002)
"""Never looked at while the gates were made."""


def show(measured: Figures) -> None:
    """Print every figure; ``pytest -s`` shows them."""
    sys.stdout.write("\n" + "\n".join(map(str, measured.figures)) + "\n")
    sys.stdout.write(measured.worst.to_string(max_rows=80) + "\n")


@pytest.mark.parametrize(
    "measure",
    [
        lambda seeds: measure_f1(seeds, kinds=("plain", "few")),
        lambda seeds: measure_f1(seeds[:1], kinds=("smeared", "wide")),
        lambda seeds: measure_gains(seeds[:1]),
        lambda seeds: measure_car(seeds[:1]),
        measure_no_car,
        measure_drift,
    ],
    ids=["f1", "f1-hard", "gains", "car", "no-car", "drift"],
)
def test_gates__hold_their_figures_on_unseen_tubes(measure: Callable[[tuple[int, ...]], Figures]) -> None:
    measured = measure(SEEDS)
    show(measured)
    assert all(figure.holds for figure in measured.figures)


@pytest.mark.real_data
def test_gates__come_close_to_manual_gates() -> None:
    measured = measure_flowatlas(find_real_data("flowatlas_human_tcell_memory"))
    show(measured)
    assert all(figure.holds for figure in measured.figures)
    blood = measured.worst[measured.worst["file"].str.contains("Blood")]
    lineages = blood[blood["population"].isin(["CD4", "CD8"])]
    assert len(lineages) == 4
    assert lineages["relative"].abs().max() < 0.10


@pytest.mark.real_data
def test_gates__find_the_b_cells_of_donor_a_and_invent_none() -> None:
    measured = measure_donor_a(find_real_data("flowvs_hd_tbnk"))
    show(measured)
    assert all(figure.holds for figure in measured.figures)
    assert set(measured.worst["fallback"]) == {"t_cells"}
