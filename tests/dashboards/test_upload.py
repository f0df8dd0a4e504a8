"""Files in over the routes of the upload: whose they are, what is refused, and what a person settles."""

import hashlib

import pytest

from corelab.store.jobs import INGEST, SHARED
from corelab.store.uploads import CHUNK
from pipelines.ingest import ingest
from pipelines.runner import work_off
from tests.dashboards.conftest import call, csrf, log_in
from tests.dashboards.trial import ACCOUNTS, NOW
from tests.deliveries import LAB, SUBJECT, make_fcs, write_delivery

BASE = "/api/v1/uploads"


@pytest.fixture
def scientist(client):
    log_in(client, "chen")
    return client


def create(client, name="a.fcs", size=100, **more):
    body = {"name": name, "size": size, "changed": "1"} | more
    return client.post(BASE, json=body, headers=csrf(client))


def append(client, upload_id, data, offset=0, **headers):
    sent = csrf(client) | {"Upload-Offset": str(offset)} | headers
    return client.patch(f"{BASE}/{upload_id}", data=data, headers=sent)


def send(client, name, data):
    upload = create(client, name, len(data)).json
    for offset in range(0, len(data), CHUNK):
        assert append(client, upload["id"], data[offset : offset + CHUNK], offset).status_code == 200
    return upload["id"]


def finish(client):
    return client.post(f"{BASE}/finish", json={}, headers=csrf(client))


ROUTES = [
    ("get", BASE), ("post", BASE), ("get", f"{BASE}/{'0' * 64}"), ("patch", f"{BASE}/{'0' * 64}"),
    ("delete", f"{BASE}/{'0' * 64}"), ("post", f"{BASE}/finish"), ("get", "/api/v1/templates/labs.csv"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_routes__are_for_scientists_only(app, client, method, path):
    assert getattr(client, method)(path).status_code == 401
    for name in ACCOUNTS:
        if name != "chen":
            log_in(other := app.server.test_client(), name)
            assert getattr(other, method)(path, headers=csrf(other)).status_code == 403, name


def test_page__is_for_scientists_only(app, client):
    for name in ACCOUNTS:
        log_in(one := app.server.test_client(), name)
        assert one.get("/upload").status_code == (200 if name == "chen" else 403), name
        page = str(call(one, app, "page.children", "/upload", "").json)
        assert ("upload-drop" in page) is (name == "chen")
    assert client.get("/upload").status_code == 302


def test_routes__ask_for_the_token(scientist):
    assert scientist.post(BASE, json={"name": "a.fcs", "size": 1}).status_code == 403
    assert scientist.patch(f"{BASE}/{'0' * 64}", data=b"x").status_code == 403


def test_append__takes_pieces_and_goes_on_where_it_ended(scientist, home):
    data = b"FCS3.1" + bytes(250)
    upload = create(scientist, size=256).json
    answer = append(
        scientist, upload["id"], data[:100], **{"Upload-Chunk-Sha256": hashlib.sha256(data[:100]).hexdigest()}
    )
    assert (answer.status_code, answer.json["received"]) == (200, 100)
    wrong = append(scientist, upload["id"], data[:100])
    assert (wrong.status_code, wrong.json["received"]) == (409, 100)
    assert create(scientist, size=256).json["received"] == 100
    assert scientist.get(BASE).json["files"][0]["received"] == 100
    damaged = append(scientist, upload["id"], data[100:], 100, **{"Upload-Chunk-Sha256": "0" * 64})
    assert (damaged.status_code, "damaged" in damaged.json["reason"]) == (422, True)
    assert append(scientist, upload["id"], data[100:], 100).json["state"] == "received"
    assert finish(scientist).status_code == 200
    assert scientist.get(BASE).json["files"] == []


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"name": "a.fcs"}', b'{"name": "a.fcs", "size": "9"}', b"\xff"]
)
def test_create__answers_400_to_nonsense(scientist, body):
    headers = csrf(scientist) | {"Content-Type": "application/json"}
    assert scientist.post(BASE, data=body, headers=headers).status_code == 400


@pytest.mark.parametrize("name", ["../../registry.db", "x.exe", "", "a\0.fcs"])
def test_create__says_what_is_wrong_with_a_name(scientist, name):
    answer = create(scientist, name)
    assert answer.status_code == 422
    assert answer.json["reason"]


