"""What each command does: read the arguments, call one step, print what it found."""

import argparse
import datetime as dt
import getpass
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from corelab.errors import ConfigError
from pipelines.progress import show_progress

if TYPE_CHECKING:
    from corelab.store import Home
    from pipelines.gates import Choice

DONE: Final = 0
FOUND: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says: where the home, its registry and its objects are."""

    home: Path
    database_url: str | None
    object_url: str | None


Command = Callable[[Settings, argparse.Namespace], int]


@contextmanager
def _home(settings: Settings) -> "Iterator[Home]":
    from corelab.store import open_home

    home = open_home(settings.home, database_url=settings.database_url, object_url=settings.object_url)
    try:
        yield home
    finally:
        home.close()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _actor() -> str:
    """Name who sits at the terminal, for the audit trail."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):
        return "cli"


def _say(text: str) -> None:
    print(text)


def _name(text: str) -> None:
    """Name something that waits or was found: one line on standard error."""
    print(" ".join(text.split()), file=sys.stderr)


def run_init(settings: Settings, arguments: argparse.Namespace) -> int:
    """Make a home."""
    from corelab.store import create_home
    from corelab.study import builtin_study, read_study

    study = read_study(arguments.study) if arguments.study else builtin_study()
    home = create_home(
        settings.home, study_text=study.source, database_url=settings.database_url,
        object_url=settings.object_url,
    )  # fmt: skip
    home.registry.audit.append(actor=_actor(), role="", action="init", object=home.study.id, at=_now())
    home.close()
    _say(f"made a home for {study.id} in {settings.home}")
    return DONE


def run_ingest(settings: Settings, arguments: argparse.Namespace) -> int:
    """Take deliveries, and name what waits."""
    from pipelines.ingest import ingest

    with _home(settings) as home, show_progress("reading") as progress:
        report = ingest(
            home, arguments.paths, at=_now(), actor=_actor(), accept_reason=arguments.accept_corrections,
            progress=lambda _path, done, total: progress(done, total),
        )  # fmt: skip
    for line in (*report.remarks, *report.waiting, *report.corrections, *report.troubles):
        _name(line)
    counts = report.counts
    _say(
        f"{counts['files_new']} files new, {counts['files_known']} known; rows: {counts['rows_new']} new, "
        f"{counts['rows_filled']} filled, {counts['rows_corrected']} corrected, "
        f"{counts['rows_known']} known; "
        f"{len(report.waiting)} in quarantine, {len(report.corrections)} corrections wait"
    )
    return DONE if report.is_clean else FOUND


def run_run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Bring the tables up to date."""
    from pipelines.executor import Place
    from pipelines.run import run

    place = Place(workers=arguments.workers or os.cpu_count() or 1, scheduler=arguments.scheduler)
    with _home(settings) as home, show_progress("gating") as progress:
        as_of = home.study.localise(arguments.as_of) if arguments.as_of else None
        report = run(home, at=_now(), place=place, as_of=as_of, progress=progress, actor=_actor())
    if report.is_new:
        _say(f"snapshot {report.snapshot_id}: {report.n_files} files, {report.n_failed} of them failed")
    else:
        _say(f"snapshot {report.snapshot_id} is up to date; nothing was computed")
    return DONE


def run_status(settings: Settings, arguments: argparse.Namespace) -> int:
    """Say what the home holds."""
    with _home(settings) as home:
        status = home.status()
    if arguments.json:
        _say(json.dumps(status, indent=1, ensure_ascii=False))
        return DONE
    _say(f"snapshot {status['snapshot'] or 'none yet'}; {status['stale']} subjects with newer data")
    for state, count in status["states"].items():
        _say(f"{state}: {count}")
    for held in status["quarantine"]:
        _say(f"waits: {held['path']}: {held['reason']}")
    return DONE


def run_export(settings: Settings, arguments: argparse.Namespace) -> int:
    """Write a snapshot's tables."""
    from pipelines.export import export

    tables = [name.strip() for name in arguments.tables.split(",") if name.strip()]
    with _home(settings) as home, show_progress("gating") as progress:
        report = export(
            home, arguments.out, at=_now(), actor=_actor(), format_name=arguments.format, tables=tables,
            snapshot_id=arguments.snapshot or None, with_replay=arguments.replay, progress=progress,
        )  # fmt: skip
    for finding in report.findings:
        _name(finding)
    _say(f"wrote {len(report.files)} files to {arguments.out}")
    return FOUND if report.findings else DONE


