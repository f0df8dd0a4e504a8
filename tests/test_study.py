"""The study as data, and the infusion clock."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from corelab.errors import ConfigError
from corelab.study import builtin_study, parse_study
from corelab.study.schedule import add_months, assign_visit, compute_study_day, compute_window

STUDY = builtin_study()
INFUSION = dt.date(2025, 6, 10)


@pytest.mark.parametrize(
    ("visit", "date"),
    [("D28", "2025-07-08"), ("M3", "2025-09-10"), ("M24", "2027-06-10"), ("LD", "2025-06-05")],
)
def test_compute_window__counts_calendar_months(visit: str, date: str) -> None:
    """Months are calendar months: M3 is day 92, not 90 (error 10 of the spec)."""
    definition = STUDY.visits_by_code[visit]
    window = compute_window(definition, INFUSION)
    assert window is not None
    assert window[0] == dt.date.fromisoformat(date) - dt.timedelta(days=definition.before)
    assert window[1] == dt.date.fromisoformat(date) + dt.timedelta(days=definition.after)


def test_add_months__clamps_to_the_end_of_the_month() -> None:
    assert add_months(dt.date(2025, 8, 31), 6) == dt.date(2026, 2, 28)
    assert add_months(dt.date(2023, 8, 31), 6) == dt.date(2024, 2, 29)


def test_compute_study_day__uses_local_dates() -> None:
    """23:30 UTC is already the next day in Shanghai."""
    infusion = dt.datetime(2025, 6, 10, 10, 0)
    late = dt.datetime(2025, 6, 10, 23, 30, tzinfo=ZoneInfo("UTC"))
    assert compute_study_day(late, infusion, study=STUDY) == 1
    assert compute_study_day(dt.datetime(2025, 6, 9, 23, 59), infusion, study=STUDY) == -1


@pytest.mark.parametrize(
    ("day", "visit"), [(0, "D0"), (8, "D7"), (9, "D10"), (12, "UNS"), (26, "D28"), (45, "UNS"), (2, "UNS")]
)
def test_assign_visit__takes_the_nearest_target_in_its_window(day: int, visit: str) -> None:
    assert assign_visit(INFUSION + dt.timedelta(days=day), INFUSION, STUDY.visits) == visit


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- 1", "no mapping"),
        ("id: [", "not readable as YAML"),
        ("id: x", "key 'timezone' is missing"),
        (STUDY.source.replace("Asia/Shanghai", "Mars/Olympus"), "time zone 'Mars/Olympus' is unknown"),
        (STUDY.source.replace("code: M24", "code: M25"), "visit 'M25' is unknown"),
        (STUDY.source.replace("rare_events:", "rare_event:"), "settings rare_event are unknown"),
        (
            STUDY.source.replace("lod_events:", "lod_evnts:"),
            "rare_events: lod_evnts unknown; expected lod",
        ),
        (STUDY.source.replace("SCR: [-56", "SRC: [-56"), "settings untargeted_windows: SRC unknown"),
        (
            STUDY.source.replace("reject_sd: 3.0", "rejct_sd: 3.0"),
            "settings flow_quality: run_control: rejct_sd",
        ),
    ],
)
def test_parse_study__says_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_study(text, place="trial.yaml")


def test_parse_study__lays_given_settings_over_the_built_in_ones() -> None:
    text = STUDY.source[: STUDY.source.index("settings:")] + "settings: {cd19: {cutoff_percent: 10.0}}\n"
    settings = parse_study(text, place="trial.yaml").settings
    assert settings["cd19"]["cutoff_percent"] == 10.0
    assert settings["cd19"]["minimum_b_reference"] == 100
    assert settings["rare_events"]["lloq_events"] == 50


def test_parse_study__lays_settings_of_run_controls_over_the_built_in_ones() -> None:
    """A home holds the study file that it was made with; a setting that is new since has its default."""
    text = STUDY.source[: STUDY.source.index("settings:")] + (
        "settings: {flow_quality: {run_control: {warn_sd: 2.5}}}\n"
    )
    quality = parse_study(text, place="trial.yaml").settings["flow_quality"]
    assert (quality["run_control"]["warn_sd"], quality["run_control"]["reject_sd"]) == (2.5, 3.0)
    assert quality["run_control"]["minimum_events"] == 50
    assert quality["bead_qc"] == STUDY.settings["flow_quality"]["bead_qc"]
