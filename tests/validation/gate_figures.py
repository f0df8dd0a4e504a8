"""The figures that the gates have to hold, measured on tubes and files that did not shape them."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from corelab.cytometry.gating import gate_acquisition
from corelab.cytometry.records import GatedAcquisition
from corelab.cytometry.template import load_template
from corelab.cytometry.tube import prepare_tube
from corelab.ingest.fcs import read_fcs
from corelab.statistics.intervals import clopper_pearson
from corelab.statistics.rare_events import compute_fisher_greater
from corelab.vocabulary import B_SUBSETS, T_MEMORY_SUBSETS, Panel
from tests.validation.flowatlas import compare_flowatlas
from tests.validation.gate_tubes import KINDS, Bools, TruthTube, compute_f1, draw_tube

LINEAGE: Final = {
    Panel.CART: ("lymphocytes", "t_cells", "cd4_t", "cd8_t"),
    Panel.BCELL: ("lymphocytes", "t_cells", "b_cells", "b_reference"),
}
LINEAGES: Final = ("cd4_t", "cd8_t")
ABOVE: Final = {
    "CD45RA": ("naive", "scm", "temra"), "CCR7": ("naive", "scm", "cm"),
    "CD95": ("scm", "cm", "em", "temra"),
}  # fmt: skip
SMALLEST: Final = 50
SEPARATE: Final = 0.98
"""A subset separates where limits that know the truth reach this F1.

One limit for each marker, placed with the fewest of the tube's true T cells on the wrong side: the rule asks
nothing of our gates. Below 0.98 the groups overlap so far that a limit a little beside the best misses 0.95;
what lies between is shown as a figure of its own, as the share within 0.03 of those limits.
"""
NEARLY: Final = 0.95
LARGE: Final = 100
"""Cells of a subset of which two on the wrong side are no more than F1 0.01."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure with its target."""

    name: str
    value: float
    limit: float
    at_least: bool = False
    remark: str = ""

    @property
    def holds(self) -> bool:
        """Whether the target is met."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        verdict = "holds" if self.holds else "MISSED"
        tail = f" ({self.remark})" if self.remark else ""
        return f"{self.name}: {self.value:.4g} (target {sign} {self.limit:g}, {verdict}){tail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured, and the rows behind it, the worst first."""

    figures: tuple[Figure, ...]
    worst: pd.DataFrame = field(default_factory=pd.DataFrame)


def gate(tube: TruthTube, panel: Panel) -> GatedAcquisition:
    """Gate one tube by itself: no control, no other visit."""
    return gate_acquisition(tube.acquisition, template=load_template(panel))


def measure_f1(seeds: Iterable[int], kinds: Sequence[str] = KINDS) -> Figures:
    """Measure F1 of lineage populations, of memory subsets that separate, and of B subsets."""
    rows = []
    for kind in kinds:
        for seed in seeds:
            for panel in Panel:
                b = 400.0 if seed % 2 else 100.0
                tube = draw_tube(seed, panel, kind=kind, b=b if panel == Panel.BCELL else None)
                found = gate(tube, panel).membership
                rows += [
                    (kind, seed, name, "lineage", int(tube.truth[name].sum()), 1.0,
                     compute_f1(found[name], tube.truth[name]))
                    for name in LINEAGE[panel] if tube.truth[name].sum() >= SMALLEST
                ]  # fmt: skip
                group, best = (
                    ("B subset", find_best_b) if panel == Panel.BCELL else ("memory", find_best_memory)
                )
                rows += [
                    (kind, seed, name, group, int(tube.truth[name].sum()),
                     compute_f1(mask, tube.truth[name]), compute_f1(found[name], tube.truth[name]))
                    for name, mask in best(tube).items() if tube.truth[name].sum() >= SMALLEST
                ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["kind", "seed", "population", "group", "n", "best_f1", "f1"])
    judged = table[table["best_f1"] >= SEPARATE]
    figures = []
    for group, limit in (("lineage", 0.98), ("memory", 0.95), ("B subset", 0.95)):
        f1 = judged.loc[judged["group"] == group, "f1"]
        share = float((f1 >= limit).mean())
        remark = f"{share:.1%} of {len(f1)} reach it, worst {f1.min():.3f}"
        figures.append(
            Figure(
                name=f"F1 {group}, median",
                value=float(f1.median()),
                limit=limit,
                at_least=True,
                remark=remark,
            )
        )
        figures.append(
            Figure(
                name=f"F1 {group}, 10th percentile", value=float(f1.quantile(0.1)), limit=limit, at_least=True
            )
        )
    large = judged[(judged["group"] == "memory") & (judged["n"] >= LARGE)]
    figures.append(
        Figure(
            name=f"F1 memory of {LARGE} cells or more, worst", value=float(large["f1"].min()), limit=0.95,
            at_least=True, remark=f"{len(large)} subsets",
        )
    )  # fmt: skip
    near = table[(table["group"] == "memory") & (table["best_f1"] >= NEARLY)]
    gap = near["best_f1"] - near["f1"]
    figures.append(
        Figure(
            name="F1 memory, median distance from limits that know the truth, where these reach 0.95",
            value=float(gap.median()),
            limit=0.03,
            remark=f"{(gap <= 0.03).mean():.1%} of {len(gap)} within it, 0.95 itself in "
            f"{(near['f1'] >= NEARLY).mean():.1%}, worst {near['f1'].min():.3f}",
        )
    )
    return Figures(figures=tuple(figures), worst=judged.sort_values("f1").head(15))


