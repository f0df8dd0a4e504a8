"""Uploads: in pieces, resumable, each piece certain before it counts, nobody else's to go on with."""

import datetime as dt
import hashlib
import io
from collections.abc import Callable

import pytest

from corelab.errors import InputError, UploadOffsetError
from corelab.store import Home
from corelab.store.jobs import LEASE, MOST_ATTEMPTS
from corelab.store.uploads import CHUNK, EXPIRY, LARGEST, Upload, clean_name
from pipelines.runner import work_off
from tests.deliveries import make_fcs

NOW = dt.datetime(2025, 4, 1, 9, 0, tzinfo=dt.UTC)


def begin(home: Home, name: str = "a.fcs", size: int = 100, account: str = "chen", **more: str) -> Upload:
    return home.uploads.create(
        account=account, name=name, size=size, changed=more.get("changed", "1"), at=NOW
    )


def send(home: Home, upload: Upload, data: bytes, *, offset: int = 0, **more: str) -> Upload:
    return home.uploads.append(
        upload.id, io.BytesIO(data), account=more.get("account", "chen"), offset=offset, size=len(data),
        sha256=more.get("sha256", ""), at=NOW,
    )  # fmt: skip


def hand(home: Home) -> int:
    return home.uploads.hand_over(account="chen", role="scientist", at=NOW)


def parts(home: Home) -> list[str]:
    return sorted(path.name for path in (home.path / "uploads").glob("*"))


def test_append__counts_what_is_on_the_disk_and_goes_on_there(home: Home) -> None:
    upload = begin(home, size=250)
    data = bytes(range(250))
    upload = send(home, upload, data[:100], sha256=hashlib.sha256(data[:100]).hexdigest())
    assert (upload.received, upload.state) == (100, "receiving")
    again = begin(home, size=250)  # the tab was closed; the same file is chosen again
    assert (again.id, again.received) == (upload.id, 100)
    with pytest.raises(UploadOffsetError) as caught:
        send(home, upload, data[:100])
    assert caught.value.offset == 100
    done = send(home, upload, data[100:], offset=100)
    assert (done.received, done.state) == (250, "received")
    assert (home.path / "uploads" / f"{upload.id}.part").read_bytes() == data


@pytest.mark.parametrize("spoil", ["hash", "short", "long", "empty"])
def test_append__does_not_count_a_damaged_piece(home: Home, spoil: str) -> None:
    upload = begin(home, size=200)
    send(home, upload, b"a" * 50)
    size = {"hash": 20, "short": 40, "long": 151, "empty": 0}[spoil]
    with pytest.raises(InputError):
        home.uploads.append(
            upload.id, io.BytesIO(b"b" * (size if spoil != "short" else 20)), account="chen", offset=50,
            size=size, sha256="0" * 64 if spoil == "hash" else "", at=NOW,
        )  # fmt: skip
    assert home.uploads.get(upload.id, account="chen").received == 50  # type: ignore[union-attr]
    done = send(home, upload, b"c" * 150, offset=50)
    assert done.state == "received"
    assert (home.path / "uploads" / f"{upload.id}.part").read_bytes() == b"a" * 50 + b"c" * 150


def test_append__is_for_the_account_that_began(home: Home) -> None:
    upload = begin(home)
    with pytest.raises(InputError, match="no such upload"):
        send(home, upload, b"x", account="mallory")
    other = begin(home, account="mallory")
    assert other.id != upload.id
    assert home.uploads.get(upload.id, account="mallory") is None
    home.uploads.discard(upload.id, account="mallory")
    assert home.uploads.get(upload.id, account="chen") is not None


@pytest.mark.parametrize("upload_id", ["../../registry.db", "", "0" * 64, "A" * 64])
def test_append__takes_no_other_name(home: Home, upload_id: str) -> None:
    with pytest.raises(InputError, match="no such upload"):
        home.uploads.append(upload_id, io.BytesIO(b"x"), account="chen", offset=0, size=1, at=NOW)


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("a.fcs", "a.fcs"), ("fcs\\a.FCS", "fcs/a.FCS"), ("/labs.csv", "labs.csv"),
        (" labs.xlsx ", "labs.xlsx"),
        ("样本.fcs", "样本.fcs"), ("x/./manifest.csv", "x/manifest.csv"),
    ],
)  # fmt: skip
def test_clean_name__keeps_paths_inside_a_delivery(name: str, cleaned: str) -> None:
    assert clean_name(name) == cleaned


@pytest.mark.parametrize(
    "name",
    [
        "", "/", "../a.fcs", "x/../../a.fcs", ".ssh/a.fcs", "a\0.fcs", "a\n.fcs", "a\u202e.fcs", "notes.docx",
        "a" * 200 + ".fcs", "/".join(["abc"] * 200) + "/a.fcs", "x.exe", "\ud800.fcs",
    ],
)  # fmt: skip
def test_clean_name__refuses_what_leads_out_or_deceives(name: str) -> None:
    with pytest.raises(InputError):
        clean_name(name)


@pytest.mark.parametrize("size", [0, -1, LARGEST + 1])
def test_create__refuses_sizes_that_cannot_be(home: Home, size: int) -> None:
    with pytest.raises(InputError, match="bytes"):
        begin(home, size=size)


