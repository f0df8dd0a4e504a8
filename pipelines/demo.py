"""What ``make demo`` does: a synthetic trial from files to a home that can be served.

Every step is the command a user would type; a second call finds its work done and ends in seconds.
"""

import argparse
import datetime as dt
import secrets
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from corelab.errors import ConfigError, CorelabError
from corelab.store.home import open_home
from corelab.store.jobs import PHENOTYPE
from corelab.vocabulary import Role
from pipelines.cli import DONE, FOUND, REFUSED
from pipelines.cli import main as run_command

_PASSWORD_BYTES = 9


def main(argv: Sequence[str] | None = None) -> int:
    """Build the demo's home and print its logins; the exit code is that of the first failing step."""
    arguments = _parse(sys.argv[1:] if argv is None else argv)
    try:
        return build_demo(arguments.home, seed=read_seed(arguments.seed_file), workers=arguments.workers)
    except CorelabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return REFUSED


def build_demo(home: Path, *, seed: int, workers: int) -> int:
    """Simulate, init, ingest and run; leave one account for each role.

    Parameters
    ----------
    home
        Where the home goes; the delivery lies beside it as ``<home>-delivery``.
    seed
        Seed of the synthetic trial.
    workers
        Processes that gate.
    """
    delivery = home.with_name(f"{home.name}-delivery")
    code = _simulate_once(home, delivery, seed=seed)
    if code != DONE:
        return code
    steps = [] if home.exists() else [["init", str(home)]]
    steps += [["ingest", str(home), str(delivery)], ["run", str(home), "--workers", str(workers)]]
    for words in steps:
        code = _run(words)
        # One file of the delivery is named by no manifest: ingest says so, and the rest goes on.
        if code not in ({DONE, FOUND} if words[0] == "ingest" else {DONE}):
            return code
    _ask_for_cells(home)
    _print_logins(home)
    return DONE


def _ask_for_cells(home: Path) -> None:
    """Queue the map of single cells: the server's runner makes it, so that nobody waits for it here."""
    opened = open_home(home)
    try:
        snapshot = opened.snapshots.current()
        if snapshot is not None and opened.cell_maps.read(snapshot.id) is None:
            opened.jobs.add(PHENOTYPE, account="demo", role="", at=dt.datetime.now(dt.UTC))
            print("single cells are clustered and mapped once the dashboard runs; it takes about a minute")
    finally:
        opened.close()


def read_seed(path: Path) -> int:
    """Read the seed kept beside the sample data.

    Raises
    ------
    ConfigError
        If the file cannot be read or holds no whole number.
    """
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError("holds no seed", place=path.name, expected="one whole number") from error


def _run(words: list[str]) -> int:
    print(f"$ corelab {' '.join(words)}", flush=True)
    return run_command(words)


def _simulate_once(home: Path, delivery: Path, *, seed: int) -> int:
    """Simulate unless the delivery of this seed is there, whole; its stamp is written last."""
    stamp = delivery.with_name(f"{delivery.name}.seed")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == f"{seed}\n":
        return DONE
    # Half a delivery, or one of another seed: nothing made from it is of use.
    shutil.rmtree(delivery, ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)
    code = _run(["simulate", str(delivery), "--seed", str(seed)])
    if code == DONE:
        stamp.write_text(f"{seed}\n", encoding="utf-8")
    return code


def _print_logins(home: Path) -> None:
    """Give each role a fresh password; nothing that opens a demo is kept in the project or on disk."""
    opened = open_home(home)
    try:
        print("\nlogins (made anew by each make demo):")
        for role in Role:
            name, password = f"demo-{role.value}", secrets.token_urlsafe(_PASSWORD_BYTES)
            at = dt.datetime.now(dt.UTC)
            users = opened.registry.users
            if users.get(name) is None:
                users.add(name, role=role, password=password, at=at, actor="demo")
            else:
                users.set_password(name, password, at=at, actor="demo")
            print(f"  {name:<20} {password}")
    finally:
        opened.close()


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipelines.demo", description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--seed-file", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
