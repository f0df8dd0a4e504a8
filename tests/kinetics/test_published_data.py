"""Parameters against WinNonlin (theophylline) and a published CAR-T model."""

import csv
import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from corelab.kinetics.areas import Method, compute_area
from corelab.kinetics.terminal import fit_terminal_slope
from tests.ingest.real_data import find_real_data
from tests.kinetics.courses import Value, compute

pytestmark = pytest.mark.real_data


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize(("word", "method"), [("Linear", "linear"), ("Log", "linear_up_log_down")])
def test_theophylline__equals_winnonlin(word: str, method: Method) -> None:
    folder = find_real_data("nca")
    profiles: dict[str, list[tuple[float, float]]] = {}
    for row in read_rows(folder / "theoph_R.csv"):
        profiles.setdefault(row["Subject"], []).append((float(row["Time"]), float(row["conc"])))
    expected = read_rows(folder / f"Final_Parameters_Pivoted_Theoph_{word}.csv")
    assert len(expected) == 12
    for row in expected:
        hours, values = (np.array(column) for column in zip(*profiles[row["Subject"]], strict=True))
        slope = fit_terminal_slope(hours[values > 0], values[values > 0])
        assert slope is not None
        area = compute_area(hours, values, method=method)
        found = {
            "Cmax": values.max(), "Tmax": hours[values.argmax()], "Tlast": hours[-1], "Clast": values[-1],
            "AUClast": area, "Lambda_z": slope.rate, "HL_Lambda_z": slope.half_life,
            "No_points_lambda_z": slope.n_points, "Rsq_adjusted": slope.r2_adjusted,
            "Lambda_z_lower": slope.first_day, "Lambda_z_upper": slope.last_day,
            "AUCINF_obs": area + values[-1] / slope.rate,
        }  # fmt: skip
        assert found == pytest.approx({name: float(row[name]) for name in found}, rel=1e-6)


def test_stein_2019__equals_the_reference_of_its_simulated_subjects() -> None:
    folder = find_real_data("cart_kinetics_stein2019")
    courses: dict[str, list[tuple[float, Value]]] = {}
    for row in read_rows(folder / "timecourses.csv"):
        value = None if row["flag_blq_lt50"] else float(row["copies_per_ug"])
        courses.setdefault(row["subject"], []).append((float(row["day"]), value))
    truth = read_rows(folder / "truth.csv")
    assert len(truth) == 9
    for row in truth:
        days, values = zip(*courses[row["subject"]], strict=True)
        outcomes = compute(days, values, cmax_window_days=400)
        expected = {
            "CMAX": row["nca_Cmax"], "TMAX": row["nca_Tmax"], "TLST": row["nca_Tlast"],
            "CLST": row["nca_Clast"], "AUCLST": row["nca_AUClast_linuplogdown"],
            "AUC0_28D": row["nca_AUC0_28_linuplogdown"], "LAMZ": row["nca_lambda_z"],
            "LAMZHL": row["nca_t_half"], "LAMZNPT": row["nca_npts"],
        }  # fmt: skip
        found = {name: outcomes[name].value for name in expected}
        assert found == pytest.approx({name: float(text) for name, text in expected.items()}, rel=1e-6)


def read_typical() -> dict[str, float]:
    """Return the typical subject of the published model."""
    path = find_real_data("cart_kinetics_stein2019") / "parameters.json"
    typical: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))["fixed"]
    return typical


def expand_and_contract(day: float, typical: dict[str, float]) -> float:
    """Evaluate the model: exponential growth to the peak, then two exponential falls."""
    later = day - typical["tmax"]
    if later <= 0:
        return typical["cmax"] * math.exp(math.log(typical["foldx"]) / typical["tmax"] * later)
    fast, slow = math.exp(-typical["alpha"] * later), math.exp(-typical["beta"] * later)
    return typical["cmax"] * ((1 - typical["fb"]) * fast + typical["fb"] * slow)


def test_stein_2019__the_dense_typical_curve_converges_to_its_closed_area() -> None:
    """171,774.285: the error falls with the square of the step, as a trapezoid's does."""
    typical = read_typical()
    errors = []
    for steps in (4, 8, 16, 32):
        days = sorted({day / steps for day in range(31 * steps)} | {typical["tmax"]})
        values = [expand_and_contract(day, typical) for day in days]
        area = compute(days, values)["AUC0_28D"].value
        errors.append(abs(area - 171_774.285) / 171_774.285)
    assert errors[-1] < 1e-4
    ratios = [first / second for first, second in pairwise(errors)]
    assert all(3.5 < ratio < 4.5 for ratio in ratios), errors
