"""Trees out and in again: the same events, one by one, here and in FlowKit."""

import dataclasses
import re
import warnings

import flowkit
import numpy as np
import pytest

from corelab.cytometry.gating import gate_acquisition
from corelab.cytometry.interchange.archive import strip_gates
from corelab.cytometry.interchange.boxes import find_gap, find_sides
from corelab.cytometry.interchange.display import with_display_scales
from corelab.cytometry.interchange.evaluate import evaluate
from corelab.cytometry.interchange.flowjo import read_flowjo
from corelab.cytometry.interchange.flowjo_write import SampleToWrite, write_flowjo
from corelab.cytometry.interchange.gatingml import read_gatingml
from corelab.cytometry.interchange.gatingml_write import write_gatingml
from corelab.cytometry.interchange.model import (
    Biex,
    Bound,
    Cells,
    Dimension,
    Gate,
    GateTree,
    Linear,
    Logicle,
    Matrix,
    Polygon,
    Rectangle,
)
from corelab.cytometry.interchange.outline import outline_cells
from corelab.cytometry.interchange.revision import decide_cut, decide_shape
from corelab.cytometry.interchange.scales import invert_scale
from corelab.cytometry.interchange.stored import format_shape, format_tree, parse_shape, parse_tree
from corelab.cytometry.interchange.trial import describe_trial_gates
from corelab.cytometry.template import load_template
from corelab.errors import InputError
from corelab.ingest.fcs import read_fcs
from corelab.vocabulary import GateSource
from tests.cytometry.acquisitions import make_acquisition
from tests.cytometry.interchange.workspaces import CHANNEL, make_tree, make_tube
from tests.ingest.real_data import find_real_data

CART = load_template("cart")


@pytest.fixture(scope="module")
def tube():
    return make_tube()


def write_workspace(tree, acquisition, name="a.fcs"):
    sample = SampleToWrite(name=name, keywords={}, n_events=acquisition.n_events, tree=tree, counts={})
    data, refused = write_flowjo([sample])
    return data, refused[name]


def by_label(tree, replay):
    """Masks by the label of their gate, the innermost of a chain that a box was split into."""
    return {tree.gates[name].label: mask for name, mask in replay.masks.items()}


def assert_same_events(tree, again, acquisition):
    before, after = (by_label(one, evaluate(one, acquisition)) for one in (tree, again))
    for label, mask in before.items():
        assert np.array_equal(after[label], mask), label
    assert all(mask.any() for mask in before.values())


@pytest.mark.parametrize("matrix", [False, True])
def test_write_flowjo__is_read_back_to_the_event(tube, matrix):
    tree = make_tree(matrix=matrix)
    data, refused = write_workspace(tree, tube[0])
    assert refused == ()
    (sample,) = read_flowjo(data, name="w")
    assert sample.refusals == ()
    assert_same_events(tree, sample.tree, tube[0])


@pytest.mark.parametrize("matrix", [False, True])
def test_write_gatingml__is_read_back_to_the_event(tube, matrix):
    tree = make_tree(matrix=matrix)
    data, refused = write_gatingml(tree, about={"file_id": "x"})
    read = read_gatingml(data, name="g")
    assert (refused, read.refusals, read.about) == ((), (), {"file_id": "x"})
    assert_same_events(tree, read.tree, tube[0])


@pytest.mark.parametrize("matrix", [False, True])
def test_flowkit__reads_what_is_written_and_counts_the_same(tube, matrix, tmp_path):
    acquisition, data = tube
    (tmp_path / "a.fcs").write_bytes(data)
    acquisition = read_fcs(data, name="a.fcs")
    tree = make_tree(matrix=matrix)
    expected = by_label(tree, evaluate(tree, acquisition))
    for found in (count_by_flowkit_gml(tree, tmp_path), count_by_flowkit_wsp(tree, acquisition, tmp_path)):
        assert {label: int(mask.sum()) for label, mask in found.items() if label in expected} == {
            label: int(mask.sum()) for label, mask in expected.items()
        }
        assert all(np.array_equal(found[label], mask) for label, mask in expected.items())


def count_by_flowkit_gml(tree, folder):
    (folder / "g.gml").write_bytes(write_gatingml(tree, about={})[0])
    strategy = flowkit.parse_gating_xml(str(folder / "g.gml"))
    result = strategy.gate_sample(flowkit.Sample(str(folder / "a.fcs")))
    again = read_gatingml((folder / "g.gml").read_bytes(), name="g").tree
    return {gate.label: result.get_gate_membership(name) for name, gate in again.gates.items()}


