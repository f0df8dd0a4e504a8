"""Half a trial taken away at random, with a log of what went; and which verdicts changed unexplained."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from corelab.cytometry.records import GateTables
from corelab.study import Study, builtin_study
from corelab.synthetic.plan import plan_trial
from corelab.synthetic.tables import delivered_tables
from corelab.tables import derive_tables
from corelab.tables.inputs import Inputs, build_inputs
from corelab.vocabulary import Panel
from tests.tables.trial import Trial, bcell, cart

STUDY: Study = builtin_study()
MODES = ("rows", "visits", "files")
Tables = dict[str, pd.DataFrame]
Gone = tuple[str, str, str, str]
"""File, subject, visit and test (instrument and item of an assessment, panel and tube of a file)."""
_KEPT_INSTRUMENTS = ("disposition", "medication")
"""Events in a child's life: that one is not recorded cannot be told from its not having happened."""
_STATEMENT = re.compile(r"MISSING (\S+\.csv) (\S+) ([^;(]+)")
_BASELINES = ("LD", "APH", "SCR")


@dataclass(frozen=True)
class Delivery:
    """Delivered rows with gated tubes."""

    inputs: Inputs
    gates: GateTables

    def derive(self) -> Tables:
        """Derive every table at one cut-off, so that it does not move with what was taken away."""
        cut_off = pd.Timestamp("2027-12-31T00:00:00+08:00").to_pydatetime()
        return derive_tables(self.inputs, self.gates, study=STUDY, as_of=cut_off)


def make_delivery(*, subjects: int, seed: int) -> Delivery:
    """Return the tables of a synthetic trial; its tubes are counted without rendering their events."""
    plan = plan_trial(subjects=subjects, events=4_000, seed=seed, study=STUDY)
    tables = {
        name.removesuffix(".csv"): pd.DataFrame(list(csv.DictReader(io.StringIO(data.decode("utf-8-sig")))))
        for name, data in delivered_tables(plan).items()
        if name.endswith(".csv")
    }
    rows = {name: table.assign(source_id=_number(name, table)) for name, table in tables.items()}
    trial = Trial()
    for number, tube in enumerate(plan.tubes):
        is_b = tube.panel is Panel.BCELL
        counts = bcell(400, reference=400, positive=395) if is_b else cart(200 + number, 20_000)
        trial.tube(
            tube.draw.visit, 0, counts if tube.tube == "full" else {}, panel=tube.panel.value,
            subject_id=tube.draw.child.subject_id, file_id=tube.path, tube=tube.tube,
            collected_at=tube.draw.collected_at.isoformat(), control="fmo_cd19" if is_b else "",
        )  # fmt: skip
    rows["acquisitions"] = pd.DataFrame(trial.rows["acquisitions"])
    return Delivery(inputs=build_inputs(rows), gates=trial.gate_tables())


def _number(name: str, table: pd.DataFrame) -> list[str]:
    return [f"{name}.csv:{row + 2}" for row in range(len(table))]


def thin(delivery: Delivery, rng: np.random.Generator, mode: str) -> tuple[Delivery, set[Gone]]:
    """Take away half of it: single rows, whole visits of a child, or whole files of a child."""
    log: set[Gone] = set()
    thinned = {}
    lots: dict[tuple[str, ...], bool] = {}
    for name in ("labs", "assessments", "acquisitions", "qpcr", "cytokines"):
        table = getattr(delivery.inputs, name)
        gone = _draw(table, name, rng, mode, lots)
        if name == "assessments":
            gone &= ~table["instrument"].isin(_KEPT_INSTRUMENTS)
        log |= set(_describe(name, table[gone]))
        thinned[name] = table[~gone].reset_index(drop=True)
    return replace(delivery, inputs=replace(delivery.inputs, **thinned)), log


