"""Tables: one schema each, and the functions that derive them from inputs and gates."""

import datetime as dt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from corelab.cytometry.records import GateTables
    from corelab.ingest.plates.records import PlateExport
    from corelab.study.model import Study
    from corelab.tables.inputs import Inputs

__all__ = ["derive_tables"]


def derive_tables(
    inputs: "Inputs",
    gates: "GateTables",
    *,
    study: "Study",
    as_of: dt.datetime | None,
    exports: "Mapping[str, PlateExport] | None" = None,
) -> "dict[str, pd.DataFrame]":
    """Derive every table of the contract; see `corelab.tables.derive.derive_tables`.

    The derivations are imported here and not above, so that a command that only needs a schema does not
    load the scientific stack.
    """
    from corelab.tables import derive

    return derive.derive_tables(inputs, gates, study=study, as_of=as_of, exports=exports)
