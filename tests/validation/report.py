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

import pandas as pd

from tests.tampering import count_found, make_sound_home
from tests.validation.kills import strike
from tests.validation.trials import (
    compare_counts,
    find_quantified_before_infusion,
    find_wrong_cd19_calls,
    run_trial,
)

UNSEEN_SEEDS = tuple(range(71_001, 71_011))
SUBJECTS, EVENTS = 4, 20_000
TAMPERINGS, TAMPERING_SEED = 500, 72_001
KILLS, KILL_SEED = 200, 73_001


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


def measure_tampering() -> Section:
    """Random changes of files, audit rows and signatures, one at a time."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        counts, missed = count_found(make_sound_home(place), place, times=TAMPERINGS, seed=TAMPERING_SEED)
    lines = ["| changed | times |", "|---|---|"]
    lines += [f"| {kind} | {count} |" for kind, count in sorted(counts.items())]
    lines += ["", f"Missed: {'; '.join(missed) or 'none'}. Seed {TAMPERING_SEED}; "]
    lines[-1] += f"{time.perf_counter() - started:.0f} s."
    return Section(
        title="Tampering",
        asked=f"each of {TAMPERINGS} single changes is found by verify",
        holds=not missed,
        lines=lines,
    )


def measure_kills() -> Section:
    """Commands killed at random moments, then run to their end, against undisturbed ones."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        struck = strike(Path(folder), kills=KILLS, seed=KILL_SEED)
    return Section(
        title="Kills",
        asked=f"after {KILLS} kills over ingest and run the registry and the snapshot are those of an "
        "undisturbed run, nothing lost, nothing twice",
        holds=struck.same,
        lines=[
            f"{struck.kills} kills in {struck.rounds} rounds; differing rounds: {struck.differing}. "
            f"Seed {KILL_SEED}; {time.perf_counter() - started:.0f} s."
        ],
    )


MEASURES: tuple[Callable[[], Section], ...] = (measure_synthetic_trials, measure_tampering, measure_kills)


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