def count_by_flowkit_wsp(tree, acquisition, folder):
    (folder / "g.wsp").write_bytes(write_workspace(tree, acquisition)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        workspace = flowkit.Workspace(str(folder / "g.wsp"), str(folder / "a.fcs"), filename_as_id=True)
    workspace.analyze_samples(use_mp=False)
    found = {}
    for name, path in workspace.get_gate_ids("a.fcs"):
        found[name] = workspace.get_gate_membership("a.fcs", name, gate_path=path)
    return found


def draw(acquisition, decisions=()):
    gated = gate_acquisition(acquisition, template=CART, decisions=decisions)
    tree, refusals = describe_trial_gates(gated, acquisition, template=CART, decisions=decisions)
    return gated, tree, refusals


def assert_draws(gated, tree, acquisition):
    masks = evaluate(tree, acquisition).masks
    drawn = [name for name in gated.membership if name in masks]
    for name in drawn:
        assert np.array_equal(masks[name], gated.membership[name]), name
    return drawn


def test_describe_trial_gates__draws_every_fitted_population_to_the_event(tube):
    gated, tree, refusals = draw(tube[0])
    assert refusals == ()
    assert len(assert_draws(gated, tree, tube[0])) > 40
    shown = with_display_scales(tree, tube[0])
    data, refused = write_workspace(shown, tube[0])
    assert refused == ()
    again = read_flowjo(data, name="w")[0].tree
    before, after = (by_label(one, evaluate(one, tube[0])) for one in (tree, again))
    assert all(np.array_equal(after[label], mask) for label, mask in before.items())


def test_read_gatingml__calls_a_fluorochrome_without_a_name_like_its_detector():
    matrix = Matrix(fluorochromes=("A", "B"), detectors=("A", "B"), values=((1.0, 0.2), (0.05, 1.0)))
    dimension = Dimension(channel="A", compensation="M")
    gate = Gate(
        name="a",
        label="a",
        parent="",
        geometry=Rectangle(bounds=(Bound(dimension=dimension, low=1.0, high=None),)),
    )
    data = write_gatingml(GateTree(matrices={"M": matrix}, gates={"a": gate}), about={})[0].decode()
    begin, end = data.index("<transforms:fluorochromes>"), data.index("</transforms:fluorochromes>")
    bare = data[:begin] + re.sub('name="."', 'name=""', data[begin:end]) + data[end:]
    assert 'name=""' in bare
    assert read_gatingml(bare.encode(), name="g").tree.matrices["M"] == matrix


def test_describe_trial_gates__draws_a_gate_that_leaves_nothing_out():
    """Where every cell is alive the limit is there still, for whoever opens the workspace."""
    columns = {f"D{i}-A": np.random.default_rng(i).normal(0, 200, 3000) for i in range(3)}
    columns["D1-A"] += 9000
    labels = {"D0-A": "viability", "D1-A": "CD45", "D2-A": "CD3"}
    acquisition = make_acquisition(columns, labels=labels)
    gated, tree, _ = draw(acquisition)
    kept = {name: gated.count(name) for name in ("singlets", "live", "leukocytes")}
    assert kept["live"] == kept["singlets"]
    masks = evaluate(tree, acquisition).masks
    assert {"live", "leukocytes"} <= set(masks)
    assert "singlets" not in masks
    assert int(masks["leukocytes"].sum()) == kept["leukocytes"]


def test_describe_trial_gates__takes_peoples_trees_and_limits_along(tube):
    """A whole tree keeps its counts outside, a limit and a hand-drawn shape theirs inside."""
    drawn = make_tree()
    mine = GateTree(gates={"m": Gate(name="m", label="m", parent="", geometry=Rectangle(bounds=(
        Bound(dimension=Dimension(channel=CHANNEL["CCR7"]), low=900.0, high=None),
    )))})  # fmt: skip
    decisions = [
        decide_shape("t_cells", drawn, "T cells", source=GateSource.FLOWJO),
        decide_shape("cd4_t", drawn, "T cells/CD4", source=GateSource.FLOWJO),
        decide_shape("car_t", drawn, "T cells/CAR+", source=GateSource.GATINGML),
        decide_shape("cd8_t.cm", mine, "m", source=GateSource.MANUAL),
        decide_cut("CD95", 1000.0),
    ]
    gated, tree, refusals = draw(tube[0], decisions)
    assert [one.gate for one in refusals] == []
    assert {"t_cells", "cd4_t", "car_t", "cd8_t.cm", "cd4_t.scm"} <= set(assert_draws(gated, tree, tube[0]))
    assert tree.gates["cd4_t"].parent == "t_cells"
    again = read_gatingml(write_gatingml(tree, about={})[0], name="g").tree
    masks = by_label(again, evaluate(again, tube[0]))
    assert np.array_equal(masks["cd4_t"], gated.membership["cd4_t"])


def test_describe_trial_gates__says_where_a_drawing_is_not_exact(tube):
    """A fitted population that a whole tree has widened is drawn as it was fitted."""
    wide = GateTree(gates={"T": Gate(name="T", label="T", parent="", geometry=Rectangle(bounds=(
        Bound(dimension=Dimension(channel=CHANNEL["CD3"]), low=-200.0, high=None),
    )))})  # fmt: skip
    decisions = [decide_shape("t_cells", wide, "T", source=GateSource.GATINGML)]
    gated, tree, refusals = draw(tube[0], decisions)
    assert [one.gate for one in refusals] == ["leukocytes"]
    assert "holds other events" in refusals[0].cause
    assert np.array_equal(evaluate(tree, tube[0]).masks["t_cells"], gated.membership["t_cells"])


def test_write_flowjo__refuses_a_line_that_a_scale_would_bend(tube):
    plain = tuple(Dimension(channel=CHANNEL[marker]) for marker in ("CD4", "CD8"))
    line = Polygon(dimensions=plain, vertices=((0.0, 0.0), (9000.0, 0.0), (9000.0, 9000.0)))
    tree = make_tree()
    tree = dataclasses.replace(
        tree, gates={**tree.gates, "bent": Gate(name="bent", label="bent", parent="", geometry=line)}
    )
    refused = write_workspace(tree, tube[0])[1]
    assert [one.gate for one in refused] == ["bent"]
    shown = with_display_scales(tree, tube[0])
    assert shown.gates["bent"].geometry == line


def test_write_gatingml__refuses_what_the_standard_cannot_say():
    scale = Biex(negative=0.0, width=-100.0, positive=4.5, maximum=262144.0)
    axes = tuple(Dimension(channel=name, scale="b") for name in ("A", "B"))
    line = Polygon(dimensions=axes, vertices=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))
    gates = {
        "p q": Gate(name="p q", label="p q", parent="", geometry=line),
        "r": Gate(name="r", label="r", parent="p q", geometry=Rectangle(bounds=(
            Bound(dimension=Dimension(channel="A"), low=1.0, high=None),
        ))),
    }  # fmt: skip
    # Straight on FlowJo's own scale, and not judged by cells: there are no words for it.
    refused = write_gatingml(GateTree(gates=gates, scales={"b": scale}), about={})[1]
    assert [one.gate for one in refused] == ["p q", "r"]
    assert "Biex" in refused[0].cause
    assert "'p q'" in refused[1].cause


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("folder", "workspace"),
    [("flowatlas_human_tcell_memory", "workspace.wsp"), ("flowsom_68983_mouse_cd19", "gating.wsp")],
)
def test_write_flowjo__keeps_the_events_of_real_workspaces(folder, workspace):
    """Polygons that FlowJo judges by cells among them; of each workspace the first two files."""
    place = find_real_data(folder)
    data = (place / workspace).read_bytes()
    samples = read_flowjo(data, name=workspace)
    there = [one for one in samples if any((place / name).is_file() for name in one.file_names)][:2]
    assert there
    for sample in there:
        found = [place / name for name in sample.file_names if (place / name).is_file()][:1]
        for path in found:
            acquisition = read_fcs(path.read_bytes(), name=path.name)
            written, refused = write_workspace(sample.tree, acquisition)
            assert refused == ()
            again = read_flowjo(written, name="w")[0].tree
            masks, others = (evaluate(one, acquisition).masks for one in (sample.tree, again))
            assert masks.keys() == others.keys()
            assert all(np.array_equal(others[name], mask) for name, mask in masks.items())
            document, refused = write_gatingml(sample.tree, about={})
            assert refused == ()
            read = read_gatingml(document, name="g").tree
            found = evaluate(read, acquisition).masks
            for name, original in zip(read.gates, sample.tree.gates, strict=True):
                assert np.array_equal(found[name], masks[original]), name


