"""Truth is consistent with itself, with the contract's tree and with the files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from corelab.synthetic import read_event_truth
from corelab.synthetic.cells import CLASS_CODE, FLAG_BIT
from corelab.synthetic.truth import encode_event_truth, population_masks
from corelab.vocabulary import B_SUBSETS, T_COMPARTMENTS, T_MARKER_SUBSETS, T_MEMORY_SUBSETS, Panel


def one(name: str, *flags: str, panel: Panel = Panel.CART) -> set[str]:
    """Populations of a single event."""
    bits = sum(FLAG_BIT[flag] for flag in flags)
    masks = population_masks(
        panel, np.array([CLASS_CODE[name]], dtype=np.uint8), np.array([bits], dtype=np.uint16)
    )
    return {word for word, mask in masks.items() if mask[0]}


def test_population_masks__a_car_cell_is_a_cd4_t_cell_as_well() -> None:
    found = one("car_cd4.cm", "car", "pd1")
    assert {"t_cells", "cd4_t", "car_t", "car_cd4", "cd4_t.cm", "car_cd4.cm", "car_t.pd1"} <= found
    assert not {"car_neg_t", "car_neg_cd4", "cd8_t", "car_t.pd1_tim3_lag3"} & found


def test_population_masks__three_checkpoints_make_the_triple() -> None:
    assert "cd8_t.pd1_tim3_lag3" in one("cd8.em", "pd1", "tim3", "lag3")


@pytest.mark.parametrize("flag", ["dead", "doublet", "drift"])
def test_population_masks__what_is_no_single_live_cell_is_in_no_cell_population(flag: str) -> None:
    assert not {"live", "leukocytes", "t_cells", "cd8_t"} & one("cd8.em", flag)


def test_population_masks__false_car_signal_is_no_car_cell() -> None:
    assert "car_neg_cd8" in one("cd8.em", "false_car")
    assert "car_t" not in one("cd8.em", "false_car")


def test_population_masks__beads_and_debris_are_no_cells() -> None:
    assert one("bead") == {"events", "time_ok", "beads"}
    assert one("bead", "doublet") == {"events", "time_ok"}
    assert one("debris") == {"events", "time_ok", "singlets", "live"}


def test_population_masks__plasmablasts_are_b_cells_by_cd19_alone() -> None:
    with_cd19 = one("plasmablasts", "cd19", panel=Panel.BCELL)
    assert {"b_cells", "plasmablasts"} <= with_cd19
    assert "b_reference" not in with_cd19
    assert "b_cells" not in one("plasmablasts", panel=Panel.BCELL)


def test_population_masks__a_b_cell_without_cd19_stays_in_the_reference() -> None:
    found = one("naive_b", panel=Panel.BCELL)
    assert {"b_cells", "b_reference", "naive_b"} <= found
    assert "cd19_positive" not in found


def test_read_event_truth__gives_back_what_was_encoded(tmp_path: Path) -> None:
    cell_class = np.array([CLASS_CODE["cd4.cm"], CLASS_CODE["bead"]], dtype=np.uint8)
    path = tmp_path / "x.npz"
    path.write_bytes(encode_event_truth(Panel.CART, cell_class, np.zeros(2, dtype=np.uint16)))
    truth = read_event_truth(path)
    np.testing.assert_array_equal(truth["cd4_t.cm"], [True, False])
    np.testing.assert_array_equal(truth["beads"], [False, True])


def test_truth__every_file_has_its_events_and_the_counts_agree(delivery: Path) -> None:
    counts = pd.read_csv(delivery / "truth" / "files.csv").set_index(["file", "population"])["count"]
    files = sorted(p for p in delivery.rglob("*.fcs") if not p.stem.endswith("tube00"))  # beads hold no cell
    assert len(files) == counts.index.get_level_values(0).nunique()
    for path in files:
        truth = read_event_truth(delivery / "truth" / "events" / f"{path.stem}.npz")
        name = path.relative_to(delivery).as_posix()
        assert {word: int(mask.sum()) for word, mask in truth.items()} == counts[name].to_dict()


def test_truth__subsets_sum_to_their_parents(delivery: Path) -> None:
    for path in sorted((delivery / "truth" / "events").glob("*.npz")):
        truth = read_event_truth(path)
        if "b_cells" in truth:
            np.testing.assert_array_equal(sum(truth[s].astype(int) for s in B_SUBSETS), truth["b_cells"])
            assert not (truth["cd19_positive"] & ~truth["b_reference"]).any()
            continue
        for word in ("cd4_t", "cd8_t", "car_cd4", "car_cd8", "car_neg_cd4", "car_neg_cd8"):
            summed = sum(truth[f"{word}.{s}"].astype(int) for s in T_MEMORY_SUBSETS)
            np.testing.assert_array_equal(summed, truth[word])
        np.testing.assert_array_equal(truth["car_t"] | truth["car_neg_t"], truth["t_cells"])


def test_truth__names_every_population_of_the_contract(delivery: Path) -> None:
    counts = pd.read_csv(delivery / "truth" / "files.csv")
    found = set(counts[counts["panel"] == "cart"]["population"])
    for compartment in T_COMPARTMENTS:
        for subset in (*T_MEMORY_SUBSETS, *T_MARKER_SUBSETS):
            assert f"{compartment}.{subset}" in found
