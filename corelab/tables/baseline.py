"""The last sound value before lymphodepletion."""

from collections.abc import Sequence

import pandas as pd

from corelab.tables.clock import Clocks
from corelab.vocabulary import Status

_UNSOUND = (Status.FAILED.value, Status.MISSING.value, Status.NOT_CALCULATED.value)


def choose_baselines(
    rows: pd.DataFrame, *, visits: Sequence[str], clocks: Clocks, by: Sequence[str] = ("name", "unit")
) -> pd.DataFrame:
    """Return one row per subject and series: the last before lymphodepletion, never of D0.

    Parameters
    ----------
    rows
        Values with a draw's key, ``status`` and the columns of ``by``.
    visits
        Visits that may be a baseline, the preferred first: their order decides where the moment of
        lymphodepletion is not known. A draw of visit LD on that very date counts as before it.
    """
    placed = clocks.place(rows)
    sound = placed[
        ~placed["status"].isin(_UNSOUND) & placed["is_before"].astype(bool) & (placed["visit"] != "D0")
    ]
    moments = {key: clock.lymphodepletion for key, clock in clocks.subjects.items() if clock.lymphodepletion}
    depletion = sound["subject_id"].map({key: moment.timestamp() for key, moment in moments.items()})
    date = sound["subject_id"].map({key: moment.date().isoformat() for key, moment in moments.items()})
    known = depletion.notna()
    same_day = (sound["visit"] == "LD") & (sound["collected_at"].str[:10] == date)
    eligible = (known & ((sound["instant"] < depletion) | same_day)) | (~known & sound["visit"].isin(visits))
    rank = sound["visit"].map({visit: -place for place, visit in enumerate(visits)})
    ordered = sound.assign(rank=rank.where(~known, 0))[eligible]
    ordered = ordered.sort_values(["rank", "instant", "source_id"], kind="stable")
    return ordered.drop_duplicates(["subject_id", *by], keep="last")
