"""The audit trail cannot be changed, and whoever does it all the same is found out."""

import datetime as dt
import random
import threading

import pytest
import sqlalchemy as sa

from corelab.store import Home
from corelab.store.audit import Entry
from corelab.store.schema import audit as audit_table

NOW = dt.datetime(2025, 3, 3, 9, 0, tzinfo=dt.UTC)
FIELDS = ("at", "actor", "role", "action", "object", "old", "new", "reason", "previous_hash", "hash")
ROWS = 12


@pytest.fixture
def audited(home: Home) -> Home:
    """A home with a trail; every text differs, so that a swap is a change."""
    for number in range(ROWS):
        home.registry.audit.append(
            actor=f"ann{number}", role="scientist", action="edit", object=f"gate {number}", old=f"{number}",
            new=f"{number + 1}", reason=f"because {number}", at=NOW + dt.timedelta(minutes=number),
        )  # fmt: skip
    assert home.registry.audit.verify() == []
    return home


def tamper(home: Home, *statements: str) -> None:
    """Change rows as someone would who owns the database: the refusing triggers are taken off first."""
    sqlite = home.registry.engine.dialect.name == "sqlite"
    names = ("audit_no_update", "audit_no_delete") if sqlite else ("audit_no_change", "audit_no_truncate")
    suffix = "" if sqlite else " ON audit"
    with home.registry.engine.begin() as connection:
        for name in names:
            connection.execute(sa.text(f"DROP TRIGGER {name}{suffix}"))
        for statement in statements:
            connection.execute(sa.text(statement))


REPLACED = "SELECT seq, at, actor, role, action, object, old, new, 'x', previous_hash, hash FROM audit"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET reason = 'x'", "DELETE FROM audit", "TRUNCATE audit",
        f"INSERT OR REPLACE INTO audit {REPLACED}", "UPDATE OR REPLACE audit SET seq = 1 WHERE seq = 2",
        f"INSERT INTO audit {REPLACED} WHERE true ON CONFLICT (seq) DO UPDATE SET reason = 'x'",
    ],
)  # fmt: skip
def test_database__refuses_to_change_the_trail(audited: Home, statement: str) -> None:
    engine = audited.registry.engine
    if statement.startswith("TRUNCATE") and engine.dialect.name == "sqlite":
        statement = "DELETE FROM audit WHERE seq > 3"
    is_foreign = "OR REPLACE" in statement and engine.dialect.name != "sqlite"
    said = "syntax" if is_foreign else "never changed"
    with pytest.raises(sa.exc.DBAPIError, match=said), engine.begin() as connection:
        connection.execute(sa.text(statement))
    assert audited.registry.audit.verify() == []


@pytest.mark.parametrize("table", ["gate_revision", "review", "withdrawal"])
def test_database__refuses_to_empty_what_is_only_added_to(home: Home, table: str) -> None:
    engine = home.registry.engine
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            names = connection.scalars(
                sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :t"),
                {"t": table},
            )
            assert {f"{table}_no_update", f"{table}_no_delete"} <= set(names)
        return
    with pytest.raises(sa.exc.DBAPIError, match="never changed"), engine.begin() as connection:
        connection.execute(sa.text(f"TRUNCATE {table} CASCADE"))


@pytest.mark.parametrize("field", FIELDS)
def test_verify__names_a_changed_field(audited: Home, field: str) -> None:
    row = random.Random(field).randint(1, ROWS)
    tamper(audited, f"UPDATE audit SET {field} = '~' || substr({field}, 2) WHERE seq = {row}")
    findings = audited.registry.audit.verify()
    assert any(f"row {row}" in finding or f"row {row + 1}" in finding for finding in findings)


def test_verify__names_a_removed_row(audited: Home) -> None:
    tamper(audited, "DELETE FROM audit WHERE seq = 5")
    assert "row 5 is missing" in audited.registry.audit.verify()[0]


