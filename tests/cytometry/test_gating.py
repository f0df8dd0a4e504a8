import dataclasses

import numpy as np
import pytest

from corelab.cytometry.bench import open_bench
from corelab.cytometry.gating import gate_acquisition
from corelab.cytometry.interchange.evaluate import evaluate
from corelab.cytometry.interchange.trial import describe_trial_gates
from corelab.cytometry.quality import builtin_limits
from corelab.cytometry.template import load_template, parse_template, read_builtin
from corelab.cytometry.tube import prepare_tube
from corelab.errors import InputError
from corelab.ingest.fcs import Spillover
from corelab.vocabulary import Panel
from tests.cytometry.acquisitions import MARKERS, make_acquisition, make_t_cells
from tests.validation.gate_tubes import draw_tube

CART, BCELL = load_template("cart"), load_template("bcell")
BLOOD = {
    "cd4_naive": 3000, "cd4_cm": 2000, "cd4_em": 1500, "cd8_naive": 1200, "cd8_em": 1500,
    "cd8_temra": 900, "car_cd8_em": 600, "b": 900, "nk": 800, "debris": 700,
}  # fmt: skip
TRUTH = {
    "t_cells": ("cd4_naive", "cd4_cm", "cd4_em", "cd8_naive", "cd8_em", "cd8_temra", "car_cd8_em"),
    "cd4_t": ("cd4_naive", "cd4_cm", "cd4_em"),
    "cd8_t": ("cd8_naive", "cd8_em", "cd8_temra", "car_cd8_em"),
    "car_t": ("car_cd8_em",),
    "car_cd8": ("car_cd8_em",),
    "cd4_t.naive": ("cd4_naive",),
    "cd4_t.cm": ("cd4_cm",),
    "cd4_t.em": ("cd4_em",),
    "cd8_t.temra": ("cd8_temra",),
    "leukocytes": tuple(kind for kind in BLOOD if kind != "debris"),
}


def f1(found, true):
    return 2 * (found & true).sum() / (found.sum() + true.sum())


def row(gated, population):
    return next(r for r in gated.counts if r.population == population)


def cut(gated, name):
    return next(c for c in gated.cuts if c.gate == name)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_gate_acquisition__finds_known_cells(seed):
    acquisition, masks = make_t_cells(BLOOD, seed=seed)
    gated = gate_acquisition(acquisition, template=CART)
    for population, kinds in TRUTH.items():
        true = np.logical_or.reduce([masks[kind] for kind in kinds])
        assert f1(gated.membership[population], true) > 0.97, population


def test_gate_acquisition__debris_is_not_taken_for_lymphocytes_where_no_cd45_leaves_it_out():
    acquisition, masks = make_t_cells(BLOOD, seed=2)
    rng = np.random.default_rng(2)
    middle = np.select([masks["debris"], masks["nk"]], [6_000.0, 70_000.0], 15_000.0)
    columns = dict(zip(acquisition.detectors[1:], acquisition.events[:, 1:].T, strict=True))
    columns["SSC-A"] = middle * np.exp(rng.normal(0, 0.15, len(middle)))
    labels = dict(zip(acquisition.detectors[1:], acquisition.labels[1:], strict=True))
    gated = gate_acquisition(make_acquisition(columns, labels=labels), template=CART)
    assert 20_000 < cut(gated, "lymphocytes").cut < 60_000
    true = np.logical_or.reduce([masks[kind] for kind in TRUTH["t_cells"]])
    assert f1(gated.membership["t_cells"], true) > 0.97
    assert row(gated, "leukocytes").status == "missing"


def test_gate_acquisition__finds_known_cells_where_nothing_below_zero_was_recorded():
    """Integers of older instruments end at zero; compensated, their zeros are no noise."""
    acquisition, masks = make_t_cells(BLOOD, seed=1)
    matrix = np.eye(len(MARKERS)) + 0.08 * np.eye(len(MARKERS), k=1)
    events = np.maximum(np.round(acquisition.events @ matrix), 0)
    floored = dataclasses.replace(
        acquisition, events=events, spillover=Spillover(detectors=acquisition.detectors, matrix=matrix)
    )
    gated = gate_acquisition(floored, template=CART)
    for population, kinds in TRUTH.items():
        true = np.logical_or.reduce([masks[kind] for kind in kinds])
        assert f1(gated.membership[population], true) > 0.97, population


