"""The instrument behaves as a cytometer does."""

import numpy as np
import numpy.typing as npt
import pytest

from corelab.synthetic.cells import CLASS_CODE, FLAG_BIT
from corelab.synthetic.optics import Optics, compute_compensated_sd, draw_optics
from corelab.synthetic.panels import FLUOROCHROMES
from corelab.synthetic.truth import population_masks
from corelab.synthetic.tube import Events, TubeContent, draw_events
from corelab.vocabulary import Panel

SEEDS = tuple(range(40, 52))
SHARES = {
    "debris": 0.05, "bead": 0.08, "granulocyte": 0.15, "monocyte": 0.06, "nk": 0.06,
    "cd4.naive": 0.14, "cd4.cm": 0.1, "cd8.em": 0.16, "cd8.naive": 0.1,
    "car_cd8.em": 0.05, "car_cd4.cm": 0.03, "naive_b": 0.02,
}  # fmt: skip


def content(
    *, without: str = "", drift: tuple[float, float, float] | None = None, viability: float = 0.93
) -> TubeContent:
    return TubeContent(
        shares=SHARES,
        checkpoints={"pd1": {"car_cd8.em": 0.5}},
        cd19_positive=0.99,
        viability=viability,
        doublets=0.03,
        false_car=0.0,
        without=without,
        drift=drift,
    )


def optics_of(seed: int, panel: Panel = Panel.CART) -> Optics:
    return draw_optics(seed, panel=panel, subject_id="LN-001", visit="D10")


def draw(seed: int, what: TubeContent, n_events: int = 12_000) -> tuple[Events, Optics]:
    optics = optics_of(seed)
    rng = np.random.default_rng(seed)
    return draw_events(rng, what, optics, n_events=n_events, seconds=30.0), optics


def compensated(events: Events, optics: Optics, marker: str) -> npt.NDArray[np.float64]:
    stained = events.values[:, 3:-1].astype(float) @ np.linalg.inv(optics.spillover)
    return np.asarray(stained[:, optics.markers.index(marker)])


