"""How fast pages answer on a trial of fifty children: one person, and many at once, over HTTP."""

import datetime as dt
import http.client
import json
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from corelab.store.home import create_home
from corelab.study import builtin_study
from corelab.vocabulary import Role
from dashboards.app import create_app
from pipelines.ingest import ingest
from pipelines.run import run
from pipelines.simulate import simulate

NOW = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
NAME, PASSWORD = "load", "load-tests-only-0"
VIEWPORT = {"width": 1440, "height": 900}
WARM_ROUNDS, ROUNDS = 2, 10
USERS, EVERY_SECONDS, FOR_SECONDS = 25, 2.0, 40.0
ONE_MS, MANY_MS = 100.0, 400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What a browser sends for one step of a person: the callback and its body."""

    name: str
    body: str


@dataclass(slots=True, kw_only=True)
class Timings:
    """Milliseconds of each answer by action, and what was answered wrongly."""

    by_name: dict[str, list[float]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def all(self) -> list[float]:
        return [ms for each in self.by_name.values() for ms in each]

    def p95(self) -> float:
        return float(np.percentile(self.all(), 95))


def make_trial(folder: Path, *, children: int, seed: int) -> Path:
    """Make a home whose snapshot has many children, copies of the few of a simulated trial."""
    simulate(folder / "delivery", subjects=4, events=2_000, seed=seed)
    home = create_home(folder / "home", study_text=builtin_study().source)
    ingest(home, [folder / "delivery"], at=NOW, actor="load")
    run(home, at=NOW)
    snapshot = home.snapshots.current()
    tables = {name: snapshot.table(name) for name in snapshot.table_names}
    home.snapshots.write(
        multiply(tables, children), dict(snapshot.manifest), run_key="fifty children", at=NOW
    )
    home.registry.users.add(NAME, role=Role.INVESTIGATOR, password=PASSWORD, at=NOW)
    home.close()
    return folder / "home"


def multiply(tables: Mapping[str, pd.DataFrame], children: int) -> dict[str, pd.DataFrame]:
    """Give every child of the tables copies under other names, until there are enough."""
    known = sorted(tables["subjects"]["subject_id"])
    made = {name: [] for name in tables}
    for number in range(children):
        source = known[number % len(known)]
        for name, table in tables.items():
            if "subject_id" in table.columns:
                rows = table[table["subject_id"] == source]
                made[name].append(rows.assign(subject_id=f"CL-{number + 1:03d}"))
    return {
        name: pd.concat(made[name], ignore_index=True) if made[name] else table
        for name, table in tables.items()
    }


def list_actions(home_path: Path) -> list[Action]:
    """List what the browser asks for on the pages: the page, and its charts."""
    from corelab.store.home import open_home

    home = open_home(home_path)
    app = create_app(home, secret_key="only to learn what callbacks there are")
    children = sorted(home.snapshots.current().table("subjects")["subject_id"])
    paths = ["/", "/samples", "/screening", "/cohort", "/cytokines", "/exports", "/review"]
    paths += [f"/outcomes?view={view}" for view in ("safety", "response", "expansion")]
    paths += [f"/patients/{child}" for child in children[:: max(len(children) // 5, 1)]]
    paths += ["/?view=trends"]
    actions = [Action(name=f"page {path}", body=_page(app, path)) for path in paths]
    charts: list[tuple[str, dict[str, Any]]] = [
        ("home-matrix.figure", {}), ("cohort-facets.figure", {"cohort-analyte.value": "CAR_ABS"}),
        ("patient-graph.figure", {"location.pathname": f"/patients/{children[0]}"}),
        ("screening-matrix.figure", {}), ("outcomes-matrix.figure", {}), ("cytokines-courses.figure", {}),
        ("home-trends.figure", {"trends-drawer.hidden": True}),
    ]  # fmt: skip
    actions += [
        Action(name=f"chart {chart.partition('.')[0]}", body=_fill(app, chart, given))
        for chart, given in charts
    ]
    home.close()
    return actions


def _page(app: Any, path: str) -> str:
    pathname, _, search = path.partition("?")
    given = {"location.pathname": pathname, "location.search": f"?{search}" if search else ""}
    return _fill(app, "page.children", given)


def _fill(app: Any, output: str, given: Mapping[str, Any]) -> str:
    known = {"viewport.data": VIEWPORT, "scheme.data": "light", **given}
    name = next(name for name in app.callback_map if output in name)
    spec = app.callback_map[name]

    def fill(each: Mapping[str, Any]) -> dict[str, Any]:
        return {**each, "value": known.get(f"{each['id']}.{each['property']}")}

    inputs, state = ([fill(each) for each in spec[kind]] for kind in ("inputs", "state"))
    parts = [part.rsplit(".", 1) for part in name.strip(".").split("...")]
    outputs = [{"id": part[0], "property": part[1]} for part in parts]
    body = {
        "output": name, "outputs": outputs if name.startswith("..") else outputs[0], "inputs": inputs,
        "state": state, "changedPropIds": [f"{inputs[0]['id']}.{inputs[0]['property']}"],
    }  # fmt: skip
    return json.dumps(body)


class Person:
    """A browser's session: logged in, one connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        form = urllib.parse.urlencode({"username": NAME, "password": PASSWORD})
        self._cookies: dict[str, str] = {}
        self._send("GET", "/login", None, {})
        status = self._send("POST", "/login", form, {"Content-Type": "application/x-www-form-urlencoded"})
        if status != 303:
            message = f"login answered {status}"
            raise RuntimeError(message)
        self._send("GET", "/_dash-layout", None, {})

    def act(self, action: Action) -> tuple[float, int]:
        """Do one thing; the milliseconds until its answer was here, and its status."""
        headers = {"Content-Type": "application/json", "X-CSRFToken": self._cookies.get("_csrf_token", "")}
        started = time.perf_counter()
        status = self._send("POST", "/_dash-update-component", action.body, headers)
        return 1000 * (time.perf_counter() - started), status

    def _send(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> int:
        cookie = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        self._connection.request(method, path, body, {**headers, "Cookie": cookie})
        answer = self._connection.getresponse()
        answer.read()
        for line in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = line.partition(";")[0].partition("=")
            self._cookies[name] = value
        return answer.status


def measure_one(port: int, actions: list[Action]) -> Timings:
    """Let one person go through everything, some rounds before it is timed."""
    person, timings = Person(port), Timings()
    for number in range(WARM_ROUNDS + ROUNDS):
        for action in actions:
            _note(timings if number >= WARM_ROUNDS else Timings(), action, *person.act(action))
    return timings


def measure_many(port: int, actions: list[Action]) -> Timings:
    """Let many persons act every two seconds, not in step."""
    timings, lock = Timings(), threading.Lock()
    people = [Person(port) for _ in range(USERS)]
    end = time.perf_counter() + FOR_SECONDS

    def live(number: int) -> None:
        time.sleep(EVERY_SECONDS * number / USERS)
        turn = number
        while time.perf_counter() < end:
            started, action = time.perf_counter(), actions[turn % len(actions)]
            ms, status = people[number].act(action)
            with lock:
                _note(timings, action, ms, status)
            turn += 1
            time.sleep(max(EVERY_SECONDS - (time.perf_counter() - started), 0.0))

    threads = [threading.Thread(target=live, args=(number,)) for number in range(USERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return timings


def _note(timings: Timings, action: Action, ms: float, status: int) -> None:
    timings.by_name.setdefault(action.name, []).append(ms)
    if status != 200:
        timings.wrong.append(f"{action.name} answered {status}")


def serve_and(home_path: Path, measure: Callable[[int], Timings]) -> Timings:
    """Serve a home as a person does and measure it."""
    command = [sys.executable, "-m", "pipelines.cli", "serve", str(home_path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            return measure(find_port(iter(server.stdout or ())))
        finally:
            server.terminate()


def find_port(lines: Iterator[str]) -> int:
    for line in lines:
        _, found, rest = line.partition("http://127.0.0.1:")
        if found:
            return int("".join(sign for sign in rest if sign.isdigit()))
    message = "the server did not say where it is"
    raise RuntimeError(message)
