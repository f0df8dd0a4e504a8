"""``make validate``: the properties of the tests with full counts, written down with where and when."""

import datetime as dt
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from tests.validation.of_faults import (
    measure_api,
    measure_damaged_inputs,
    measure_faults,
    measure_kills,
    measure_tampering,
    measure_writers,
)
from tests.validation.of_numbers import (
    measure_clusters,
    measure_coverage,
    measure_fcs_headers,
    measure_gates,
    measure_public_files,
    measure_synthetic_trials,
    measure_thinned_trials,
)
from tests.validation.page_load import (
    EVERY_SECONDS,
    MANY_MS,
    ONE_MS,
    USERS,
    list_actions,
    make_trial,
    measure_many,
    measure_one,
    serve_and,
)
from tests.validation.sections import Section, format_part, format_report, read_parts
from tests.validation.waiting import measure_waiting

LOAD_CHILDREN, LOAD_SEED = 50, 76_001


def measure_pages() -> Section:
    """Page callbacks of a trial of fifty children: one person, then many at once."""
    with tempfile.TemporaryDirectory() as folder:
        home = make_trial(Path(folder), children=LOAD_CHILDREN, seed=LOAD_SEED)
        actions = list_actions(home)
        before = os.getloadavg()[0]
        one = serve_and(home, lambda port: measure_one(port, actions))
        many = serve_and(home, lambda port: measure_many(port, actions))
        after = os.getloadavg()[0]
    lines = ["| action | one person, median | p95 | many, median | p95 |", "|---|---|---|---|---|"]
    for name in one.by_name:
        parts = [one.by_name[name], many.by_name.get(name, [])]
        figures = [f"{np.percentile(ms, q):.0f}" if ms else "–" for ms in parts for q in (50, 95)]
        lines.append(f"| {name} | {' | '.join(figures)} |")
    wrong = sorted({*one.wrong, *many.wrong})
    lines += [
        "",
        f"Milliseconds. All actions: one person p95 {one.p95():.0f}, {USERS} persons who act every "
        f"{EVERY_SECONDS:g} s p95 {many.p95():.0f} ({len(many.all())} actions). Wrong answers: "
        f"{'; '.join(wrong) or 'none'}. Load of the machine before {before:.1f}, after {after:.1f}; "
        f"children {LOAD_CHILDREN}, seed {LOAD_SEED}.",
    ]
    return Section(
        title="Pages",
        asked=f"p95 under {ONE_MS:.0f} ms for one person and under {MANY_MS:.0f} ms for {USERS} at once",
        holds=not wrong and one.p95() < ONE_MS and many.p95() < MANY_MS,
        lines=lines,
    )


MEASURES: tuple[Callable[[], Section], ...] = (
    measure_synthetic_trials, measure_thinned_trials, measure_coverage, measure_gates, measure_public_files,
    measure_fcs_headers, measure_tampering, measure_kills, measure_writers, measure_faults,
    measure_damaged_inputs, measure_clusters, measure_pages, measure_waiting, measure_api,
)  # fmt: skip

NAMED: Final = {measure.__name__.removeprefix("measure_"): measure for measure in MEASURES}


def main(out: Path, *only: str) -> int:
    """Measure everything, or parts by name; write the report; end with 1 if anything does not hold."""
    unknown = [name for name in only if name not in NAMED]
    if unknown:
        sys.stderr.write(f"no part {', '.join(unknown)}; expected some of {', '.join(NAMED)}\n")
        return 2
    parts = read_parts(out.read_text(encoding="utf-8")) if out.exists() else {}
    holds = []
    for name in only or NAMED:
        section = NAMED[name]()
        parts[name] = format_part(section, at=dt.datetime.now(dt.UTC))
        holds.append(section.holds)
        # Each part is safe as soon as it is measured.
        out.write_text(format_report(parts, NAMED), encoding="utf-8")
        sys.stdout.write(f"{parts[name]}\n\n")
    return 0 if all(holds) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
