"""The words of the interface contract, each with one meaning."""

from enum import StrEnum
from typing import Final


class Arm(StrEnum):
    """Dose group to which a subject is allocated."""

    LOW = "low"
    HIGH = "high"


class Role(StrEnum):
    """What an account may do."""

    SCIENTIST = "scientist"
    REVIEWER = "reviewer"
    INVESTIGATOR = "investigator"
    ADMIN = "admin"


class Panel(StrEnum):
    """Staining panel of an acquisition."""

    BCELL = "bcell"
    CART = "cart"


class Status(StrEnum):
    """What is known of a value. Only ``quantified`` stands for its number alone."""

    QUANTIFIED = "quantified"
    DETECTED_BLQ = "detected_blq"
    NOT_DETECTED = "not_detected"
    ABOVE_ULOQ = "above_uloq"
    NOT_CALCULATED = "not_calculated"
    FAILED = "failed"
    MISSING = "missing"


class GateSource(StrEnum):
    """Where the deciding limit of a gate came from."""

    AUTO = "auto"
    CONTROL = "control"
    OTHER_VISIT = "other_visit"
    TEMPLATE = "template"
    MANUAL = "manual"
    FLOWJO = "flowjo"
    GATINGML = "gatingml"


class Level(StrEnum):
    """How much a quality finding weighs."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


class Assay(StrEnum):
    """The kind of measurement."""

    FLOW = "flow"
    QPCR = "qpcr"
    CYTOKINE = "cytokine"
    LABORATORY = "laboratory"
    ASSESSMENT = "assessment"


class Analyte(StrEnum):
    """The four ways in which CAR-T cells are quantified; never mixed."""

    CAR_PCT_CD3 = "CAR_PCT_CD3"
    CAR_PCT_LYM = "CAR_PCT_LYM"
    CAR_ABS = "CAR_ABS"
    CAR_VCN_UG = "CAR_VCN_UG"


VISITS: Final = (
    "SCR", "APH", "LD", "D0", "D1", "D3", "D7", "D10", "D14", "D21", "D28",
    "M2", "M3", "M4", "M5", "M6", "M9", "M12", "M18", "M24", "UNS", "ET",
)  # fmt: skip
"""Visits in the order of the trial; ``UNS`` may occur any number of times."""

BEAD_QC: Final = "bead_qc"
"""The tube of quality beads of an instrument; it holds no cell."""
BEAD_POPULATIONS: Final = ("events", "time_ok", "beads")
"""The populations that are no cells; no other is counted in a tube of quality beads."""
RUN_TUBES: Final = ("unstained", "run_control", "assay_blank", BEAD_QC)
"""Tubes that belong to a run, not to a subject; ``comp_<marker>`` are run tubes as well."""

COMMON_POPULATIONS: Final = (
    "events", "time_ok", "beads", "singlets", "live", "leukocytes", "lymphocytes", "t_cells",
)  # fmt: skip

T_COMPARTMENTS: Final = (
    "cd4_t", "cd8_t", "car_t", "car_cd4", "car_cd8", "car_neg_cd4", "car_neg_cd8",
)  # fmt: skip
"""The populations that are split into memory subsets and checkpoint markers."""

T_MEMORY_SUBSETS: Final = ("naive", "scm", "cm", "em", "temra")
T_MARKER_SUBSETS: Final = ("pd1", "tim3", "lag3", "hla_dr", "cd25", "pd1_tim3_lag3")

B_SUBSETS: Final = (
    "plasmablasts", "transitional", "naive_b", "unswitched_memory_b", "switched_memory_b",
    "double_negative_b",
)  # fmt: skip


def is_run_tube(tube: str) -> bool:
    """Tell whether a tube belongs to a run rather than to a subject.

    Examples
    --------
    >>> is_run_tube("comp_CD3"), is_run_tube("full")
    (True, False)
    """
    return tube in RUN_TUBES or tube.startswith("comp_")


def is_tube(tube: str) -> bool:
    """Tell whether a word names a tube of the contract.

    Examples
    --------
    >>> is_tube("fmo_car"), is_tube("second")
    (True, False)
    """
    return tube == "full" or is_run_tube(tube) or (tube.startswith("fmo_") and len(tube) > 4)
