"""Public plates with the vendor's own results: our readers, inverses, fits and verdicts beside them."""

import csv
import time
from pathlib import Path

import numpy as np
import pytest

from corelab.immunoassay.acceptance import PlateState
from corelab.immunoassay.curve import Curve, compute_concentration
from corelab.immunoassay.nominal import StandardRow
from corelab.immunoassay.plate_map import map_plate
from corelab.immunoassay.run import AnalyteRun, JudgedPlate, compare_with_vendor, judge_plate
from corelab.immunoassay.settings import EXPLORATORY, STRICT, build_rules
from corelab.ingest.names import spell_analyte
from corelab.ingest.plates.bioplex_blocks import shorten_analytes
from corelab.ingest.plates.reader import read_plate
from corelab.ingest.plates.records import PlateExport, SampleType
from corelab.ingest.plates.sheets import blank_people, open_export
from tests.ingest.real_data import find_real_data

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def folder() -> Path:
    return find_real_data("cytokine")


def read(path: Path) -> PlateExport:
    return read_plate(blank_people(open_export(path.read_bytes(), name=path.name)), name=path.name)


def corrected(folder: Path) -> list[StandardRow]:
    with (folder / "xponent_30plex_expected_concentrations_correct.csv").open() as stream:
        return [
            StandardRow(
                level=r["sample"], analyte=spell_analyte(r["analyte"]), nominal=float(r["ec"]), unit="pg/mL"
            )
            for r in csv.DictReader(stream)
            if r["sample"] != "Background0"
        ]  # fmt: skip


def vendor_results(run: AnalyteRun) -> dict[str, float]:
    found = {}
    for one in run.wells:
        try:
            found[one.well.key] = float(one.reading.vendor_result)
        except ValueError:
            continue
    return found


def curves_of(export: PlateExport) -> dict[str, Curve]:
    return {one.analyte: Curve(a=one.a, b=one.b, c=one.c, d=one.d, g=one.g) for one in export.vendor_curves}


def test_xponent__inverse_of_the_vendors_curves_gives_its_results(folder: Path) -> None:
    curves = curves_of(read(folder / "xponent_30plex_drLumi_plate1.csv"))
    with (folder / "truth_xponent_30plex.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    off = [
        abs(
            float(compute_concentration(curves[r["analyte"]], float(r["netmfi"])))
            * float(r["dilution"]) / float(r["xponent_result"]) - 1
        )
        for r in rows
    ]  # fmt: skip
    print(f"{sum(one < 0.01 for one in off)} of {len(off)} within 1 %, worst {max(off):.2%}")  # noqa: T201
    assert len(off) == 2580
    assert max(off) < 0.01


@pytest.fixture(scope="module")
def judged(folder: Path) -> JudgedPlate:
    export = read(folder / "xponent_30plex_drLumi_plate1.csv")
    return judge_plate(map_plate(export, [], corrected(folder)), STRICT)


def test_xponent__own_weighted_fits_agree_with_the_vendor(judged: JudgedPlate) -> None:
    medians = {run.analyte: compare_with_vendor(run, vendor_results(run)) for run in judged.runs}
    beyond = sorted(analyte for analyte, off in medians.items() if not off < 5)
    print(  # noqa: T201
        f"median difference {np.median(list(medians.values())):.2f} %, beyond 5 %: "
        + ", ".join(f"{analyte} {medians[analyte]:.1f} %" for analyte in beyond)
    )
    assert np.median(list(medians.values())) < 5
    assert len(beyond) <= 6


def test_xponent__weights_by_the_whole_response_agree_with_the_vendor_less(
    folder: Path, judged: JudgedPlate
) -> None:
    """Why weights follow the response above the blank unless the study says otherwise."""
    export = read(folder / "xponent_30plex_drLumi_plate1.csv")
    raw = judge_plate(map_plate(export, [], corrected(folder)), build_rules({"weighting": "1/y^2 raw"}))
    counts = [
        sum(not compare_with_vendor(run, vendor_results(run)) < 5 for run in one.runs)
        for one in (judged, raw)
    ]
    print(f"beyond 5 %: above the blank {counts[0]} of 30, whole responses {counts[1]} of 30")  # noqa: T201
    assert counts[0] <= 6 < counts[1]


