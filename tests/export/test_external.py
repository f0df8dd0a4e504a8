"""External copies: no true date, no name of the house, no small group, and all else as it was."""

import csv
import io
import itertools
import json
import re
import shutil
from pathlib import Path

import anndata
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pyreadstat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corelab.errors import ConfigError, HomeError
from corelab.export import find_schemas
from corelab.export.external import (
    MARK,
    Disguise,
    make_external_copy,
    withhold_associations,
    withhold_summary,
)
from corelab.export.external.small_cells import Counts, _is_small, complete
from corelab.store import Home
from corelab.store.backup import restore_backup, write_backup
from corelab.store.external_key import read_external_key
from corelab.store.snapshots import Snapshot
from corelab.tables.schemas import SCHEMAS
from pipelines.export import export
from tests.export.conftest import NOW
from tests.traces import unfold

DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
WEEKS = (5200, 9360)
LARGE = 11


@pytest.fixture(scope="session")
def dates(snapshot: Snapshot) -> set[str]:
    """Every true date of the snapshot's rows, also those inside texts."""
    columns = [
        snapshot.table(name)[column]
        for name in snapshot.table_names for column in snapshot.table(name).select_dtypes("object").columns
    ]  # fmt: skip
    return {date for column in columns for text in column.unique() for date in DATE.findall(text)}


def read_whole(folder: Path) -> str:
    """All that the files of a folder hold, unpacked; of AnnData what is said of cells and of the whole."""
    texts = []
    for path in sorted(folder.iterdir()):
        texts += [data.decode("latin-1") for _, data in unfold(path.name, path.read_bytes())]
        if path.suffix == ".h5ad":
            read = anndata.read_h5ad(path)
            words = [set(read.obs[name].astype(str)) for name in read.obs.columns]
            texts += [str(read.uns), "\n".join(set(read.obs_names).union(*words))]
    return "\n".join(texts)


