"""Objects are named by their content and never changed."""

import stat
from pathlib import Path

import pytest

from corelab.errors import IntegrityError
from corelab.store.objects import ObjectStore, compute_sha256, open_objects


@pytest.fixture(params=["folder", "memory"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "memory":
        return open_objects(f"memory://{tmp_path.name}/objects", scratch=None)
    return open_objects(tmp_path / "objects", scratch=tmp_path / "scratch")


def test_write__gives_the_hash_and_reads_back(objects: ObjectStore) -> None:
    object_id = objects.write(b"events")
    assert object_id == compute_sha256(b"events")
    assert objects.read(object_id) == b"events"
    assert objects.exists(object_id)


def test_write__keeps_the_same_bytes_once(objects: ObjectStore) -> None:
    assert objects.write(b"same") == objects.write(b"same")
    assert list(objects.names()) == [compute_sha256(b"same")]


def test_read__names_an_object_that_is_not_there(objects: ObjectStore) -> None:
    with pytest.raises(IntegrityError, match="not there"):
        objects.read("0" * 64)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "0" * 63])
def test_read__takes_no_other_name(objects: ObjectStore, name: str) -> None:
    with pytest.raises(IntegrityError, match="no object id"):
        objects.read(name)


def test_read__finds_a_changed_byte(tmp_path: Path) -> None:
    objects = open_objects(tmp_path / "objects", scratch=tmp_path / "scratch")
    object_id = objects.write(b"counts")
    path = tmp_path / "objects" / object_id[:2] / object_id
    path.chmod(0o644)
    path.write_bytes(b"counts!")
    with pytest.raises(IntegrityError, match="changed"):
        objects.read(object_id)


def test_write__leaves_read_only_files_and_nothing_else(tmp_path: Path) -> None:
    objects = open_objects(tmp_path / "objects", scratch=tmp_path / "scratch")
    object_id = objects.write(b"events")
    files = [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]
    assert [path.name for path in files] == [object_id]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o444
    assert not list((tmp_path / "scratch").iterdir())
