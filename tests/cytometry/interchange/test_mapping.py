"""Names of gates become populations; the trial's own names always mean themselves."""

import pytest

from corelab.cytometry.interchange.mapping import default_name_map, map_gates, parse_name_map
from corelab.cytometry.interchange.model import Bound, Dimension, Gate, GateTree, Rectangle
from corelab.cytometry.template import load_template
from corelab.errors import ConfigError

ANY = Rectangle(bounds=(Bound(dimension=Dimension(channel="A"), low=0.0, high=None),))


def chain(*labels):
    """Gates of these labels, each inside the one before it."""
    gates, parent = {}, ""
    for label in labels:
        name = f"{parent}/{label}" if parent else label
        gates[name] = Gate(name=name, label=label, parent=parent, geometry=ANY)
        parent = name
    return GateTree(gates=gates)


def meaning(*labels):
    tree = chain(*labels)
    return map_gates(tree, default_name_map()).get(list(tree.gates)[-1], ())


@pytest.mark.parametrize("panel", ["cart", "bcell"])
def test_map_gates__knows_every_population_of_the_templates(panel):
    shown = [rule.name for rule in load_template(panel).populations if not rule.hidden]
    assert [name for name in shown if name != "events" and meaning(name) != (name,)] == []


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (("T Cells",), ("t_cells",)),
        (("T cells", "CD4 "), ("cd4_t",)),
        (("T cells", "CD4", "CD4 | EM"), ("cd4_t.em",)),
        (("T cells", "CD4", "Naive"), ("cd4_t.naive", "cd4_t.naive_or_scm")),
        (("B cells", "Naive"), ("naive_b",)),
        (("T cells", "CAR+", "CD8"), ("car_cd8",)),
        (("CD8",), ()),
        (("Treg",), ()),
    ],
)
def test_map_gates__reads_a_name_where_it_stands(labels, expected):
    assert meaning(*labels) == expected


@pytest.mark.parametrize("text", ["- a", "populations: {no_such: [x]}", "{", "other: 1"])
def test_parse_name_map__refuses_what_is_no_map(text):
    with pytest.raises(ConfigError, match=r"^n\.yaml"):
        parse_name_map(text, place="n.yaml")
