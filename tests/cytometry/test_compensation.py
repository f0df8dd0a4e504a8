import dataclasses

import flowutils
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.cytometry.compensation import compensate, compute_compensated, compute_matrix_sha256
from corelab.errors import InputError
from corelab.ingest.fcs import Spillover
from corelab.vocabulary import Panel
from tests.cytometry.acquisitions import make_acquisition
from tests.validation.gate_tubes import draw_tube

SPILL = np.array([[1, 0.2], [0.05, 1]])


def draw_observed(seed=1, n=5000, spill=SPILL):
    """Two exclusive positive groups, as a detector would see them."""
    rng = np.random.default_rng(seed)
    light = np.zeros((n, 2))
    light[: n // 3, 0] = rng.lognormal(9, 0.4, n // 3)
    light[n // 3 : n // 2, 1] = rng.lognormal(9, 0.4, n // 2 - n // 3)
    return light, light @ spill + rng.normal(0, 40, (n, 2))


def make_tube(observed, *, names=("FITC-A", "PE-A"), spillover=None):
    columns = {"FSC-A": np.full(len(observed), 5e4)} | dict(zip(names, observed.T, strict=True))
    return make_acquisition(columns, spillover=spillover)


def test_compute_compensated__gives_the_worked_numbers():
    observed = np.array([[1020.0, 600.0]])
    np.testing.assert_allclose(compute_compensated(observed, SPILL), [[1000, 400]])
    # Neither the transposed matrix nor multiplying by it gives the truth.
    np.testing.assert_allclose(compute_compensated(observed, SPILL.T), [[909.09, 554.55]], atol=0.01)


def test_compute_compensated__agrees_with_flowutils():
    rng = np.random.default_rng(5)
    matrix = np.eye(12) + rng.uniform(0, 0.15, (12, 12)) * (1 - np.eye(12))
    observed = rng.normal(2000, 3000, (300, 12))
    expected = flowutils.compensate.compensate(observed, matrix, list(range(12)))
    np.testing.assert_allclose(compute_compensated(observed, matrix), expected, rtol=1e-9, atol=1e-7)


@given(st.lists(st.floats(0, 0.3), min_size=6, max_size=6), st.integers(0, 99))
def test_compute_compensated__undoes_spilling(off, seed):
    matrix = np.eye(3)
    matrix[~np.eye(3, dtype=bool)] = off
    true = np.random.default_rng(seed).normal(1000, 500, (20, 3))
    np.testing.assert_allclose(compute_compensated(true @ matrix, matrix), true, rtol=1e-6, atol=1e-6)


def test_compensate__uses_the_embedded_matrix_and_says_which():
    light, observed = draw_observed()
    spillover = Spillover(detectors=("FITC-A", "PE-A"), matrix=SPILL)
    result = compensate(make_tube(observed, spillover=spillover))
    assert np.abs(result.events[:, 1:] - light).mean() < 60
    np.testing.assert_array_equal(result.events[:, 0], 5e4)
    assert result.sha256 == compute_matrix_sha256(spillover)


def test_compensate__prefers_an_external_matrix():
    light, observed = draw_observed()
    wrong = Spillover(detectors=("FITC-A", "PE-A"), matrix=np.eye(2))
    right = Spillover(detectors=("PE-A", "FITC-A"), matrix=SPILL[::-1, ::-1].copy())
    result = compensate(make_tube(observed, spillover=wrong), external=right)
    assert np.abs(result.events[:, 1:] - light).mean() < 60


def test_compensate__does_it_once():
    _, observed = draw_observed()
    spillover = Spillover(detectors=("FITC-A", "PE-A"), matrix=SPILL)
    once = compensate(make_tube(observed, spillover=spillover)).events[:, 1:]
    again = compensate(make_tube(once, spillover=spillover))
    np.testing.assert_array_equal(again.events[:, 1:], once)
    assert again.sha256 == ""
    assert [f.reason for f in again.findings] == ["the matrix would compensate a second time"]


def test_compensate__believes_the_names_of_compensated_channels():
    _, observed = draw_observed()
    names = ("FJComp-FITC-A", "Comp-PE-A")
    spillover = Spillover(detectors=names, matrix=SPILL)
    result = compensate(make_tube(observed, names=names, spillover=spillover))
    np.testing.assert_array_equal(result.events[:, 1:], observed)
    assert result.sha256 == ""


def test_compensate__says_that_there_is_no_matrix():
    result = compensate(make_tube(draw_observed()[1]))
    assert [(f.check, f.level) for f in result.findings] == [("COMPENSATION", "warn")]


@pytest.mark.parametrize(
    ("detectors", "matrix"),
    [
        (("FITC-A", "APC-A"), SPILL),
        (("FITC-A", "FITC-A"), SPILL),
        (("FSC-A", "PE-A"), SPILL),
        (("FITC-A", "PE-A"), 2 * SPILL),
        (("FITC-A", "PE-A"), np.ones((2, 2))),
    ],
)
def test_compensate__refuses_a_matrix_that_cannot_belong_to_the_file(detectors, matrix):
    spillover = Spillover(detectors=detectors, matrix=matrix)
    with pytest.raises(InputError, match="spillover matrix"):
        compensate(make_tube(draw_observed()[1], spillover=spillover))


def test_compensate__warns_of_an_odd_matrix():
    _, observed = draw_observed(spill=np.array([[1, 0.9], [0.97, 1]]))
    spillover = Spillover(detectors=("FITC-A", "PE-A"), matrix=np.array([[1, 0.9], [0.97, 1]]))
    reasons = [f.reason for f in compensate(make_tube(observed, spillover=spillover)).findings]
    assert "large spill in the matrix" in reasons


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_compensate__fails_a_tube_whose_delivered_matrix_has_rows_and_columns_exchanged(seed):
    tube = draw_tube(seed, Panel.CART, n_events=4000).acquisition
    given = tube.spillover
    turned = Spillover(detectors=given.detectors, matrix=given.matrix.T.copy())
    plain = dataclasses.replace(tube, spillover=None)
    levels = [
        {
            finding.level
            for finding in compensate(plain, external=one).findings
            if "exchanged" in finding.reason
        }
        for one in (given, turned)
    ]
    assert levels == [set(), {"fail"}]