def find_best_memory(tube: TruthTube) -> Mapping[str, Bools]:
    """Gate the memory subsets with the limits that err least, which only the truth can place."""
    prepared = prepare_tube(tube.acquisition, template=load_template("cart"))
    t_cells = tube.truth["cd4_t"] | tube.truth["cd8_t"]
    above: dict[str, Bools] = {}
    for marker, subsets in ABOVE.items():
        column = prepared.column(marker)
        truly = np.logical_or.reduce([tube.truth[f"{c}.{s}"] for c in LINEAGES for s in subsets])
        among = t_cells if marker != "CD95" else t_cells & truly_resting(tube)
        x = prepared.values(column or 0)
        above[marker] = x > place_best_limit(x[among], truly[among])
    masks = {}
    for lineage in LINEAGES:
        for subset in T_MEMORY_SUBSETS:
            mask = tube.truth[lineage].copy()
            for marker in ABOVE if subset in ("naive", "scm") else ("CD45RA", "CCR7"):
                mask &= above[marker] == (subset in ABOVE[marker])
            masks[f"{lineage}.{subset}"] = mask
    return masks


def find_best_b(tube: TruthTube) -> Mapping[str, Bools]:
    """Gate the B subsets by the template's rules with the limits that err least, placed by the truth."""
    prepared = prepare_tube(tube.acquisition, template=load_template("bcell"))
    truth = tube.truth

    def split(marker: str, positive: Sequence[str], negative: Sequence[str]) -> Bools:
        x = prepared.values(prepared.column(marker) or 0)
        truly = np.logical_or.reduce([truth[name] for name in positive])
        among = truly | np.logical_or.reduce([truth[name] for name in negative])
        return x > place_best_limit(x[among], truly[among])

    igd_positive = ("transitional", "naive_b", "unswitched_memory_b")
    cd27_positive = ("unswitched_memory_b", "switched_memory_b", "plasmablasts")
    igd = split("IgD", igd_positive, [name for name in B_SUBSETS if name not in igd_positive])
    cd27 = split("CD27", cd27_positive, [name for name in B_SUBSETS if name not in cd27_positive])
    b_cells = truth["b_cells"]
    plasma = b_cells & ~igd & cd27 & split("CD38", ("plasmablasts",), ("switched_memory_b",))
    bright = [split(marker, ("transitional",), ("naive_b",)) for marker in ("CD38", "CD24")]
    resting = b_cells & igd & ~cd27
    transitional = max(
        (resting & limits for limits in (bright[0] & bright[1], *bright)),
        key=lambda mask: compute_f1(mask, truth["transitional"]),
    )
    return {
        "plasmablasts": plasma, "transitional": transitional, "naive_b": resting & ~transitional,
        "unswitched_memory_b": b_cells & igd & cd27, "switched_memory_b": b_cells & ~igd & cd27 & ~plasma,
        "double_negative_b": b_cells & ~igd & ~cd27,
    }  # fmt: skip


