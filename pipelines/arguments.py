"""The grammar of the command line. Nothing heavy is imported here: ``--help`` answers at once."""

import argparse
import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

_HOME_HELP: Final = "the home; may come from CORELAB_HOME instead"
_PROTOCOLS: Final = ("tcp", "tls", "ucx", "ws", "wss")
_ROLES: Final = ("scientist", "reviewer", "investigator", "admin")


class UsageError(Exception):
    """The command line does not say what to do."""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


def parse_arguments(words: Sequence[str], *, home: str) -> argparse.Namespace | None:
    """Read the command line.

    Parameters
    ----------
    words
        What follows the program's name.
    home
        The home to use where the command line names none; empty: it must name one.

    Returns
    -------
    argparse.Namespace or None
        None where only help was asked for.

    Raises
    ------
    UsageError
        If the words make no command.
    """
    try:
        return _parse(words, home)
    except SystemExit as stop:
        if stop.code:
            raise UsageError(f"cannot read the command line (code {stop.code})") from stop
        return None


def _parse(words: Sequence[str], home: str) -> argparse.Namespace:
    if not home:
        return make_parser(with_home=True).parse_args(words)
    try:
        named = make_parser(with_home=True).parse_args(words)
    except UsageError:
        named = None
    # A home on the command line counts more than the environment's, but only if it is one.
    makes_home = named is not None and named.command in ("init", "restore")
    if named is not None and (makes_home or Path(getattr(named, "home", "") or ".", "home.json").is_file()):
        return named
    arguments = make_parser(with_home=False).parse_args(words)
    arguments.home = home
    return arguments


def make_parser(*, with_home: bool) -> argparse.ArgumentParser:
    """Make the parser, with a HOME on each command that needs one or without."""
    parser = _Parser(prog="corelab", description="The correlative laboratory of a CAR-T trial.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and stop")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    maker = _Maker(commands=commands, with_home=with_home)
    _add_home_commands(maker)
    _add_table_commands(maker)
    _add_free_commands(maker)
    _add_gates_commands(maker)
    _add_plates_commands(maker)
    _add_vault_commands(maker)
    _add_user_commands(maker)
    return parser


