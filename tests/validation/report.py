"""``make validate``: the properties of the tests with full counts, written down with where and when."""

import datetime as dt
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from tests.validation.thinning import (
    MODES,
    count_changes,
    find_unexplained,
    find_untrue,
    make_delivery,
    thin,
)
from tests.validation.trials import (
    compare_counts,
    find_quantified_before_infusion,
    find_wrong_cd19_calls,
    run_trial,
)

UNSEEN_SEEDS = tuple(range(71_001, 71_011))
SUBJECTS, EVENTS = 4, 20_000
THINNED_SUBJECTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One measured thing: what was asked, whether it holds, and the figures."""

    title: str
    asked: str
    holds: bool
    lines: list[str] = field(default_factory=list)


def measure_synthetic_trials() -> Section:
    """Counts, persistence before infusion and CD19 calls on seeds that development never used."""
    rows, lines, wrong, quantified, started = [], [], 0, 0, time.perf_counter()
    for seed in UNSEEN_SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            run = run_trial(
                Path(folder), seed=seed, subjects=SUBJECTS, events=EVENTS, workers=os.cpu_count() or 1
            )
            rows.append(compare_counts(run).assign(seed=seed))
            wrong += len(find_wrong_cd19_calls(run))
            quantified += len(find_quantified_before_infusion(run))
    counts = pd.concat(rows)
    size = counts["relative_error"].abs()
    lines.append("| population | counts | median error | worst error | seed, file |")
    lines.append("|---|---|---|---|---|")
    for population, part in counts.groupby("population"):
        errors = part["relative_error"].abs()
        worst = part.loc[[errors.to_numpy().argmax() == i for i in range(len(part))]].iloc[0]
        lines.append(
            f"| {population} | {len(part)} | {errors.median():.2%} | {errors.max():.2%} "
            f"| {worst['seed']}, {worst['file']} ({worst['truth']} true, {worst['count']} counted) |"
        )
    lines += [
        "",
        f"CAR-T rows quantified before infusion: {quantified}. Wrong CD19 calls: {wrong}.",
        f"Seeds {UNSEEN_SEEDS[0]} to {UNSEEN_SEEDS[-1]}, {SUBJECTS} children, {EVENTS} events a tube; "
        f"{time.perf_counter() - started:.0f} s.",
    ]
    return Section(
        title="Synthetic trials, from the FCS file to the table",
        asked="T, CD4, CD8, B and CAR-T counts within 5 % of the truth from 200 true events on; no CAR-T "
        "quantified before infusion; CD19 calls as the truth has them",
        holds=bool(size.max() <= 0.05) and wrong == 0 and quantified == 0,
        lines=lines,
    )


def measure_thinned_trials() -> Section:
    """Half of synthetic trials taken away: do all tables build, and does every changed verdict say why."""
    rows, failures, started = [], 0, time.perf_counter()
    for seed in UNSEEN_SEEDS:
        delivery = make_delivery(subjects=THINNED_SUBJECTS, seed=seed)
        whole = delivery.derive()
        for mode in MODES:
            thinned, log = thin(delivery, np.random.default_rng(seed), mode)
            tables = thinned.derive()
            wrong = find_unexplained(whole, tables, log) + find_untrue(tables, thinned.inputs)
            failures += len(wrong)
            rows.append((mode, len(log), count_changes(whole, tables), len(wrong)))
    table = pd.DataFrame(rows, columns=["mode", "removed", "changed", "wrong"]).groupby("mode").sum()
    lines = [
        "| taken away | removed | verdicts that changed | not explained or untrue |",
        "|---|---|---|---|",
    ]
    lines += [f"| {mode} | {r.removed} | {r.changed} | {r.wrong} |" for mode, r in table.iterrows()]
    lines += [
        "",
        f"Seeds {UNSEEN_SEEDS[0]} to {UNSEEN_SEEDS[-1]}, {THINNED_SUBJECTS} children each; "
        f"{time.perf_counter() - started:.0f} s.",
    ]
    return Section(
        title="Half a trial taken away at random",
        asked="every table builds; every verdict of eligibility and response that changes names the file, "
        "visit and test that went, and nothing is called missing that was delivered",
        holds=failures == 0,
        lines=lines,
    )


MEASURES: tuple[Callable[[], Section], ...] = (measure_synthetic_trials, measure_thinned_trials)


def format_report(sections: list[Section], *, at: dt.datetime) -> str:
    """Write the sections as Markdown, headed by date, machine and commit."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    head = [
        "# Measured on data it had not seen",
        "",
        f"Written by `make validate` on {at:%Y-%m-%d %H:%M} UTC, commit {commit or 'unknown'}, "
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}.",
    ]
    return "\n".join([*head, *(line for section in sections for line in _format(section))]) + "\n"


def _format(section: Section) -> Iterator[str]:
    yield from ("", f"## {section.title}", "", f"Asked: {section.asked}.", "")
    yield f"**{'Holds' if section.holds else 'Does not hold'}.**"
    yield from ("", *section.lines)


def main(out: Path) -> int:
    """Measure everything, write the report, and end with 1 if anything does not hold."""
    sections = [measure() for measure in MEASURES]
    text = format_report(sections, at=dt.datetime.now(dt.UTC))
    out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0 if all(section.holds for section in sections) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
