"""Whatever the tables hold, the figures draw: statuses without numbers, zeros, lone points, odd limits."""

import json
import math

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corelab.figures.catalog import figure_catalog
from corelab.figures.cohort import cohort_figure, persistence_bars_figure, summarise_kinetics_by_dose
from corelab.figures.patient import build_course, patient_figure, readout_at, summarise_readout
from corelab.study import builtin_study
from corelab.vocabulary import Status
from tests.figures.trial import AS_OF, conform, keys, level, subject_row

STUDY = builtin_study()
CATALOG = figure_catalog()
NUMBER = st.one_of(st.just(math.nan), st.just(0.0), st.floats(min_value=1e-6, max_value=1e7))
ROW = st.fixed_dictionaries({
    "status": st.sampled_from(sorted(Status)), "value": NUMBER, "ci_low": NUMBER, "ci_high": NUMBER,
    "lod": NUMBER, "lloq": NUMBER, "day": st.floats(min_value=-60, max_value=800),
})  # fmt: skip


ANALYTES = ("CAR_ABS", "CAR_VCN_UG", "CAR_PCT_CD3")


def _tables(drawn):
    rows = []
    for number, row in enumerate(drawn):
        when = keys("CL-001", "low", "UNS", row["day"], label=f"UNS.{number}")
        numbers = {name: row[name] for name in ("ci_low", "ci_high", "lod", "lloq")}
        rows += [
            level(a, when, row["status"], row["value"], **numbers)
            for a in ("CAR_ABS", "CAR_VCN_UG", "CAR_PCT_CD3")
        ]
    unique = {(row["analyte"], row["collected_at"]): row for row in rows}
    return conform({"subjects": [subject_row("CL-001", "low")], "persistence": list(unique.values())})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(st.lists(ROW, max_size=8))
def test_figures__draw_whatever_the_statuses_and_numbers_are(drawn):
    tables = _tables(drawn)
    course = build_course(tables, "CL-001", study=STUDY, as_of=AS_OF)
    look = {"width": 1256, "height": 776, "scheme": "light", "catalog": CATALOG}
    json.dumps(patient_figure(course, **look), allow_nan=False)
    for tick in course.ticks:
        readout_at(course, tick.label, CATALOG)
    summarise_readout(course, CATALOG)
    for draw in (cohort_figure, persistence_bars_figure):
        json.dumps(draw(tables, analyte="CAR_ABS", highlight="CL-001", **look), allow_nan=False)
    assert len(summarise_kinetics_by_dose(tables, "CAR_ABS", catalog=CATALOG)) == 6
