"""What a plot of a gate shows: axes, limits, regions, and the same limits in another tube."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.cytometry.axes import Axis, build_axis, choose_logicle
from corelab.cytometry.bench import open_bench
from corelab.cytometry.gate_view import (
    Line,
    bin_events,
    count_grid,
    describe_view,
    outline_region,
    place_on,
    select_in_limits,
)
from corelab.cytometry.gating import gate_acquisition
from corelab.cytometry.interchange.model import Linear, Log
from corelab.cytometry.template import load_template
from corelab.cytometry.tube import prepare_tube
from corelab.ingest.fcs import read_fcs
from tests.cytometry.acquisitions import make_t_cells
from tests.cytometry.test_bench import KINDS, b_bench  # noqa: F401 - a fixture
from tests.ingest.real_data import find_real_data

CART = load_template("cart")


def open_made(seed: int):
    acquisition = make_t_cells(KINDS, seed=seed)[0]
    gated = gate_acquisition(acquisition, template=CART)
    return open_bench(prepare_tube(acquisition, template=CART), template=CART, name="full", cuts=gated.cuts)


@pytest.fixture(scope="module")
def bench():
    return open_made(1)


@pytest.fixture(scope="module")
def other():
    return open_made(2)


def make_line(side: str, place: float, *, positive: bool = True, alternative: bool = False) -> Line:
    return Line(
        side=side, gate=side, limit=place, place=place, is_positive=positive, is_alternative=alternative
    )


@given(top=st.floats(1e2, 1e8), noise=st.floats(1e-3, 1e6))
def test_choose_logicle__always_makes_a_scale_that_rises(top, noise):
    scale = choose_logicle(top, noise)
    axis = Axis(channel="x", detector="x", scale=scale)

    edges = axis.edges(50)
    assert np.all(np.diff(edges) > 0)
    assert edges[0] < 0 < edges[-1]


def test_axis__a_limit_read_from_a_place_lies_at_that_place(bench):
    axis = build_axis(bench.tube, "CAR")

    for place in np.linspace(0.02, 0.98, 25):
        assert abs(axis.place(axis.value(float(place))) - place) < 5e-4
    assert axis.value(0.5) == float(f"{axis.value(0.5):.3e}")


def test_axis__labels_zero_and_decades_from_a_thousand(bench):
    ticks = build_axis(bench.tube, "CAR").ticks

    labelled = [tick.value for tick in ticks if tick.is_major]
    assert labelled in ([0.0, 1e3, 1e4, 1e5], [-1e3, 0.0, 1e3, 1e4, 1e5])
    assert [tick.place for tick in ticks] == sorted(tick.place for tick in ticks)
    assert all(math.isclose(abs(tick.value), 10.0 ** abs(tick.power)) for tick in ticks if tick.power)


def test_axis__ticks_of_plain_and_logarithmic_scales():
    plain = Axis(channel="FSC-A", detector="FSC-A", scale=Linear(t=100_000.0, a=0.0))
    assert [tick.value for tick in plain.ticks] == [0, 20_000, 40_000, 60_000, 80_000, 100_000]
    log = Axis(channel="SSC-A", detector="SSC-A", scale=Log(t=1e5, m=2.0))
    assert [tick.value for tick in log.ticks if tick.is_major] == [1e3, 1e4, 1e5]


def test_describe_view__chooses_the_axes_of_the_gate(bench, b_bench):  # noqa: F811
    axes = {name: describe_view(bench, name) for name in ("cd4_t", "car_t", "car_t.em", "t_cells")}

    assert {name: (view.x.channel, view.y.channel) for name, view in axes.items()} == {
        "cd4_t": ("CD4", "CD8"), "car_t": ("CD4", "CAR"), "car_t.em": ("CD45RA", "CCR7"),
        "t_cells": ("CD4", "CD3"),
    }  # fmt: skip
    view = describe_view(b_bench, "b_cells")
    assert (view.x.channel, view.y.channel) == ("CD19", "CD20")
    assert [line.is_alternative for line in view.lines] == [True, True]
    assert [term.cut for term in view.unseen] == ["CD22"]


def test_describe_view__what_is_drawn_and_what_is_held_make_the_population(bench):
    for name in ("cd4_t", "car_t", "car_t.em", "cd8_t.temra", "leukocytes"):
        view = describe_view(bench, name)
        assert view.has_lines
        assert np.array_equal(select_in_limits(bench, view), bench.select(name)), name
    naive = describe_view(bench, "cd4_t.naive")
    assert [term.cut for term in naive.held] == ["CD95"]
    assert np.array_equal(select_in_limits(bench, naive), bench.select("cd4_t.naive"))


def test_describe_view__takes_other_axes_and_leaves_unknown_ones_aside(bench):
    view = describe_view(bench, "car_t", x="CD8", y="nonsense")

    assert (view.x.channel, view.y.channel) == ("CD8", "CAR")
    assert describe_view(bench, "car_t", x="CAR", y="CAR").x.channel != "CAR"
    assert describe_view(bench, "cd4_t.cd25") is None
    with pytest.raises(KeyError):
        describe_view(bench, "no_such_population")


def test_outline_region__corners():
    assert outline_region([make_line("x", 0.4), make_line("y", 0.3, positive=False)]) == [
        [(0.4, 0.0), (1.0, 0.0), (1.0, 0.3), (0.4, 0.3)]
    ]
    either = [make_line("x", 0.4, alternative=True), make_line("y", 0.3, alternative=True)]
    assert outline_region(either) == [
        [(0.4, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.3), (0.4, 0.3)]
    ]


def test_count_grid__counts_every_shown_event_once(bench):
    view = describe_view(bench, "car_t")
    grid = count_grid(bench, view.shown, x=view.x, y=view.y, shape=(40, 60))

    assert grid.shape == (40, 60)
    assert grid.sum() == view.shown.sum()
    line = view.lines[0]
    above = bin_events(bench, bench.select("car_t"), view.y, n_bins=40)
    assert above.min() >= int(line.place * 40)


@pytest.mark.real_data
@pytest.mark.parametrize("folder", ["flowatlas_human_tcell_memory", "flowvs_hd_tbnk"])
def test_describe_view__real_files_show_what_gating_counted(folder):
    path = sorted(find_real_data(folder).rglob("*.fcs"))[0]
    acquisition = read_fcs(path.read_bytes(), name=path.name)
    gated = gate_acquisition(acquisition, template=CART)
    bench = open_bench(prepare_tube(acquisition, template=CART), template=CART, name="full", cuts=gated.cuts)

    for population, mask in gated.membership.items():
        assert np.array_equal(bench.select(population), mask), population
    drawn = 0
    for population in sorted(bench.population_names):
        view = describe_view(bench, population)
        for line in view.lines if view else ():
            counted = bench.count_at(population, line.gate, line.limit)
            assert counted == bench.count(population)[0]
            drawn += 1
    assert drawn > 2


def test_place_on__keeps_limits_and_moves_their_places(bench, other):
    view, model = describe_view(bench, "car_t"), describe_view(other, "car_t")
    moved = place_on(view, x=model.x, y=model.y)

    assert [line.limit for line in moved.lines] == [line.limit for line in view.lines]
    assert moved.lines[0].place == model.y.place(view.lines[0].limit)


def test_select_in_limits__judges_another_tube_by_the_limits_of_the_view(bench, other):
    view = describe_view(bench, "car_t")
    column = other.values("CAR")

    expected = other.select("t_cells") & (column > view.lines[0].limit)
    assert np.array_equal(select_in_limits(other, view), expected)
