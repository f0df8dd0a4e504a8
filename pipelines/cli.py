"""The command line: the only place that reads argv and the environment and puts the parts together."""

import errno
import gc
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from corelab.errors import ContractError, CorelabError, IntegrityError
from pipelines.arguments import UsageError, parse_arguments

DONE: Final = 0
FOUND: Final = 1
REFUSED: Final = 2
OUR_FAILURE: Final = 3
INTERRUPTED: Final = 130
_DISK_TROUBLES: Final = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS,
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    code = _guarded(words, os.environ)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if argv is None:
        # The process ends: nobody need look through all that it made for cycles once more.
        gc.freeze()
    return code


def _guarded(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Turn every way in which a command can end into its exit code and at most one line."""
    try:
        return _run(words, environment)
    except (UsageError, CorelabError, OSError, KeyboardInterrupt) as error:
        code = _judge(error)
        if code == OUR_FAILURE:
            traceback.print_exc()
        elif code != DONE:
            text = str(error) or "interrupted; run the command again to finish"
            print(" ".join(f"corelab: {text}".split()), file=sys.stderr)
        return code
    except Exception:  # noqa: BLE001 - whatever is left is our own failure, and ends with its own code
        traceback.print_exc()
        return OUR_FAILURE


def _judge(error: BaseException) -> int:
    """Say whose fault it is: the command line's or the place's (2), what was found (1), or ours (3)."""
    if isinstance(error, BrokenPipeError):
        return DONE
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, IntegrityError):
        return FOUND
    if isinstance(error, OSError):
        return REFUSED if error.errno in _DISK_TROUBLES else OUR_FAILURE
    return OUR_FAILURE if isinstance(error, ContractError) else REFUSED


def _run(words: Sequence[str], environment: Mapping[str, str]) -> int:
    arguments = parse_arguments(words, home=environment.get("CORELAB_HOME", ""))
    if arguments is None:
        return DONE
    # The command's module is imported only now, so that --help needs none of them.
    from pipelines import commands, console

    settings = console.Settings(
        home=Path(getattr(arguments, "home", "")),
        database_url=environment.get("CORELAB_DATABASE_URL") or None,
        object_url=environment.get("CORELAB_OBJECT_URL") or None,
    )
    return commands.COMMANDS[arguments.command](settings, arguments)


if __name__ == "__main__":
    sys.exit(main())
