"""What waits for a run, the button that asks for it, and how far it is."""

import pytest

from corelab.cytometry.interchange.revision import Scope, Target, decide_cut
from corelab.errors import InputError
from corelab.store.jobs import QUEUED, RUN
from corelab.store.work import find_work
from pipelines import runner
from pipelines.runner import work_off
from tests.dashboards.conftest import call, csrf, log_in
from tests.dashboards.trial import NOW

FOLLOW = "..run-state.children...run-interval.disabled.."


@pytest.fixture
def client(trial_app):
    return trial_app.server.test_client()


def find_press(app) -> str:
    return next(name for name, spec in app.callback_map.items() if "run-press" in str(spec["inputs"]))


def decide(trial, limit: float) -> None:
    target = Target(scope=Scope.PANEL, panel="cart")
    trial.gates.add([(target, decide_cut("CD25", limit))], at=NOW, author="chen", reason="alike")


def show(client, app, path: str = "/") -> str:
    return call(client, app, "page.children", path, "").text


def test_run__is_asked_for_where_something_waits_and_followed_to_its_end(client, trial_app, trial):
    log_in(client, "chen")
    log_in(reader := trial_app.server.test_client(), "ortiz")
    assert not find_work(trial).is_waiting
    assert "run-press" not in show(client, trial_app)
    decide(trial, 4321.0)
    for path in ("/", "/samples", "/upload"):
        page = show(client, trial_app, path)
        assert "Not in the snapshot yet: gate changes 1" in page
        assert "run-press" in page
    page = show(reader, trial_app)
    assert "Not in the snapshot yet" in page
    assert "run-press" not in page
    press = find_press(trial_app)
    assert call(reader, trial_app, press, 1).status_code == 403

    assert "waits for the runner" in call(client, trial_app, press, 1).text
    assert call(client, trial_app, press, 1).status_code == 200
    queued = [job for job in trial.jobs.latest() if job.state == QUEUED]
    assert [(job.kind, job.account, job.role) for job in queued] == [(RUN, "chen", "scientist")]
    newest = trial.registry.audit.rows(limit=1).iloc[0]
    assert (newest["actor"], newest["action"]) == ("chen", "ask_run")
    trial.jobs.extend(trial.jobs.claim(at=NOW).id, at=NOW, done=3, total=14)
    told = call(client, trial_app, FOLLOW, 2).text
    assert "Gating 3 of 14 files" in told
    assert '"max":"14"' in told
    assert "Gating 3 of 14 files" in show(reader, trial_app)


def test_run__that_finds_nothing_or_fails_says_so(client, trial_app, trial, monkeypatch):
    log_in(client, "chen")
    decide(trial, 999.0)
    trial.jobs.add(RUN, account="chen", role="scientist", at=NOW)

    def fail(*_args, **_kwargs):
        raise InputError("no place left", place="cache", remedy="free some")

    monkeypatch.setitem(runner._WORK, "run", fail)
    work_off(trial, clock=lambda: NOW)
    told = call(client, trial_app, FOLLOW, 1).text
    assert "no place left" in told
    assert "run-press" in told
    report = {"snapshot": trial.snapshots.current().id, "position": dict(trial.registry.position())}
    monkeypatch.setitem(runner._WORK, "run", lambda *_args, **_kwargs: report)
    trial.jobs.add(RUN, account="chen", role="scientist", at=NOW)
    work_off(trial, clock=lambda: NOW)
    told = call(client, trial_app, FOLLOW, 1).text
    assert "Up to date: snapshot" in told
    assert "run-press" not in told
    assert csrf(client)
