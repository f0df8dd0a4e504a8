"""corelab from a notebook: a home's tables, one FCS file gated, one plate fitted, one course of kinetics.

Each function reads what it is given and returns tables; nothing is written, and heavy packages are imported
only by what needs them.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from corelab.errors import HomeError, InputError

if TYPE_CHECKING:
    import pandas as pd

    from corelab.store import Home, Snapshot

_KEYS: Final = ("subject_id", "analyte")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """An open home, to read from; close it, or use it in a ``with`` statement."""

    home: "Home"

    @property
    def snapshot(self) -> "Snapshot":
        """The current snapshot.

        Raises
        ------
        HomeError
            If there is none yet.
        """
        current = self.home.snapshots.current()
        if current is None:
            place, remedy = self.home.path.name, "make one with corelab run"
            raise HomeError("there is no snapshot yet", place=place, remedy=remedy)
        return current

    @property
    def table_names(self) -> tuple[str, ...]:
        """Names of the snapshot's tables."""
        return self.snapshot.table_names

    def table(self, name: str, *, snapshot: str = "") -> "pd.DataFrame":
        """Return a table of the current snapshot, or of an older one by its id.

        Raises
        ------
        HomeError
            If there is no such snapshot or table.
        """
        chosen = self.home.snapshots.get(snapshot) if snapshot else self.snapshot
        return chosen.table(name)

    def cells(self, name: str) -> "pd.DataFrame":
        """Return a table of the snapshot's single cells: ``clusters``, ``abundance``, ``cells_cart`` ...

        Raises
        ------
        HomeError
            If they are not mapped, or there is no such table.
        """
        found = self.home.cell_maps.read(self.snapshot.id)
        if found is None:
            place, remedy = self.home.path.name, "map them with corelab phenotype"
            raise HomeError("the cells of the snapshot are not mapped", place=place, remedy=remedy)
        if name not in found.table_names:
            raise HomeError(f"no table {name!r} of single cells", expected=" ".join(found.table_names))
        return found.table(name)

    def close(self) -> None:
        """Let go of the database."""
        self.home.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_trial(path: str | Path, *, database_url: str | None = None, object_url: str | None = None) -> Trial:
    """Open a home; ``corelab.open`` is this function.

    Raises
    ------
    HomeError
        If there is no home, or it is of another version.
    ConfigError
        If its registry or objects are elsewhere and the URL is not given.
    """
    from corelab.store import open_home

    return Trial(home=open_home(path, database_url=database_url, object_url=object_url))


def gate(path: str | Path, panel: str) -> "pd.DataFrame":
    """Gate one FCS file as ``corelab gate`` does.

    Parameters
    ----------
    path
        The file.
    panel
        ``cart``, ``bcell``, or the path of a template.

    Returns
    -------
    DataFrame
        The table ``populations`` for this file: counts, percent of parent with exact limits, status.

    Raises
    ------
    FcsReadError
        If the file cannot be read.
    ConfigError
        If there is no such panel.
    """
    from corelab.cytometry.gating import gate_bytes
    from corelab.cytometry.records import tabulate_gates
    from corelab.cytometry.template import load_template
    from corelab.tables.free_populations import derive_free_populations

    data, template = _read(path), load_template(panel)
    gated = gate_bytes(data, name=Path(path).name, template=template)
    tables = tabulate_gates({hashlib.sha256(data).hexdigest(): gated})
    return derive_free_populations(tables, template.panel)


def fit_plate(
    path: str | Path, *, layout: "pd.DataFrame | None" = None, standards: "pd.DataFrame | None" = None
) -> "dict[str, pd.DataFrame]":
    """Fit the standard curves of one plate and judge it by the rules of the built-in study.

    Parameters
    ----------
    path
        The export of the plate reader.
    layout, standards
        Columns of ``plates/layout.csv`` and ``plates/standards.csv``; ``plate`` may be left out.

    Returns
    -------
    dict
        ``plates``, ``plate_curves``, ``plate_curve_points``, ``plate_wells``, ``plate_controls``.

    Raises
    ------
    PlateReadError
        If the export cannot be read.
    """
    import pandas as pd

    from corelab.ingest.plates.reader import read_plate
    from corelab.ingest.plates.sheets import blank_people, name_plate, open_export
    from corelab.study import builtin_study
    from corelab.tables.inputs import build_inputs
    from corelab.tables.plate_tables import derive_plates

    data, plate = _read(path), name_plate(Path(path).name)
    file_id = hashlib.sha256(data).hexdigest()
    export = read_plate(blank_people(open_export(data, name=Path(path).name)), name=Path(path).name)
    given = {"plate_layout": layout, "plate_standards": standards}
    rows = {name: table.assign(plate=plate) for name, table in given.items() if table is not None}
    plates = pd.DataFrame([{"file_id": file_id, "plate": plate, "source_id": f"{Path(path).name}:1"}])
    inputs = build_inputs({"plates": plates, **rows})
    derived = derive_plates(inputs, {file_id: export}, settings=builtin_study().settings["immunoassay"])
    return dict(derived.tables)


