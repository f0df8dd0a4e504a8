"""How long a person waits: for the first picture of a page, for a count, for a large upload."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from corelab.ingest.fcs import read_fcs
from corelab.store.acquisitions import list_acquisitions
from corelab.store.home import create_home, open_home
from corelab.study import builtin_study
from corelab.vocabulary import Role
from pipelines.ingest import ingest
from pipelines.run import run
from pipelines.simulate import simulate
from tests.browser.chromium import log_in, start_chromium
from tests.ingest.fcs_files import build_float_fcs
from tests.pipelines.test_serve import Client, read_memory
from tests.validation.page_load import NAME, NOW, PASSWORD, find_port, make_trial
from tests.validation.sections import Section

CHILDREN, EVENTS, UPLOAD_BYTES, TIMES = 50, 1_000_000, 300 * 2**20, 15
PAINT_MS, COUNT_MS, LEAST_MB_PER_S, MOST_GROWTH_MB = 1500.0, 100.0, 40.0, 50.0
SEED = 77_001
OPENED, REST_MS = 5, 1500
CHART, GRID = "#page .graph", "#page .ag-center-cols-container .ag-row"
PAGES = {
    "/": CHART, "/?view=trends": CHART, "/samples": GRID, "/screening": CHART, "/cohort": CHART,
    "/cytokines": CHART, "/cytokines?view=plates": CHART, "/outcomes": CHART,
    "/outcomes?view=response": CHART, "/outcomes?view=expansion": CHART, "/patients/CL-001": CHART,
    "/exports": GRID, "/review": GRID,
}  # fmt: skip
"""Pages, and what the first screen of each is there for."""
USEFUL = """(wanted) => {
  const isSeen = (node) => {
    const box = node.getBoundingClientRect();
    return box.width > 0 && box.top < innerHeight && box.bottom > 0;
  };
  const marks = ['.scatterlayer .trace path', '.scatterlayer .trace text', '.barlayer path',
    '.heatmaplayer image', '.imagelayer image', '.shapelayer path'].join();
  return document.querySelector(wanted) !== null && document.querySelector('#page h1') !== null
    && [...document.querySelectorAll('#page .graph')].filter(isSeen).every((one) => one.querySelector(marks));
}"""
"""Whether a page is of use: its heading, its grid's rows, and marks in each chart of the first screen."""
SHAPE = ((0.25, 0.3), (0.8, 0.25), (0.95, 0.7), (0.6, 0.9), (0.2, 0.75))


@contextmanager
def serve(home: Path) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """Serve a home as a person does."""
    command = [sys.executable, "-m", "pipelines.cli", "serve", str(home), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            yield find_port(iter(server.stdout or ())), server
        finally:
            server.terminate()


def measure_paint(port: int) -> dict[str, tuple[float, float]]:
    """Milliseconds from opening an address to its first useful picture: nothing kept, and all kept.

    Medians over new browsers, each at rest before it is timed. Somebody has seen each page before, as on any
    day: what a server reads once is read.
    """
    address = f"http://127.0.0.1:{port}"
    window: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}, "base_url": address}
    cold: dict[str, list[float]] = {path: [] for path in PAGES}
    warm: dict[str, list[float]] = {path: [] for path in PAGES}
    with start_chromium() as browser:
        page = browser.new_page(**window)
        log_in(page, address, NAME, PASSWORD)
        session = page.context.storage_state()
        for path in PAGES:
            _time_paint(page, path)
        page.close()
        for path in [*PAGES] * OPENED:
            context = browser.new_context(**window, storage_state=session)
            page = context.new_page()
            page.wait_for_timeout(REST_MS)
            cold[path].append(_time_paint(page, path))
            warm[path].append(_time_paint(page, path))
            context.close()
    return {path: (float(np.median(cold[path])), float(np.median(warm[path]))) for path in PAGES}


def _time_paint(page: Any, path: str) -> float:
    started = time.perf_counter()
    page.goto(path, wait_until="commit")
    page.wait_for_function(USEFUL, arg=PAGES[path], polling="raf")
    return 1000 * (time.perf_counter() - started)


def make_large_tube(folder: Path) -> tuple[Path, str]:
    """Make a home with a tube of a million events: those of a simulated one, each a little off."""
    simulate(folder / "delivery", subjects=1, events=20_000, seed=SEED)
    home = create_home(folder / "home", study_text=builtin_study().source)
    ingest(home, [folder / "delivery"], at=NOW, actor="wait")
    run(home, at=NOW)
    counts = home.snapshots.current().table("populations").query("population == 'car_t' and tube == 'full'")
    chosen = counts.sort_values("count").iloc[-1]["file_id"]
    name = next(one.name for one in list_acquisitions(home.registry) if one.file_id == chosen)
    home.close()
    path = folder / "delivery" / name
    small = read_fcs(path.read_bytes(), name=name)
    chance = np.random.default_rng(SEED)
    rows = np.sort(chance.integers(0, small.n_events, EVENTS))
    events = np.asarray(small.events, dtype=np.float64)[rows] * chance.normal(1, 0.01, (EVENTS, 1))
    times = small.detectors.index("Time")
    events[:, times] = np.asarray(small.events)[rows, times]
    keywords = {name.upper(): text for name, text in small.keywords.items() if not name.startswith("$")}
    matrix = next(text for name, text in small.keywords.items() if name.upper() in ("$SPILLOVER", "SPILL"))
    labels = {f"$P{i}S": label for i, label in enumerate(small.labels, start=1) if label}
    path.write_bytes(
        build_float_fcs(events, names=small.detectors, keywords={**keywords, **labels, "$SPILLOVER": matrix})
    )
    home = create_home(folder / "large", study_text=builtin_study().source)
    ingest(home, [folder / "delivery"], at=NOW, actor="wait")
    run(home, at=NOW)
    home.registry.users.add("chen", role=Role.SCIENTIST, password="correct horse battery", at=NOW)
    rows = home.snapshots.current().table("populations")
    largest = rows.loc[rows["count"].idxmax(), "file_id"]
    home.close()
    return folder / "large", str(largest)


