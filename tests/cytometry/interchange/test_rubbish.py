"""Damaged workspaces and Gating-ML: gates, a refusal gate by gate, or one clear error; never a crash."""

import dataclasses
import random
import re

import pytest

from corelab.cytometry.interchange.archive import strip_gates
from corelab.cytometry.interchange.evaluate import evaluate
from corelab.cytometry.interchange.flowjo_write import SampleToWrite, write_flowjo
from corelab.cytometry.interchange.gatingml import read_gatingml
from corelab.cytometry.interchange.gatingml_write import write_gatingml
from corelab.cytometry.interchange.imported import (
    describe_parity,
    judge_sample,
    list_troubles,
    match_samples,
    read_gates,
)
from corelab.errors import CorelabError, InputError
from corelab.vocabulary import GateSource
from tests.cytometry.interchange.workspaces import make_gatingml, make_tube, make_workspace

VALUES = ("nan", "inf", "-1e308", "1e308", "", "x", "0", "-1", "1_000", "９", "é")


@pytest.fixture(scope="module")
def tube():
    return make_tube()[0]


def damage(text, rng):
    """One fault of a kind that editors, converters and broken transfers make."""
    found = {
        "value": list(re.finditer(r'="([^"]*)"', text)),
        "attribute": list(re.finditer(r'\s[\w:-]+="[^"]*"', text)),
        "element": list(re.finditer(r"<[\w:-]+[^>]*/>", text)),
        "name": list(re.finditer(r'name="([^"]*)"', text)),
    }
    kind = rng.choice(["cut", "sign", *(name for name, matches in found.items() if matches)])
    place = rng.randrange(len(text))
    if kind == "cut":
        return text[:place]
    if kind == "sign":
        return text[:place] + rng.choice('<>&"\0\ud7ff') + text[place + 1 :]
    match = rng.choice(found[kind])
    new = {
        "value": f'="{rng.choice(VALUES)}"',
        "attribute": "",
        "element": match.group() * rng.choice((0, 2)),
        "name": rng.choice(found["name"]).group() if found["name"] else "",
    }[kind]
    return text[: match.start()] + new + text[match.end() :]


@pytest.mark.parametrize("name", ["a.gml", "a.wsp"])
@pytest.mark.parametrize("seed", range(5))
def test_read_gates__takes_or_refuses_damaged_files(tube, name, seed):
    rng = random.Random(f"{name}{seed}")
    whole = make_gatingml() if name == "a.gml" else make_workspace({"a.fcs": tube})
    taken, refusals = 0, []
    for _ in range(25):
        text = whole.decode()
        for _ in range(rng.choice((1, 1, 3))):
            text = damage(text, rng) or "x"
        data = text.encode("utf-8", "replace")
        try:
            gates = read_gates(data, name=name)
            strip_gates(data, name=name, known={})
            for sample in gates.samples:
                judged = judge_sample(sample, tube, source=gates.source)
                assert len(judged.rows) >= len(sample.tree.gates)
                write_gatingml(sample.tree, about={})
                write_flowjo([
                    SampleToWrite(name="a", keywords={}, n_events=1, tree=sample.tree, counts={})
                ])  # fmt: skip
            taken += 1
        except CorelabError as error:
            refusals.append(str(error))
    assert taken > 0
    assert refusals
    assert not [text for text in refusals if "\n" in text]


HEAD = (
    '<gating:Gating-ML xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating" '
    'xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes">'
)


def box(name, *, channel="D1-A", low="0", parent=""):
    above = f'gating:parent_id="{parent}"' if parent else ""
    return (
        f'<gating:RectangleGate gating:id="{name}" {above}><gating:dimension gating:min="{low}">'
        f'<data-type:fcs-dimension data-type:name="{channel}"/></gating:dimension></gating:RectangleGate>'
    )


COMPENSATED = '<gating:dimension gating:compensation-ref="m"'
EMPTY_MATRIX = (
    "<transforms:spectrumMatrix "
    'xmlns:transforms="http://www.isac-net.org/std/Gating-ML/v2.0/transformations" transforms:id="m">'
    "<transforms:fluorochromes/><transforms:detectors/></transforms:spectrumMatrix>"
)


