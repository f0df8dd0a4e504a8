"""Commands that keep a home: verify, withdraw, backup, restore, migrate."""

import argparse
import os

from pipelines.console import DONE, FOUND, Settings, actor, name_finding, now, open_place, say
from pipelines.progress import show_progress


def run_verify(settings: Settings, arguments: argparse.Namespace) -> int:
    """Look for what was changed, and make snapshots again where asked."""
    from pipelines.executor import Place
    from pipelines.verify import rebuild_snapshots, verify

    with open_place(settings) as home, show_progress("verifying") as progress:
        findings = verify(home, progress=progress)
        if arguments.rebuild:
            rebuilt = rebuild_snapshots(home, place=Place(workers=os.cpu_count() or 1), progress=progress)
            findings += rebuilt.findings
            for line in rebuilt.left:
                say(line)
            say(f"{len(rebuilt.same)} snapshots made again, the same bit for bit")
    for finding in findings:
        name_finding(finding)
    say(f"{len(findings)} findings" if findings else "everything is as it was stored")
    return FOUND if findings else DONE


def run_withdraw(settings: Settings, arguments: argparse.Namespace) -> int:
    """Take a child, a file or a row out of analysis."""
    from corelab.store.withdrawal import withdraw

    with open_place(settings) as home:
        taken = withdraw(home, arguments.object, reason=arguments.reason, at=now(), author=actor())
    say(
        f"withdrew {taken.target.scope} {taken.target.name}: {taken.n_rows} rows leave analysis, "
        f"{taken.n_held} the quarantine; corelab run brings the tables up to date"
    )
    return DONE


def run_backup(settings: Settings, arguments: argparse.Namespace) -> int:
    """Copy the home into one file."""
    from corelab.store.backup import write_backup

    with open_place(settings) as home, show_progress("copying") as progress:
        report = write_backup(home, arguments.file, at=now(), actor=actor(), progress=progress)
    for finding in report.findings:
        name_finding(finding)
    say(f"copied {report.n_files} files ({report.n_bytes} bytes) to {arguments.file}")
    return FOUND if report.findings else DONE


def run_restore(settings: Settings, arguments: argparse.Namespace) -> int:
    """Make a home from a backup, and look whether it is what was copied."""
    from corelab.store.backup import restore_backup
    from pipelines.verify import verify

    home = restore_backup(
        arguments.file, settings.home, database_url=settings.database_url, object_url=settings.object_url,
        at=now(), actor=actor(),
    )  # fmt: skip
    findings = verify(home)
    home.close()
    for finding in findings:
        name_finding(finding)
    say(f"restored {settings.home} from {arguments.file}")
    return FOUND if findings else DONE


def run_migrate(settings: Settings, arguments: argparse.Namespace) -> int:
    """Bring the registry's schema up to date, after a copy of it."""
    from corelab.store import migrate_home, schema

    copy = migrate_home(settings.home, database_url=settings.database_url)
    if copy is None:
        say("the schema is the present one")
    else:
        with open_place(settings) as home:
            old, new = copy.stem.removeprefix("registry-"), schema.REVISION
            home.registry.audit.append(
                actor=actor(), role="", action="migrate", object="registry", old=old, new=new, at=now()
            )
        say(f"brought to the present schema; the registry as it was is kept in {copy}")
    return DONE
