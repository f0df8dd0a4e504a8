import numpy as np
import pytest

from corelab.cytometry.quality import (
    build_quality_limits,
    builtin_limits,
    check_drift,
    check_lost_car,
    check_margin,
    check_sum,
    check_viability,
)
from corelab.cytometry.timing import TimeCheck
from corelab.errors import ConfigError
from corelab.study import builtin_study

LIMITS = builtin_limits()


def levels(findings):
    return [(finding.check, finding.level) for finding in findings]


@pytest.mark.parametrize(
    ("removed", "trend", "expected"),
    [(0.1, 0.0, []), (0.11, 0.0, ["warn"]), (0.31, 0.0, ["fail"]), (0.0, 0.06, ["warn"])],
)
def test_check_drift__by_the_share_left_out(removed, trend, expected):
    check = TimeCheck(kept=np.ones(1, dtype=bool), removed=removed, trend=trend)
    assert [level for _, level in levels(check_drift(check, LIMITS))] == expected


def test_check_lost_car__fails_where_most_car_t_cells_are_gone():
    assert levels(check_lost_car((80, 8_000), (20, 2_000), LIMITS)) == [("TIME_DRIFT", "fail")]
    assert check_lost_car((70, 7_000), (30, 3_000), LIMITS) == []
    assert check_lost_car((15, 1_500), (4, 400), LIMITS) == []


def test_check_lost_car__marks_t_cells_that_drift_moved_over_the_limit():
    """80 of 1,000 T cells where the rest holds 20 of 9,000: those were no CAR-T cells that were lost."""
    (finding,) = check_lost_car((80, 1_000), (20, 9_000), LIMITS)
    assert (finding.level, finding.value) == ("warn", pytest.approx(0.8))
    assert "drift" in finding.reason


@pytest.mark.parametrize(("n", "level"), [(10, None), (11, "warn"), (51, "fail")])
def test_check_margin__by_its_share(n, level):
    found = check_margin((n, 1000), LIMITS)
    assert levels(found) == ([("MARGIN", level)] if level else [])


@pytest.mark.parametrize(("dead", "level"), [(15, None), (16, "warn"), (30, "warn"), (31, "fail")])
def test_check_viability__of_cd45_positive_singlets(dead, level):
    found = check_viability((100 - dead, 100), LIMITS)
    assert levels(found) == ([("VIABILITY", level)] if level else [])


@pytest.mark.parametrize(("nk", "value"), [(10, 94.0), (11, None), (17, None), (22, 106.0)])
def test_check_sum__of_t_b_and_nk_cells(nk, value):
    sizes = {"t_cells": 70, "b_cells": 14, "nk_cells": nk, "lymphocytes": 100}
    found = check_sum(sizes, LIMITS)
    assert [finding.value for finding in found] == ([] if value is None else [value])


@pytest.mark.parametrize(
    "change", [{"margin": 0.1}, {"margin": [1, 2, 3]}, {"doublets": "x"}, {"minimum_events": [1]}]
)
def test_build_quality_limits__refuses_what_is_no_limit(change):
    raw = dict(builtin_study().settings["flow_quality"])
    assert build_quality_limits(raw) == LIMITS
    with pytest.raises(ConfigError, match="flow_quality"):
        build_quality_limits(raw | change)
