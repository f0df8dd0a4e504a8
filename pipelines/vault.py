"""Commands of the vault: make a key, list what is kept, and open an original for a reason."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from corelab.errors import ConfigError
from pipelines.console import DONE, Settings, actor, now, open_place, say

if TYPE_CHECKING:
    from pyrage.x25519 import Identity


def run_vault(settings: Settings, arguments: argparse.Namespace) -> int:
    """Do one of the vault's actions."""
    if arguments.action == "keygen":
        return make_key(arguments.file)
    if arguments.action == "list":
        return list_kept(settings)
    return read_original(settings, arguments)


def make_key(path: Path) -> int:
    """Write a new key, readable by its owner alone, and print its public half.

    Raises
    ------
    ConfigError
        If the file is there already, or would lie in a home.
    """
    import pyrage

    place = path.absolute()
    if any((folder / "home.json").is_file() for folder in place.parents):
        raise ConfigError("a key does not belong into a home", place=path.name, expected="another folder")
    identity = pyrage.x25519.Identity.generate()
    try:
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ConfigError(
            f"cannot be made ({error.strerror})", place=path.name, expected="a new file"
        ) from error
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(f"# public key: {identity.to_public()}\n{identity}\n")
    say("keep the file where no home and no backup of one is, and in two places; into the study file goes")
    say(f"vault:\n  recipient: {identity.to_public()}")
    return DONE


def list_kept(settings: Settings) -> int:
    """List the originals that are kept."""
    with open_place(settings) as home:
        kept = home.vault.all()
        is_on = bool(home.vault.recipient)
    for one in kept:
        say(one.file_id)
    say(f"{len(kept)} originals are kept; the study {'keeps' if is_on else 'does not keep'} new ones")
    return DONE


def read_original(settings: Settings, arguments: argparse.Namespace) -> int:
    """Write an original into a new file that only its owner can read."""
    identity = read_identity(arguments.key)
    if arguments.out.exists():
        raise ConfigError("there is something already", place=arguments.out.name, expected="a new file")
    with open_place(settings) as home:
        original = home.vault.open(
            arguments.file_id, identity, at=now(), actor=actor(), reason=arguments.reason
        )
    with os.fdopen(os.open(arguments.out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(original.data)
    say(f"wrote {arguments.out}; it was delivered as {original.path}")
    return DONE


def read_identity(path: Path) -> "Identity":
    """Read the private half of a key.

    Raises
    ------
    ConfigError
        If there is no key in the file.
    """
    import pyrage

    try:
        lines = path.read_text(encoding="ascii").split()
        word = next(word for word in lines if word.startswith("AGE-SECRET-KEY-"))
        return pyrage.x25519.Identity.from_str(word)
    except (OSError, UnicodeDecodeError, StopIteration, pyrage.IdentityError) as error:
        raise ConfigError(
            "no key can be read", place=path.name, expected="a file of corelab vault keygen"
        ) from error
