"""What each command does: read the arguments, call one step, print what it found."""

import argparse
import getpass
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from corelab.errors import ConfigError
from pipelines.console import DONE, FOUND, Command, Settings, actor, name_finding, now, open_place, say
from pipelines.keeping import run_backup, run_migrate, run_restore, run_verify, run_withdraw
from pipelines.progress import show_progress
from pipelines.vault import run_vault

if TYPE_CHECKING:
    from corelab.store import Home
    from corelab.store.review import Standing
    from pipelines.gates import Choice

_COLLECTED_FROM: Final = 100_000
"""Objects made since the last search for cycles from which a run searches again."""


def run_init(settings: Settings, arguments: argparse.Namespace) -> int:
    """Make a home."""
    from corelab.store import create_home
    from corelab.study import builtin_study, read_study

    study = read_study(arguments.study) if arguments.study else builtin_study()
    home = create_home(
        settings.home, study_text=study.source, database_url=settings.database_url,
        object_url=settings.object_url,
    )  # fmt: skip
    home.registry.audit.append(actor=actor(), role="", action="init", object=home.study.id, at=now())
    home.close()
    say(f"made a home for {study.id} in {settings.home}")
    return DONE


def run_ingest(settings: Settings, arguments: argparse.Namespace) -> int:
    """Take deliveries, and name what waits."""
    from pipelines.ingest import ingest

    with open_place(settings) as home, show_progress("reading") as progress:
        report = ingest(
            home, arguments.paths, at=now(), actor=actor(), accept_reason=arguments.accept_corrections,
            progress=lambda _path, done, total: progress(done, total),
        )  # fmt: skip
    for line in (*report.remarks, *report.waiting, *report.corrections, *report.troubles):
        name_finding(line)
    counts = report.counts
    say(
        f"{counts['files_new']} files new, {counts['files_known']} known; rows: {counts['rows_new']} new, "
        f"{counts['rows_filled']} filled, {counts['rows_corrected']} corrected, "
        f"{counts['rows_known']} known; "
        f"{len(report.waiting)} in quarantine, {len(report.corrections)} corrections wait"
    )
    return DONE if report.is_clean else FOUND


def run_run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Bring the tables up to date."""
    import gc

    from pipelines.executor import Place
    from pipelines.run import run

    # Nearly all that a run makes is kept to its end: to look through it for cycles finds none.
    gc.set_threshold(_COLLECTED_FROM, 50, 100)
    # Read before Arrow is first imported: its own allocator gets the same tables half as fast.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    place = Place(workers=arguments.workers or os.cpu_count() or 1, scheduler=arguments.scheduler or "")
    with open_place(settings) as home, show_progress("gating") as progress:
        as_of = home.study.localise(arguments.as_of) if arguments.as_of else None
        report = run(home, at=now(), place=place, as_of=as_of, progress=progress, actor=actor())
    if report.is_new:
        say(f"snapshot {report.snapshot_id}: {report.n_files} files, {report.n_failed} of them failed")
    else:
        say(f"snapshot {report.snapshot_id} is up to date; nothing was computed")
    return DONE


def run_status(settings: Settings, arguments: argparse.Namespace) -> int:
    """Say what the home holds."""
    with open_place(settings) as home:
        status = home.status()
    if arguments.json:
        say(json.dumps(status, indent=1, ensure_ascii=False))
        return DONE
    say(f"snapshot {status['snapshot'] or 'none yet'}; {status['stale']} subjects with newer data")
    for state, count in status["states"].items():
        say(f"{state}: {count}")
    for held in status["quarantine"]:
        say(f"waits: {held['path']}: {held['reason']}")
    return DONE


def run_export(settings: Settings, arguments: argparse.Namespace) -> int:
    """Write a snapshot's tables."""
    from pipelines.export import export

    tables = [name.strip() for name in arguments.tables.split(",") if name.strip()]
    with open_place(settings) as home, show_progress("gating") as progress:
        report = export(
            home, arguments.out, at=now(), actor=actor(), format_name=arguments.format, tables=tables,
            snapshot_id=arguments.snapshot or None, with_replay=arguments.replay, language=arguments.language,
            is_external=arguments.external, progress=progress,
        )  # fmt: skip
    for finding in report.findings:
        name_finding(finding)
    say(f"wrote {len(report.files)} files to {arguments.out}")
    return FOUND if report.findings else DONE