def test_gate_acquisition__does_not_depend_on_gains():
    gains = np.random.default_rng(9).uniform(0.5, 2, len(MARKERS))
    one = gate_acquisition(make_t_cells(BLOOD, seed=4)[0], template=CART)
    other = gate_acquisition(make_t_cells(BLOOD, seed=4, gains=gains)[0], template=CART)
    assert [(r.population, r.count) for r in one.counts] == [(r.population, r.count) for r in other.counts]


def test_gate_acquisition__children_never_exceed_their_parent():
    gated = gate_acquisition(make_t_cells(BLOOD, seed=5)[0], template=CART)
    for r in gated.counts:
        if r.count is not None and r.parent:
            assert r.count <= r.parent_count
            assert not (gated.membership[r.population] & ~gated.membership[r.parent]).any()
    memory = sum(gated.count(f"cd4_t.{s}") for s in ("naive", "scm", "cm", "em", "temra"))
    assert memory == gated.count("cd4_t")
    assert gated.count("car_t") + gated.count("car_neg_t") == gated.count("t_cells")


@pytest.mark.parametrize("n_car", [0, 15])
def test_gate_acquisition__invents_no_car_t_cells(n_car):
    counts = BLOOD | {"car_cd8_em": n_car}
    gated = gate_acquisition(make_t_cells(counts, seed=6)[0], template=CART)
    assert abs(gated.count("car_t") - n_car) <= 5
    assert cut(gated, "CAR").source == "auto"


def test_gate_acquisition__finds_car_t_cells_that_dominate():
    counts = BLOOD | {"car_cd8_em": 40000}
    acquisition, masks = make_t_cells(counts, seed=7)
    gated = gate_acquisition(acquisition, template=CART)
    assert gated.count("car_t") == pytest.approx(40000, rel=0.01)
    assert f1(gated.membership["car_t"], masks["car_cd8_em"]) > 0.99


def test_gate_acquisition__without_scatter_and_time_passes_events_on_and_says_so():
    gated = gate_acquisition(make_t_cells(BLOOD, seed=1)[0], template=CART)
    n = gated.n_events
    for population, reason in [
        ("time_ok", "NO_TIME"),
        ("singlets", "NO_SCATTER"),
        ("live", "MARKER_MISSING"),
    ]:
        r = row(gated, population)
        assert (r.count, r.status, r.reason) == (n, "missing", reason)
    assert row(gated, "beads").count is None
    assert {"CHANNEL_MISSING", "MARKER_MISSING"} <= {f.check for f in gated.findings}


def test_gate_acquisition__leaves_gates_without_marker_and_their_children_missing():
    acquisition, _ = make_t_cells(BLOOD, seed=1)
    labels = tuple("" if label in ("CAR", "CD95") else label for label in acquisition.labels)
    gated = gate_acquisition(dataclasses.replace(acquisition, labels=labels), template=CART)
    for population in ("car_t", "car_cd4", "car_cd4.em", "car_neg_t", "cd4_t.pd1"):
        r = row(gated, population)
        assert (r.count, r.status, r.reason) == (None, "missing", "MARKER_MISSING"), population
    assert row(gated, "cd4_t.naive_or_scm").status == "quantified"
    assert not [r for r in gated.counts if r.population.endswith((".naive", ".scm"))]
    assert gated.count("cd8_t") > 3000


def test_gate_acquisition__takes_cd62l_where_ccr7_is_not_measured_and_says_so():
    """The counts are those of the channel, whichever of the two it holds; another program draws the same."""
    acquisition, _ = make_t_cells(BLOOD, seed=1)
    labels = tuple(label.replace("CCR7", "CD62L") for label in acquisition.labels)
    other = dataclasses.replace(acquisition, labels=labels)
    first, gated = gate_acquisition(acquisition, template=CART), gate_acquisition(other, template=CART)
    assert [(r.population, r.count) for r in first.counts] == [(r.population, r.count) for r in gated.counts]
    assert (cut(gated, "CCR7").marker, cut(first, "CCR7").marker) == ("CD62L", "CCR7")
    told = {f.reason for f in gated.findings if f.check.startswith("MARKER_")}
    assert "CD62L stands in for CCR7" in told
    assert not any("named CCR7" in reason for reason in told)
    bench = open_bench(prepare_tube(other, template=CART), template=CART, name="full", cuts=gated.cuts)
    assert int(bench.select("cd8_t.temra").sum()) == gated.count("cd8_t.temra")
    tree, refused = describe_trial_gates(gated, other, template=CART)
    assert refused == ()
    assert int(evaluate(tree, other).masks["cd8_t.temra"].sum()) == gated.count("cd8_t.temra")


