"""Gates of other programs against their own counts, with the figures (``pytest -s`` shows them)."""

import csv
import sys

import numpy as np
import pytest

from corelab.cytometry.interchange.evaluate import evaluate
from corelab.cytometry.interchange.flowjo import read_flowjo
from corelab.cytometry.interchange.gatingml import read_gatingml
from corelab.cytometry.interchange.parity import compare_counts, summarise_parity
from corelab.ingest.fcs import read_fcs
from tests.ingest.real_data import find_real_data

pytestmark = pytest.mark.real_data


def report(line):
    sys.stdout.write(line + "\n")


def load(path):
    return read_fcs(path.read_bytes(), name=path.name)


def read_rows(path):
    with path.open(encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def isac():
    return find_real_data("isac_gatingml2_gate_ref")


ELSEWHERE = {
    # truth: its document and what the gate is called there; the large document lacks these two
    "Ellipsoid3D": ("gml_ellipsoid3d_gate.xml", "Ellipsoid3D"),
    "ParQuadRect": ("gml_parent_quadrant_rect_gate.xml", "ParRectangle1"),
}


def test_evaluate__is_bitwise_equal_to_the_whole_isac_suite(isac):
    """All 51 truth files: 49 from the one document that holds the gates, two from their own."""
    acquisition = load(isac / "data1.fcs")
    replays = {}
    differing = []
    truths = sorted((isac / "truth").glob("Results_*.txt"))
    for path in truths:
        truth = path.stem.removeprefix("Results_")
        document, gate = ELSEWHERE.get(truth, ("gml_all_gates.xml", truth))
        if document not in replays:
            read = read_gatingml((isac / "gml" / document).read_bytes(), name=document)
            replays[document] = evaluate(read.tree, acquisition)
            assert (read.refusals, replays[document].refusals) == ((), ())
        expected = np.loadtxt(path, dtype=int).astype(bool)
        mask = replays[document].masks[gate]
        if not np.array_equal(mask, expected):
            differing.append(f"{truth}: {int((mask != expected).sum())} events")
    report(f"ISAC Gating-ML 2.0: {len(truths) - len(differing)} of {len(truths)} bitwise equal")
    assert (len(truths), differing) == (51, [])


def test_evaluate__is_equal_from_each_single_document_of_the_isac_suite(isac):
    acquisition = load(isac / "data1.fcs")
    for path in sorted((isac / "gml").glob("*_gate*.xml")):
        read = read_gatingml(path.read_bytes(), name=path.name)
        replay = evaluate(read.tree, acquisition)
        assert replay.refusals == (), path.name
        for name, mask in replay.masks.items():
            truth = isac / "truth" / f"Results_{name}.txt"
            if truth.exists():
                assert np.array_equal(mask, np.loadtxt(truth, dtype=int).astype(bool)), (path.name, name)


def replay_workspace(folder, workspace, names=None):
    """Parity rows of every sample whose file is there."""
    rows = []
    for sample in read_flowjo((folder / workspace).read_bytes(), name=workspace):
        found = [folder / name for name in sample.file_names if (folder / name).is_file()]
        if found:
            replay = evaluate(sample.tree, load(found[0]))
            rows += compare_counts(found[0].name, sample.tree, replay, refusals=sample.refusals)
    return rows


def tell(title, rows):
    counted = [row for row in rows if row.stored_count is not None]
    worst = max(counted, key=lambda row: abs(row.difference or 0))
    summary = ", ".join(f"{n} {verdict}" for verdict, n in summarise_parity(rows).items() if n)
    report(f"{title}: {summary}; worst {worst.gate}: {worst.count} for {worst.stored_count}")
    return counted


@pytest.mark.parametrize(
    ("folder", "workspace", "populations"),
    [("flowatlas_human_tcell_memory", "workspace.wsp", 100), ("flowsom_68983_mouse_cd19", "gating.wsp", 8)],
)
def test_evaluate__replays_workspaces_as_flowjo_counted(folder, workspace, populations):
    rows = replay_workspace(find_real_data(folder), workspace)
    counted = tell(folder, rows)
    assert len(counted) >= populations
    for row in counted:
        assert row.count is not None, row
        assert abs(row.difference) <= max(6, 0.05 * row.stored_count), row
    equal = sum(row.verdict == "equal" for row in counted)
    assert equal > 0.5 * len(counted)


def test_evaluate__counts_the_flowatlas_truth_table():
    """The truth file, not only what the workspace stores."""
    folder = find_real_data("flowatlas_human_tcell_memory")
    counts = {(row.sample, row.gate): row.count for row in replay_workspace(folder, "workspace.wsp")}
    truth = [row for row in read_rows(folder / "truth_population_counts.csv") if row["pop"] != "root"]
    for row in truth:
        count = counts[row["file"], row["path"].removeprefix("root/")]
        true = float(row["flowjo_count"])
        assert abs(count - true) <= max(6, 0.05 * true), row


def test_evaluate__calls_the_same_events_as_the_flowsom_labels():
    folder = find_real_data("flowsom_68983_mouse_cd19")
    rows = {row.gate.rpartition("/")[2]: row.count for row in replay_workspace(folder, "gating.wsp")}
    for name, true in {"B cells": 2459, "T cells": 10745, "CD4 T cells": 7480, "CD8 T cells": 1407}.items():
        found = [count for gate, count in rows.items() if gate.lower() == name.lower()]
        assert found, (name, sorted(rows))
        assert abs(found[0] - true) <= 13


def test_evaluate__is_equal_on_the_simple_workspaces():
    folder = find_real_data("flowkit_simple")
    truth = [row for row in read_rows(folder / "truth_population_counts.csv") if row["kind"] != "SampleNode"]
    found = {}
    for path in sorted(folder.glob("*.wsp")):
        for row in replay_workspace(folder, path.name):
            found[path.name, row.sample, row.gate] = row.count
    wrong = []
    for row in truth:
        key = (row["wsp"], row["sample"], row["path"].removeprefix("root/"))
        known = row["fj_count"] if row["fj_count"] not in ("", "-1") else row["fk_count"]
        if found.get(key) != int(float(known)):
            wrong.append((key, found.get(key), known))
    report(f"flowkit_simple: {len(truth) - len(wrong)} of {len(truth)} equal")
    assert wrong == []