def truly_resting(tube: TruthTube) -> Bools:
    """Return the true naive and stem cell memory cells."""
    return np.logical_or.reduce([tube.truth[f"{c}.{s}"] for c in LINEAGES for s in ("naive", "scm")])


def place_best_limit(x: "np.ndarray[tuple[int], np.dtype[np.float64]]", positive: Bools) -> float:
    """Place the limit with the fewest events on the wrong side."""
    if not len(x):
        return 0.0
    order = np.argsort(x)
    is_positive = positive[order]
    wrong = np.cumsum(is_positive) - np.cumsum(~is_positive)
    return float(x[order][int(np.argmin(wrong))])


def measure_gains(seeds: Iterable[int]) -> Figures:
    """Multiply every detector by a random factor of 0.5 to 2; the counts must stay."""
    rows = []
    for seed in seeds:
        for panel in Panel:
            plain = draw_tube(seed, panel)
            n = len(plain.acquisition.detectors) - 4
            factors = np.exp(np.random.default_rng([seed, 1]).uniform(np.log(0.5), np.log(2), n))
            before, after = gate(plain, panel), gate(draw_tube(seed, panel, gains=factors), panel)
            rows += [
                (seed, row.population, row.count, after.count(row.population))
                for row in before.counts if row.count is not None and row.count >= 200
            ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["seed", "population", "before", "after"])
    table["change"] = (table["after"] / table["before"] - 1).abs()
    figure = Figure(
        name="gains x0.5 to x2, largest change of a count", value=float(table["change"].max()), limit=0.01,
        remark=f"{len(table)} counts of 200 or more",
    )  # fmt: skip
    return Figures(figures=(figure,), worst=table.sort_values("change", ascending=False).head(5))


def measure_car(seeds: Iterable[int], kinds: Sequence[str] = ("plain", "smeared", "wide")) -> Figures:
    """Count CAR-T cells where there are 200 or more."""
    rows = []
    for kind in kinds:
        for seed in seeds:
            car = float(np.random.default_rng([seed, 2]).choice([40.0, 120.0, 600.0]))
            tube = draw_tube(seed, Panel.CART, kind=kind, car=car)
            true = int(tube.truth["car_t"].sum())
            if true >= 200:
                rows.append((kind, seed, true, gate(tube, Panel.CART).count("car_t")))
    table = pd.DataFrame(rows, columns=["kind", "seed", "true", "count"])
    table["error"] = (table["count"] / table["true"] - 1).abs()
    figures = (
        Figure(name="CAR-T of 200 or more, median error", value=float(table["error"].median()), limit=0.03,
               remark=f"{len(table)} tubes"),
        Figure(name="CAR-T of 200 or more, worst error", value=float(table["error"].max()), limit=0.10),
    )  # fmt: skip
    return Figures(figures=figures, worst=table.sort_values("error", ascending=False).head(5))


def measure_no_car(seeds: Iterable[int]) -> Figures:
    """Gate tubes without a CAR-T cell beside a blank of the same child at another visit."""
    rows = []
    for seed in seeds:
        tube, blank = (
            gate(draw_tube(seed, Panel.CART, car=0.0, visit=visit), Panel.CART) for visit in ("D14", "LD")
        )
        n, total, b, of = (int(g.count(name) or 0) for g in (tube, blank) for name in ("car_t", "t_cells"))
        p = float(compute_fisher_greater(n, total, blank_count=b, blank_total=of))
        rows.append((seed, n, total, b, of, p))
    table = pd.DataFrame(rows, columns=["seed", "count", "t_cells", "blank", "blank_t_cells", "p"])
    detected = (table["count"] >= 20) & (table["p"] < 0.05)
    figures = (
        Figure(name="no CAR-T cell: share of tubes with p >= 0.05", value=float((table["p"] >= 0.05).mean()),
               limit=0.95, at_least=True, remark=f"{len(table)} tubes, most CAR+ {table['count'].max()}"),
        Figure(name="no CAR-T cell: tubes called detected", value=float(detected.sum()), limit=0),
    )  # fmt: skip
    return Figures(figures=figures, worst=table.sort_values("count", ascending=False).head(5))