def run_phenotype(settings: Settings, arguments: argparse.Namespace) -> int:
    """Put single cells into clusters and on a map."""
    from pipelines.executor import Place
    from pipelines.phenotype import Wish, map_cells

    place = Place(workers=arguments.workers or os.cpu_count() or 1)
    wish = Wish(reason=arguments.new_model, method=arguments.method)
    with open_place(settings) as home, show_progress("reading cells") as progress:
        report = map_cells(home, at=now(), actor=actor(), wish=wish, place=place, progress=progress)
    for finding in report.findings:
        name_finding(finding)
    if report.is_frozen:
        say(f"froze model {report.model_id[:16]}")
    done = f"{report.n_cells} cells of snapshot {report.snapshot_id} in {report.n_clusters} clusters"
    say(done if report.is_new else f"{done}: up to date; nothing was computed")
    return FOUND if report.findings else DONE


def run_replay(settings: Settings, arguments: argparse.Namespace) -> int:
    """Compute the tables of a bundle again and compare them."""
    from pipelines.replay import replay

    report = replay(arguments.bundle)
    for line in report.remarks:
        say(line)
    for name, rows in report.same.items():
        say(f"{name}: {rows} rows, the same")
    for finding in report.findings:
        name_finding(finding)
    say(f"{len(report.same)} tables are the same, {len(report.findings)} differ")
    return FOUND if report.findings else DONE


def run_serve(settings: Settings, arguments: argparse.Namespace) -> int:
    """Serve the dashboard until interrupted."""
    from pipelines.runner import HomePlace
    from pipelines.serve import Access, serve

    place = HomePlace(path=settings.home, database_url=settings.database_url, object_url=settings.object_url)
    with open_place(settings) as home:
        serve(
            home, place, host=arguments.host, port=arguments.port,
            access=Access(oidc=arguments.oidc, behind_https=arguments.behind_https),
            announce=lambda url: print(url, flush=True),
        )  # fmt: skip
    return DONE


def run_template(settings: Settings, arguments: argparse.Namespace) -> int:
    """Write the empty input files."""
    from pipelines.template import write_templates

    written = write_templates(arguments.out, with_panels=arguments.panels)
    say(f"wrote {len(written)} files to {arguments.out}")
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
    say(f"wrote {count} files to {arguments.out}")
    return DONE


def run_gate(settings: Settings, arguments: argparse.Namespace) -> int:
    """Gate files without a home."""
    from pipelines.gate import gate_files

    code: int = gate_files(
        arguments.files, panel=arguments.panel, markers=arguments.markers, workers=arguments.workers,
        out=arguments.out, gates=arguments.gates, names=arguments.names, parity=arguments.parity,
        spill=arguments.spill, stains=arguments.stains, quality=arguments.quality,
    )  # fmt: skip
    return code


def run_gates(settings: Settings, arguments: argparse.Namespace) -> int:
    """Take people's gates in, or give the present ones out."""
    with open_place(settings) as home:
        return _GATES_ACTIONS[arguments.action](home, arguments)


def _choose(arguments: argparse.Namespace) -> "Choice":
    from pipelines.gates import Choice

    files = tuple(name.strip() for name in arguments.files.split(",") if name.strip())
    return Choice(files=files, subject_id=arguments.subject, visit=arguments.visit, panel=arguments.panel)


def _import_gates(home: "Home", arguments: argparse.Namespace) -> int:
    from pipelines.gates import format_parity, import_gates, read_name_map, write_parity

    report = import_gates(
        home, arguments.paths, at=now(), actor=actor(), reason=arguments.reason,
        choice=_choose(arguments), names=read_name_map(arguments.names),
    )  # fmt: skip
    if arguments.parity:
        write_parity(report.parity, arguments.parity)
    else:
        for line in format_parity(report.parity):
            say(line)
    for line in (*report.remarks, *report.troubles):
        name_finding(line)
    say(f"{report.n_new} decisions are new, {len(report.troubles)} gates refused or counted otherwise")
    return FOUND if report.troubles else DONE


def _export_gates(home: "Home", arguments: argparse.Namespace) -> int:
    from pipelines.gates import FORMATS, export_gates

    formats = [arguments.format] if arguments.format else FORMATS
    choice = _choose(arguments)
    # Before a file leaves, as every export.
    home.registry.audit.append(
        actor=actor(), role="", action="export", object="gates", at=now(),
        new=f"{arguments.format or 'wsp, gml'}: {choice.describe()}",
    )  # fmt: skip
    with show_progress("gating") as progress:
        report = export_gates(home, arguments.out, choice=choice, formats=formats, progress=progress)
    for line in report.troubles:
        name_finding(line)
    say(f"wrote {len(report.paths)} files, {len(report.troubles)} gates are not in them")
    return FOUND if report.troubles else DONE