def test_xponent__where_we_differ_there_is_a_reason(judged: JudgedPlate) -> None:
    """Our run is rejected, or our curve back-calculates the standards in range closer than the vendor's."""
    for run in judged.runs:
        if compare_with_vendor(run, vendor_results(run)) < 5:
            continue
        results = vendor_results(run)
        standards = [
            one for one in run.wells
            if one.well.role is SampleType.STANDARD and one.well.key in results and one.quantity is not None
            and run.calibration is not None and run.calibration.lloq <= one.nominal <= run.calibration.uloq
        ]  # fmt: skip
        ours = [abs(one.recovery_percent - 100) for one in standards]
        theirs = [abs(results[one.well.key] / one.nominal - 1) * 100 for one in standards]
        print(  # noqa: T201
            f"{run.analyte}: standards off {np.mean(ours):.1f} %, the vendor's {np.mean(theirs):.1f} %; "
            + (run.reasons[0] if run.reasons else "accepted")
        )
        assert run.reasons or np.mean(ours) < np.mean(theirs)


def test_xponent__a_table_that_contradicts_its_series_is_reported_and_corrected(
    folder: Path, judged: JudgedPlate
) -> None:
    export = read(folder / "xponent_30plex_drLumi_plate1.csv")
    broken = judge_plate(map_plate(export, [], []), STRICT)
    found = [one.reason for one in broken.findings if one.check == "EXPECTED_CONCENTRATION"]
    assert any(reason.startswith("Standard5 contradicts its dilution series in 14 of 30") for reason in found)
    assert "FGF 215625, its series implies 215.625: a lost decimal point (a factor of 1000)" in found[0]
    assert broken.state is PlateState.REJECTED
    assert judged.state is PlateState.ACCEPTED
    accepted = sum(run.is_accepted for run in judged.runs)
    print(f"accepted with the corrected table: {accepted} of 30")  # noqa: T201
    assert not any(one.check == "EXPECTED_CONCENTRATION" for one in judged.findings)
    assert any(one.check == "NOMINAL_REPLACED" and "Standard5" in one.reason for one in judged.findings)


def test_xponent__is_read_fitted_and_judged_in_three_seconds(folder: Path) -> None:
    standards = corrected(folder)
    start = time.process_time()
    judge_plate(map_plate(read(folder / "xponent_30plex_drLumi_plate1.csv"), [], standards), STRICT)
    spent = time.process_time() - start
    print(f"96 wells x 30 analytes in {spent:.2f} s of one processor")  # noqa: T201
    assert spent < 3


def test_bioplex__inverse_of_the_printed_curves_gives_600_of_606(folder: Path) -> None:
    export = read(folder / "bioplex_13plex_pnLINCO20070302A.xlsx")
    curves = curves_of(export)
    with (folder / "truth_bioplex_13plex.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    short = shorten_analytes(list(dict.fromkeys(r["analyte"] for r in rows)))
    within = total = 0
    for r in rows:
        if not r["obs_conc"].replace(".", "", 1).isdigit():
            continue
        value = float(compute_concentration(curves[short[r["analyte"]]], float(r["fi_bkgd"])))
        total += 1
        within += abs(value * float(r["dilution"] or 1) / float(r["obs_conc"]) - 1) <= 0.02
    print(f"{within} of {total} within 2 %")  # noqa: T201
    assert within >= 600


def test_bioplex__own_refit_agrees(folder: Path) -> None:
    export = read(folder / "bioplex_13plex_pnLINCO20070302A.xlsx")
    judged = judge_plate(map_plate(export, [], []), EXPLORATORY)
    medians = {run.analyte: compare_with_vendor(run, vendor_results(run)) for run in judged.runs}
    print({analyte: round(off, 2) for analyte, off in medians.items()})  # noqa: T201
    assert np.median(list(medians.values())) < 2
    assert export.units["IL-6"] == "pg/mL"


def test_bioplex__single_wells_are_read_beside_their_means(folder: Path) -> None:
    export = read(folder / "bioplex_RawAndSummary.xlsx")
    assert {len(well.wells) for well in export.wells} == {1}
    counts = {(reading.well, reading.analyte): reading.bead_count for reading in export.readings}
    assert counts["G12", "Analyte2"] == 234


@pytest.mark.parametrize(
    ("name", "wells", "analytes"),
    [("CovidOISExPONTENT_CO_reduced.csv", 49, 2), ("random.csv", 8, 3), ("random_intelliflex.csv", 5, 2)],
)
def test_other_exports__are_read(folder: Path, name: str, wells: int, analytes: int) -> None:
    export = read(folder / "parser_only" / name)
    assert (len(export.wells), len(export.analytes)) == (wells, analytes)
    assert len(export.readings) == wells * analytes