def run_replay(settings: Settings, arguments: argparse.Namespace) -> int:
    """Compute the tables of a bundle again and compare them."""
    from pipelines.replay import replay

    report = replay(arguments.bundle)
    for line in report.remarks:
        _say(line)
    for name, rows in report.same.items():
        _say(f"{name}: {rows} rows, the same")
    for finding in report.findings:
        _name(finding)
    _say(f"{len(report.same)} tables are the same, {len(report.findings)} differ")
    return FOUND if report.findings else DONE


def run_verify(settings: Settings, arguments: argparse.Namespace) -> int:
    """Look for what was changed, and make snapshots again where asked."""
    from pipelines.verify import rebuild_snapshots, verify

    with _home(settings) as home, show_progress("verifying") as progress:
        findings = verify(home, progress=progress)
        if arguments.rebuild:
            rebuilt = rebuild_snapshots(home, workers=os.cpu_count() or 1, progress=progress)
            findings += rebuilt.findings
            for line in rebuilt.left:
                _say(line)
            _say(f"{len(rebuilt.same)} snapshots made again, the same bit for bit")
    for finding in findings:
        _name(finding)
    _say(f"{len(findings)} findings" if findings else "everything is as it was stored")
    return FOUND if findings else DONE


def run_withdraw(settings: Settings, arguments: argparse.Namespace) -> int:
    """Take a child, a file or a row out of analysis."""
    from corelab.store.withdrawal import withdraw

    with _home(settings) as home:
        taken = withdraw(home, arguments.object, reason=arguments.reason, at=_now(), author=_actor())
    _say(
        f"withdrew {taken.target.scope} {taken.target.name}: {taken.n_rows} rows leave analysis, "
        f"{taken.n_held} the quarantine; corelab run brings the tables up to date"
    )
    return DONE


def run_backup(settings: Settings, arguments: argparse.Namespace) -> int:
    """Copy the home into one file."""
    from corelab.store.backup import write_backup

    with _home(settings) as home, show_progress("copying") as progress:
        report = write_backup(home, arguments.file, at=_now(), actor=_actor(), progress=progress)
    for finding in report.findings:
        _name(finding)
    _say(f"copied {report.n_files} files ({report.n_bytes} bytes) to {arguments.file}")
    return FOUND if report.findings else DONE


def run_restore(settings: Settings, arguments: argparse.Namespace) -> int:
    """Make a home from a backup, and look whether it is what was copied."""
    from corelab.store.backup import restore_backup
    from pipelines.verify import verify

    home = restore_backup(
        arguments.file, settings.home, database_url=settings.database_url, object_url=settings.object_url,
        at=_now(), actor=_actor(),
    )  # fmt: skip
    findings = verify(home)
    home.close()
    for finding in findings:
        _name(finding)
    _say(f"restored {settings.home} from {arguments.file}")
    return FOUND if findings else DONE


def run_migrate(settings: Settings, arguments: argparse.Namespace) -> int:
    """Bring the registry's schema up to date, after a copy of it."""
    from corelab.store import migrate_home

    copy = migrate_home(settings.home, database_url=settings.database_url)
    if copy is None:
        _say("the schema is the present one")
    else:
        _say(f"brought to the present schema; the registry as it was is kept in {copy}")
    return DONE


def run_serve(settings: Settings, arguments: argparse.Namespace) -> int:
    """Serve the dashboard until interrupted."""
    from pipelines.serve import serve

    with _home(settings) as home:
        serve(home, host=arguments.host, port=arguments.port, announce=lambda url: print(url, flush=True))
    return DONE


def run_template(settings: Settings, arguments: argparse.Namespace) -> int:
    """Write the empty input files."""
    from pipelines.template import write_templates

    written = write_templates(arguments.out)
    _say(f"wrote {len(written)} files to {arguments.out}")
    return DONE


def run_simulate(settings: Settings, arguments: argparse.Namespace) -> int:
    """Write a synthetic delivery."""
    from pipelines.simulate import simulate

    given = {
        name: getattr(arguments, name)
        for name in ("subjects", "events", "seed")
        if getattr(arguments, name) is not None
    }
    with show_progress("simulating") as progress:
        count = simulate(arguments.out, **given, progress=progress)
    _say(f"wrote {count} files to {arguments.out}")
    return DONE


def run_gate(settings: Settings, arguments: argparse.Namespace) -> int:
    """Gate files without a home."""
    from pipelines.gate import gate_files

    code: int = gate_files(
        arguments.files, panel=arguments.panel, markers=arguments.markers, workers=arguments.workers,
        out=arguments.out, gates=arguments.gates, names=arguments.names, parity=arguments.parity,
    )  # fmt: skip
    return code


def run_gates(settings: Settings, arguments: argparse.Namespace) -> int:
    """Take people's gates in, or give the present ones out."""
    with _home(settings) as home:
        return _GATES_ACTIONS[arguments.action](home, arguments)


