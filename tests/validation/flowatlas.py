"""The whole automatic chain against the manual gates of the FlowAtlas files, fairly compared."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from corelab.cytometry.gating import gate_acquisition
from corelab.cytometry.interchange.evaluate import evaluate
from corelab.cytometry.interchange.flowjo import WorkspaceSample, read_flowjo
from corelab.cytometry.template import Template, load_template
from corelab.cytometry.workspace import read_workspace_markers
from corelab.ingest.fcs import Acquisition, read_fcs

PARENT_OF: Final = {"T cells": "", "CD4": "T cells", "CD8": "T cells"}
OURS: Final = {
    "T cells": "t_cells", "CD4": "cd4_t", "CD8": "cd8_t", "CD8 | CM": "cd8_t.cm", "CD8 | EM": "cd8_t.em",
    "CD8 | EMRA": "cd8_t.temra", "CD8 | Naive": "cd8_t.naive_or_scm", "CD4 | CM": "cd4_t.cm",
    "CD4 | EM": "cd4_t.em", "CD4 | EMRA": "cd4_t.temra", "CD4 | Naive": "cd4_t.naive_or_scm",
}  # fmt: skip
SMALLEST: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One manual population and ours: counts, and percent of the parent (NaN for T cells)."""

    file: str
    population: str
    manual: int
    ours: int
    manual_percent: float
    our_percent: float

    @property
    def relative(self) -> float:
        """Difference of the counts, as part of the manual one."""
        return self.ours / self.manual - 1

    @property
    def points(self) -> float:
        """Difference of the percentages of the parent."""
        return self.our_percent - self.manual_percent


def compare_flowatlas(folder: Path, *, without_treg: bool, template: Template | None = None) -> list[Row]:
    """Compare every population of 200 manual events or more, the worst first.

    The manual memory subsets of CD4 are drawn on cells that are no Treg. With ``without_treg`` the events
    of the manual Treg gate are left out of our CD4 subsets as well: like is compared with like.
    """
    workspace = (folder / "workspace.wsp").read_bytes()
    samples = {
        name: sample for sample in read_flowjo(workspace, name="workspace.wsp") for name in sample.file_names
    }
    with (folder / "truth_population_counts.csv").open(encoding="utf-8") as handle:
        truth = {(r["file"], r["pop"]): round(float(r["flowjo_count"])) for r in csv.DictReader(handle)}
    rows: list[Row] = []
    for path in sorted(folder.glob("*.fcs")):
        acquisition = read_fcs(path.read_bytes(), name=path.name)
        labels = read_workspace_markers(workspace, name="workspace.wsp", file=path.name)
        gated = gate_acquisition(
            acquisition, template=template or load_template("cart"), marker_labels=labels
        )
        treg = _find_treg(samples[path.name], acquisition) if without_treg else np.zeros(gated.n_events, bool)
        members = {n: m & ~treg if n.startswith("cd4_t.") else m for n, m in gated.membership.items()}
        for manual, ours in OURS.items():
            count = truth[path.name, manual]
            if count >= SMALLEST:
                parent, our_parent = _parents(manual, without_treg)
                whole = truth[path.name, parent] if parent else 0
                our_whole = gated.membership[our_parent] if our_parent else np.zeros(0, bool)
                if our_parent == "cd4_t":
                    our_whole = our_whole & ~treg
                found = int(members[ours].sum())
                rows.append(Row(
                    file=path.name, population=manual, manual=count, ours=found,
                    manual_percent=100 * count / whole if whole else float("nan"),
                    our_percent=100 * found / max(int(our_whole.sum()), 1) if whole else float("nan"),
                ))  # fmt: skip
    return sorted(rows, key=lambda row: -abs(row.relative))


def _parents(manual: str, without_treg: bool) -> tuple[str, str]:
    if manual in PARENT_OF:
        parent = PARENT_OF[manual]
        return parent, "t_cells" if parent else ""
    lineage = manual[:3]
    return ("non-Treg" if lineage == "CD4" and without_treg else lineage), f"{lineage.lower()}_t"


def _find_treg(
    sample: WorkspaceSample, acquisition: Acquisition
) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    masks = evaluate(sample.tree, acquisition).masks
    (name,) = [gate for gate in masks if gate.rpartition("/")[2] == "Treg"]
    return np.asarray(masks[name])