@pytest.mark.real_data
def test_flowkit__counts_flowjos_cells_in_gatingml_as_flowjo_does(tmp_path):
    """FlowKit alone finds 13 events more in the lymphocytes of this workspace, for it knows no cells."""
    place = find_real_data("flowsom_68983_mouse_cd19")
    (sample,) = read_flowjo((place / "gating.wsp").read_bytes(), name="gating.wsp")
    (tmp_path / "g.gml").write_bytes(write_gatingml(sample.tree, about={})[0])
    strategy = flowkit.parse_gating_xml(str(tmp_path / "g.gml"))
    result = strategy.gate_sample(flowkit.Sample(str(place / "68983.fcs")))
    again = read_gatingml((tmp_path / "g.gml").read_bytes(), name="g").tree
    stored = [gate.stored_count for gate in sample.tree.gates.values()]
    assert [result.get_gate_count(name) for name in again.gates] == stored


@pytest.mark.parametrize("seed", range(12))
def test_outline_cells__holds_the_events_of_any_polygon(seed):
    """Slivers, crossings and pieces among them; on FlowJo's scale, a linear and a logicle one."""
    rng = np.random.default_rng(seed)
    scales = (
        Biex(negative=0.0, width=-100.0, positive=4.4, maximum=262144.0),
        (Linear(t=262144.0, a=0.0), Logicle(t=262144.0, w=0.8, m=4.5, a=0.0))[seed % 2],
    )
    grid = (Cells(width=16.0, shift=0.0), Cells(width=1 / 256, shift=0.5 if seed % 2 == 0 else 0.0))
    size = (3, 4, 7, 15)[seed % 4]
    corners = np.column_stack([rng.uniform(-60, 4200, size), rng.uniform(-0.1, 1.1, size)])
    if seed % 3 == 0:
        corners[:, 1] = corners[:, 0] / 4096 + rng.normal(0, 0.004, size)
    axes = tuple(Dimension(channel=name, scale=name) for name in ("A", "B"))
    line = Polygon(dimensions=axes, vertices=tuple(map(tuple, corners.tolist())), grid=grid)
    values = np.column_stack([rng.uniform(-2e4, 3e5, 20_000), rng.uniform(-4e4, 3e5, 20_000)])
    values[:8000] = rng.normal(0, 3000, (8000, 2))
    places = [
        np.clip(rng.uniform(corners[:, i].min(), corners[:, i].max(), 8000), -1e6, 4000) for i in (0, 1)
    ]
    values[-8000:] = np.column_stack([invert_scale(p, s) for p, s in zip(places, scales, strict=True)])
    gate = Gate(name="p", label="p", parent="", geometry=line)
    acquisition = make_acquisition({"A": values[:, 0], "B": values[:, 1]})
    before = evaluate(GateTree(gates={"p": gate}, scales=dict(zip("AB", scales, strict=True))), acquisition)
    drawn = dataclasses.replace(gate, geometry=outline_cells(line, scales))
    after = evaluate(GateTree(gates={"p": drawn}), acquisition)
    assert before.masks["p"].any()
    assert np.array_equal(after.masks["p"], before.masks["p"])


