"""What other visits say about a limit: medians in units of noise where it is known, and as they stand."""

from typing import Any

import numpy as np
import pytest

from corelab.cytometry.records import Prior
from pipelines.gate_priors import collect_priors, needs_priors
from pipelines.gating import TubeFile


def make_tube(file_id: str, tube: str = "full", panel: str = "cart") -> TubeFile:
    return TubeFile(
        file_id=file_id, object_id=file_id, visit="D14",
        collected_at="2025-01-01T08:00", panel=panel, tube=tube,
    )  # fmt: skip


def make_cut(**changes: Any) -> dict[str, Any]:
    cut = {
        "table": "cuts",
        "gate": "CCR7",
        "marker": "CCR7",
        "cut": 800.0,
        "units": 4.0,
        "score": 0.9,
        "gate_source": "auto",
    }
    return cut | {"recipe": "negative", "n_reference": 5000} | changes


def collect(*rows: dict[str, Any], panel: str = "cart", tube: str = "full") -> dict[str, Prior]:
    tubes = [make_tube("me"), *(make_tube(f"other {i}", tube, panel) for i in range(len(rows)))]
    return collect_priors(
        tubes[0], tubes, {"me": [make_cut()], **{f"other {i}": [r] for i, r in enumerate(rows)}}
    )


def test_collect_priors__gives_medians_in_units_of_noise_and_as_they_stand() -> None:
    unknown = make_cut(cut=9000.0, units=np.nan)
    found = collect(make_cut(), make_cut(cut=1000.0, units=5.0), unknown)
    assert found == {"CCR7": Prior(units=4.5, linear=1000.0)}


def test_collect_priors__knows_no_units_where_no_visit_knows_its_noise() -> None:
    found = collect(make_cut(units=np.nan))["CCR7"]
    assert np.isnan(found.units)
    assert found.linear == 800.0


@pytest.mark.parametrize(
    "weak",
    [{"score": 0.2}, {"n_reference": 400}, {"gate_source": "manual"}, {"cut": np.nan}, {"marker": "CD62L"}],
)
def test_collect_priors__leaves_out_limits_that_speak_for_no_other_visit(weak: dict[str, Any]) -> None:
    assert collect(make_cut(**weak)) == {}
    assert collect(make_cut(), panel="bcell") == collect(make_cut(), tube="fmo_car") == {}


def test_needs_priors__asks_for_few_events_or_the_template() -> None:
    priors = {"CCR7": Prior(units=4.0, linear=800.0)}
    assert needs_priors([make_cut(n_reference=1999)], priors)
    assert needs_priors([make_cut(gate_source="template", recipe="default")], priors)
    assert not needs_priors([make_cut(n_reference=2000)], priors)
    assert not needs_priors([make_cut(n_reference=100)], {})
    unknown = {"CCR7": Prior(units=np.nan, linear=800.0)}
    assert not needs_priors([make_cut(n_reference=100)], unknown), "no noise carries it over"
    assert needs_priors([make_cut(gate_source="template", recipe="default")], unknown)
