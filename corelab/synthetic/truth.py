"""What every synthetic event is, and from it the true membership in every population."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from corelab.synthetic.cells import CLASSES, FLAG_BIT, FLAGS
from corelab.vocabulary import B_SUBSETS, T_MEMORY_SUBSETS, Panel

Bools = npt.NDArray[np.bool_]

_LYMPHOCYTES: Final = ("t", "b", "nk")
_LEUKOCYTES: Final = (*_LYMPHOCYTES, "monocyte", "granulocyte")
_T_FLAGS: Final = ("pd1", "tim3", "lag3", "hla_dr", "cd25")


def encode_event_truth(
    panel: Panel, cell_class: npt.NDArray[np.uint8], flags: npt.NDArray[np.uint16]
) -> bytes:
    """Give the bytes of a truth file: a NumPy archive that explains its own codes.

    Parameters
    ----------
    panel
        Panel of the tube; it decides which populations exist.
    cell_class
        ``(n,)`` place of each event in ``class_names``.
    flags
        ``(n,)`` bits; bit i stands for ``flag_names[i]``.

    Returns
    -------
    bytes
        An uncompressed ``.npz``, the same bytes for the same events.
    """
    buffer = io.BytesIO()
    np.savez(
        buffer,
        panel=np.array(panel.value),
        cell_class=cell_class,
        flags=flags,
        class_names=np.array([cell.name for cell in CLASSES]),
        flag_names=np.array(FLAGS),
    )
    return buffer.getvalue()


def read_event_truth(path: Path) -> dict[str, Bools]:
    """Read the true membership of every event in every population of its panel.

    Parameters
    ----------
    path
        A file of ``truth/events/``.

    Returns
    -------
    dict
        Population to ``(n_events,)`` booleans, in the order of the events in the FCS file.
    """
    with np.load(path, allow_pickle=False) as archive:
        panel = Panel(str(archive["panel"]))
        return population_masks(panel, archive["cell_class"], archive["flags"])


def population_masks(
    panel: Panel, cell_class: npt.NDArray[np.uint8], flags: npt.NDArray[np.uint16]
) -> dict[str, Bools]:
    """Derive membership in the contract's populations from classes and flags.

    Parameters
    ----------
    panel
        Panel of the tube.
    cell_class, flags
        As in `encode_event_truth`.

    Returns
    -------
    dict
        Population to ``(n_events,)`` booleans.

    Notes
    -----
    A member of a cell population is one real, single, live cell outside a drifted part of the run;
    doublets, dead cells, beads and debris are members of none. ``singlets`` are all single
    particles but beads, ``live`` those of them that take up no dye, debris included: that is what
    the words of the contract ask of a gate.
    """
    has = {name: (flags & np.uint16(bit)) != 0 for name, bit in FLAG_BIT.items()}
    lineage = np.array([cell.lineage for cell in CLASSES])[cell_class]
    time_ok = ~has["drift"]
    single = time_ok & ~has["doublet"]
    singlets = single & (lineage != "bead")
    live = singlets & ~has["dead"]
    common = {
        "events": np.ones(len(cell_class), dtype=np.bool_),
        "time_ok": time_ok,
        "beads": single & (lineage == "bead"),
        "singlets": singlets,
        "live": live,
        "leukocytes": live & np.isin(lineage, _LEUKOCYTES),
        "lymphocytes": live & np.isin(lineage, _LYMPHOCYTES),
        "t_cells": live & (lineage == "t"),
    }
    name = np.array([cell.name for cell in CLASSES])[cell_class]
    if panel is Panel.CART:
        return common | _t_masks(common["t_cells"], name, has)
    return common | _b_masks(live & (lineage == "b"), name, has)


def _t_masks(t_cells: Bools, name: npt.NDArray[np.str_], has: Mapping[str, Bools]) -> dict[str, Bools]:
    lineage = {word: t_cells & (np.char.find(name, word) >= 0) for word in ("cd4", "cd8")}
    car = has["car"]
    masks = {
        "cd4_t": lineage["cd4"],
        "cd8_t": lineage["cd8"],
        "car_t": t_cells & car,
        "car_cd4": lineage["cd4"] & car,
        "car_cd8": lineage["cd8"] & car,
        "car_neg_t": t_cells & ~car,
        "car_neg_cd4": lineage["cd4"] & ~car,
        "car_neg_cd8": lineage["cd8"] & ~car,
    }
    subset = {word: np.char.endswith(name, f".{word}") for word in T_MEMORY_SUBSETS}
    subset |= {word: has[word] for word in _T_FLAGS}
    subset["pd1_tim3_lag3"] = has["pd1"] & has["tim3"] & has["lag3"]
    compartments = {word: mask for word, mask in masks.items() if word != "car_neg_t"}
    for word, mask in compartments.items():
        masks |= {f"{word}.{part}": mask & member for part, member in subset.items()}
    return masks


def _b_masks(b_lineage: Bools, name: npt.NDArray[np.str_], has: Mapping[str, Bools]) -> dict[str, Bools]:
    # Plasmablasts have lost CD20 and CD22: without CD19 no panel can call them B cells.
    reference = b_lineage & (name != "plasmablasts")
    b_cells = reference | (b_lineage & has["cd19"])
    masks = {"b_cells": b_cells, "b_reference": reference, "cd19_positive": reference & has["cd19"]}
    return masks | {word: b_cells & (name == word) for word in B_SUBSETS}