@pytest.mark.parametrize(
    ("reagent", "kept"), [("recombinant_cd19", True), ("anti_idiotype", False), ("", True)]
)
def test_gate_acquisition__dumps_cd19_where_the_car_reagent_is_no_cd19(reagent, kept):
    """Recombinant CD19 on a CAR binds anti-CD19; beside any other reagent what binds it is no T cell."""
    acquisition, masks = make_t_cells(BLOOD | {"car_cd8_em": 900}, seed=1)
    labels = tuple(label.replace("CD95", "CD19") for label in acquisition.labels)
    events = acquisition.events.copy()
    column = labels.index("CD19")
    events[:, column] = np.random.default_rng(1).normal(0, 200, len(events)) + 9000 * masks["car_cd8_em"]
    text = read_builtin("cart").replace("car_reagent: recombinant_cd19", f"car_reagent: '{reagent}'")
    template = parse_template(text, place="mine.yaml")
    gated = gate_acquisition(
        dataclasses.replace(acquisition, labels=labels, events=events), template=template
    )
    assert gated.count("car_t") == pytest.approx(900 if kept else 0, abs=15)


@pytest.mark.parametrize(
    ("tube", "hint"),
    [("fmo_pd1", None), ("fmo_hla_dr", None), ("fmo_cd279", "; name it fmo_pd1"), ("fmo_xyz", "")],
)
def test_gate_acquisition__names_a_control_of_no_marker(tube, hint):
    gated = gate_acquisition(make_t_cells(BLOOD, seed=1)[0], template=CART, tube=tube)
    told = [f.reason for f in gated.findings if f.check == "CONTROL_NAME"]
    assert told == ([] if hint is None else [f"{tube} is the control of no marker of the panel{hint}"])


def test_gate_acquisition__takes_no_stand_in_where_both_are_measured():
    acquisition, _ = make_t_cells(BLOOD, seed=1)
    labels = tuple(label.replace("CD95", "CD62L") for label in acquisition.labels)
    gated = gate_acquisition(dataclasses.replace(acquisition, labels=labels), template=CART)
    assert cut(gated, "CCR7").marker == "CCR7"
    assert "MARKER_STAND_IN" not in checks(gated)


@pytest.mark.parametrize("n", [0, 1, 30])
def test_gate_acquisition__takes_a_nearly_empty_tube(n):
    gated = gate_acquisition(make_t_cells({"cd4_em": n}, seed=1)[0], template=CART)
    assert row(gated, "events").count == n
    assert {r.status for r in gated.counts} <= {"failed", "missing"}
    assert row(gated, "t_cells").reason == "FEW_EVENTS"
    assert "TEMPLATE_DEFAULT" in {f.check for f in gated.findings}


def test_gate_acquisition__refuses_a_foreign_matrix():
    acquisition, _ = make_t_cells(BLOOD, seed=1)
    foreign = Spillover(detectors=("PE-A", "APC-A"), matrix=np.eye(2))
    with pytest.raises(InputError, match="PE-A"):
        gate_acquisition(acquisition, template=CART, spillover=foreign)


