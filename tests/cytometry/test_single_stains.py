import dataclasses

import numpy as np
import pytest

from corelab.cytometry.gating import gate_acquisition
from corelab.cytometry.interchange.evaluate import evaluate
from corelab.cytometry.interchange.trial import describe_trial_gates
from corelab.cytometry.markers import match_markers
from corelab.cytometry.single_stains import measure_spillover
from corelab.cytometry.template import load_template
from corelab.ingest.fcs import Spillover
from tests.cytometry.acquisitions import MARKERS, make_acquisition, make_t_cells

N = len(MARKERS)
DETECTORS = tuple(f"D{i}-A" for i in range(N))


def draw_matrix(seed):
    rng = np.random.default_rng(seed)
    matrix = np.eye(N) + np.where(rng.random((N, N)) < 0.4, rng.uniform(0, 0.3, (N, N)), 0)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def make_stains(matrix, *, seed, n=3000, gains=1.0, share=0.5, own_light=0.0):
    """Single stains of half-stained cells, photon noise and all, as a cytometer records them."""
    rng = np.random.default_rng(seed)
    stains = {}
    for i, marker in enumerate((*MARKERS, "")):
        light = np.zeros((n, N))
        if marker:
            stained = rng.random(n) < share
            light[:, i] = np.where(stained, 30_000 * np.exp(rng.normal(0, 0.4, n)), 0)
        observed = light @ matrix + own_light
        observed += rng.normal(0, 1, (n, N)) * np.sqrt(150**2 + 20 * observed)
        columns = {name: observed[:, j] * np.broadcast_to(gains, N)[j] for j, name in enumerate(DETECTORS)}
        stains[f"comp_{marker}" if marker else "unstained"] = make_acquisition(columns)
    return stains


def test_measure_spillover__gives_the_matrix_back_and_not_its_transpose():
    matrix = draw_matrix(1)
    sample, _ = make_t_cells({"cd4_em": 100}, seed=1)
    measured = measure_spillover(
        make_stains(matrix, seed=2), match_markers(sample, required=()), sample.detectors
    )
    assert measured.spillover.detectors == DETECTORS
    np.testing.assert_allclose(measured.spillover.matrix, matrix, atol=0.004)
    assert np.abs(measured.spillover.matrix - matrix.T).max() > 0.1
    assert measured.findings == ()


def test_measure_spillover__takes_fully_stained_controls_with_an_unstained_tube():
    matrix = draw_matrix(3)
    sample, _ = make_t_cells({"cd4_em": 100}, seed=1)
    stains = make_stains(matrix, seed=4, share=1.0, own_light=300.0)
    measured = measure_spillover(stains, match_markers(sample, required=()), sample.detectors)
    np.testing.assert_allclose(measured.spillover.matrix, matrix, atol=0.006)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda s: s | {"comp_CD4": s["unstained"]}, "comp_CD4: fewer than 100 stained events"),
        (lambda s: s | {"comp_CD4": s["comp_CD8"]}, "comp_CD4: "),
        (lambda s: s | {"comp_CD57": s["comp_CD8"]}, "comp_CD57 names no detector"),
        (
            lambda s: s | {"comp_CD3": make_acquisition({"D0-A": np.zeros(500)})},
            "comp_CD3: has no channel D1-A",
        ),
    ],
)
def test_measure_spillover__names_a_control_that_cannot_be_used(spoil, words):
    sample, _ = make_t_cells({"cd4_em": 100}, seed=1)
    stains = spoil(make_stains(draw_matrix(1), seed=2))
    measured = measure_spillover(stains, match_markers(sample, required=()), sample.detectors)
    assert [f for f in measured.findings if f.reason.startswith(words)]


def test_measure_spillover__warns_of_a_stain_that_is_not_linear():
    stains = make_stains(np.eye(N), seed=2)
    events = stains["comp_CD4"].events.copy()
    # Spill that sets in above a brightness only: no matrix takes it out.
    events[:, 3] += 0.4 * np.maximum(events[:, 2] - 30_000, 0)
    stains["comp_CD4"] = dataclasses.replace(stains["comp_CD4"], events=events)
    sample, _ = make_t_cells({"cd4_em": 100}, seed=1)
    measured = measure_spillover(stains, match_markers(sample, required=()), sample.detectors)
    finding = next(f for f in measured.findings if "D2-A leaves a shift in D3-A" in f.reason)
    assert finding.value > finding.limit == 0.02


def spill(acquisition, matrix):
    return dataclasses.replace(acquisition, events=acquisition.events @ matrix)


BLOOD = {"cd4_naive": 1500, "cd4_em": 1500, "cd8_naive": 800, "cd8_em": 1500, "car_cd8_em": 600, "b": 900}


def test_gate_acquisition__compensates_by_the_single_stains_of_the_run():
    matrix = draw_matrix(5)
    clean, masks = make_t_cells(BLOOD, seed=3)
    mixed = spill(clean, matrix)
    template = load_template("cart")
    alone = gate_acquisition(mixed, template=template)
    gated = gate_acquisition(mixed, template=template, stains=make_stains(matrix, seed=6))
    assert (alone.spillover_sha256, len(gated.spillover_sha256)) == ("", 64)
    true = masks["car_cd8_em"]
    assert (gated.membership["car_t"] & true).sum() > 0.97 * true.sum()
    assert abs(gated.count("car_t") - true.sum()) < 0.05 * true.sum()


def test_gate_acquisition__leaves_an_incomplete_set_of_single_stains_aside():
    matrix = draw_matrix(5)
    embedded = Spillover(detectors=DETECTORS, matrix=matrix)
    mixed = dataclasses.replace(spill(make_t_cells(BLOOD, seed=3)[0], matrix), spillover=embedded)
    stains = make_stains(matrix, seed=6)
    del stains["comp_CAR"]
    template = load_template("cart")
    gated = gate_acquisition(mixed, template=template, stains=stains)
    assert gated.spillover_sha256 == gate_acquisition(mixed, template=template).spillover_sha256
    assert any("no usable single stain of CAR" in f.reason for f in gated.findings)


def test_describe_trial_gates__draws_with_the_matrix_of_the_single_stains():
    matrix = draw_matrix(5)
    mixed = spill(make_t_cells(BLOOD, seed=3)[0], matrix)
    template = load_template("cart")
    gated = gate_acquisition(mixed, template=template, stains=make_stains(matrix, seed=6))
    tree, _ = describe_trial_gates(gated, mixed, template=template)
    masks = evaluate(tree, mixed).masks
    (name,) = [gate for gate in masks if gate.rpartition("/")[2] == "car_t"]
    np.testing.assert_array_equal(masks[name], gated.membership["car_t"])
