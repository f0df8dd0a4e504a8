"""The picture of a gate: its pixels, its axes, and that nothing but them leaves."""

import struct
import xml.etree.ElementTree as ET
import zlib

import numpy as np
import pytest

from corelab.cytometry.gate_view import describe_view
from corelab.figures.catalog import figure_catalog
from corelab.figures.gate_plot import Canvas, Overlays, build_gate_plot, choose_colour
from corelab.figures.gate_raster import Layers, build_ramp, draw_events, smooth_grid, trace_contour
from corelab.figures.gate_svg import find_plot_box, write_gate_svg, write_small_svg
from corelab.figures.png import encode_png
from corelab.figures.tokens import DARK, LIGHT, SCHEMES, compute_contrast
from tests.cytometry.test_gate_view import open_made

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def bench():
    return open_made(1)


@pytest.fixture(scope="module")
def other():
    return open_made(2)


def decode_png(data: bytes) -> tuple[np.ndarray, list[str]]:
    """Read an indexed PNG without filters: its pixels and palette."""
    at, body, palette, size = 8, b"", [], (0, 0)
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        part = data[at + 8 : at + 8 + length]
        assert zlib.crc32(name + part) == struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0]
        if name == b"IHDR":
            size = struct.unpack(">II", part[:8])
        elif name == b"PLTE":
            palette = ["#" + part[i : i + 3].hex().upper() for i in range(0, len(part), 3)]
        elif name == b"IDAT":
            body += part
        at += 12 + length
    rows = np.frombuffer(zlib.decompress(body), dtype=np.uint8).reshape(size[1], size[0] + 1)
    assert not rows[:, 0].any()
    return rows[:, 1:], palette


def test_encode_png__gives_the_pixels_back():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    read, palette = decode_png(encode_png(pixels, [f"#0000{i:02X}" for i in range(12)]))

    assert np.array_equal(read, pixels)
    assert palette[11] == "#00000B"


def test_draw_events__a_single_event_is_a_dot_and_a_crowd_is_dark():
    counts = np.zeros((20, 30), dtype=np.int64)
    counts[3, 4] = 1
    counts[14:17, 20:23] = 5000
    pixels, palette = decode_png(
        draw_events(Layers(density=counts), scheme="light", back_colour="#FF0000", bin_px=2)
    )

    assert pixels.shape == (40, 60)
    flipped = pixels[::-1]
    assert palette[flipped[6, 8]] == LIGHT.density[3]
    assert palette[flipped[30, 42]] == LIGHT.density[-1]
    assert palette[flipped[0, 59]] == LIGHT.body


def test_draw_events__crosses_and_a_sought_population_lie_on_top():
    empty = np.zeros((20, 20), dtype=np.int64)
    at = empty.copy()
    at[10, 10] = 1
    layers = Layers(density=empty, back=at)
    pixels, palette = decode_png(draw_events(layers, scheme="dark", back_colour="#FF0000", bin_px=1))
    assert palette[pixels[::-1][10, 10]] == "#FF0000"
    layers = Layers(density=empty, crosses=at)
    pixels, palette = decode_png(draw_events(layers, scheme="dark", back_colour="#FF0000", bin_px=2))
    assert palette[pixels[::-1][20, 20]] == DARK.fail


def test_smooth_grid__keeps_every_event():
    counts = np.random.default_rng(0).integers(0, 9, (17, 23))

    assert smooth_grid(counts, 2.0).sum() == pytest.approx(counts.sum())


def test_trace_contour__goes_around_its_share_and_needs_events():
    rng = np.random.default_rng(0)
    x, y = rng.normal(64, 10, 20_000), rng.normal(64, 10, 20_000)
    counts = np.histogram2d(y, x, bins=128, range=[[0, 128], [0, 128]])[0].astype(np.int64)
    (line,) = trace_contour(counts, 0.9)

    radius = np.hypot(*(line - 0.5).T) * 128
    # Nine tenths of a round normal cloud lie within 2.146 standard deviations; smoothing widens it a little.
    assert radius.mean() == pytest.approx(2.146 * np.hypot(10, 2), rel=0.03)
    assert trace_contour(counts // 10_000, 0.9) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_density__is_told_from_the_ground_and_rises(scheme):
    tokens = SCHEMES[scheme]
    ramp = build_ramp(tokens.density)

    contrast = [compute_contrast(colour, tokens.body) for colour in ramp]
    assert contrast == sorted(contrast)
    assert compute_contrast(tokens.density[3], tokens.body) >= 3
    for population in ("car_t", "b_cells", "t_cells"):
        assert compute_contrast(choose_colour(population, tokens), tokens.body) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_write_gate_svg__has_axes_limits_and_curves_and_no_event(bench, other, scheme):
    view = describe_view(bench, "car_t")
    size = (680, 520)
    box = find_plot_box(*size, has_margin=True)
    canvas = Canvas(width=int(box.width), height=int(box.height), has_margin=True)
    overlays = Overlays(fmo=other, before=other, back="cd4_t")
    plot = build_gate_plot(bench, view, canvas=canvas, scheme=scheme, overlays=overlays)
    text = write_gate_svg(plot, size=size, scheme=scheme, catalog=figure_catalog())
    root = ET.fromstring(text)

    assert plot.n_before > 0
    words = [element.text for element in root.iter(f"{SVG}text")]
    assert {"CD4 · D2-A", "CAR · D4-A", "10³", "10⁴", "0"} <= set(words)
    images = [element.get("href") for element in root.iter(f"{SVG}image")]
    assert len(images) == 1
    assert images[0].startswith("data:image/png;base64,")
    # Apart from the picture a drawing has a fixed number of shapes, whatever the number of events.
    assert len(list(root.iter(f"{SVG}path"))) < 120
    assert not list(root.iter(f"{SVG}circle"))
    without = write_gate_svg(plot, size=size, scheme=scheme, catalog=figure_catalog(), with_limits=False)
    assert text.count(plot.colour) > without.count(plot.colour)


def test_write_small_svg__is_the_picture_and_its_limits(bench):
    view = describe_view(bench, "car_t.em")
    plot = build_gate_plot(bench, view, canvas=Canvas(width=110, height=110, bin_px=1), scheme="light")
    root = ET.fromstring(write_small_svg(plot, size=(110, 110), scheme="light"))

    assert plot.margin is None
    assert not list(root.iter(f"{SVG}text"))
    assert len(list(root.iter(f"{SVG}path"))) == 2
    assert len(list(root.iter(f"{SVG}image"))) == 1