@pytest.mark.parametrize("tube", ["fmo_pd1", "fmo_pd_1"])
def test_gate_acquisition__places_a_checkpoint_by_its_fmo_in_spreads(tube):
    def with_pd1(seed, level, noise, gain=1.0):
        acquisition, _ = make_t_cells(BLOOD, seed=seed)
        rng = np.random.default_rng(seed)
        positive = rng.random(acquisition.n_events) < 0.2
        # A tail that a normal negative does not have: background staining reaches further.
        tail = np.where(rng.random(acquisition.n_events) < 0.03, 5.5, 0.0)
        pd1 = gain * noise * (rng.normal(0, 1, acquisition.n_events) + np.maximum(level * positive, tail))
        return dataclasses.replace(
            acquisition,
            events=np.column_stack([acquisition.events, pd1]),
            detectors=(*acquisition.detectors, "P-A"),
            labels=(*acquisition.labels, "PD-1"),
            ranges=np.append(acquisition.ranges, 262144.0),
        )

    fmo = gate_acquisition(with_pd1(1, 0.0, 100), template=CART, tube=tube)
    full = with_pd1(2, 14.0, 100, gain=1.7)
    alone = cut(gate_acquisition(full, template=CART), "PD-1")
    gated = gate_acquisition(full, template=CART, controls={tube: fmo})
    placed = cut(gated, "PD-1")
    assert (alone.source, placed.source, placed.control) == ("auto", "control", tube)
    assert placed.cut > 1.3 * alone.cut
    assert gated.count("cd4_t.pd1") == pytest.approx(0.2 * gated.count("cd4_t"), rel=0.1)


def draw_rubbish(kind, n, rng):
    return {
        "zeros": np.zeros((n, 13)),
        "constant": np.full((n, 13), 512.0),
        "ends": np.where(rng.random((n, 13)) < 0.5, 0.0, 262143.0),
        "negative": -rng.lognormal(5, 2, (n, 13)),
        "huge": rng.normal(0, 1e30, (n, 13)),
        "tiny": rng.normal(0, 1e-30, (n, 13)),
        "steps": rng.integers(0, 4, (n, 13)).astype(float),
        "one bright": np.where(np.arange(n)[:, None] == 0, 1e5, rng.normal(0, 1, (n, 13))),
    }[kind]


@pytest.mark.parametrize(
    "kind", ["zeros", "constant", "ends", "negative", "huge", "tiny", "steps", "one bright"]
)
@pytest.mark.parametrize("n", [0, 1, 60, 3000])
@pytest.mark.parametrize("panel", [CART, BCELL])
def test_gate_acquisition__survives_rubbish(kind, n, panel):
    events = draw_rubbish(kind, n, np.random.default_rng(1))
    names = ["FSC-A", "FSC-H", "SSC-A", "Time", *panel.required[:9]]
    columns = {name if i < 4 else f"D{i}-A": events[:, i] for i, name in enumerate(names)}
    labels = {f"D{i}-A": names[i] for i in range(4, 13)}
    matrix = np.eye(9) + 0.06 * np.triu(np.ones((9, 9)), 1)
    spillover = Spillover(detectors=tuple(labels), matrix=matrix)
    acquisition = make_acquisition(columns, labels=labels, spillover=spillover)
    with np.errstate(all="raise", under="ignore"):
        gated = gate_acquisition(acquisition, template=panel)
    assert len(gated.counts) > 15
    for r in gated.counts:
        if r.count is not None and r.parent_count is not None:
            assert 0 <= r.count <= r.parent_count <= n
    assert all(np.isfinite(c.cut) or c.reason for c in gated.cuts)


def test_gate_acquisition__gives_car_t_cells_a_band_that_holds_the_count():
    gated = gate_acquisition(make_t_cells(BLOOD, seed=8)[0], template=CART)
    banded = {r.population for r in gated.counts if r.band_low is not None}
    assert banded == {"car_t"}
    car = row(gated, "car_t")
    assert car.band_low <= car.count <= car.band_high
    limit = cut(gated, "CAR")
    assert limit.spread > 0
    # The band is the count at 5 and at 3.5 spreads where the limit lies at 4.
    column = MARKERS.index("CAR")
    events = make_t_cells(BLOOD, seed=8)[0].events[gated.membership["t_cells"], column]
    assert (events > limit.cut + limit.spread).sum() == car.band_low
    assert (events > limit.cut - 0.5 * limit.spread).sum() == car.band_high


def test_gate_acquisition__says_when_car_is_no_more_than_its_control_without_the_reagent():
    def tube(n_car, name):
        return gate_acquisition(
            make_t_cells(BLOOD | {"car_cd8_em": n_car}, seed=n_car)[0], template=CART, tube=name
        )

    clean, dirty = tube(1, "fmo_car"), tube(600, "fmo_car")
    full = make_t_cells(BLOOD | {"car_cd8_em": 580}, seed=9)[0]
    assert "CAR_FMO" not in checks(gate_acquisition(full, template=CART, controls={"fmo_car": clean}))
    assert "CAR_FMO" in checks(gate_acquisition(full, template=CART, controls={"fmo_car": dirty}))