@pytest.fixture(scope="session")
def copies(trial_home: Home, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The trial as an external copy in every format."""
    folder = tmp_path_factory.mktemp("external")
    for name in ("csv", "parquet", "xlsx", "xpt", "h5ad"):
        few = ("subjects", "medications", "plates", "summary") if name == "xlsx" else ()
        export(
            trial_home, folder / name, at=NOW, actor="test", format_name=name, tables=few, is_external=True
        )
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="session")
def held(copies: dict[str, Path]) -> dict[str, str]:
    return {name: read_whole(folder) for name, folder in copies.items()}


def read_cells(folder: Path) -> tuple[set[str], set[float]]:
    """What the files of a folder hold in words, and the whole parts of the numbers in cells of its tables."""
    texts, numbers = set(), set()
    for path in sorted(folder.iterdir()):
        written = path.read_text(encoding="utf-8-sig")
        cells = csv.reader(io.StringIO(written, newline="")) if path.suffix == ".csv" else [[written]]
        for cell in {cell for row in cells for cell in row}:
            try:
                numbers.add(float(cell) // 1)
            except ValueError:
                texts.add(cell)
    return texts, numbers


def test_copies__hold_no_true_date_in_any_spelling(
    held: dict[str, str], copies: dict[str, Path], dates: set[str]
) -> None:
    assert len(dates) > 15
    spelt = {f"{pd.Timestamp(one):{form}}" for one in dates for form in ("%d-%b-%Y", "%d.%m.%Y", "%Y/%m/%d")}
    spelt |= {one.replace("-", "") for one in dates}
    for name, text in held.items():
        shown = set(DATE.findall(text))
        assert len(shown) > 10, name
        assert not shown & dates, name
    texts, numbers = read_cells(copies["csv"])
    # Any eight digits may stand in a hash, another name, or one of a hundred thousand fractions of numbers: a
    # date that is written as a number is all of it.
    words = re.sub(r"\b(?:[0-9a-f]{64}|(?:file|plate)-[0-9a-f]{12})\b", "", "\n".join(texts))
    assert [found for one in spelt for found in re.findall(f".{{0,30}}{one}.{{0,10}}", words)] == []
    assert len(numbers) > 1000
    assert not numbers & {float(one.replace("-", "")) for one in dates}


def test_copies__move_the_date_numbers_of_adam(copies: dict[str, Path], dates: set[str]) -> None:
    read, _ = pyreadstat.read_xport(copies["xpt"] / "adcp.xpt")
    shown = set(read["ADT"].dropna().map(str))
    assert shown
    assert not shown & dates


def test_copies__hold_no_name_of_the_house(
    held: dict[str, str], snapshot: Snapshot, trial_home: Home
) -> None:
    plates = set(snapshot.table("plates")["plate"])
    files = set(snapshot.table("populations")["file_id"])
    assert min(len(plates), len(files)) > 0
    secret = read_external_key(trial_home.path).hex()
    for text in held.values():
        hashes = set(HASH.findall(text))
        assert not hashes & {*files, secret}
        assert [one for one in plates if one in text] == []


def test_copies__count_the_same_days(copies: dict[str, Path], snapshot: Snapshot) -> None:
    """Study days, durations, days of the week, times of the day and the order of visits are unchanged."""
    shown = pq.read_table(copies["parquet"] / "measurements.parquet").to_pandas()
    true = snapshot.table("measurements")
    assert len(shown) == len(true)
    keys = ["subject_id", "assay", "name", "metric", "visit_label", "value", "status", "reason"]
    true = true.sort_values([*keys, "collected_at"], ignore_index=True)
    shown = shown.sort_values([*keys, "collected_at"], ignore_index=True)
    then, now = (pd.to_datetime(one["collected_at"], utc=True) for one in (true, shown))
    moved = (now - then).groupby(true["subject_id"])
    assert (moved.nunique() == 1).all()
    assert (moved.first().dt.days % 7 == 0).all()
    assert moved.first().dt.days.between(7 * WEEKS[0], 7 * WEEKS[1]).all()
    assert shown["collected_at"].str[10:].equals(true["collected_at"].str[10:])
    for name in ("study_day", "value", "unit", "status"):
        pd.testing.assert_series_equal(shown[name], true[name], check_dtype=False)


def test_copies__are_read_by_others(copies: dict[str, Path], snapshot: Snapshot) -> None:
    subjects = pd.read_csv(copies["csv"] / "subjects.csv", keep_default_na=False)
    assert set(subjects["age_band"]) <= {"<6", "6-11", "12-17", ">=18"}
    assert set(subjects["age_years"]) == {""}
    moved = subjects.set_index("subject_id")["infusion_at"]
    demographics, _ = pyreadstat.read_xport(copies["xpt"] / "dm.xpt")
    assert set(demographics["RFSTDTC"]) == set(moved)
    book = openpyxl.load_workbook(copies["xlsx"] / "corelab.xlsx")
    assert [row[4] for row in book["subjects"].values][1] == moved.iloc[0]
    for name in ("events", "populations"):
        read = anndata.read_h5ad(copies["h5ad"] / f"{name}.h5ad")
        cells = read.obs[["subject_id", "visit", "collected_at"]].drop_duplicates()
        tubes = pd.read_csv(copies["csv"] / "populations.csv", keep_default_na=False)
        assert set(map(tuple, cells.astype(str).values)) <= set(map(tuple, tubes[cells.columns].values))
        assert set(read.obs["file_id"].astype(str)) <= set(tubes["file_id"])
    wells = pd.read_csv(copies["csv"] / "plate_wells.csv", keep_default_na=False)
    assert set(wells.loc[wells["role"] == "unknown", "name"]) == {""}


def test_copies__say_what_they_are(copies: dict[str, Path], trial_home: Home, snapshot: Snapshot) -> None:
    for name in ("csv", "xlsx", "xpt"):
        folder = copies[name]
        assert (folder / "EXTERNAL.txt").read_text(encoding="utf-8").startswith(MARK)
        told = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        assert (told["snapshot"], told["external"]["smallest_cell"]) == (snapshot.id, 5)
        assert not {"cutoff", "subjects", "tables", "run_key"} & set(told)
        said = pd.read_csv(folder / "dictionary.csv", keep_default_na=False).set_index(["table", "name"])
        assert "moved by whole weeks" in said.loc[("subjects", "infusion_at"), "derivation"]
        assert "SUPPRESSED" in said.loc[("summary", "n"), "derivation"]
    assert told["external"]["suppressed"]["summary"]["small"] > 0
    metadata = pq.read_schema(copies["parquet"] / "subjects.parquet").metadata
    assert metadata[b"corelab"].decode() == MARK
    book = openpyxl.load_workbook(copies["xlsx"] / "corelab.xlsx")
    assert (book.properties.title, book["subjects"].oddHeader.center.text) == (MARK, MARK)
    assert MARK.encode() in (copies["xpt"] / "define.xml").read_bytes()
    assert anndata.read_h5ad(copies["h5ad"] / "events.h5ad").uns["copy"] == MARK
    rows = trial_home.registry.audit.rows()
    assert rows["new"].str.startswith("xpt (external copy)").sum() == 1


def test_copies__give_the_same_bytes_again(copies: dict[str, Path], trial_home: Home, tmp_path: Path) -> None:
    export(trial_home, tmp_path / "out", at=NOW, actor="other", format_name="parquet", is_external=True)
    for path in copies["parquet"].iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize(("options", "said"), [
    ({"format_name": "pdf"}, "true dates beside signatures"),
    ({"format_name": "csv", "with_replay": True}, "delivered rows with their true dates"),
])  # fmt: skip
def test_export__refuses_what_cannot_be_external(
    options: dict[str, object], said: str, trial_home: Home, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=said):
        export(trial_home, tmp_path / "out", at=NOW, actor="test", is_external=True, **options)
    assert not (tmp_path / "out").exists()


def test_settings__that_no_copy_can_be_made_with_are_said(snapshot: Snapshot) -> None:
    schemas = find_schemas(["subjects"], snapshot.manifest)
    right = {"shift_weeks": [1, 9], "smallest_cell": 5, "age_bands": [6]}
    for wrong in ({"shift_weeks": [9, 1]}, {"shift_weeks": 3}, {"smallest_cell": 0}, {"age_bands": [9, 6]}):
        with pytest.raises(ConfigError, match="external"):
            make_external_copy(snapshot.table, schemas, secret=b"s", settings={**right, **wrong})


def test_external_key__is_made_once_and_goes_into_a_backup(trial_home: Home, tmp_path: Path) -> None:
    secret = read_external_key(trial_home.path)
    path = trial_home.path / "external.key"
    assert path.stat().st_mode & 0o077 == 0
    write_backup(trial_home, tmp_path / "b.tar", at=NOW, actor="test")
    restore_backup(tmp_path / "b.tar", tmp_path / "again", at=NOW, actor="test")
    assert read_external_key(tmp_path / "again") == secret
    other = tmp_path / "other"
    other.mkdir()
    assert read_external_key(other) != secret
    (other / "external.key").write_text("short")
    with pytest.raises(HomeError, match=r"external\.key"):
        read_external_key(other)
    shutil.rmtree(other)


def test_disguise__moves_dates_and_replaces_names() -> None:
    disguise = Disguise(secret=b"secret", weeks=WEEKS)
    days = disguise.count_days("LN-001")
    moved = (pd.Timestamp("2024-02-29") + pd.Timedelta(days=days)).date().isoformat()
    assert disguise.write("IV of 2024-02-29", "LN-001") == f"IV of {moved}"
    assert disguise.write("2024-02-29T08:05:00+08:00", "LN-001") == f"{moved}T08:05:00+08:00"
    assert disguise.write("read 2024-02-29", "") == "read [date]"
    assert disguise.write("since 2024/3/1, 20240301, 01-MAR-2024", "LN-001") == "since [date], [date], [date]"
    assert disguise.write("2024-02-29T or 20240301", "LN-001") == f"{moved}T or [date]"
    assert disguise.write("0.20240301 of 120240301", "LN-001") == "0.20240301 of 120240301"
    assert disguise.write_source("labs.csv:12; labs.csv:13; k 0.413") == "labs.csv:12; labs.csv:13; k 0.413"
    assert disguise.write_source("Zhang 7.5.wsp:3").endswith(".wsp:3")
    assert "Zhang" not in disguise.write_source("Zhang 7.5.wsp:3")
    assert disguise.write_source("plates/a.csv") == f"plates/{disguise.name('plate', 'a')}.csv"
    assert len({disguise.count_days(f"S{n}") for n in range(200)}) > 190
    assert Disguise(secret=b"another", weeks=WEEKS).count_days("LN-001") != days


# --- small groups ------------------------------------------------------------------------------------------


def publish(world: tuple[int, int], totals: dict[str, tuple[int, ...]], k: int) -> tuple[object, ...]:
    """What anybody sees of two dose groups and their sum."""
    numbers = {"low": world[0], "high": world[1], "all": sum(world)}
    counts = {arm: Counts(n=n, totals=frozenset(totals[arm])) for arm, n in numbers.items()}
    small = {arm for arm, one in counts.items() if _is_small(one, k)}
    hidden = complete(small, [counts], smallest=k)
    return tuple(None if arm in hidden else n for arm, n in numbers.items())


@settings(max_examples=60)
@given(st.data(), st.integers(2, 5), st.integers(0, LARGE), st.integers(0, LARGE))
def test_complete__leaves_two_answers_or_more_to_who_knows_everything_but_the_numbers(
    data: st.DataObject, k: int, low: int, high: int
) -> None:
    """The attacker knows the rule and the sizes of the groups, and tries every world."""
    fewer = [data.draw(st.integers(0, size)) for size in (low, high)]
    observed = data.draw(st.booleans())
    totals = {
        arm: (size, part) if observed else (size,)
        for arm, size, part in (
            ("low", low, fewer[0]),
            ("high", high, fewer[1]),
            ("all", low + high, sum(fewer)),
        )
    }
    worlds = list(itertools.product(range(min(totals["low"]) + 1), range(min(totals["high"]) + 1)))
    truth = data.draw(st.sampled_from(worlds))
    seen = publish(truth, totals, k)
    possible = [world for world in worlds if publish(world, totals, k) == seen]
    for place, arm in enumerate(("low", "high")):
        if seen[place] is None and min(totals[arm]) > 0:
            assert len({world[place] for world in possible}) > 1
        elif seen[place] is not None:
            assert seen[place] >= k
            assert min(totals[arm]) - seen[place] >= k


def make_summary(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    names = ("endpoint", "method", "arm", "n", "n_total")
    return SCHEMAS["summary"].conform(
        [dict(zip(names, row, strict=True)) | {"estimate": 1.0, "unit": "%"} for row in rows]
    )


def test_withhold_summary__withholds_small_groups_and_what_tells_them() -> None:
    table = make_summary([
        ("CRR", "nri", "low", 3, 20), ("CRR", "nri", "high", 9, 20), ("CRR", "nri", "all", 12, 40),
        ("ORR", "nri", "low", 9, 20), ("ORR", "nri", "high", 9, 20), ("ORR", "nri", "all", 18, 40),
        ("PRR", "nri", "low", 9, 20), ("PRR", "nri", "high", 9, 20), ("PRR", "nri", "all", 18, 40),
        ("PRR", "evaluable_only", "low", 9, 11), ("PRR", "evaluable_only", "high", 9, 20),
        ("PRR", "evaluable_only", "all", 18, 31),
        ("CMAX:X", "median", "low", 18, 20), ("CMAX:X", "median", "high", 20, 20),
        ("CMAX:X", "median", "all", 38, 40), ("CMAX:X", "maximum", "low", 18, 20),
    ])  # fmt: skip
    shown, told = withhold_summary(table, smallest=5)
    n = shown.set_index(["endpoint", "method", "arm"])["n"]
    hidden = {key for key, value in n.items() if pd.isna(value)}
    assert hidden == {
        ("CRR", "nri", "low"), ("CRR", "nri", "high"),
        # Two of eleven were observed and did not respond: the share of all would give their number away.
        ("PRR", "nri", "low"), ("PRR", "nri", "high"), ("PRR", "evaluable_only", "low"),
        ("PRR", "evaluable_only", "high"), ("CMAX:X", "maximum", "low"),
    }  # fmt: skip
    assert told == {"small": 3, "complementary": 3, "of_one_child": 1}
    assert set(shown.loc[shown["n"].isna(), "reason"]) == {"SUPPRESSED"}
    assert shown.loc[shown["n"].isna(), ["n_total", "estimate", "ci_low"]].isna().all(axis=None)
    medians = shown[shown["method"] == "median"]
    assert medians["n_total"].isna().all()  # two of twenty have no value
    assert medians["n"].notna().all()
    SCHEMAS["summary"].check(shown)


def test_withhold_associations__withholds_rows_with_a_small_group() -> None:
    table = SCHEMAS["associations"].conform([
        {"analyte": "A", "parameter": "CMAX", "outcome": "CRR", "method": method, "n": 12, "n_first": first,
         "n_second": 12 - first, "estimate": 2.0, "p_value": 0.3}
        for method, first in (("permutation", 6), ("mann_whitney", 3))
    ])  # fmt: skip
    shown, told = withhold_associations(table, smallest=5)
    assert told == {"small": 1}
    assert shown.set_index("method")["p_value"].isna().to_dict() == {
        "mann_whitney": True,
        "permutation": False,
    }
    SCHEMAS["associations"].check(shown)