def measure_drift(seeds: Iterable[int]) -> Figures:
    """Weaken a tenth to a quarter of a run, clean it, and compare cells per bead with the truth.

    The same tube without drift tells what of an error the gate owes to itself: it is the same draw of events,
    so it also says what every kept event is. ``of_kept`` is the error against the labels of the kept events,
    all that a gate can answer for; ``thinning`` is what keeping a part of the run does to cells per bead by
    chance alone, ``thinning_sd`` what Poisson expects of it.
    """
    rows, lost = [], []
    for seed in seeds:
        rng = np.random.default_rng([seed, 3])
        start = rng.uniform(0.2, 0.7)
        drift = (start, start + rng.uniform(0.1, 0.28), float(rng.uniform(0.6, 0.8)))
        spoilt, clean = (draw_tube(seed, Panel.CART, car=400.0, drift=one) for one in (drift, None))
        cleaned, level = gate(spoilt, Panel.CART), gate(clean, Panel.CART)
        kept = cleaned.membership["time_ok"]
        for name in ("lymphocytes", "t_cells", "car_t"):
            error, own = (compute_bead_error(g, t, name) for g, t in ((cleaned, spoilt), (level, clean)))
            true = int(clean.truth[name].sum())
            rows.append((
                seed, name, true, error, own, (1 + error) / (1 + own) - 1,
                (cleaned.count(name) or 0) / max(int((clean.truth[name] & kept).sum()), 1) - 1,
                *compute_thinning(clean, kept, name),
            ))  # fmt: skip
        lost.append(1 - (level.count("time_ok") or 0) / clean.acquisition.n_events)
    columns = ["seed", "population", "true", "error", "without_drift", "by_drift"]
    columns += ["of_kept", "thinning", "thinning_sd"]
    table = pd.DataFrame(rows, columns=columns)
    worst = table.groupby("population")[["error", "by_drift"]].agg(lambda part: part.abs().max())
    car, level_car = (
        table.loc[table["population"] == "car_t", name].abs() for name in ("error", "without_drift")
    )
    chance = table.loc[table["population"] == "car_t", ["of_kept", "thinning", "thinning_sd"]].abs()
    cells = float(worst.loc[["lymphocytes", "t_cells"], "error"].max())
    figures = (
        Figure(name="drift of 10 to 28 % of a run, lymphocytes and T cells per bead, worst error",
               value=cells, limit=0.02, remark=f"{len(table)} counts"),
        Figure(name="drift, CAR-T cells per bead, what the drift adds to the error of the gate",
               value=float(worst.loc["car_t", "by_drift"]), limit=0.02),
        Figure(name="drift, CAR-T cells per bead against the truth, median error", value=float(car.median()),
               limit=0.02,
               remark=f"{(car <= 0.02).mean():.1%} of {len(car)} tubes within it, worst {car.max():.3f}; "
               f"the same without drift: {(level_car <= 0.02).mean():.1%}, worst {level_car.max():.3f}"),
        Figure(name="drift, CAR-T cells against the labels of the kept events, share within 2 %",
               value=float((chance["of_kept"] <= 0.02).mean()), limit=0.95, at_least=True,
               remark=f"worst {chance['of_kept'].max():.3f}; by chance kept events differ from all by up to "
               f"{chance['thinning'].max():.3f} per bead, Poisson sd {chance['thinning_sd'].median():.3f}"),
        Figure(name="clean tubes, largest share lost", value=float(max(lost)), limit=0.02),
    )  # fmt: skip
    return Figures(figures=figures, worst=table.sort_values("error", key=abs, ascending=False).head(5))