_GATES_ACTIONS: Final[Mapping[str, Callable[["Home", argparse.Namespace], int]]] = {
    "import": _import_gates, "export": _export_gates,
}  # fmt: skip


def run_plates(settings: Settings, arguments: argparse.Namespace) -> int:
    """List, lock and unlock plates."""
    with open_place(settings) as home:
        if arguments.action == "list":
            _list_plates(home)
        else:
            _sign_plates(home, arguments)
    return DONE


def _list_plates(home: "Home") -> None:
    snapshot = home.snapshots.current()
    if snapshot is None:
        raise ConfigError("there is no snapshot yet", remedy="use corelab run")
    standings = home.plate_locks.standings()
    for row in snapshot.table("plates").itertuples(index=False):
        say("\t".join((row.plate, row.state, _describe_lock(standings.get(row.plate)), row.reason)).rstrip())


def _describe_lock(standing: "Standing | None") -> str:
    if standing is None or standing.review is None or standing.state.value != "locked":
        return "open"
    return f"locked by {standing.review.author}" + (", changed since" if standing.is_stale else "")


def _sign_plates(home: "Home", arguments: argparse.Namespace) -> None:
    from corelab.store.review import Signature

    snapshot = home.snapshots.current()
    signature = Signature(
        author=arguments.author, password=_read_password(arguments), at=now(), reason=arguments.reason,
        snapshot_id=snapshot.id if snapshot else "",
    )  # fmt: skip
    locks = home.plate_locks
    act = locks.lock if arguments.action == "lock" else locks.unlock
    act(arguments.plates, signature)
    say(f"{arguments.action}ed {', '.join(arguments.plates)}")


def run_user(settings: Settings, arguments: argparse.Namespace) -> int:
    """Make, list and change accounts."""
    with open_place(settings) as home:
        _USER_ACTIONS[arguments.action](home, arguments)
    return DONE


def _add_user(home: "Home", arguments: argparse.Namespace) -> None:
    password = _read_password(arguments)
    user = home.registry.users.add(
        arguments.name, role=arguments.role, password=password, at=now(), actor=actor()
    )
    say(f"made account {user.name} ({user.role})")


def _list_users(home: "Home", arguments: argparse.Namespace) -> None:
    for user in home.registry.users.all():
        say(f"{user.name}\t{user.role}\t{'disabled' if user.disabled else 'active'}")


def _disable_user(home: "Home", arguments: argparse.Namespace) -> None:
    home.registry.users.disable(arguments.name, at=now(), actor=actor(), reason=arguments.reason)
    say(f"disabled account {arguments.name}")


def _change_password(home: "Home", arguments: argparse.Namespace) -> None:
    home.registry.users.set_password(arguments.name, _read_password(arguments), at=now(), actor=actor())
    say(f"changed the password of {arguments.name}")


def _manage_tokens(home: "Home", arguments: argparse.Namespace) -> None:
    tokens = home.registry.users.tokens
    if arguments.list:
        for one in tokens.all(arguments.name):
            state = "revoked" if one.revoked else f"until {one.expires_at}"
            say(f"{one.id}\t{state}\t{' '.join(one.tables) or 'every table'}")
    elif arguments.revoke:
        tokens.revoke(arguments.revoke, at=now(), actor=actor())
        say(f"ended token {arguments.revoke}")
    else:
        names = _read_table_names(arguments.tables)
        text, _ = tokens.issue(arguments.name, days=arguments.days, tables=names, at=now(), actor=actor())
        say(text)


def _read_table_names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names:
        from corelab.tables.schemas import SCHEMAS

        unknown = [name for name in names if name not in SCHEMAS]
        if unknown:
            raise ConfigError(f"table {unknown[0]!r} is unknown", expected=", ".join(sorted(SCHEMAS)))
    return names


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
    "phenotype": run_phenotype, "replay": run_replay,
    "verify": run_verify, "withdraw": run_withdraw, "backup": run_backup, "restore": run_restore,
    "migrate": run_migrate, "serve": run_serve, "template": run_template,
    "simulate": run_simulate, "gate": run_gate, "gates": run_gates, "plates": run_plates,
    "user": run_user, "vault": run_vault,
}  # fmt: skip
