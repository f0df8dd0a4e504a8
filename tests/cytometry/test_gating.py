import dataclasses

import numpy as np
import pytest

from corelab.cytometry.bench import open_bench
from corelab.cytometry.gating import gate_acquisition
from corelab.cytometry.groups import fit_two_groups
from corelab.cytometry.interchange.evaluate import evaluate
from corelab.cytometry.interchange.trial import describe_trial_gates
from corelab.cytometry.quality import builtin_limits
from corelab.cytometry.recipes import from_axis, to_axis
from corelab.cytometry.records import Prior
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


def test_gate_acquisition__takes_the_limit_of_other_visits_before_the_template():
    acquisition, _ = make_t_cells({"cd4_em": 30, "b": 20}, seed=1)
    prior = Prior(units=7.0, linear=5000.0)
    gated = gate_acquisition(acquisition, template=CART, priors={"CAR": prior, "CD45RA": prior})
    tube = prepare_tube(acquisition, template=CART)
    car, cd45ra = cut(gated, "CAR"), cut(gated, "CD45RA")
    assert (car.source, cd45ra.source) == ("other_visit", "other_visit")
    assert car.cut == 7.0 * tube.scales[tube.column("CAR")]
    assert cd45ra.cut == 5000.0, "the noise of this channel is not known: 8 values below zero"
    assert "its noise is not known" in cd45ra.reason
    assert cut(gated, "PD-1").reason == "MARKER_MISSING"
    assert cut(gated, "CCR7").source == "template"


def test_gate_acquisition__averages_a_small_reference_with_other_visits():
    acquisition, _ = make_t_cells({"cd4_em": 900, "cd8_em": 400, "b": 300}, seed=1)
    alone = cut(gate_acquisition(acquisition, template=CART), "CAR")
    prior = Prior(units=9.0, linear=2000.0)
    both = cut(gate_acquisition(acquisition, template=CART, priors={"CAR": prior}), "CAR")
    assert both.units == pytest.approx(np.sqrt(alone.units * 9.0), rel=1e-9)
    assert both.source == "auto"


def test_gate_acquisition__averages_nothing_where_no_noise_carries_a_limit_over():
    tube = draw_tube(96079, Panel.CART, kind="few")
    alone = gate_acquisition(tube.acquisition, template=CART)
    own = cut(alone, "CD45RA")
    assert np.isnan(own.units), "hardly a value below zero: the noise is a default"
    for prior in (Prior(units=11.0, linear=2000.0), Prior(units=np.nan, linear=2000.0)):
        gated = gate_acquisition(tube.acquisition, template=CART, priors={"CD45RA": prior})
        assert cut(gated, "CD45RA") == dataclasses.replace(own, units=cut(gated, "CD45RA").units)


@pytest.mark.parametrize(("seed", "marker"), [(96010, "CCR7"), (96029, "CD45RA")])
def test_gate_acquisition__no_limit_lies_in_the_middle_of_one_of_two_groups(seed, marker):
    """The left half of 85 cells, or a peak that holds both groups, put it there; two normals know better."""
    tube = draw_tube(seed, Panel.CART, kind="few")
    placed = cut(gate_acquisition(tube.acquisition, template=CART), marker)
    assert (placed.recipe, placed.reason) == ("groups", "")
    prepared = prepare_tube(tube.acquisition, template=CART)
    x = prepared.values(prepared.column(marker) or 0)
    subsets = ("naive", "scm", "cm") if marker == "CCR7" else ("naive", "scm", "temra")
    truly = np.logical_or.reduce([tube.truth[f"{t}.{s}"] for t in ("cd4_t", "cd8_t") for s in subsets])
    among = tube.truth["cd4_t"] | tube.truth["cd8_t"]
    assert f1((x > placed.cut) & among, truly) > 0.94


def test_gate_acquisition__goes_midway_where_two_far_groups_have_another_shape():
    """Four spreads of the left half were half as far as the best limit: F1 of CD4 central memory was 0.93."""
    tube = draw_tube(88016, Panel.CART)
    gated = gate_acquisition(tube.acquisition, template=CART)
    assert "groups of another shape: midway" in cut(gated, "CD45RA").reason
    assert f1(gated.membership["cd4_t.cm"], tube.truth["cd4_t.cm"]) > 0.95