def test_create__holds_each_account_to_its_quota(home: Home) -> None:
    for number in range(8):
        begin(home, name=f"{number}.fcs", size=LARGEST)
    with pytest.raises(InputError, match="under way"):
        begin(home, name="more.fcs", size=1)
    begin(home, name="more.fcs", size=1, account="other")


def test_create__refuses_two_files_of_one_name(home: Home) -> None:
    begin(home)
    with pytest.raises(InputError, match="another file of this name"):
        begin(home, changed="2")


def test_hand_over__queues_whole_files_only(home: Home) -> None:
    with pytest.raises(InputError, match="no file"):
        hand(home)
    upload = begin(home, size=10)
    with pytest.raises(InputError, match="not received whole"):
        hand(home)
    send(home, upload, b"0123456789")
    job_id = hand(home)
    assert home.uploads.open("chen") == []
    assert [one.id for one, _ in home.uploads.handed(job_id)] == [upload.id]
    assert home.registry.audit.rows(limit=1).loc[0, "action"] == "upload"


def test_expire__gives_up_what_nobody_went_on_with(home: Home) -> None:
    send(home, begin(home), b"x" * 10)
    fresh = home.uploads.create(account="chen", name="b.fcs", size=5, changed="1", at=NOW + EXPIRY)
    (home.path / "uploads" / f"{'0' * 64}.part").write_bytes(b"left over")
    assert home.uploads.expire(at=NOW + EXPIRY + dt.timedelta(hours=1)) == 1
    assert [one.id for one in home.uploads.open("chen")] == [fresh.id]
    assert parts(home) == [f"{fresh.id}.name"]


def test_name__lies_beside_the_bytes_and_goes_with_them(home: Home) -> None:
    upload = begin(home, name="Invented Childname.fcs", size=2)
    with home.registry.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT name FROM upload").scalar() == ""
    assert [one.name for one in home.uploads.open("chen")] == ["Invented Childname.fcs"]
    home.uploads.discard(upload.id, account="chen")
    assert parts(home) == []


def deliver(home: Home, **files: bytes) -> int:
    for name, data in files.items():
        upload = begin(home, name=name.replace("__", "."), size=len(data))
        for offset in range(0, len(data), CHUNK):
            send(home, upload, data[offset : offset + CHUNK], offset=offset)
    return hand(home)


SUBJECTS = b"subject_id,sex,age_years\nS-1,F,12\n"
LABS = b"subject_id,visit,collected_at,test,value,unit\nS-1,D14,2025-03-17,ALC,1.35,10^9/L\nS-9,D14,2025-03-17,ALC,1,10^9/L\n"  # noqa: E501


def test_work_off__ingests_what_was_handed_over_and_removes_the_bytes(home: Home) -> None:
    job_id = deliver(home, subjects__csv=SUBJECTS, labs__csv=LABS, stray__fcs=make_fcs())
    assert len(parts(home)) == 6  # bytes and names
    assert work_off(home, clock=lambda: NOW) == 2  # the delivery, and the run that it asks for
    run, ingest = home.jobs.latest()
    assert (ingest.id, ingest.state, run.state) == (job_id, "done", "done")
    assert ingest.report["counts"]["rows_new"] == 2
    assert sorted(line.split(":")[0] for line in ingest.report["waiting"]) == ["labs.csv", "stray.fcs"]
    assert home.snapshots.current().id == run.report["snapshot"]  # type: ignore[union-attr]
    assert parts(home) == []
    lines = home.registry.audit.rows()
    assert set(lines[lines["action"] == "import"]["actor"]) == {"chen"}
    assert set(lines[lines["action"] == "import"]["role"]) == {"scientist"}


def test_work_off__takes_up_what_a_dead_runner_left(make_home: Callable[..., Home]) -> None:
    home = make_home()
    deliver(home, subjects__csv=SUBJECTS)
    claimed = home.jobs.claim(at=NOW)
    assert claimed is not None
    assert home.jobs.claim(at=NOW) is None
    assert not home.jobs.has_work(at=NOW)
    later = NOW + LEASE + dt.timedelta(seconds=1)
    assert work_off(home, clock=lambda: later) == 2
    assert len(home.registry.inputs().subjects) == 1


def test_claim__gives_up_a_job_that_always_kills_its_runner(make_home: Callable[..., Home]) -> None:
    home = make_home()
    deliver(home, subjects__csv=SUBJECTS)
    moment = NOW
    for _ in range(MOST_ATTEMPTS):
        assert home.jobs.claim(at=moment) is not None
        moment += LEASE + dt.timedelta(seconds=1)
    assert home.jobs.claim(at=moment) is None
    assert home.jobs.latest()[0].state == "failed"
    home.uploads.settle()  # the files may be handed over again
    assert [one.state for one in home.uploads.open("chen")] == ["received"]


def test_work_off__says_in_words_what_failed(make_home: Callable[..., Home]) -> None:
    home = make_home()
    deliver(home, subjects__csv=SUBJECTS)
    (path,) = (home.path / "uploads").glob("*.part")
    path.unlink()
    work_off(home, clock=lambda: NOW)
    (job,) = home.jobs.latest()
    assert (job.state, job.report["error"].split(";")[0]) == ("failed", "subjects.csv: its bytes are gone")
