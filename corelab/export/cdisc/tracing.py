"""Whether what points at a record points at one that is there and says the same."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from corelab.export.cdisc.model import Dataset
from corelab.export.cdisc.outcomes import RESPONSES
from corelab.export.cdisc.xport import count_days

Domains = Mapping[str, pd.DataFrame]
Rows = Iterator[tuple[int, str, str]]
_POINTER: Final = ["SRCDOM", "SRCVAR"]


def find_untraceable(dataset: Dataset, table: pd.DataFrame, domains: Domains) -> Rows:
    """Find analysis values without a record, or with one that says something else."""
    if "SRCSEQ" not in dataset.names or table.empty:
        return
    for (domain, variable), rows in table.groupby(_POINTER, sort=False):
        source = domains.get(str(domain))
        if source is None or variable not in source.columns:
            wrong = np.ones(len(rows), dtype=bool)
        else:
            wrong = _compare(rows, source, str(domain), str(variable))
        for index in rows.index[wrong]:
            yield int(index) + 1, "AVAL", str(rows.at[index, "AVAL"])


def _compare(rows: pd.DataFrame, source: pd.DataFrame, domain: str, variable: str) -> Any:
    """Return which rows have no record, or another value than their record."""
    sequence = f"{domain}SEQ"
    once = source.drop_duplicates(["USUBJID", sequence]).set_index(["USUBJID", sequence])
    keys = pd.MultiIndex.from_frame(rows[["USUBJID", "SRCSEQ"]])
    said = once[variable].reindex(keys)
    expected = _read_values(said, rows, variable).to_numpy(dtype=np.float64)
    given = rows["AVAL"].to_numpy()
    differs = ~((expected == given) | (np.isnan(expected) & np.isnan(given)))
    return differs | ~keys.isin(once.index)


def _read_values(said: "pd.Series[Any]", rows: pd.DataFrame, variable: str) -> "pd.Series[Any]":
    """Return what the analysis value must be by the record: its number, its response, or days to its date."""
    if variable == "RSSTRESC":
        return said.map(RESPONSES)
    if variable.endswith("DTC"):
        return said.fillna("").map(count_days) - rows["STARTDT"].to_numpy()
    return said


def find_unrelated(dataset: Dataset, table: pd.DataFrame, domains: Domains) -> Rows:
    """Find sides of a relation that name no record, and variables that a data set does not have."""
    if dataset.name != "RELREC":
        return
    for (domain, variable), rows in table.groupby(["RDOMAIN", "IDVAR"], sort=False):
        source = domains.get(str(domain))
        if source is None or variable not in source.columns:
            wrong = np.ones(len(rows), dtype=bool)
        else:
            values = source[str(variable)]
            texts = values.map(lambda one: str(int(one))) if values.dtype == np.float64 else values
            known = set(zip(source["USUBJID"], texts, strict=True))
            named = zip(rows["USUBJID"], rows["IDVARVAL"], strict=True)
            wrong = np.array([pair not in known and pair != ("", "") for pair in named])
        for index in rows.index[wrong]:
            yield int(index) + 1, "IDVARVAL", str(rows.at[index, "IDVARVAL"])