def test_append__takes_no_piece_larger_than_the_limit(scientist):
    upload = create(scientist, size=3 * CHUNK).json
    answer = append(scientist, upload["id"], bytes(CHUNK + 1))
    assert answer.status_code in (413, 422)
    assert scientist.get(f"{BASE}/{upload['id']}").json["received"] == 0


def test_append__needs_an_offset(scientist):
    upload = create(scientist).json
    assert scientist.patch(f"{BASE}/{upload['id']}", data=b"x", headers=csrf(scientist)).status_code == 400


def test_remove__forgets_a_file(scientist):
    upload_id = create(scientist).json["id"]
    assert scientist.delete(f"{BASE}/{upload_id}", headers=csrf(scientist)).status_code == 200
    assert scientist.get(f"{BASE}/{upload_id}").status_code == 404


def test_template__is_the_one_that_the_command_writes(scientist):
    answer = scientist.get("/api/v1/templates/manifest.csv")
    assert answer.data.startswith(b"\xef\xbb\xbffile,subject_id,visit")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert scientist.get("/api/v1/templates/../../x.csv").status_code == 404


def test_files__are_proposed_assigned_and_recorded(scientist, app, home, tmp_path, clock):
    ingest(home, [write_delivery(tmp_path / "d", tables={"subjects": [SUBJECT]})], at=NOW, actor="setup")
    send(scientist, "fcs/S-1_D14_FMO-CAR.fcs", make_fcs())
    finish(scientist)
    work_off(home, clock=clock)
    files, corrections, held = rows_of(call(scientist, app, "upload-files.rowData", "v").json)
    (row,) = files
    assert (corrections, held) == ([], [])
    found = {name: row[name] for name in ("subject_id", "visit", "tube", "collected_at")}
    assert found == {
        "subject_id": "S-1", "visit": "D14", "tube": "fmo_car", "collected_at": "2025-03-17T09:15:00+08:00",
    }  # fmt: skip
    assert "the file's name" in row["why"]
    pressed = press(scientist, app, "assign", "files", [row | {"panel": "cart"}], "")
    assert "no reason" in pressed
    assert "Files assigned: 1" in press(
        scientist, app, "assign", "files", [row | {"panel": "cart"}], "by the worksheet"
    )
    tube = home.registry.inputs().acquisitions.loc[0]
    assert (tube["subject_id"], tube["visit"], tube["panel"], tube["tube"]) == (
        "S-1",
        "D14",
        "cart",
        "fmo_car",
    )
    lines = home.registry.audit.rows()
    line = lines[lines["action"] == "assign"].iloc[0]
    assert (line["actor"], line["role"], line["reason"]) == ("chen", "scientist", "by the worksheet")
    assert "fmo_car" in line["old"]
    assert [job.kind for job in home.jobs.latest(limit=1)] == ["run"]
    assert "waits for no tube" in press(scientist, app, "assign", "files", [row], "twice")


def test_assign__refuses_what_ingest_would_hold(scientist, app, home, tmp_path):
    ingest(
        home,
        [write_delivery(tmp_path / "d", tables={"subjects": [SUBJECT]}, files={"x.fcs": make_fcs()})],
        at=NOW,
        actor="s",
    )
    (row,) = rows_of(call(scientist, app, "upload-files.rowData", "v").json)[0]
    before = home.registry.content_hash()
    for wrong, found in (
        ({"subject_id": "S-9"}, "unknown"), ({"panel": "nk"}, "panel"),
        ({"collected_at": "soon"}, "collected_at"),
        ({"visit": "D15"}, "visit"), ({"tube": "second"}, "tube"),
    ):  # fmt: skip
        good = {"subject_id": "S-1", "visit": "D14", "panel": "cart", "tube": "full"}
        assert found in press(scientist, app, "assign", "files", [row | good | wrong], "so")
    assert home.registry.content_hash() == before


