"""Draws of a plate's layout: where it gives no time, the one that the visit has elsewhere."""

from dataclasses import replace
from typing import Final

import pandas as pd

from corelab.tables.clock import TIMED_TABLES
from corelab.tables.inputs import Inputs
from corelab.tables.plates import FINDING_COLUMNS

_DRAW: Final = ["subject_id", "visit"]


def complete_draws(inputs: Inputs) -> tuple[Inputs, pd.DataFrame]:
    """Give specimens of a layout without a time that of the only draw of their visit, and say so.

    With no draw, or several, the time stays empty: the specimen then has a visit but no place in time.

    Returns
    -------
    tuple of Inputs and DataFrame
        The inputs and the findings.
    """
    layout = inputs.plate_layout
    lacks = (layout["subject_id"] != "") & (layout["visit"] != "") & (layout["collected_at"] == "")
    if not lacks.any():
        return inputs, pd.DataFrame(columns=FINDING_COLUMNS)
    others = [getattr(inputs, name) for name in TIMED_TABLES if name != "plate_layout"]
    draws = pd.concat([table[[*_DRAW, "collected_at"]] for table in others]).drop_duplicates()
    draws = draws[draws["collected_at"] != ""]
    only = draws.drop_duplicates(_DRAW, keep=False).set_index(_DRAW)["collected_at"]
    keys = pd.MultiIndex.from_frame(layout[_DRAW])
    found = pd.Series(only.reindex(keys).to_numpy(), index=layout.index, dtype=object)
    taken = lacks & found.notna() & (layout["visit"] != "UNS")
    completed = layout.assign(collected_at=layout["collected_at"].mask(taken, found))
    return replace(inputs, plate_layout=completed), _report(layout, lacks, taken)


def _report(layout: pd.DataFrame, lacks: "pd.Series[bool]", taken: "pd.Series[bool]") -> pd.DataFrame:
    rows = []
    for plate, group in layout[lacks].groupby("plate", sort=True):
        known = taken[group.index]
        for is_known, words in (
            (True, "time of the visit's only draw taken for"),
            (False, "no time of draw for"),
        ):
            wells = group.loc[known == is_known, "well"].tolist()
            if wells:
                named = ", ".join(wells[:12]) + (f" and {len(wells) - 12} more" if len(wells) > 12 else "")
                rows.append(
                    {
                        "object": plate, "check": "DRAW_TIME", "level": "warn" if is_known else "fail",
                        "value": float(len(wells)), "reason": f"{words} {named}",
                    }
                )  # fmt: skip
    return pd.DataFrame(rows, columns=FINDING_COLUMNS)