def _draw(
    table: pd.DataFrame, name: str, rng: np.random.Generator, mode: str, lots: dict[tuple[str, ...], bool]
) -> "pd.Series[bool]":
    if mode == "rows":
        return pd.Series(rng.random(len(table)) < 0.5, index=table.index)
    keys = table[["subject_id", "visit"]].itertuples(index=False, name=None)
    lot_keys = [key if mode == "visits" else (key[0], name) for key in keys]
    for key in sorted(set(lot_keys) - set(lots)):
        lots[key] = bool(rng.random() < 0.5)
    return pd.Series([lots[key] for key in lot_keys], index=table.index, dtype=bool)


def _describe(name: str, rows: pd.DataFrame) -> Iterator[Gone]:
    columns = {
        "labs": ["test"], "assessments": ["instrument", "item"], "acquisitions": ["panel", "tube"],
        "qpcr": [], "cytokines": ["analyte"],
    }[name]  # fmt: skip
    file = "manifest.csv" if name == "acquisitions" else f"{name}.csv"
    for subject, visit, *what in rows[["subject_id", "visit", *columns]].itertuples(index=False, name=None):
        yield file, subject, visit, " ".join(what)


def find_unexplained(before: Tables, after: Tables, log: set[Gone]) -> list[str]:
    """Return the changed verdicts that do not name something that went, and statements that are not true."""
    failures: list[str] = []
    keys = {
        "eligibility": ["subject_id", "criterion"],
        "responses": ["subject_id", "visit", "endpoint", "definition"],
        "cd19_status": ["subject_id", "arm"],
    }
    for name, key in keys.items():
        then = before[name].rename(columns={"call": "state"}).set_index(key)["state"]
        for row in after[name].rename(columns={"call": "state"}).to_dict(orient="records"):
            place = tuple(row[part] for part in key)
            if row.get("criterion") == "OVERALL" or then[place] == row["state"]:
                continue
            named = [
                _find(statement, row["subject_id"], log) for statement in _STATEMENT.findall(row["reason"])
            ]
            if not any(named):
                failures.append(f"{place}: {then[place]} -> {row['state']}: {row['reason']!r}")
    return failures


def find_untrue(tables: Tables, inputs: Inputs) -> list[str]:
    """Return what a reason says is missing although it was delivered."""
    present = set(_list_delivered(inputs))
    failures = []
    for name in ("eligibility", "responses"):
        for subject, reason in tables[name][["subject_id", "reason"]].itertuples(index=False, name=None):
            for file, visit, what in _STATEMENT.findall(reason):
                instrument, *items = what.replace(",", "").split()
                stated = [f"{instrument} {item}" for item in items] or [instrument]
                if visit == "baseline" or f"{what.strip()} (ITEMS_MISSING)" in reason:
                    continue  # any of several visits; some of its items
                if any((file, subject, visit, text) in present for text in stated):
                    failures.append(f"{subject} {name}: {file} {visit} {what}")
    return failures


def _list_delivered(inputs: Inputs) -> Iterator[Gone]:
    for name in ("labs", "assessments", "acquisitions"):
        for file, subject, visit, what in _describe(name, getattr(inputs, name)):
            yield file, subject, visit, what
            yield file, subject, visit, what.split()[0]


def count_changes(before: Tables, after: Tables) -> int:
    """Return how many verdicts changed."""
    keys = {
        "eligibility": ["subject_id", "criterion"],
        "responses": ["subject_id", "visit", "endpoint", "definition"],
    }
    return sum(
        int((before[name].set_index(key)["state"] != after[name].set_index(key)["state"]).sum())
        for name, key in keys.items()
    )


def _find(statement: tuple[str, str, str], subject: str, log: set[Gone]) -> bool:
    """Tell whether what a reason says is missing was taken away."""
    file, visit, what = statement
    visits = _BASELINES if visit == "baseline" else (visit,)
    test = what.split()[0]
    return any(
        (gone_file, gone_subject) == (file, subject) and gone_visit in visits and gone.split()[0] == test
        for gone_file, gone_subject, gone_visit, gone in log
    )