@pytest.mark.real_data
def test_strip_gates__keeps_the_gates_of_real_files():
    place = find_real_data("flowatlas_human_tcell_memory")
    data = (place / "workspace.wsp").read_bytes()
    kept = strip_gates(data, name="w", known={"412C_Blood_025.fcs": "f" * 64})
    assert b"t-varadj" in data
    assert b"t-varadj" not in kept
    assert b"C:/" not in kept
    before, after = read_flowjo(data, name="w"), read_flowjo(kept, name="w")
    assert [one.tree for one in before] == [one.tree for one in after]
    assert sum(one.name == "f" * 64 for one in after) == 1
    suite = find_real_data("isac_gatingml2_gate_ref") / "gml"
    for path in sorted(suite.glob("*.xml")):
        document = path.read_bytes()
        stripped = strip_gates(document, name=path.name, known={})
        assert read_gatingml(stripped, name="g").tree == read_gatingml(document, name="g").tree


def test_format_tree__comes_back_the_same():
    tree = make_tree(matrix=True)
    assert parse_tree(format_tree(tree)) == tree
    part, gate = parse_shape(format_shape(tree, "T cells/CD4"))
    assert (gate, set(part.gates)) == ("T cells/CD4", {"T cells", "T cells/CD4"})
    for text in ("", "{}", '{"gate": "x", "tree": 1}', '{"kind": "Gate"}'):
        with pytest.raises(InputError, match="no stored gate"):
            parse_shape(text)


def test_find_gap__divides_the_events_as_the_limit_does():
    rng = np.random.default_rng(5)
    values = np.concatenate([rng.normal(0, 1000, 500), [7.0, 7.0, np.nextafter(7.0, 9.0)]])
    for limit in (*rng.normal(0, 1500, 200), *values[::7], -1e9, 1e9):
        gap = find_gap(values, float(limit))
        assert np.array_equal(values > limit, values >= gap)


def test_find_sides__uses_no_more_channels_than_it_needs():
    rng = np.random.default_rng(6)
    events = rng.normal(0, 1, (400, 5))
    wanted = np.zeros(400, dtype=bool)
    wanted[:100] = True
    events[100:, 3] += 50
    assert list(find_sides(events, wanted, ~wanted, columns=range(5))) == [3]
    assert find_sides(events, wanted, ~wanted, columns=()) == {}
