"""The real server in its own process: a large upload leaves its memory flat, the runner does the rest."""

import datetime as dt
import hashlib
import http.client
import json
import re
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from corelab.store import create_home, open_home
from corelab.store.uploads import CHUNK
from corelab.study import builtin_study
from tests.pipelines.conftest import clean_environment, command

NOW = dt.datetime(2025, 4, 1, tzinfo=dt.UTC)
PASSWORD = "correct horse battery"
SIZE = 100 * 2**20
MOST_GROWTH = 50 * 2**20
SLOWEST = 10 * 2**20


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, "subprocess.Popen[str]", str]]:
    home = create_home(tmp_path / "home", study_text=builtin_study().source)
    home.registry.users.add("chen", role="scientist", password=PASSWORD, at=NOW)
    home.close()
    process = subprocess.Popen(
        command("serve", home.path, "--port", "0"), cwd="/", env=clean_environment(),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    address = process.stdout.readline().strip().removeprefix("http://")
    yield home.path, process, address
    process.terminate()
    process.wait()
    process.stdout.close()


class Client:
    """A browser without a page: cookies, the token and one connection."""

    def __init__(self, address: str) -> None:
        self.connection = http.client.HTTPConnection(address, timeout=120)
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, body: bytes | str = b"", **headers: str) -> tuple[int, bytes]:
        given = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        given["X-CSRFToken"] = urllib.parse.unquote(self.cookies.get("_csrf_token", ""))
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body=body, headers=given | sent)
        answer = self.connection.getresponse()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, answer.read()

    def post(self, path: str, body: dict[str, object]) -> dict[str, object]:
        status, data = self.ask("POST", path, json.dumps(body), Content_Type="application/json")
        assert status == 200, data
        answer: dict[str, object] = json.loads(data)
        return answer

    def log_in(self) -> None:
        form = urllib.parse.urlencode({"username": "chen", "password": PASSWORD})
        status, _ = self.ask("POST", "/login", form, Content_Type="application/x-www-form-urlencoded")
        assert status == 303
        self.ask("GET", "/api/v1/uploads")

    def send(self, name: str, data: bytes) -> None:
        upload = self.post("/api/v1/uploads", {"name": name, "size": len(data), "changed": "1"})
        for offset in range(0, len(data), CHUNK):
            piece = data[offset : offset + CHUNK]
            status, answer = self.ask(
                "PATCH", f"/api/v1/uploads/{upload['id']}", piece, Upload_Offset=str(offset),
                Upload_Chunk_Sha256=hashlib.sha256(piece).hexdigest(),
            )  # fmt: skip
            assert status == 200, answer


def assert_strangers_cost_little(address: str) -> None:
    """Who holds many connections open, or announces a large body, keeps nobody else out."""
    host, _, port = address.partition(":")
    idle = [socket.create_connection((host, int(port)), timeout=10) for _ in range(150)]
    for one in idle:
        one.sendall(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
    client = Client(address)
    assert client.ask("GET", "/healthz") == (200, b"ok\n")
    client.connection.close()
    for one in idle:
        one.close()
    with socket.create_connection((host, int(port)), timeout=10) as large:
        large.sendall(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 67108864\r\n\r\n")
        assert large.recv(20).startswith(b"HTTP/1.1 413 ")


def read_memory(process: "subprocess.Popen[str]", *, peak: bool = False) -> int:
    text = Path(f"/proc/{process.pid}/status").read_text()
    match = re.search(rf"Vm{'HWM' if peak else 'RSS'}:\s+(\d+) kB", text)
    assert match
    return int(match.group(1)) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_serve__takes_a_large_file_with_flat_memory_and_ingests_it(
    server: tuple[Path, "subprocess.Popen[str]", str],
) -> None:
    path, process, address = server
    client = Client(address)
    client.log_in()
    assert_strangers_cost_little(address)
    client.send("labs.csv", b"subject_id,visit,collected_at,test,value,unit\n")  # everything is imported now
    # The login's password hash takes 64 MB for a moment: the peak counts from here.
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    before = read_memory(process)
    data = b"no cytometry file" + bytes(SIZE)
    begin = time.perf_counter()
    client.send("large.fcs", data)
    took = time.perf_counter() - begin
    growth = read_memory(process, peak=True) - before
    assert growth < MOST_GROWTH, f"{growth / 2**20:.1f} MB"
    assert SIZE / took > SLOWEST, f"{SIZE / took / 2**20:.1f} MB/s"
    (part,) = (one for one in (path / "uploads").iterdir() if one.stat().st_size > SIZE)
    assert part.read_bytes() == data
    client.send("subjects.csv", b"subject_id,sex,age_years\nS-1,F,12\n")
    client.post("/api/v1/uploads/finish", {})
    home = open_home(path)
    deadline = time.monotonic() + 200
    while (jobs := home.jobs.latest()) and not all(job.finished_at for job in jobs):
        assert time.monotonic() < deadline, jobs
        time.sleep(0.5)
    assert [(job.kind, job.state) for job in jobs] == [("run", "done"), ("ingest", "done")]
    assert [row["path"] for row in home.registry.quarantine_rows()] == ["large.fcs"]
    assert len(home.registry.inputs().subjects) == 1
    assert list((path / "uploads").iterdir()) == []
    assert read_memory(process, peak=True) - before < MOST_GROWTH
    home.close()
    client.connection.close()