def test_verify__names_a_removed_first_row(audited: Home) -> None:
    tamper(audited, "DELETE FROM audit WHERE seq = 1")
    assert "row 1 is missing" in audited.registry.audit.verify()[0]


def test_verify__names_a_removed_row_whose_followers_moved_up(audited: Home) -> None:
    moved = [f"UPDATE audit SET seq = {seq - 1} WHERE seq = {seq}" for seq in range(6, ROWS + 1)]
    tamper(audited, "DELETE FROM audit WHERE seq = 5", *moved)
    assert "row 5 does not follow" in audited.registry.audit.verify()[0]


def test_verify__names_swapped_rows(audited: Home) -> None:
    tamper(
        audited,
        "UPDATE audit SET seq = 1000 WHERE seq = 4",
        "UPDATE audit SET seq = 4 WHERE seq = 7",
        "UPDATE audit SET seq = 7 WHERE seq = 1000",
    )
    assert any("row 4" in finding for finding in audited.registry.audit.verify())


def test_verify__names_a_cut_tail(audited: Home) -> None:
    tamper(audited, f"DELETE FROM audit WHERE seq > {ROWS - 3}")
    findings = audited.registry.audit.verify()
    assert f"rows {ROWS - 2} to {ROWS} are missing" in findings[0]


def test_verify__names_a_cut_tail_whose_head_in_the_database_was_cut_as_well(audited: Home) -> None:
    tamper(
        audited,
        f"DELETE FROM audit WHERE seq > {ROWS - 3}",
        f"UPDATE audit_head SET seq = {ROWS - 3}, hash = (SELECT hash FROM audit WHERE seq = {ROWS - 3})",
    )
    assert any("head kept in the home" in finding for finding in audited.registry.audit.verify())


def test_verify__names_an_emptied_trail(audited: Home) -> None:
    tamper(audited, "DELETE FROM audit")
    assert f"rows 1 to {ROWS} are missing" in audited.registry.audit.verify()[0]


def test_verify__names_a_forged_row_past_the_head(audited: Home) -> None:
    columns = ", ".join(column.name for column in audit_table.columns if column.name != "seq")
    tamper(
        audited, f"INSERT INTO audit (seq, {columns}) SELECT {ROWS + 1}, {columns} FROM audit WHERE seq = 1"
    )
    assert any(f"row {ROWS + 1}" in finding for finding in audited.registry.audit.verify())


@pytest.mark.parametrize("text", ["", "{}", '{"seq": "x", "hash": 1}', "\x00"])
def test_verify__names_a_spoilt_note_of_the_head(audited: Home, text: str) -> None:
    audited.registry.audit.head_path.write_text(text)
    assert any("cannot be read" in finding for finding in audited.registry.audit.verify())


def test_verify__names_a_missing_note_of_the_head(audited: Home) -> None:
    audited.registry.audit.head_path.unlink()
    assert any("note" in finding for finding in audited.registry.audit.verify())


def test_append__holds_the_chain_with_four_writers(home: Home) -> None:
    def write(name: int) -> None:
        for number in range(10):
            home.registry.audit.append(actor=f"w{name}", role="", action="edit", new=str(number), at=NOW)

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(home.registry.audit.rows()) == 40
    assert home.registry.audit.verify() == []


def test_append__refuses_a_moment_without_zone(home: Home) -> None:
    with pytest.raises(ValueError, match="zone"):
        home.registry.audit.append(actor="a", role="", action="x", at=NOW.replace(tzinfo=None))


def test_append_all__adds_all_or_nothing(home: Home) -> None:
    good = Entry(at=NOW, actor="a", role="", action="x")
    bad = Entry(at=NOW.replace(tzinfo=None), actor="a", role="", action="x")
    with pytest.raises(ValueError, match="zone"):
        home.registry.audit.append_all([good, bad])
    assert home.registry.audit.rows().empty