def compute_thinning(tube: TruthTube, kept: Bools, population: str) -> tuple[float, float]:
    """Return how far true cells per bead of kept events are from those of all, and the Poisson sd."""
    cells, beads = tube.truth[population], tube.truth["beads"]
    ratio = (cells & kept).sum() / max((beads & kept).sum(), 1) / (cells.sum() / beads.sum())
    lost = 1 - kept.mean()
    return float(ratio - 1), float(np.sqrt(lost / (1 - lost) * (1 / max(cells.sum(), 1) + 1 / beads.sum())))


def compute_bead_error(gated: GatedAcquisition, tube: TruthTube, population: str) -> float:
    """Relative error of cells per bead, which concentrations are made of."""
    true = tube.truth[population].sum() / tube.truth["beads"].sum()
    return float((gated.count(population) or 0) / max(gated.count("beads") or 0, 1) / true - 1)


def measure_flowatlas(folder: Path) -> Figures:
    """Compare the whole chain with the manual gates of FlowAtlas, with and without its Treg."""
    parts, figures = [], []
    for without_treg, words in ((False, "as drawn"), (True, "manual Treg left out of our CD4 memory")):
        rows = compare_flowatlas(folder, without_treg=without_treg)
        sizes = np.array([abs(row.relative) for row in rows])
        points = np.array([abs(row.points) for row in rows])
        figures += [
            Figure(name=f"FlowAtlas, {words}: median relative difference", value=float(np.median(sizes)),
                   limit=0.08, remark=f"{len(rows)} populations"),
            Figure(name=f"FlowAtlas, {words}: 90th percentile", value=float(np.quantile(sizes, 0.9)),
                   limit=0.30),
            Figure(name=f"FlowAtlas, {words}: percent of parent, median points",
                   value=float(np.nanmedian(points)), limit=5.0, remark=f"worst {np.nanmax(points):.1f}"),
        ]  # fmt: skip
        table = pd.DataFrame([asdict(row) | {"relative": row.relative, "points": row.points} for row in rows])
        parts.append(table.assign(compared=words))
    return Figures(figures=tuple(figures), worst=pd.concat(parts))


def measure_donor_a(folder: Path) -> Figures:
    """Gate donor A of flowVS: whole, without B cells, and with 20 of them left."""
    rows = []
    with (folder / "reference_fixed_threshold_percentages.csv").open(encoding="utf-8") as handle:
        references = {row["sample"]: float(row["pct_CD19pos_CD3neg"]) for row in csv.DictReader(handle)}
    template = load_template("bcell")
    for sample, reference in references.items():
        data = (folder / f"HD_{sample}.fcs").read_bytes()
        acquisition = read_fcs(data, name=sample)
        whole = gate_acquisition(acquisition, template=template)
        b_cells = np.flatnonzero(whole.membership["b_cells"])
        percent = 100 * len(b_cells) / whole.n_events
        for kept in (0, 20):
            chosen = np.random.default_rng([len(b_cells), kept]).choice(b_cells, kept, replace=False)
            events = np.delete(acquisition.events, np.setdiff1d(b_cells, chosen), axis=0)
            gated = gate_acquisition(replace(acquisition, events=events), template=template)
            placed = next(cut for cut in gated.cuts if cut.gate == "CD19")
            found = gated.count("b_cells") or 0
            low, high = clopper_pearson(found, len(events))
            inside = bool(float(low) <= kept / len(events) <= float(high))
            rows.append((sample, reference, percent, kept, len(events), found, inside, placed.control))
    columns = ["sample", "reference", "percent", "b_kept", "events", "called_b", "inside", "fallback"]
    table = pd.DataFrame(rows, columns=columns)
    none = table[table["b_kept"] == 0]
    share = 100 * none["called_b"] / none["events"]
    figures = (
        Figure(name="donor A, B cells: largest difference in points", limit=0.3,
               value=float((table["percent"] - table["reference"]).abs().max())),
        Figure(name="donor A without B cells: percent called B", value=float(share.max()), limit=0.15,
               remark=f"CD19 placed by {', '.join(sorted(set(none['fallback'])))}"),
        Figure(name="donor A with 20 B cells: share inside the exact interval",
               value=float(table.loc[table["b_kept"] == 20, "inside"].mean()), limit=1.0, at_least=True),
    )  # fmt: skip
    return Figures(figures=figures, worst=table)