def _choose(arguments: argparse.Namespace) -> "Choice":
    from pipelines.gates import Choice

    files = tuple(name.strip() for name in arguments.files.split(",") if name.strip())
    return Choice(files=files, subject_id=arguments.subject, visit=arguments.visit, panel=arguments.panel)


def _import_gates(home: "Home", arguments: argparse.Namespace) -> int:
    from pipelines.gates import format_parity, import_gates, read_name_map, write_parity

    report = import_gates(
        home, arguments.paths, at=_now(), actor=_actor(), reason=arguments.reason,
        choice=_choose(arguments), names=read_name_map(arguments.names),
    )  # fmt: skip
    if arguments.parity:
        write_parity(report.parity, arguments.parity)
    else:
        for line in format_parity(report.parity):
            _say(line)
    for line in (*report.remarks, *report.troubles):
        _name(line)
    _say(f"{report.n_new} decisions are new, {len(report.troubles)} gates refused or counted otherwise")
    return FOUND if report.troubles else DONE


def _export_gates(home: "Home", arguments: argparse.Namespace) -> int:
    from pipelines.gates import FORMATS, export_gates

    formats = [arguments.format] if arguments.format else FORMATS
    with show_progress("gating") as progress:
        report = export_gates(
            home, arguments.out, choice=_choose(arguments), formats=formats, progress=progress
        )
    for line in report.troubles:
        _name(line)
    _say(f"wrote {len(report.paths)} files, {len(report.troubles)} gates are not in them")
    return FOUND if report.troubles else DONE


_GATES_ACTIONS: Final[Mapping[str, Callable[["Home", argparse.Namespace], int]]] = {
    "import": _import_gates, "export": _export_gates,
}  # fmt: skip


def run_user(settings: Settings, arguments: argparse.Namespace) -> int:
    """Make, list and change accounts."""
    with _home(settings) as home:
        _USER_ACTIONS[arguments.action](home, arguments)
    return DONE


def _add_user(home: "Home", arguments: argparse.Namespace) -> None:
    password = _read_password(arguments)
    user = home.registry.users.add(
        arguments.name, role=arguments.role, password=password, at=_now(), actor=_actor()
    )
    _say(f"made account {user.name} ({user.role})")


def _list_users(home: "Home", arguments: argparse.Namespace) -> None:
    for user in home.registry.users.all():
        _say(f"{user.name}\t{user.role}\t{'disabled' if user.disabled else 'active'}")


def _disable_user(home: "Home", arguments: argparse.Namespace) -> None:
    home.registry.users.disable(arguments.name, at=_now(), actor=_actor(), reason=arguments.reason)
    _say(f"disabled account {arguments.name}")


def _change_password(home: "Home", arguments: argparse.Namespace) -> None:
    home.registry.users.set_password(arguments.name, _read_password(arguments), at=_now(), actor=_actor())
    _say(f"changed the password of {arguments.name}")


def _manage_tokens(home: "Home", arguments: argparse.Namespace) -> None:
    tokens = home.registry.users.tokens
    if arguments.list:
        for one in tokens.all(arguments.name):
            state = "revoked" if one.revoked else f"until {one.expires_at}"
            _say(f"{one.id}\t{state}\t{' '.join(one.tables) or 'every table'}")
    elif arguments.revoke:
        tokens.revoke(arguments.revoke, at=_now(), actor=_actor())
        _say(f"ended token {arguments.revoke}")
    else:
        names = [name.strip() for name in arguments.tables.split(",") if name.strip()]
        text, _ = tokens.issue(arguments.name, days=arguments.days, tables=names, at=_now(), actor=_actor())
        _say(text)


def _read_password(arguments: argparse.Namespace) -> str:
    if arguments.password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise ConfigError("no terminal to ask for the password", remedy="use --password-stdin")
    password = getpass.getpass("password: ")
    if getpass.getpass("again: ") != password:
        raise ConfigError("the two passwords differ")
    return password


_USER_ACTIONS: Final[Mapping[str, Callable[["Home", argparse.Namespace], None]]] = {
    "add": _add_user, "list": _list_users, "disable": _disable_user, "passwd": _change_password,
    "token": _manage_tokens,
}  # fmt: skip

COMMANDS: Final[Mapping[str, Command]] = {
    "init": run_init, "ingest": run_ingest, "run": run_run, "status": run_status, "export": run_export,
    "replay": run_replay,
    "verify": run_verify, "withdraw": run_withdraw, "backup": run_backup, "restore": run_restore,
    "migrate": run_migrate, "serve": run_serve, "template": run_template,
    "simulate": run_simulate, "gate": run_gate, "gates": run_gates, "user": run_user,
}  # fmt: skip