def test_corrections__stand_old_beside_new_and_are_decided(scientist, app, home, tmp_path):
    for number, value in enumerate(("1.35", "9", "11")):
        tables = {
            "subjects": [SUBJECT],
            "labs": [LAB | {"value": value, "test": "ALC" if number < 2 else "ANC"}],
        }
        if number == 2:
            tables["labs"] += [LAB | {"test": "PLT", "value": "200"}]
        ingest(home, [write_delivery(tmp_path / str(number), tables=tables)], at=NOW, actor="setup")
    ingest(
        home,
        [write_delivery(tmp_path / "x", tables={"labs": [LAB | {"test": "PLT", "value": "7"}]})],
        at=NOW,
        actor="s",
    )
    _, corrections, _ = rows_of(call(scientist, app, "upload-files.rowData", "v").json)
    assert [(row["field"], row["old"], row["new"]) for row in corrections] == [
        ("value", "1.35", "9"),
        ("value", "200", "7"),
    ]
    assert "Corrections accepted: 1" in press(
        scientist, app, "accept", "corrections", corrections[:1], "typo"
    )
    assert "Corrections refused: 1" in press(
        scientist, app, "refuse", "corrections", corrections[1:], "other child"
    )
    labs = home.registry.inputs().labs.set_index("test")["value"]
    assert (labs["ALC"], labs["PLT"]) == ("9", "200")
    assert home.registry.corrections().empty
    actions = list(home.registry.audit.rows()["action"])
    assert {"correct", "refuse_correction"} <= set(actions)
    assert home.registry.audit.verify() == []


def test_held__is_shown_with_its_reason_and_can_be_taken_out(scientist, app, home, tmp_path):
    ingest(
        home,
        [write_delivery(tmp_path / "d", tables={"labs": [LAB]}, files={"bad.fcs": b"no"})],
        at=NOW,
        actor="s",
    )
    _, _, held = rows_of(call(scientist, app, "upload-files.rowData", "v").json)
    assert sorted(row["path"] for row in held) == ["bad.fcs", "labs.csv:2"]
    told = press(scientist, app, "dismiss", "held", held, "sent by mistake")
    assert "Taken out of the quarantine: 2" in told
    assert home.registry.quarantine_rows() == []


def test_poll__tells_what_the_runner_did(scientist, app, home, clock):
    send(scientist, "subjects.csv", b"subject_id,sex,age_years\nS-1,F,12\n")
    finish(scientist)
    first = call(scientist, app, "upload-jobs.children", 1, None, None).json["response"]
    assert "waits for the runner" in str(first)
    version = first["upload-version"]["data"]
    assert not call(scientist, app, "upload-jobs.children", 2, None, version).json["response"]
    work_off(home, clock=clock)
    assert "new rows 1" in str(call(scientist, app, "upload-jobs.children", 3, None, version).json)


def rows_of(answer):
    given = answer["response"]
    return [given[f"upload-{name}"]["rowData"] for name in ("files", "corrections", "held")]


def press(client, app, button, grid, rows, reason):
    name = next(
        name
        for name, spec in app.callback_map.items()
        if [one["id"] for one in spec["inputs"]] == [f"upload-{button}"]
    )
    spec = app.callback_map[name]
    values = iter([1, rows, rows, reason])
    body = {
        "output": name,
        "outputs": [
            {"id": part.rsplit(".", 1)[0], "property": part.rsplit(".", 1)[1]}
            for part in name.strip(".").split("...")
        ],
        "inputs": [{**one, "value": next(values)} for one in spec["inputs"]],
        "state": [{**one, "value": next(values)} for one in spec["state"]],
        "changedPropIds": [f"upload-{button}.n_clicks"],
    }
    answer = client.post("/_dash-update-component", json=body, headers=csrf(client))
    assert answer.status_code == 200, answer.text
    return answer.json["response"][f"upload-{grid}-say"]["children"]


@pytest.mark.parametrize("kind", [INGEST, *SHARED])
@pytest.mark.parametrize("asked", ["queued", "running", "done"])
def test_poll__has_words_for_every_kind_of_work(scientist, app, home, kind, asked):
    home.jobs.add(kind, account="chen", role="scientist", at=NOW)
    if asked != "queued":
        job = home.jobs.claim(at=NOW)
        assert job is not None
        if asked == "done":
            home.jobs.finish(job.id, {"snapshot": "abc"}, at=NOW)
    answer = call(scientist, app, "upload-jobs.children", 1, None, None)
    assert answer.status_code == 200
    assert len(answer.json["response"]["upload-jobs"]["children"]) == 1
    if asked == "running":
        home.jobs.extend(job.id, at=NOW, done=3, total=14)
        seen = answer.json["response"]["upload-version"]["data"]
        answer = call(scientist, app, "upload-jobs.children", 2, None, seen)
        assert "3 of 14" in answer.text
        assert '"max":"14"' in answer.text
        assert "upload-version" not in answer.json["response"]