class _Version(argparse.Action):
    """Print the installed version; it is looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"corelab {version('corelab')}")
        parser.exit()


class _Maker:
    """Adds commands, each with the HOME before its other words."""

    def __init__(self, *, commands: Any, with_home: bool) -> None:
        self.commands = commands
        self.with_home = with_home

    def add(self, name: str, purpose: str, *, home: bool = True) -> argparse.ArgumentParser:
        """Add one command."""
        parser: argparse.ArgumentParser = self.commands.add_parser(name, help=purpose, description=purpose)
        if home and self.with_home:
            parser.add_argument("home", metavar="HOME", help=_HOME_HELP)
        return parser


def _add_home_commands(maker: _Maker) -> None:
    init = maker.add("init", "make a home")
    init.add_argument("--study", type=Path, metavar="FILE", help="study file; without it the built-in trial")
    ingest = maker.add("ingest", "take delivery folders or single files")
    ingest.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a delivery folder or a file")
    ingest.add_argument(
        "--accept-corrections", default="", metavar="REASON", help="accept changed values, for this reason"
    )
    run = maker.add("run", "bring every table up to date in a new snapshot")
    run.add_argument("--workers", type=_count, metavar="N", help="processes; by default one per core")
    run.add_argument(
        "--scheduler",
        type=_scheduler,
        metavar="URL",
        help="run on the Dask cluster at tcp://host:port",
    )
    run.add_argument("--as-of", type=_date, metavar="DATE", help="data cut-off; by default the newest sample")
    status = maker.add("status", "say what the home holds and what waits")
    status.add_argument("--json", action="store_true", help="as a JSON object")
    verify = maker.add("verify", "find anything stored that is not what it was")
    verify.add_argument(
        "--rebuild", action="store_true", help="also make the snapshots of the running versions again"
    )
    _add_keeping_commands(maker)
    serve = maker.add("serve", "serve the dashboard")
    serve.add_argument("--host", default="127.0.0.1", metavar="H", help="address to listen on (%(default)s)")
    serve.add_argument("--port", default=8050, type=_port, metavar="P", help="port (%(default)s)")
    serve.add_argument(
        "--behind-https", action="store_true", help="a proxy serves it over https: cookies go no other way"
    )
    serve.add_argument(
        "--oidc", type=Path, metavar="FILE", help="yaml: an OpenID Connect provider to log in by as well"
    )


def _add_keeping_commands(maker: _Maker) -> None:
    withdraw = maker.add("withdraw", "take a child, a file or a row out of analysis; the audit keeps it")
    withdraw.add_argument("object", metavar="OBJECT", help="a subject id, a file id or name, or <file>:<row>")
    withdraw.add_argument("--reason", required=True, metavar="R", help="why")
    backup = maker.add("backup", "copy the home into one file, while others work in it")
    backup.add_argument("file", type=Path, metavar="FILE", help="a new file")
    restore = maker.add("restore", "make a home from a backup", home=False)
    restore.add_argument("file", type=Path, metavar="FILE", help="a file of corelab backup")
    if maker.with_home:
        restore.add_argument("home", metavar="HOME", help=_HOME_HELP)
    maker.add("migrate", "bring the home's registry to this version's schema, after a copy of it")


def _add_table_commands(maker: _Maker) -> None:
    export = maker.add("export", "write a snapshot's tables to a folder")
    export.add_argument("out", type=Path, metavar="OUT", help="the folder")
    export.add_argument(
        "--format", default="csv", metavar="F", help="csv, parquet, xlsx, xpt, h5ad or pdf (%(default)s)"
    )
    export.add_argument("--tables", default="", metavar="A,B", help="only these tables")
    export.add_argument("--snapshot", default="", metavar="ID", help="an older snapshot")
    export.add_argument(
        "--language", default="en", choices=("en", "zh"), metavar="L", help="of a pdf: en or zh (%(default)s)"
    )
    export.add_argument(
        "--replay",
        action="store_true",
        help="also replay.zip: what the tables were made of, to compute them again",
    )
    export.add_argument(
        "--external",
        action="store_true",
        help="a copy for others: dates moved, names of the house replaced, small groups withheld",
    )
    cells = maker.add("phenotype", "put the single cells of the snapshot into clusters and on a map")
    cells.add_argument(
        "--new-model", default="", metavar="REASON", help="freeze another model, for this reason"
    )
    cells.add_argument(
        "--method", default="gaussian", choices=("gaussian", "leiden"),
        help="how the first clusters of a new model are found (%(default)s); leiden needs corelab[leiden]",
    )  # fmt: skip
    cells.add_argument("--workers", type=_count, metavar="N", help="processes; by default one per core")


def _add_free_commands(maker: _Maker) -> None:
    template = maker.add("template", "write every input file empty", home=False)
    template.add_argument("out", type=Path, metavar="DIR", help="the folder")
    template.add_argument(
        "--panels", action="store_true", help="also the gating templates of both panels, to start from"
    )
    simulate = maker.add("simulate", "write a synthetic delivery and its truth", home=False)
    simulate.add_argument("out", type=Path, metavar="OUT", help="the folder")
    simulate.add_argument("--subjects", type=_count, metavar="N", help="number of children")
    simulate.add_argument("--events", type=_count, metavar="N", help="events a tube")
    simulate.add_argument("--seed", type=int, metavar="S", help="seed")
    replay = maker.add("replay", "compute the tables of a replay bundle again and compare", home=False)
    replay.add_argument("bundle", type=Path, metavar="BUNDLE", help="a replay.zip of corelab export --replay")
    gate = maker.add("gate", "gate FCS files without a home", home=False)
    gate.add_argument("files", nargs="+", type=Path, metavar="FILE", help="FCS files")
    gate.add_argument("--panel", required=True, metavar="ID|FILE", help="bcell, cart, or a panel template")
    gate.add_argument("--markers", type=Path, metavar="FILE", help="csv detector,marker or a workspace")
    gate.add_argument(
        "--gates", type=Path, metavar="FILE", help="given gates (.gml, .wsp) instead of fitted ones"
    )
    _add_gate_options(gate)
    gate.add_argument("--spill", type=Path, metavar="FILE", help="spillover matrix (csv) for all files")
    gate.add_argument(
        "--stains", type=Path, metavar="DIR", help="single stains: comp_<marker>.fcs, unstained.fcs"
    )
    gate.add_argument("--quality", type=Path, metavar="FILE", help="a .csv or .parquet of the findings")
    gate.add_argument("--workers", type=_count, default=1, metavar="N", help="processes (%(default)s)")
    gate.add_argument("--out", type=Path, metavar="FILE", help="a .csv or .parquet file; by default printed")


def _add_gate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--names", type=Path, metavar="FILE", help="yaml: which names mean which population")
    parser.add_argument("--parity", type=Path, metavar="FILE", help="csv: each gate's count and its own")


def _add_gates_commands(maker: _Maker) -> None:
    purpose = "people's gates: FlowJo workspaces and Gating-ML 2.0"
    gates = maker.commands.add_parser("gates", help=purpose, description=purpose)
    actions = gates.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=_Parser)
    own = _Maker(commands=actions, with_home=maker.with_home)
    taken = own.add("import", "take gates for acquisitions of the home")
    taken.add_argument("paths", nargs="+", type=Path, metavar="FILE", help="a .wsp or .gml file")
    taken.add_argument("--reason", default="", metavar="R", help="why; by default the file's name")
    _add_gate_options(taken)
    given = own.add("export", "write the present gates of acquisitions")
    given.add_argument("out", type=Path, metavar="OUT", help="a folder, or a .wsp or .gml file")
    given.add_argument("--format", choices=("wsp", "gml"), metavar="F", help="wsp or gml; by default both")
    for parser in (taken, given):
        parser.add_argument("--files", default="", metavar="A,B", help="only these: ids or delivered names")
        parser.add_argument("--subject", default="", metavar="S", help="only this child's")
        parser.add_argument("--visit", default="", metavar="V", help="only this visit's")
        parser.add_argument("--panel", default="", metavar="P", help="only this panel's")


def _add_plates_commands(maker: _Maker) -> None:
    purpose = "plates: where each stands, and the locks that reviewers sign"
    plates = maker.commands.add_parser("plates", help=purpose, description=purpose)
    actions = plates.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=_Parser)
    own = _Maker(commands=actions, with_home=maker.with_home)
    own.add("list", "list the plates of the snapshot with their state")
    lock = own.add(
        "lock", "lock accepted or rejected plates: nothing of them changes until they are unlocked"
    )
    unlock = own.add("unlock", "open locked plates again, for a reason")
    for parser in (lock, unlock):
        parser.add_argument("plates", nargs="+", metavar="PLATE", help="the plate's name")
        parser.add_argument(
            "--as", dest="author", required=True, metavar="NAME", help="the reviewer who signs"
        )
        parser.add_argument("--reason", default="", metavar="R", help="why; unlocking needs one")
        parser.add_argument(
            "--password-stdin", action="store_true", help="read the password from standard input"
        )


def _add_vault_commands(maker: _Maker) -> None:
    purpose = "originals as they were delivered, sealed, where the study keeps them"
    vault = maker.commands.add_parser("vault", help=purpose, description=purpose)
    actions = vault.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=_Parser)
    own = _Maker(commands=actions, with_home=maker.with_home)
    keygen = own.add("keygen", "make a key, and print what goes into the study file", home=False)
    keygen.add_argument("file", type=Path, metavar="FILE", help="a new file outside of every home")
    own.add("list", "list the ids of the files that are kept")
    read = own.add("read", "open an original, for a reason that the audit trail keeps")
    read.add_argument("file_id", metavar="FILE_ID", help="SHA-256 of the file as delivered")
    read.add_argument("--key", required=True, type=Path, metavar="FILE", help="from corelab vault keygen")
    read.add_argument("--out", required=True, type=Path, metavar="FILE", help="a new file")
    read.add_argument("--reason", required=True, metavar="R", help="why")


def _add_user_commands(maker: _Maker) -> None:
    user = maker.commands.add_parser("user", help="accounts", description="accounts")
    actions = user.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=_Parser)
    own = _Maker(commands=actions, with_home=maker.with_home)
    add = own.add("add", "make an account")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--role", required=True, choices=_ROLES)
    own.add("list", "list the accounts")
    disable = own.add("disable", "shut an account and end its sessions")
    disable.add_argument("name", metavar="NAME")
    disable.add_argument("--reason", default="", metavar="R")
    passwd = own.add("passwd", "give an account a new password")
    passwd.add_argument("name", metavar="NAME")
    token = own.add("token", "make a token for scripts; it is printed once")
    token.add_argument("name", metavar="NAME", help="the account whose role the token has")
    token.add_argument("--days", type=_count, default=90, metavar="N", help="how long it holds (%(default)s)")
    token.add_argument(
        "--tables", default="", metavar="A,B", help="only these tables; by default every table"
    )
    token.add_argument("--list", action="store_true", help="list the account's tokens instead")
    token.add_argument("--revoke", default="", metavar="ID", help="end a token instead")
    for parser in (add, passwd):
        parser.add_argument(
            "--password-stdin", action="store_true", help="read the password from standard input"
        )


def _scheduler(text: str) -> str:
    """Read the address of a cluster, so that a wrong one is told before anything is begun."""
    protocol, _, place = text.rpartition("://")
    host, _, port = place.rpartition(":")
    if (protocol or "tcp") not in _PROTOCOLS or not host or not port.isdecimal():
        reason = f"{text!r} is no address of a Dask scheduler like tcp://host:port"
        raise argparse.ArgumentTypeError(reason)
    return text


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 or more")
    return number


def _port(text: str) -> int:
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return number


def _date(text: str) -> dt.datetime:
    """Read a date; the whole day counts. The zone is the study's, which is not known here."""
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date as 2025-03-17") from None
    return dt.datetime.combine(day, dt.time(23, 59, 59))