def checks(gated):
    return {finding.check for finding in gated.findings}


def test_gate_acquisition__judges_by_the_limits_of_the_study():
    acquisition = make_t_cells(BLOOD, seed=8)[0]
    strict = dataclasses.replace(builtin_limits(), minimum_events=(("cart", (60000.0, 20000.0)),))
    assert "LIMITED_SENSITIVITY" in checks(gate_acquisition(acquisition, template=CART))
    gated = gate_acquisition(acquisition, template=CART, limits=strict)
    assert "FEW_EVENTS" in checks(gated)
    assert row(gated, "car_t").status == "failed"
    assert row(gated, "car_t").count > 500


@pytest.mark.parametrize("n_events", [500, 1500])
@pytest.mark.parametrize("seed", [5001, 5003, 6004])
def test_gate_acquisition__finds_beads_and_cells_in_a_tube_of_few_events(seed, n_events):
    """Beads are a third of such a tube; compensated they lie far below zero and once swamped the noise."""
    tube = draw_tube(seed, Panel.CART, n_events=n_events)
    gated = gate_acquisition(tube.acquisition, template=CART)
    for population in ("beads", "lymphocytes", "t_cells", "cd4_t", "cd8_t"):
        assert f1(gated.membership[population], tube.truth[population]) > 0.97, population


def test_gate_acquisition__takes_no_beads_for_dead_cells_where_no_height_tells_singlets():
    """All events pass on as singlets then, and beads are as bright in the viability dye as in CD45."""
    rng = np.random.default_rng(3)
    is_bead = np.arange(6000) < 2000
    names = ("viability", "CD45", "CD3", "CD14", "CD20")
    light = {name: np.where(is_bead, 60_000 * np.exp(rng.normal(0, 0.04, 6000)), 0) for name in names}
    light["CD45"] += ~is_bead * 20_000 * np.exp(rng.normal(0, 0.3, 6000))
    columns = {f"{name}-A": value + rng.normal(0, 200, 6000) for name, value in light.items()}
    for name, of_cells, of_beads in (("FSC-A", 60_000, 30_000), ("SSC-A", 20_000, 210_000)):
        columns[name] = np.where(is_bead, of_beads, of_cells) * np.exp(rng.normal(0, 0.04, 6000))
    gated = gate_acquisition(make_acquisition(columns), template=BCELL)
    assert (gated.count("singlets"), row(gated, "singlets").reason) == (6000, "NO_SCATTER")
    assert gated.count("beads") == pytest.approx(2000, abs=5)
    assert "VIABILITY" not in checks(gated)


@pytest.mark.parametrize("n", [0, 1, 30])
@pytest.mark.parametrize("panel", list(Panel))
def test_gate_acquisition__takes_a_tube_of_a_trial_with_hardly_an_event(n, panel):
    """Its matrix, its beads and its quality have nothing to look at; it fails, and never by an error."""
    tube = draw_tube(6, panel, n_events=2000).acquisition
    few = dataclasses.replace(tube, events=tube.events[:n])
    for external in (None, tube.spillover):
        gated = gate_acquisition(few, template=load_template(panel), spillover=external)
        assert gated.count("events") == n
        assert {r.status for r in gated.counts} <= {"failed", "missing"}
        assert "FEW_EVENTS" in {f.check for f in gated.findings}


def test_gate_acquisition__says_which_markers_a_matrix_leaves_out():
    tube = draw_tube(6, Panel.CART, n_events=2000).acquisition
    part = Spillover(detectors=tube.spillover.detectors[:-2], matrix=tube.spillover.matrix[:-2, :-2])
    gated = gate_acquisition(tube, template=CART, spillover=part)
    (finding,) = (f for f in gated.findings if f.check == "COMPENSATION")
    assert (finding.level, finding.reason) == ("warn", "the matrix leaves out CD14, CD19: not compensated")


def test_gate_acquisition__without_control_says_so_in_one_word():
    tube = draw_tube(6, Panel.BCELL, n_events=30).acquisition
    assert cut(gate_acquisition(tube, template=BCELL), "CD19_call").reason == "NO_CONTROL"
