"""Commands killed at random moments and finished afterwards."""

import random
from dataclasses import dataclass
from pathlib import Path

from corelab.store import create_home, open_home
from corelab.study import builtin_study
from pipelines.verify import verify
from tests.deliveries import LAB, SUBJECT, TUBE, make_fcs, write_delivery
from tests.pipelines.test_faults import duration, kill_after

FILES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """What came of it: kills that hit a command at work, rounds, and rounds that ended otherwise."""

    kills: int
    rounds: int
    differing: int

    @property
    def same(self) -> bool:
        """Whether every round ended as an undisturbed one."""
        return self.differing == 0


def strike(folder: Path, *, kills: int, seed: int) -> Struck:
    """Kill ingest and run again and again, in homes of their own, until enough kills have hit."""
    delivery = _write_delivery(folder)
    calm = _make_home(folder / "calm")
    times = {command: duration(*words) for command, words in _commands(calm, delivery).items()}
    expected = _describe(calm)
    chance = random.Random(seed)
    done = rounds = differing = 0
    while done < kills:
        home = _make_home(folder / f"struck-{rounds}")
        for command, words in _commands(home, delivery).items():
            hits = [kill_after(chance.uniform(0.1, 1.0) * times[command], *words) for _ in range(4)]
            done += sum(hits)
            duration(*words)
        differing += _describe(home) != expected
        rounds += 1
    return Struck(kills=done, rounds=rounds, differing=differing)


def _commands(home: Path, delivery: Path) -> dict[str, tuple[object, ...]]:
    return {"ingest": ("ingest", home, delivery), "run": ("run", home, "--workers", "1")}


def _make_home(path: Path) -> Path:
    create_home(path, study_text=builtin_study().source).close()
    return path


def _describe(path: Path) -> tuple[str, str, list[str], int]:
    home = open_home(path)
    current = home.snapshots.current()
    described = (
        home.registry.content_hash(), current.id if current else "", verify(home),
        len(list(home.objects.names())),
    )  # fmt: skip
    home.close()
    return described


def _write_delivery(folder: Path) -> Path:
    tubes = [
        TUBE | {"file": f"fcs/{n}.fcs", "visit": "UNS", "collected_at": f"2025-04-{n + 1:02}T09:00"}
        for n in range(FILES)
    ]
    labs = [LAB | {"collected_at": f"2025-04-{n % 28 + 1:02}T{n // 28 % 24:02}:00"} for n in range(300)]
    return write_delivery(
        folder / "d", tables={"subjects": [SUBJECT], "manifest": tubes, "labs": labs},
        files={f"fcs/{n}.fcs": make_fcs(n, n_events=5_000) for n in range(FILES)},
    )  # fmt: skip