def document(*gates):
    return f"{HEAD}{''.join(gates)}</gating:Gating-ML>".encode()


@pytest.mark.parametrize(
    ("gates", "refused", "cause"),
    [
        ([box("T"), box("X", channel="V9-A")], "X", "channel 'V9-A' is not in the file"),
        ([box("T"), box("X", low="nan")], "X", "not finite"),
        ([box("T"), box("X", parent="gone")], "X", "rests on 'gone'"),
        ([box("T"), box("X", parent="Y"), box("Y", parent="X")], "X", "rests on itself"),
        ([box("T"), '<gating:SpiderGate gating:id="X"/>'], "X", "no gate of Gating-ML 2.0"),
        ([box("T"), box("X"), box("X")], "X", "twice"),
        ([box("T"), '<gating:EllipsoidGate gating:id="X"/>'], "X", "without"),
        ([box("T"), EMPTY_MATRIX, box("X").replace("<gating:dimension", COMPENSATED)], "X", "matrix of"),
    ],
)
def test_judge_sample__refuses_one_gate_and_takes_the_rest(tube, gates, refused, cause):
    (sample,) = read_gates(document(*gates), name="a.gml").samples
    judged = judge_sample(sample, tube, source=GateSource.GATINGML)
    causes = [row.cause for row in judged.rows if (row.gate, row.verdict) == (refused, "refused")]
    assert len(causes) == 1
    assert cause in causes[0]
    assert [one.gate for one in judged.decisions if one.kind == "shape"] == ["t_cells"]


def test_read_gatingml__refuses_what_would_grow_or_reach_out():
    entities = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    for rubbish in (
        f"{entities}{HEAD}&b;</gating:Gating-ML>".encode(),
        f"{entities}{HEAD}</gating:Gating-ML>".encode("utf-16"),
        b'<!DOCTYPE x SYSTEM "file:///etc/hostname"><x/>',
        f'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://localhost/x">%p;]>{HEAD}</gating:Gating-ML>'.encode(),
    ):
        with pytest.raises(InputError, match="document type"):
            read_gatingml(rubbish, name="a.gml")


def test_match_samples__names_what_it_cannot_tell_apart(tube):
    gates = read_gates(make_workspace({"a.fcs": tube, "b.fcs": tube}), name="w/gates.wsp")
    matched, problems = match_samples(gates, {"x/a.fcs": "1", "y/a.fcs": "2", "b.fcs": "3"})
    assert (set(matched), problems) == ({"3"}, ["sample 'a.fcs' names 2 files; expected one"])
    matched, problems = match_samples(gates, {"w/a.fcs": "1", "y/a.fcs": "2"})
    assert (set(matched), problems) == ({"1"}, [])
    once = read_gates(make_workspace({"a.fcs": tube}), name="a.wsp")
    doubled = dataclasses.replace(once, samples=once.samples * 2)
    assert match_samples(doubled, {"a.fcs": "1"})[1] == [
        "sample 'a.fcs' names a file that another sample names"
    ]


def test_evaluate__gives_no_event_to_a_gate_whose_values_are_no_numbers(tube):
    values = tube.events.copy()
    values[:50] = float("nan")
    broken = dataclasses.replace(tube, events=values)
    (sample,) = read_gates(make_gatingml(), name="a.gml").samples
    masks = evaluate(sample.tree, broken).masks
    assert not any(mask[:50].any() for mask in masks.values())


def test_list_troubles__says_once_that_the_gates_were_drawn_on_another_file(tube):
    half = dataclasses.replace(tube, events=tube.events[::2])
    counts = {"T cells": 2700, "T cells/CD8": 1100, "T cells/CAR+": 300}
    sample = read_gates(make_workspace({"a.fcs": tube}, counts=counts), name="a.wsp").samples[0]
    rows = judge_sample(sample, half, source=GateSource.FLOWJO).rows
    cause = "the gates were drawn on another file of this name"
    assert {row.cause for row in rows if row.verdict == "outside"} == {cause}
    assert sum(row.verdict == "outside" for row in rows) > 3
    n, n_half = tube.n_events, half.n_events
    assert list_troubles(rows) == [f"all events: {n_half} events for {n}; {cause}"]
    assert f"worst all events: {n_half} for {n}" in describe_parity(rows)
