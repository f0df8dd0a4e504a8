"""The outcomes of ADaM: responses (ADEFF) and times to an event (ADTTE), each with its record."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from corelab.export.cdisc.adam import Domains, join_subjects
from corelab.export.cdisc.model import read_datasets
from corelab.export.cdisc.trial import NAN, NOT_DONE, Trial, finish, read_terms_of
from corelab.export.cdisc.xport import count_days as count_sas_days

RESPONSES: Final = {"RESPONDER": 1.0, "NON_RESPONDER": 0.0}
"""Analysis value of each response."""
_ANALYTES: Final = ("CAR_VCN_UG", "CAR_ABS", "CAR_PCT_CD3", "CAR_PCT_LYM")
_TIMES: Final = [
    "USUBJID", "PARAMCD", "PARAM", "EVNTDESC", "STARTLO", "STOPHI", "SRCDOM", "SRCVAR", "SRCSEQ",
]  # fmt: skip
Source = dict[str, Any]


def derive_adeff(source: pd.DataFrame, adsl: pd.DataFrame) -> pd.DataFrame:
    """Derive responses as observed from RS; nothing is imputed here."""
    source = source[source["RSDRVFL"] == "Y"].reset_index(drop=True)
    rows = source.assign(
        PARAMCD=source["RSTESTCD"],
        PARAM=source["RSTEST"],
        PARCAT1=source["RSSCAT"],
        AVISIT=source["VISIT"],
        AVISITN=source["VISITNUM"],
        ADT=source["RSDTC"].map(count_sas_days),
        ADY=source["RSDY"],
        AVAL=source["RSSTRESC"].map(RESPONSES),
        AVALC=source["RSSTRESC"].where(source["RSSTAT"] != NOT_DONE, "NOT_EVALUABLE"),
        AREASND=source["RSREASND"],
        SRCDOM="RS",
        SRCVAR="RSSTRESC",
        SRCSEQ=source["RSSEQ"],
    )
    return finish(join_subjects(rows, adsl), read_datasets()["ADEFF"])


def derive_adtte(trial: Trial, domains: Domains, adsl: pd.DataFrame) -> pd.DataFrame:
    """Derive times to loss of CAR-T cells and to the return of B cells, with the bounds between samples."""
    rows = [*_list_losses(trial, domains["PP"]), *_list_recoveries(trial, domains["CP"])]
    table = pd.DataFrame(rows, columns=_TIMES)
    table = table[table["STARTLO"].notna() | table["STOPHI"].notna()].reset_index(drop=True)
    is_event = table["STOPHI"].notna()
    table = table.assign(
        CNSR=np.where(is_event, 0.0, 1.0), AVAL=table["STOPHI"].where(is_event, table["STARTLO"])
    )
    joined = join_subjects(table, adsl)
    return finish(joined.assign(STARTDT=joined["TRTSDT"]), read_datasets()["ADTTE"])


def _list_losses(trial: Trial, parameters: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Loss by analyte; where none was seen, the time is censored at the last quantifiable sample."""
    kinetics = trial.tables["kinetics"]
    wide = kinetics[kinetics["parameter"].isin(("LOSS", "PERSIST")) & kinetics["analyte"].isin(_ANALYTES)]
    found: dict[tuple[str, str], dict[str, tuple[float, float]]] = {}
    for row in wide.itertuples(index=False):
        found.setdefault((row.subject_id, row.analyte), {})[row.parameter] = (row.low, row.high)
    categories = {name: one[0] for name, one in read_terms_of("pp")["analytes"].items()}
    records = {
        (row.USUBJID, row.PPCAT, row.PPTESTCD): row.PPSEQ
        for row in parameters[["USUBJID", "PPCAT", "PPTESTCD", "PPSEQ"]].itertuples(index=False)
    }
    for (subject, analyte), bounds in sorted(found.items()):
        low, high = _bound_loss(bounds)
        name, is_lost = trial.name_subject(subject), math.isfinite(high)
        record = (name, categories[analyte], "LOSS" if is_lost else "PERSIST")
        yield {
            "USUBJID": name,
            "PARAMCD": f"LOSS{_ANALYTES.index(analyte) + 1}",
            "PARAM": f"Time to Loss of CAR-T Cells by {analyte} (days)",
            "EVNTDESC": "LOSS" if is_lost else "STILL QUANTIFIABLE AT LAST SAMPLE",
            "STARTLO": low,
            "STOPHI": high,
            **_cite("PP", "PPSTRESN", records.get(record)),
        }


def _cite(domain: str, variable: str, number: float | None) -> Source:
    if number is None:
        return {"SRCDOM": "", "SRCVAR": "", "SRCSEQ": NAN}
    return {"SRCDOM": domain, "SRCVAR": variable, "SRCSEQ": number}


def _bound_loss(bounds: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    low, high = bounds.get("LOSS", (NAN, NAN))
    if math.isfinite(high):
        return low, high
    return bounds.get("PERSIST", (low, NAN))[0], NAN


def _list_recoveries(trial: Trial, cells: pd.DataFrame) -> Iterator[dict[str, Any]]:
    code = read_terms_of("cp")["cells_per_ul"]["b_cells"][0]
    counted = cells[(cells["CPTESTCD"] == code) & (cells["CPSTAT"] == "") & cells["CPDY"].notna()]
    records = {
        (row.USUBJID, row.CPDY): row.CPSEQ
        for row in counted[["USUBJID", "CPDY", "CPSEQ"]].itertuples(index=False)
    }
    for row in trial.tables["b_cell_recovery"].to_dict(orient="records"):
        name = trial.name_subject(str(row["subject_id"]))
        for limit in ("10", "50"):
            low, high = row[f"recovery_{limit}_low"], row[f"recovery_{limit}_high"]
            is_back = math.isfinite(high)
            day = high if is_back else low
            yield {
                "USUBJID": name,
                "PARAMCD": f"BREC{limit}",
                "PARAM": f"Time to B Cells of {limit}/uL (days)",
                "EVNTDESC": f"B CELLS AT {limit}/UL" if is_back else "NOT YET REACHED",
                "STARTLO": low,
                "STOPHI": high,
                # A day after infusion is one more in SDTM, which has no day 0.
                **_cite("CP", "CPDTC", records.get((name, day + 1))),
            }
