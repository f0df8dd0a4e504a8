"""Looks for a text in every form in which bytes may hold it, also inside archives, tables and databases."""

import base64
import gzip
import io
import json
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pyarrow.parquet as pq

_DEEPEST = 4


def list_forms(text: str) -> Mapping[str, bytes]:
    """Return the forms of a text: as it is, capitals, UTF-16, escapes, base64 at each of its places."""
    plain = text.encode()
    forms = {
        "plain": plain, "upper": text.upper().encode(), "lower": text.lower().encode(),
        "utf-16-le": text.encode("utf-16-le"), "utf-16-be": text.encode("utf-16-be"),
        "underscores": text.replace(" ", "_").encode(), "percent": quote(text).encode(),
        "escapes": json.dumps(text)[1:-1].encode(), "gb18030": text.encode("gb18030"),
        "joined": text.replace(" ", "").encode(),
    }  # fmt: skip
    for shift in range(3):
        coded = base64.b64encode(bytes(shift) + plain)
        # What stands at the edges depends on the neighbours.
        forms[f"base64 {shift}"] = coded[-(-8 * shift // 6) : len(coded) - 4]
    return {name: form for name, form in forms.items() if len(form) > 3}


def find_traces(texts: Iterable[str], place: Path) -> list[str]:
    """Name every text that is found anywhere under a place, with its form and where it is."""
    forms = [(text, name, form) for text in texts for name, form in list_forms(text).items()]
    found = []
    for path in sorted(one for one in place.rglob("*") if one.is_file()):
        for label, data in unfold(path.relative_to(place).as_posix(), path.read_bytes()):
            found += [f"{text!r} as {name} in {label}" for text, name, form in forms if form in data]
        found += [f"{text!r} as {name} in a name" for text, name, form in forms if form in str(path).encode()]
    return found


def unfold(label: str, data: bytes, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield some bytes and everything that is packed inside them."""
    yield label, data
    if depth == _DEEPEST:
        return
    for inner, packed in _unpack(data):
        yield from unfold(f"{label}!{inner}", packed, depth + 1)


def _unpack(data: bytes) -> Iterator[tuple[str, bytes]]:
    for start, opener in _OPENERS.items():
        if data.startswith(start):
            yield from opener(data)
    if data[257:262] == b"ustar":
        yield from _open_tar(data)


def _open_parquet(data: bytes) -> Iterator[tuple[str, bytes]]:
    table = pq.read_table(io.BytesIO(data))
    yield "columns", repr(table.to_pydict()).encode() + str(table.schema.metadata).encode()


def _open_zip(data: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            yield name, archive.read(name)


def _open_tar(data: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for entry in tar:
            stream = tar.extractfile(entry) if entry.isreg() else None
            if stream:
                yield entry.name, stream.read()


def _open_hdf5(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield names, attributes and values of an h5ad file; its chunks are compressed."""
    import h5py

    told: list[str] = []

    def tell(name: str, thing: "h5py.Group | h5py.Dataset") -> None:
        told.append(f"{name} {dict(thing.attrs)}")
        if isinstance(thing, h5py.Dataset) and thing.dtype.kind in "OSU":
            told.extend(str(value) for value in thing.asstr()[()].ravel()) if thing.ndim else told.append(
                str(thing.asstr()[()])
            )

    with h5py.File(io.BytesIO(data)) as file:
        told.append(str(dict(file.attrs)))
        file.visititems(tell)
    yield "values", "\n".join(told).encode("utf-8", "surrogatepass")


def _open_pdf(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the words of the pages, the properties, and every stream unpacked."""
    import pypdf

    reader = pypdf.PdfReader(io.BytesIO(data))
    yield "words", "\n".join(page.extract_text() for page in reader.pages).encode("utf-8", "surrogatepass")
    yield "properties", str(reader.metadata).encode("utf-8", "surrogatepass")
    for number in range(1, len(reader.xref[0]) if 0 in reader.xref else 1):
        thing = reader.get_object(number)
        if isinstance(thing, pypdf.generic.StreamObject):
            yield f"stream {number}", thing.get_data()


_OPENERS: Mapping[bytes, Callable[[bytes], Iterator[tuple[str, bytes]]]] = {
    b"PAR1": _open_parquet,
    b"PK\x03\x04": _open_zip,
    b"\x1f\x8b": lambda data: iter([("gzip", gzip.decompress(data))]),
    b"\x89HDF\r\n\x1a\n": _open_hdf5,
    b"%PDF": _open_pdf,
    b"SQLite format 3\0": lambda data: iter([("rows", _read_database(data))]),
}


def _read_database(data: bytes) -> bytes:
    """Return every value of every table: a long text is spread over pages and not found in them."""
    rollback = data[:18] + b"\1\1" + data[20:]  # a database in memory has no write-ahead log
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(rollback)
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables]
    return "\n".join(
        value.decode("latin-1") if isinstance(value, bytes) else str(value)
        for table in rows
        for row in table
        for value in row
    ).encode("utf-8", "surrogatepass")