def measure_counts(port: int, file_id: str) -> dict[str, list[float]]:
    """Milliseconds over HTTP from a moved limit or a drawn shape to its count."""
    client = Client(f"127.0.0.1:{port}")
    client.log_in()
    url = f"/api/v1/acquisitions/{file_id}/count"
    found: dict[str, list[float]] = {}
    for population, gate, view in (("car_t", "CAR", {"x": "CD4", "y": "CAR"}), ("t_cells", "CD3", {})):
        asked = {"population": population, **view}
        name = f"limit of {population}"
        found[name] = []
        for number in range(TIMES + 1):
            started = time.perf_counter()
            client.post(url, {**asked, "gate": gate, "place": 0.4 + 0.01 * number})
            found[name].append(1000 * (time.perf_counter() - started))
    for kind, points in (("polygon", SHAPE), ("rectangle", ((0.2, 0.3), (0.9, 0.8)))):
        name = f"{kind} around what lives"
        found[name] = []
        for number in range(TIMES + 1):
            moved = [[round(x + 0.002 * number, 4), y] for x, y in points]
            started = time.perf_counter()
            client.post(url, {"population": "live", "shape": {"kind": kind, "points": moved}})
            found[name].append(1000 * (time.perf_counter() - started))
    return found


def measure_upload(folder: Path) -> tuple[float, float]:
    """Megabytes a second of one large file, and by how many the server's memory grew."""
    home = create_home(folder / "uploads", study_text=builtin_study().source)
    home.registry.users.add("chen", role=Role.SCIENTIST, password="correct horse battery", at=NOW)
    home.close()
    with serve(home.path) as (port, server):
        client = Client(f"127.0.0.1:{port}")
        client.log_in()
        client.send("labs.csv", b"subject_id,visit,collected_at,test,value,unit\n")
        Path(f"/proc/{server.pid}/clear_refs").write_text("5")
        before = read_memory(server)
        data = np.random.default_rng(SEED).bytes(UPLOAD_BYTES)
        started = time.perf_counter()
        client.send("large.fcs", data)
        took = time.perf_counter() - started
        return UPLOAD_BYTES / took / 1e6, (read_memory(server, peak=True) - before) / 2**20


def measure_waiting() -> Section:
    """First pictures of pages, counts of a million events while a gate is moved, a large upload."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pages").mkdir()
        with serve(make_trial(folder / "pages", children=CHILDREN, seed=SEED)) as (port, _):
            paints = measure_paint(port)
            load = os.getloadavg()[0]
        home, file_id = make_large_tube(folder)
        with serve(home) as (port, _):
            counts = measure_counts(port, file_id)
        open_home(home).close()
        speed, growth = measure_upload(folder)
    firsts = {name: ms[0] for name, ms in counts.items()}
    medians = {name: float(np.median(ms[1:])) for name, ms in counts.items()}
    lines = ["| page | first picture, nothing kept (ms) | all kept (ms) |", "|---|---|---|"]
    lines += [f"| {path} | {cold:.0f} | {warm:.0f} |" for path, (cold, warm) in paints.items()]
    lines += [
        "",
        "First useful picture: the heading, the rows of a grid, and marks in every chart of the first screen "
        f"(1440 × 900 px). Medians of {OPENED} new browsers at rest; load of the machine {load:.1f}.",
        "",
        "| gate on 1,000,000 events | median (ms) | first one, with reading (ms) |",
        "|---|---|---|",
    ]
    lines += [f"| {name} | {ms:.0f} | {firsts[name]:.0f} |" for name, ms in medians.items()]
    lines += [
        "",
        f"Upload of {UPLOAD_BYTES / 2**20:.0f} MB over loopback: {speed:.0f} MB/s, the server's memory grew "
        f"by {growth:.0f} MB. {CHILDREN} children, {TIMES} counts each, seed {SEED}.",
    ]
    return Section(
        title="Waiting",
        asked=f"first useful picture under {PAINT_MS / 1000:g} s, a gate's new count on {EVENTS:,} events "
        f"under {COUNT_MS:.0f} ms in the median, an upload above {LEAST_MB_PER_S:.0f} MB/s with less than "
        f"{MOST_GROWTH_MB:.0f} MB more memory",
        holds=max(cold for cold, _ in paints.values()) < PAINT_MS and max(medians.values()) < COUNT_MS
        and speed > LEAST_MB_PER_S and growth < MOST_GROWTH_MB,
        lines=lines,
    )  # fmt: skip