@pytest.mark.parametrize("kept", ["transitional", "naive_b"])
def test_gate_acquisition__b_cells_of_one_level_are_named_by_its_height(kept):
    """B cells that return are nearly all transitional: no valley, and no group at rest to lie above."""
    tube = draw_tube(96023, Panel.BCELL, b=1500.0)
    left = ~tube.truth["b_cells"] | tube.truth[kept]
    acquisition = dataclasses.replace(tube.acquisition, events=np.asarray(tube.acquisition.events)[left])
    gated = gate_acquisition(acquisition, template=BCELL)
    assert f1(gated.membership[kept], tube.truth[kept][left]) > 0.97
    limit = cut(gated, "CD38_transitional")
    assert (limit.source, limit.recipe == "default") == (
        ("template", True) if kept == "transitional" else ("auto", False)
    )


def test_gate_acquisition__a_limit_between_levels_comes_from_other_visits_before_a_lone_group():
    tube = draw_tube(96023, Panel.BCELL, b=1500.0)
    left = ~tube.truth["b_cells"] | tube.truth["naive_b"]
    acquisition = dataclasses.replace(tube.acquisition, events=np.asarray(tube.acquisition.events)[left])
    prior = {"CD38_transitional": Prior(units=33.0, linear=9000.0)}
    placed = cut(gate_acquisition(acquisition, template=BCELL, priors=prior), "CD38_transitional")
    assert (placed.source, placed.units) == ("other_visit", 33.0)


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


def test_gate_acquisition__places_no_limit_below_zero():
    rng = np.random.default_rng(1)
    low = np.where(rng.random(4000) < 0.3, -6000, 0) + rng.normal(0, 200, 4000)
    columns = {"D0-A": low, "D1-A": rng.normal(0, 200, 4000)}
    gated = gate_acquisition(
        make_acquisition(columns, labels={"D0-A": "viability", "D1-A": "CD3"}), template=CART
    )
    assert cut(gated, "viability").cut > 0


def test_gate_acquisition__takes_two_groups_for_no_negative_one():
    """With few events a smear joins CCR7- and CCR7+ to one peak; its middle is no mode of negatives."""
    tube = draw_tube(5003, Panel.CART, n_events=1500)
    placed = cut(gate_acquisition(tube.acquisition, template=CART), "CCR7")
    assert 2 < placed.units < 12


def test_gate_acquisition__takes_the_gap_where_two_groups_stand_apart():
    """Negatives with a tail of dim light reach beyond four spreads; nothing lies between 9 and 14 of them."""
    rng = np.random.default_rng(11)
    light = np.concatenate([1.6 * np.exp(rng.normal(0, 0.7, 1500)), 40 * np.exp(rng.normal(0, 0.35, 1500))])
    values = 200 * (light + rng.normal(0, 1, 3000))
    columns = {"D0-A": 200 * rng.normal(60, 3, 3000), "D1-A": 200 * rng.normal(60, 3, 3000), "D2-A": values}
    columns |= {"D3-A": rng.normal(0, 200, 3000), "D4-A": 200 * rng.normal(60, 3, 3000)}
    labels = {"D0-A": "CD45", "D1-A": "CD3", "D2-A": "CD45RA", "D3-A": "CD8", "D4-A": "CD4"}
    debris = {name: np.concatenate([x, rng.normal(0, 200, 600)]) for name, x in columns.items()}
    placed = cut(gate_acquisition(make_acquisition(debris, labels=labels), template=CART), "CD45RA")
    truly = light > 15
    assert placed.recipe == "valley"
    assert f1(values > placed.cut, truly) > 0.99


def test_gate_acquisition__of_few_events_takes_no_side_between_two_descriptions():
    """The limit is midway, by logarithms, between that of two normals and that above the negatives alone."""
    tube = draw_tube(96_005, Panel.CART, n_events=1500).acquisition
    rules = {name: dataclasses.replace(rule, groups="") for name, rule in CART.cuts.items()}
    above = cut(gate_acquisition(tube, template=dataclasses.replace(CART, cuts=rules)), "CD45RA")
    gated = gate_acquisition(tube, template=CART)
    placed, scale = cut(gated, "CD45RA"), above.cut / above.units
    prepared = prepare_tube(tube, template=CART)
    x = prepared.values(prepared.column("CD45RA") or 0)[gated.membership["t_cells"]]
    two = fit_two_groups(to_axis(x, scale))
    assert two is not None
    assert (above.recipe, placed.recipe) == ("negative", "groups")
    assert "midway" in placed.reason
    assert placed.cut == pytest.approx(np.sqrt(from_axis(two.place_limit()[0], scale) * above.cut), rel=1e-3)


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
