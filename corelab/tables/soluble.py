"""Soluble markers as measurements: concentrations, and their ratio to baseline, as a bound where needed."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from corelab.clinical.laboratory import choose_marker_unit
from corelab.kinetics.level import Level, compute_fold
from corelab.tables.baseline import choose_baselines
from corelab.tables.clock import Clocks
from corelab.tables.rows import stack_rows
from corelab.tables.values import UNKNOWN_UNIT, convert_columns, parse_values, spell_units, tabulate_measured
from corelab.vocabulary import Assay, Status

LIMITS: Final = ("lod", "lloq", "uloq")
COLUMNS: Final = [
    "subject_id", "visit", "collected_at", "assay", "name", "metric", "value", "relation", "low", "high",
    "unit", "status", "reason", *LIMITS, "ci_low", "ci_high", "bridged", "matrix", "source_id",
]  # fmt: skip
_NUMBERS: Final = ("value", "low", "high", *LIMITS, "ci_low", "ci_high", "bridged")
_TEXTS: Final = (
    "subject_id", "visit", "collected_at", "analyte", "platform", "matrix", "relation", "unit", "status",
    "reason", "source_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSeries:
    """Analytes that the trial measures on several platforms, and in several matrices."""

    by_platform: frozenset[str]
    by_matrix: frozenset[str]

    def describe(self, analytes: frozenset[str]) -> str:
        """Say which of some analytes are shared."""
        return repr((sorted(self.by_platform & analytes), sorted(self.by_matrix & analytes)))


def find_shared_series(cytokines: pd.DataFrame, plates: pd.DataFrame) -> SharedSeries:
    """Find the analytes whose series need a platform, or a matrix, in their names.

    A matrix that was not told is no second one.
    """
    columns = ["analyte", "platform", "matrix"]
    told = pd.concat([cytokines[columns], plates[columns]]).drop_duplicates()
    matrix = _fold_matrix(told["matrix"])
    platforms = told.groupby("analyte")["platform"].nunique()
    matrices = matrix.mask(matrix == "").groupby(told["analyte"]).nunique()
    return SharedSeries(
        by_platform=frozenset(platforms.index[platforms > 1]),
        by_matrix=frozenset(matrices.index[matrices > 1]),
    )


def _fold_matrix(matrix: "pd.Series[str]") -> "pd.Series[str]":
    return matrix.fillna("").str.strip().str.casefold()


def derive_concentrations(
    cytokines: pd.DataFrame, plates: pd.DataFrame, *, shared: SharedSeries
) -> pd.DataFrame:
    """Bring delivered concentrations and the results of plates into canonical units.

    The same analyte on two platforms, or in serum and in plasma, is two series: what tells them apart is then
    part of the name.

    Parameters
    ----------
    cytokines
        Rows of ``cytokines.csv``, parsed here against their limits.
    plates
        Results of plates, as `corelab.tables.plate_results` gives them.
    shared
        Of all children: which analytes are several series.
    """
    stacked = stack_rows([_parse_delivered(cytokines), plates], [*_TEXTS, *_NUMBERS])
    rows = stacked.astype(dict.fromkeys(_NUMBERS, "float64"))
    unit = spell_units(rows["unit"])
    target = [choose_marker_unit(a, u) for a, u in zip(rows["analyte"], unit, strict=True)]
    delivered = rows["unit"]
    rows = rows.assign(unit=unit, target=pd.Series(target, index=rows.index, dtype=object))
    rows = convert_columns(rows, _NUMBERS, substance="analyte")
    unknown = rows["unit"] == ""
    return rows.assign(
        name=_name_series(rows, shared),
        assay=Assay.CYTOKINE.value,
        metric="concentration",
        status=rows["status"].mask(unknown, Status.FAILED.value),
        reason=rows["reason"].mask(unknown, UNKNOWN_UNIT),
        unit=rows["target"].mask(unknown, delivered),
        matrix=_fold_matrix(rows["matrix"]),
    )[COLUMNS]


def _parse_delivered(cytokines: pd.DataFrame) -> pd.DataFrame:
    measured = parse_values(
        cytokines["value"], lods=cytokines["lod"], lloqs=cytokines["lloq"], uloqs=cytokines["uloq"]
    )
    return cytokines.drop(columns="value").join(tabulate_measured(measured, cytokines.index))


def _name_series(cytokines: pd.DataFrame, shared: SharedSeries) -> "pd.Series[str]":
    """Name a series by its analyte, and by its platform and matrix where another one has another.

    A matrix that was not told stays with the plain name.
    """
    parts = [
        ", ".join(
            filter(
                None,
                (
                    platform if name in shared.by_platform else "",
                    matrix if name in shared.by_matrix else "",
                ),
            )
        )
        for name, platform, matrix in zip(
            cytokines["analyte"], cytokines["platform"], _fold_matrix(cytokines["matrix"]), strict=True
        )
    ]
    names = [
        f"{name} ({part})" if part else name for name, part in zip(cytokines["analyte"], parts, strict=True)
    ]
    return pd.Series(names, index=cytokines.index, dtype=object)


def make_level(low: float, high: float, status: str) -> Level:
    """Make the interval of one measured value."""
    return Level(low=low, high=high, status=Status(status))


def derive_folds(concentrations: pd.DataFrame, *, clocks: Clocks) -> pd.DataFrame:
    """Relate every later concentration to the last one before lymphodepletion."""
    settings = clocks.study.settings["cytokine"]
    baselines = choose_baselines(concentrations, visits=settings["baseline_visits"], clocks=clocks)
    key = ["subject_id", "name", "unit"]
    pairs = clocks.place(concentrations).merge(
        baselines[[*key, "low", "high", "status", "instant"]], on=key, suffixes=("", "_base")
    )
    usable = pairs["status"].isin(
        (
            Status.QUANTIFIED.value,
            Status.DETECTED_BLQ.value,
            Status.NOT_DETECTED.value,
            Status.ABOVE_ULOQ.value,
        )
    )
    pairs = pairs[usable & (pairs["instant"] > pairs["instant_base"])]
    folds = [
        compute_fold(make_level(low, high, status), make_level(base_low, base_high, base_status))
        for low, high, status, base_low, base_high, base_status in pairs[
            ["low", "high", "status", "low_base", "high_base", "status_base"]
        ].itertuples(index=False, name=None)
    ]
    value = np.array([fold.value for fold in folds], dtype=float)
    low = np.array([fold.low for fold in folds], dtype=float)
    high = np.array([fold.high for fold in folds], dtype=float)
    is_number = np.isfinite(value)
    at_most, at_least = np.isfinite(high), np.isfinite(low) & (low > 0)
    return pairs.assign(
        metric="fold_change",
        unit="1",
        value=value,
        relation=np.select([is_number, at_most, at_least], ["=", "<=", ">="], "").astype(object),
        low=np.where(is_number, value, low),
        high=np.where(is_number, value, high),
        status=[fold.status.value for fold in folds],
        reason=[fold.reason for fold in folds],
        lod=np.nan,
        lloq=np.nan,
        uloq=np.nan,
        ci_low=np.nan,
        ci_high=np.nan,
        bridged=np.nan,
    )[COLUMNS]


def find_conflicts(concentrations: pd.DataFrame) -> pd.DataFrame:
    """Name draws for which one series holds several values that differ; both are kept."""
    key = ["subject_id", "visit", "collected_at", "name", "unit"]
    rows = concentrations[~concentrations["reason"].str.contains("REASSAY", regex=False)]
    rows = rows[rows["status"] != Status.FAILED.value]
    found = []
    for (subject, visit, _, name, _), group in rows.groupby(key, sort=True):
        if len(group) > 1 and len(group[["value", "low", "high"]].drop_duplicates()) > 1:
            sources = sorted(group["source_id"])
            found.append(
                {
                    "subject_id": subject, "visit": visit, "object": sources[0], "check": "DUP_CONFLICT",
                    "level": "warn", "value": float(len(group)),
                    "reason": f"{name} of one draw differs in {', '.join(sources)}; all are kept",
                }
            )  # fmt: skip
    columns = ["subject_id", "visit", "object", "check", "level", "value", "reason"]
    return pd.DataFrame(found, columns=columns)
