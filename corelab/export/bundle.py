"""A replay bundle: all that some tables were made of, and what they say, in one file."""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from corelab.errors import InputError, IntegrityError

FORMAT: Final = 1
CONTENTS: Final = "bundle.json"
SCRIPT: Final = "replay.py"
_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)
_LARGEST: Final = 2 * 1024**3
_SCRIPT_TEXT: Final = '''"""Computes the tables of this bundle again and compares them with what it holds.

Run it with the corelab of the version that bundle.json names:

    python replay.py BUNDLE.zip
"""

import sys
from pathlib import Path

from pipelines.replay import replay

report = replay(Path(sys.argv[1]))
for line in (*report.remarks, *report.findings):
    print(line)
for name, rows in report.same.items():
    print(f"{name}: {rows} rows, the same")
sys.exit(1 if report.findings else 0)
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle as read: ``about`` is its contents' JSON, ``parts`` the bytes by name."""

    about: Mapping[str, Any]
    parts: Mapping[str, bytes]


def format_bundle(parts: Mapping[str, bytes], about: Mapping[str, Any]) -> bytes:
    """Write a bundle: the parts, a contents with the SHA-256 of each, and the script; always the same bytes.

    Parameters
    ----------
    parts
        ``study.yaml``, ``inputs/*``, ``gates/*``, ``plates/*`` and ``expected/*`` by name.
    about
        What the tables were made of: snapshot, versions, parameters, hashes of the inputs.
    """
    whole = {**parts, SCRIPT: _SCRIPT_TEXT.encode("utf-8")}
    listed = {name: hashlib.sha256(data).hexdigest() for name, data in whole.items()}
    contents = json.dumps(
        {**about, "format": FORMAT, "parts": listed}, sort_keys=True, indent=1, ensure_ascii=False
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [(CONTENTS, contents.encode("utf-8")), *sorted(whole.items())]:
            archive.writestr(zipfile.ZipInfo(name, _EARLIEST), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def parse_bundle(data: bytes, *, name: str) -> Bundle:
    """Read a bundle and check each part against its hash.

    Raises
    ------
    InputError
        If the bytes are no bundle of this format.
    IntegrityError
        If a part is missing, was added, or is not what the contents say.
    """
    expected = "a file of corelab export --replay"
    parts = _unpack(data, name=name, expected=expected)
    try:
        about = json.loads(parts.pop(CONTENTS))
    except (KeyError, ValueError) as error:
        raise InputError("is no replay bundle", place=name, expected=expected) from error
    listed = about.get("parts") if isinstance(about, dict) else None
    if not isinstance(listed, dict):
        raise InputError("is no replay bundle", place=name, expected=expected)
    if about.get("format") != FORMAT:
        raise InputError(f"has format {about.get('format')!r}", place=name, expected=f"format {FORMAT}")
    for part in sorted(listed.keys() | parts.keys()):
        if part not in parts or hashlib.sha256(parts[part]).hexdigest() != listed.get(part):
            raise IntegrityError("the part has changed", place=f"{name}: {part}")
    return Bundle(about=about, parts=parts)


def _unpack(data: bytes, *, name: str, expected: str) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(one.file_size for one in archive.infolist()) > _LARGEST:
                raise InputError("it is larger than any bundle", place=name, expected=expected)
            return {one: archive.read(one) for one in archive.namelist()}
    except (zipfile.BadZipFile, zlib.error) as error:
        raise InputError(
            "is no replay bundle: no zip, or a damaged one", place=name, expected=expected
        ) from error
    except (NotImplementedError, RuntimeError) as error:  # how zipfile refuses a method and a password
        raise InputError(
            "is no replay bundle: packed as no export does", place=name, expected=expected
        ) from error
