"""One small trial, rendered once for all tests of this folder."""

from pathlib import Path

import pytest

from corelab.study import Study, builtin_study
from corelab.synthetic.plan import TrialPlan, plan_trial
from pipelines.simulate import simulate

SEED = 31
EVENTS = 4_000


@pytest.fixture(scope="session")
def study() -> Study:
    return builtin_study()


@pytest.fixture(scope="session")
def plan(study: Study) -> TrialPlan:
    return plan_trial(subjects=6, events=EVENTS, seed=SEED, study=study)


@pytest.fixture(scope="session")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trial") / "delivery"
    simulate(out, subjects=6, events=EVENTS, seed=SEED)
    return out
