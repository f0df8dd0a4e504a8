"""The parts of the report about faults: tampering, kills, writers at once, damaged inputs, the API."""

import tempfile
import time
from pathlib import Path

from tests.tampering import count_found, make_sound_home
from tests.validation.api_fuzz import LEFT_OUT, fuzz_api, make_server
from tests.validation.faults import (
    WRITERS,
    open_databases,
    strike_backups,
    strike_migrations,
    strike_uploads,
    write_together,
)
from tests.validation.input_fuzz import LONGEST_SECONDS, fuzz_deliveries
from tests.validation.kills import strike
from tests.validation.sections import Section

TAMPERINGS, TAMPERING_SEED = 500, 72_001
KILLS, KILL_SEED = 200, 73_001
WRITER_ROUNDS = 5
UPLOAD_KILLS, BACKUP_KILLS, MIGRATION_KILLS, FAULT_SEED = 40, 20, 20, 77_001
INPUTS, INPUT_SEED = 5_000, 74_001
MOST_GROWTH_MB = 200
API_EXAMPLES, API_SEEDS = 300, (77_101, 77_102, 77_103)


def measure_tampering() -> Section:
    """Random changes of files, audit rows and signatures, one at a time."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        counts, missed = count_found(make_sound_home(place), place, times=TAMPERINGS, seed=TAMPERING_SEED)
    lines = ["| changed | times |", "|---|---|"]
    lines += [f"| {kind} | {count} |" for kind, count in sorted(counts.items())]
    lines += ["", f"Missed: {'; '.join(missed) or 'none'}. Seed {TAMPERING_SEED}; "]
    lines[-1] += f"{time.perf_counter() - started:.0f} s."
    return Section(
        title="Tampering",
        asked=f"each of {TAMPERINGS} single changes is found by verify",
        holds=not missed,
        lines=lines,
    )


def measure_kills() -> Section:
    """Commands killed at random moments, then run to their end, against undisturbed ones."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        struck = strike(Path(folder), kills=KILLS, seed=KILL_SEED)
    return Section(
        title="Kills",
        asked=f"after {KILLS} kills over ingest and run the registry and the snapshot are those of an "
        "undisturbed run, nothing lost, nothing twice",
        holds=struck.same,
        lines=[
            f"{struck.kills} kills in {struck.rounds} rounds; differing rounds: {struck.differing}. "
            f"Seed {KILL_SEED}; {time.perf_counter() - started:.0f} s."
        ],
    )


def measure_writers() -> Section:
    """Writers at once on both databases, beside a run."""
    started = time.perf_counter()
    lines = ["| registry | rounds | that differ from one writer after another |", "|---|---|---|"]
    differing = 0
    for name in ("SQLite", "PostgreSQL"):
        with tempfile.TemporaryDirectory() as folder, open_databases(postgres=name != "SQLite") as urls:
            struck = write_together(Path(folder), urls, rounds=WRITER_ROUNDS)
        differing += struck.differing
        lines.append(f"| {name} | {struck.rounds} | {struck.differing} |")
    return Section(
        title="Writers at once",
        asked=f"{WRITERS} ingests (two of them of one delivery) and a run at once leave the registry, the "
        "objects and the snapshot of one after another; verify finds nothing",
        holds=differing == 0,
        lines=[*lines, "", f"{time.perf_counter() - started:.0f} s."],
    )


def measure_faults() -> Section:
    """Uploads, backups and migrations killed at random moments."""
    started = time.perf_counter()
    lines = ["| killed | kills | rounds | that ended otherwise |", "|---|---|---|---|"]
    differing = 0
    works = (
        ("senders and takers of uploads", strike_uploads, UPLOAD_KILLS),
        ("backup", strike_backups, BACKUP_KILLS),
        ("migrate", strike_migrations, MIGRATION_KILLS),
    )
    for name, strike_at, kills in works:
        with tempfile.TemporaryDirectory() as folder:
            struck = strike_at(Path(folder), kills=kills, seed=FAULT_SEED)
        differing += struck.differing
        lines.append(f"| {name} | {struck.kills} | {struck.rounds} | {struck.differing} |")
    return Section(
        title="Kills of uploads, backups and migrations",
        asked="no accepted byte is lost, nothing half is visible, the next one ends the work as an "
        "undisturbed one",
        holds=differing == 0,
        lines=[*lines, "", f"Seed {FAULT_SEED}; {time.perf_counter() - started:.0f} s."],
    )


def measure_damaged_inputs() -> Section:
    """Damaged files of every kind through ingest, and a run of what they left."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        outcome = fuzz_deliveries(Path(folder), inputs=INPUTS, seed=INPUT_SEED)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(outcome.counts.items()))
    return Section(
        title="Damaged inputs",
        asked=f"{INPUTS} damaged files of every kind: no traceback, none over {LONGEST_SECONDS:g} s, memory "
        f"grows by less than {MOST_GROWTH_MB} MB, and the trial they leave still runs",
        holds=not outcome.wrong and outcome.slowest_s < LONGEST_SECONDS and bool(outcome.snapshot)
        and outcome.growth_mb < MOST_GROWTH_MB,
        lines=[
            f"{kinds}. Wrong: {'; '.join(outcome.wrong) or 'none'}. Slowest delivery "
            f"{outcome.slowest_s:.2f} s a file; memory grew by {outcome.growth_mb:.0f} MB. Seed "
            f"{INPUT_SEED}; {time.perf_counter() - started:.0f} s."
        ],
    )  # fmt: skip


def measure_api() -> Section:
    """Requests against the description of the API, by a token and by a session."""
    rows, failures, started = [], [], time.perf_counter()
    for seed in API_SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            server, credentials = make_server(Path(folder))
            for who, headers in credentials.items():
                found = fuzz_api(
                    server, headers, examples=API_EXAMPLES, seed=seed, folder=Path(folder),
                    options=LEFT_OUT[who],
                )  # fmt: skip
                rows.append((who, seed, found.requests))
                failures += [found.failures] if found.failures else []
    return Section(
        title="The API as described",
        asked="schemathesis with all its checks (by a session without those that leave the session "
        "away) finds nothing on the OpenAPI description",
        holds=not failures and all(requests for _, _, requests in rows),
        lines=[
            "| by | seed | requests |", "|---|---|---|",
            *(f"| {who} | {seed} | {requests} |" for who, seed, requests in rows), "",
            f"Findings: {len(failures)}; at most {API_EXAMPLES} drawn examples a route and run; "
            f"{time.perf_counter() - started:.0f} s.", *failures,
        ],
    )  # fmt: skip