def nca(course: "pd.DataFrame", *, lloq: float | None = None) -> "pd.DataFrame":
    """Compute the kinetic parameters of courses, by the rules of the built-in study.

    Parameters
    ----------
    course
        ``days`` since infusion and ``value``; where there are ``subject_id`` and ``analyte``, a course each.
        ``status``, ``lloq`` and ``reason`` as in the table ``persistence``; without a status a missing value
        is below the limit, and so is one below ``lloq``.
    lloq
        Limit of quantification of all samples, where ``course`` has no column of that name.

    Returns
    -------
    DataFrame
        A row for each course and parameter: ``value, low, high, status, reason``; what cannot be computed has
        a status and a reason.

    Raises
    ------
    InputError
        If a column is missing, a number is none, or a course has two values at one time.
    """
    import pandas as pd

    from corelab.kinetics.profile import build_course
    from corelab.kinetics.registry import compute_parameters
    from corelab.study import builtin_study
    from corelab.tables.kinetics import read_kinetic_settings

    rows = _prepare_course(course, lloq)
    settings = read_kinetic_settings(builtin_study())
    keys = [name for name in _KEYS if name in course.columns]
    groups: Any = rows.groupby(keys, sort=True) if keys else [((), rows)]
    found = []
    for key, group in groups:
        built = build_course(
            group["days"].to_list(), group["value"].to_list(), group["status"].to_list(),
            limits=group["lloq"].to_list(), reasons=group["reason"].to_list(),
        )  # fmt: skip
        for name, one in compute_parameters(built, settings).items():
            found.append({
                **dict(zip(keys, key, strict=True)), "parameter": name, "value": one.value, "low": one.low,
                "high": one.high, "status": one.status.value, "reason": one.reason,
            })  # fmt: skip
    return pd.DataFrame(found)


def _prepare_course(course: "pd.DataFrame", lloq: float | None) -> "pd.DataFrame":
    """Give a course all of its columns."""
    import numpy as np

    missing = [name for name in ("days", "value") if name not in course.columns]
    if missing:
        raise InputError(f"no column {missing[0]!r}", place="course", expected="days and value")
    rows = course.assign(lloq=np.nan if lloq is None else lloq) if "lloq" not in course else course.copy()
    for name in ("days", "value", "lloq"):
        rows[name] = _read_numbers(rows[name], is_needed=name == "days")
    _check_courses(rows)
    if "status" not in rows:
        is_known = rows["value"].notna() & ~(rows["value"] < rows["lloq"])
        rows["status"] = np.where(is_known, "quantified", "not_detected")
    if "reason" not in rows:
        rows["reason"] = ""
    return rows


def _read_numbers(column: "pd.Series[Any]", *, is_needed: bool) -> "pd.Series[Any]":
    """Read a column of a course as numbers; the first that is none is named by its row."""
    import numpy as np
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    is_wrong = ~np.isfinite(numbers) & (column.notna() | is_needed)
    if is_wrong.any():
        row = int(np.flatnonzero(is_wrong)[0])
        expected = "a number" if is_needed else "a number, or nothing below the limit"
        raise InputError(
            f"{column.name} is '{column.iloc[row]}'", place=f"course, row {row}", expected=expected
        )
    return numbers


def _check_courses(rows: "pd.DataFrame") -> None:
    """Refuse rows that belong to no course, and courses with two values at one time."""
    keys = [name for name in _KEYS if name in rows]
    is_lost = rows[keys].isna().any(axis=1)
    if is_lost.any():
        raise InputError(
            "a row without its course",
            place=f"course, row {int(is_lost.argmax())}",
            expected=" and ".join(keys),
        )
    is_twice = rows.duplicated([*keys, "days"])
    if is_twice.any():
        row = int(is_twice.argmax())
        raise InputError(
            f"a second value at {rows['days'].iloc[row]:g} days", place=f"course, row {row}",
            expected="one value a time",
        )  # fmt: skip


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", place=Path(path).name) from error
