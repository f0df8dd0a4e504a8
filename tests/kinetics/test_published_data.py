"""Parameters against WinNonlin (theophylline) and a published CAR-T model."""

import csv
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
