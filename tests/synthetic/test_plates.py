"""Plates of the synthetic trial: read, judged, and close to their truth."""

import csv
import io
import math

from corelab.immunoassay.acceptance import PlateState
from corelab.immunoassay.nominal import StandardRow
from corelab.immunoassay.plate_map import LayoutRow, map_plate
from corelab.immunoassay.run import JudgedPlate, judge_plate
from corelab.immunoassay.settings import STRICT
from corelab.ingest.plates.reader import read_plate
from corelab.ingest.plates.records import SampleType
from corelab.ingest.plates.sheets import open_export
from corelab.study import Study
from corelab.synthetic.plan import plan_trial
from corelab.synthetic.tables import delivered_tables
from corelab.vocabulary import Status


def rows_of(tables: dict[str, bytes], name: str, plate: str) -> list[dict[str, str]]:
    found = csv.DictReader(io.StringIO(tables[name].decode()))
    return [row for row in found if row["plate"] == plate]


def judge(tables: dict[str, bytes], plate: str) -> JudgedPlate:
    path = f"plates/{plate}.csv"
    export = read_plate(open_export(tables[path], name=path), name=path)
    layout = [
        LayoutRow(
            well=row["well"], sample_type=SampleType(row["sample_type"]), name=row["name"],
            dilution=float(row["dilution"] or "nan"), subject_id=row["subject_id"], visit=row["visit"],
            collected_at=row["collected_at"],
        )
        for row in rows_of(tables, "plates/layout.csv", plate)
    ]  # fmt: skip
    standards = [
        StandardRow(
            level=row["level"], analyte=row["analyte"], nominal=float(row["nominal"]), unit=row["unit"]
        )
        for row in rows_of(tables, "plates/standards.csv", plate)
    ]
    return judge_plate(map_plate(export, layout, standards), STRICT)


def test_plates__are_judged_as_they_were_made_and_give_their_truth(study: Study) -> None:
    tables = delivered_tables(plan_trial(subjects=6, events=600, seed=1234, study=study))
    first, second = judge(tables, "panel2_run01"), judge(tables, "panel2_run02")
    assert (first.state, second.state) == (PlateState.ACCEPTED, PlateState.ACCEPTED)
    assert [run.analyte for run in second.runs if not run.is_accepted] == ["IL-7"]
    assert all(run.is_accepted for run in first.runs)
    truth = {
        (row["subject_id"], row["visit"], row["analyte"]): float(row["concentration"])
        for row in rows_of(tables, "truth/plates.csv", "panel2_run01")
    }
    off, held, statuses = [], [], set()
    for run in first.runs:
        for (subject, visit, *_), result in run.results.items():
            true = truth[subject, visit, run.analyte]
            statuses.add(result.status)
            if result.status is Status.QUANTIFIED:
                off.append(abs(result.value / true - 1))
                held.append(result.ci_low <= true <= result.ci_high)
            elif result.status is Status.DETECTED_BLQ:
                assert true < 1.3 * result.high
    assert max(off) < 0.2
    assert sum(held) >= 0.9 * len(held)
    assert {Status.QUANTIFIED, Status.DETECTED_BLQ} <= statuses
    assert not math.isnan(sum(off))
