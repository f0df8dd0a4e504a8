"""Files by the SHA-256 of their content, on a disk or at any fsspec URL; written once, never changed."""

import hashlib
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corelab.errors import IntegrityError
from corelab.ingest.fcs import FcsBytes, map_file

_NAME = re.compile(r"[0-9a-f]{64}")


def compute_sha256(data: FcsBytes) -> str:
    """Return the SHA-256 of some bytes as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def write_durably(path: Path, data: bytes, *, mode: int = 0o644, scratch: Path | None = None) -> None:
    """Write a file so that a reader sees all of it or nothing, even after a power failure.

    The unfinished file lies in ``scratch``, on the same disk, or else beside the finished one.
    """
    folder = scratch or path.parent
    for needed in (folder, path.parent):
        needed.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{path.name}.{os.getpid()}.{threading.get_ident()}.part"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a write that fails does not say of which file
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename inside a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStore:
    """Objects under one root: a local folder, or an fsspec URL.

    An object is ``<root>/<first two digits>/<sha256>``. A partial file never carries such a name, and a
    local one is made outside the root, in ``scratch``, so that nothing but objects is ever under it.
    """

    root: str
    scratch: Path | None
    label: str = "objects"

    @property
    def is_local(self) -> bool:
        """Whether the root is a folder of this machine."""
        return self.scratch is not None

    def _path(self, object_id: str) -> str:
        if not _NAME.fullmatch(object_id):
            raise IntegrityError(f"{object_id[:80]!r} is no object id", expected="64 hexadecimal digits")
        return f"{self.root}/{object_id[:2]}/{object_id}"

    def _filesystem(self) -> tuple[Any, str]:
        import fsspec

        filesystem, root = fsspec.core.url_to_fs(self.root)
        return filesystem, str(root)

    def write(self, data: bytes) -> str:
        """Keep some bytes and return their id; the same bytes twice are one object."""
        object_id = compute_sha256(data)
        path = self._path(object_id)
        if self.scratch is None:
            filesystem, root = self._filesystem()
            remote = f"{root}/{object_id[:2]}/{object_id}"
            if not filesystem.exists(remote):
                filesystem.makedirs(f"{root}/{object_id[:2]}", exist_ok=True)
                filesystem.pipe_file(remote, data)
            return object_id
        if not Path(path).exists():
            write_durably(Path(path), data, mode=0o444, scratch=self.scratch)
        return object_id

    def read(self, object_id: str) -> bytes:
        """Return an object's bytes.

        Raises
        ------
        IntegrityError
            If the object is not there or its bytes are not those of its name.
        """
        path = self._path(object_id)
        try:
            if self.is_local:
                data = Path(path).read_bytes()
            else:
                filesystem, root = self._filesystem()
                data = filesystem.cat_file(f"{root}/{object_id[:2]}/{object_id}")
        except FileNotFoundError as error:
            raise IntegrityError("the object is not there", place=f"{self.label}/{object_id}") from error
        self._check_bytes(data, object_id)
        return data

    def map(self, object_id: str) -> FcsBytes:
        """Return an object's bytes as `read` does, mapped into memory where the store is on this machine."""
        if not self.is_local:
            return self.read(object_id)
        try:
            data = map_file(Path(self._path(object_id)))
        except FileNotFoundError as error:
            raise IntegrityError("the object is not there", place=f"{self.label}/{object_id}") from error
        self._check_bytes(data, object_id)
        return data

    def _check_bytes(self, data: FcsBytes, object_id: str) -> None:
        if compute_sha256(data) != object_id:
            raise IntegrityError("the object's bytes have changed", place=f"{self.label}/{object_id}")

    def exists(self, object_id: str) -> bool:
        """Tell whether an object is there, without reading it."""
        if self.is_local:
            return Path(self._path(object_id)).exists()
        filesystem, root = self._filesystem()
        return bool(filesystem.exists(f"{root}/{object_id[:2]}/{object_id}"))

    def names(self) -> Iterator[str]:
        """Yield the name of everything under the root, in order; each should be an object id."""
        if self.is_local:
            found = (path for path in Path(self.root).rglob("*") if not path.is_dir())
            yield from sorted(path.name for path in found)
            return
        filesystem, root = self._filesystem()
        if filesystem.exists(root):
            yield from sorted(name.rsplit("/", 1)[-1] for name in filesystem.find(root))


def open_objects(
    root: str | Path, *, scratch: Path | None, label: str = "objects", make: bool = True
) -> ObjectStore:
    """Return the store under a local folder (with its scratch folder) or an fsspec URL (without)."""
    if scratch is not None and make:
        Path(root).mkdir(parents=True, exist_ok=True)
        scratch.mkdir(parents=True, exist_ok=True)
    return ObjectStore(root=str(root).rstrip("/"), scratch=scratch, label=label)