def mode_and_sd(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    middle = float(np.median(values))
    return middle, float(1.4826 * np.median((middle - values)[values < middle]))


@pytest.mark.parametrize("seed", SEEDS)
def test_draw_events__car_stands_clear_of_the_negative(seed: int) -> None:
    """Bright to dim, but always at least eight deviations above."""
    events, optics = draw(seed, content())
    masks = population_masks(Panel.CART, events.cell_class, events.flags)
    car = compensated(events, optics, "CAR")
    middle, sd = mode_and_sd(car[masks["car_neg_t"]])
    assert np.median(car[masks["car_t"]]) > middle + 8 * sd
    assert (car[masks["car_t"]] < middle + 4 * sd).mean() < 0.04


@pytest.mark.parametrize(
    ("marker", "positive", "negative"),
    [("CD3", "t_cells", "nk"), ("CD4", "cd4_t", "cd8_t"), ("CD8", "cd8_t", "cd4_t")],
)
def test_draw_events__lineages_can_be_told_apart_for_every_seed(
    marker: str, positive: str, negative: str
) -> None:
    for seed in SEEDS:
        events, optics = draw(seed, content())
        masks = population_masks(Panel.CART, events.cell_class, events.flags)
        masks["nk"] = masks["lymphocytes"] & (events.cell_class == CLASS_CODE["nk"])
        value = compensated(events, optics, marker)
        middle, sd = mode_and_sd(value[masks[negative]])
        assert (value[masks[positive]] > middle + 8 * sd).mean() > 0.995, (seed, marker)


def test_draw_optics__negatives_reach_from_narrow_to_wide() -> None:
    """No constant fits all: noise spans more than a factor of ten over seeds and detectors."""
    noise = np.concatenate([optics_of(seed).noise for seed in SEEDS])
    assert noise.min() < 90
    assert noise.max() > 900


@pytest.mark.parametrize("panel", list(Panel))
def test_draw_optics__matrix_is_one_that_can_be_inverted(panel: Panel) -> None:
    for seed in SEEDS:
        matrix = optics_of(seed, panel).spillover
        np.testing.assert_array_equal(np.diag(matrix), 1.0)
        off = matrix - np.eye(len(matrix))
        assert off.min() >= 0
        assert off.max() < 0.7
        assert np.linalg.cond(matrix) < 50


def test_draw_optics__labels_name_every_marker_and_their_spelling_varies() -> None:
    spelled = {
        draw_optics(1, panel=Panel.CART, subject_id=f"LN-{n:03d}", visit="D7").labels[7] for n in range(20)
    }
    assert spelled == {"CCR7", "CD197 (CCR7) BV421", "CCR7 BV421", "CD197"}
    assert len(optics_of(1).labels) == len(FLUOROCHROMES[Panel.CART])


def test_compute_compensated_sd__equals_a_simulated_spread() -> None:
    """Two detectors, a bright neighbour: the analytic spread against 200,000 draws."""
    spillover = np.array([[1.0, 0.3], [0.1, 1.0]])
    noise, photon = np.array([100.0, 80.0]), np.array([4.0, 6.0])
    light = np.array([[20_000.0, 0.0]])
    rng = np.random.default_rng(5)
    expected = light @ spillover
    observed = expected + np.sqrt(expected * photon + noise**2) * rng.standard_normal((200_000, 2))
    simulated = (observed @ np.linalg.inv(spillover)).std(axis=0)
    computed = compute_compensated_sd(light, spillover=spillover, noise=noise, photon=photon)
    np.testing.assert_allclose(computed[0], simulated, rtol=0.01)
    assert computed[0, 1] > 2 * noise[1]  # the dark detector got wider by its neighbour's photons


def test_draw_events__fmo_leaves_its_marker_dark() -> None:
    events, optics = draw(7, content(without="CAR"))
    masks = population_masks(Panel.CART, events.cell_class, events.flags)
    car = compensated(events, optics, "CAR")
    middle, sd = mode_and_sd(car[masks["car_neg_t"]])
    assert abs(np.median(car[masks["car_t"]]) - middle) < sd


def test_draw_events__drift_weakens_all_channels_of_its_part_of_the_run_only() -> None:
    calm, _ = draw(8, content())
    drifted, _ = draw(8, content(drift=(0.5, 0.75, 0.7)))
    start, stop = 6_000, 9_000
    inside = (drifted.flags & FLAG_BIT["drift"]) != 0
    assert inside[start:stop].all()
    assert inside.sum() == stop - start
    np.testing.assert_array_equal(drifted.values[~inside], calm.values[~inside])
    bright = (calm.values[:, :-1] > 100) & (calm.values[:, :-1] < 200_000) & inside[:, None]
    ratio = drifted.values[:, :-1][bright] / calm.values[:, :-1][bright]
    assert np.allclose(ratio, 0.7, rtol=2e-3)
    np.testing.assert_array_equal(drifted.values[:, -1], calm.values[:, -1])


def test_draw_events__beads_are_tight_and_bright_in_every_detector() -> None:
    for seed in SEEDS[:4]:
        events, optics = draw(seed, content())
        masks = population_masks(Panel.CART, events.cell_class, events.flags)
        observed = events.values[:, 3:-1]
        beads, cells = observed[masks["beads"]], observed[masks["leukocytes"]]
        faintest = (beads / optics.noise).min(axis=1)
        assert np.percentile(faintest, 1) > 15
        assert (cells / optics.noise).min(axis=1).max() < np.percentile(faintest, 1)
        ssc = events.values[masks["beads"], 2]
        assert ssc.std() / ssc.mean() < 0.05
        assert ssc.mean() > 100_000


def test_draw_events__doublets_are_wide_for_their_height() -> None:
    events, optics = draw(9, content())
    ratio = events.values[:, 0] / events.values[:, 1] / optics.area_over_height
    cells = events.cell_class != CLASS_CODE["debris"]
    doublet = ((events.flags & FLAG_BIT["doublet"]) != 0) & (events.values[:, 0] < 262_000)
    assert np.median(ratio[doublet & cells]) > 1.25
    assert abs(np.median(ratio[~doublet & cells]) - 1) < 0.01


def test_draw_events__viability_and_order_of_time_are_as_asked() -> None:
    events, _ = draw(10, content(viability=0.4))
    masks = population_masks(Panel.CART, events.cell_class, events.flags)
    cells = masks["singlets"] & (events.cell_class != CLASS_CODE["debris"])
    assert (masks["live"] & cells).sum() / cells.sum() == pytest.approx(0.4, abs=0.02)
    assert (np.diff(events.values[:, -1]) >= 0).all()


def test_draw_events__few_events_lie_on_the_margin() -> None:
    for seed in SEEDS:
        events, _ = draw(seed, content())
        assert (events.values[:, :-1] >= 262_143).any(axis=1).mean() < 0.01
