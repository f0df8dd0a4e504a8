"""The parts of the report about numbers: trials, intervals, gates, files, clusters."""

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tests.ingest.real_data import find_public
from tests.validation.clusters import LATER, check_map_bytes, measure_seed, measure_speed
from tests.validation.coverage import cover_concentrations, cover_fractions, list_expected
from tests.validation.fcs_fuzz import fuzz
from tests.validation.gate_figures import (
    Figures,
    measure_car,
    measure_donor_a,
    measure_drift,
    measure_f1,
    measure_flowatlas,
    measure_gains,
    measure_no_car,
)
from tests.validation.sections import Section
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
CLUSTER_SEEDS, CLUSTER_SUBJECTS, CLUSTER_EVENTS = (75_011, 75_012, 75_013), 3, 10_000
MANY_CELLS = 1_000_000
GATE_SEEDS = tuple(range(89_001, 89_041))
FCS_SEEDS = range(810_000, 811_000)


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


def measure_coverage() -> Section:
    """How often the intervals of fractions and concentrations hold the truth."""
    fractions = cover_fractions(list_expected(2_000))
    cells = cover_concentrations(list_expected(40), draws=1_000, seed=UNSEEN_SEEDS[0])
    from_ten = cells.loc[cells["expected"] >= 10, "cells_per_ul"]
    worst = fractions.loc[fractions["wilson"].idxmin()]
    holds = [
        fractions["clopper_pearson"].min() >= 0.95, 0.94 <= fractions["wilson"].mean() <= 0.96,
        cells["cells_per_ul"].min() >= 0.95, from_ten.max() <= 0.98,
    ]  # fmt: skip
    shown = {
        "Clopper-Pearson": fractions["clopper_pearson"],
        "Wilson": fractions["wilson"],
        "cells/uL": cells["cells_per_ul"],
        "cells/uL from 10 events": from_ten,
    }
    return Section(
        title="Coverage of the intervals",
        asked="over expected counts from 0.5 to 1,000 Clopper-Pearson holds the truth at least 95 % "
        "everywhere, Wilson 94 to 96 % on average, cells/uL at least 95 % and at most 98 % from 10 events on",
        holds=all(holds),
        lines=[
            "| interval | least | mean | most |",
            "|---|---|---|---|",
            *(f"| {name} | {v.min():.2%} | {v.mean():.2%} | {v.max():.2%} |" for name, v in shown.items()),
            "",
            f"Wilson's least is at {worst['expected']:.2f} expected events; it is drawn and never decides.",
        ],
    )


def measure_gates() -> Section:
    """Score the gates per event on single tubes: smears, wide negatives, few events, gains, drift."""
    started = time.perf_counter()
    measured = [
        measure_f1(GATE_SEEDS[:20]), measure_gains(GATE_SEEDS[:10]), measure_car(GATE_SEEDS[:20]),
        measure_no_car(GATE_SEEDS), measure_drift(GATE_SEEDS[:20]),
    ]  # fmt: skip
    section = describe_figures("Gates on synthetic tubes", measured)
    section.lines.append(
        f"Seeds {GATE_SEEDS[0]} to {GATE_SEEDS[-1]}, never used in development; "
        f"{time.perf_counter() - started:.0f} s. A memory or B subset separates where limits placed by the "
        "truth reach F1 0.98 (best_f1)."
    )
    return section


def measure_public_files() -> Section:
    """Compare with the manual gates of FlowAtlas and the reference of flowVS donor A."""
    folders = [find_public(name) for name in ("flowatlas_human_tcell_memory", "flowvs_hd_tbnk")]
    measured = [
        measure(folder)
        for measure, folder in zip((measure_flowatlas, measure_donor_a), folders, strict=True)
        if folder is not None
    ]
    section = describe_figures("Gates on public files", measured)
    if len(measured) < len(folders):
        section.lines.append("The public files are not there (CORELAB_REAL_DATA): not measured.")
    return section


def describe_figures(title: str, measured: Sequence[Figures]) -> Section:
    """Write figures as a list, and the rows behind them, the worst first."""
    lines = [f"- {figure}" for part in measured for figure in part.figures]
    for part in measured:
        lines += ["", *_as_markdown(part.worst), ""]
    holds = all(figure.holds for part in measured for figure in part.figures)
    return Section(title=title, asked="the targets named with each figure", holds=holds, lines=lines)


def _as_markdown(table: pd.DataFrame) -> Iterator[str]:
    yield "| " + " | ".join(table.columns) + " |"
    yield "|" + "---|" * len(table.columns)
    for row in table.itertuples(index=False):
        cells = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in row]
        yield "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def measure_fcs_headers() -> Section:
    """Read 1,000 mutated headers by our reader and by an independent one."""
    outcome = fuzz(FCS_SEEDS)
    lines = [f"- {words}: {n}" for words, n in sorted(outcome.counts.items())]
    lines += [f"- MISREAD {line}" for line in outcome.misread]
    lines += [
        "",
        f'Seeds {FCS_SEEDS[0]} to {FCS_SEEDS[-1]}; "readable" where the independent reader reads on.',
    ]
    return Section(
        title="FCS files with mutated headers",
        asked="the same events as an independent reader, or one clear refusal; never an exception",
        holds=not outcome.misread,
        lines=lines,
    )


def measure_clusters() -> Section:
    """Clusters of single cells against the truth, visits that come later, a million cells."""
    started = time.perf_counter()
    figures = [
        one
        for seed in CLUSTER_SEEDS
        for one in measure_seed(seed, subjects=CLUSTER_SUBJECTS, events=CLUSTER_EVENTS)
    ]
    speed, same_map = measure_speed(MANY_CELLS), check_map_bytes()
    lines = ["| seed | panel | cells | clusters | ARI | least agreement of a later visit |"]
    lines += ["|---|---|---|---|---|---|"]
    lines += [
        f"| {one.seed} | {one.panel} | {one.cells} | {one.clusters} | {one.ari:.3f} | {one.later:.2%} |"
        for one in figures
    ]
    lines += [
        "",
        f"{MANY_CELLS} cells by 14 markers: {speed['total_s']:.0f} s (model with its map "
        f"{speed['fit_s']:.0f}, clusters {speed['assign_s']:.0f}, places {speed['place_s']:.0f}), "
        f"{speed['peak_mb']:.0f} MB, at a load of {speed['load']:.1f}. Same bytes again: clusters "
        f"{'yes' if all(one.same_bytes for one in figures) else 'no'}, map {'yes' if same_map else 'no'}.",
        f"{CLUSTER_SUBJECTS} children, {CLUSTER_EVENTS} events a tube; later visits: {', '.join(LATER)}, "
        f"each left out of a model of its own; {time.perf_counter() - started:.0f} s.",
    ]
    later = [one.later for one in figures if np.isfinite(one.later)]
    return Section(
        title="Clusters of single cells",
        asked="adjusted Rand index of clusters and true subsets at least 0.8, no gate among the inputs; a "
        "visit mapped later gets the same clusters for 98 % of its cells; a million cells by 14 markers "
        "under 4 minutes and 4 GB; same seed, same bytes",
        holds=min(one.ari for one in figures) >= 0.8 and min(later) >= 0.98 and same_map
        and all(one.same_bytes for one in figures)
        and speed["total_s"] < 240 and speed["peak_mb"] < 4096,
        lines=lines,
    )  # fmt: skip
