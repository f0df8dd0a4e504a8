"""Columns that several tables share, and the shapes of columns that recur."""

from corelab.tables.schema import Column
from corelab.vocabulary import VISITS, Arm, Status

ARMS = tuple(Arm)
STATUSES = tuple(Status)
YES_NO = ("yes", "no")
RELATIONS = ("=", "<", ">", "<=", ">=")

SUBJECT = Column(name="subject_id", label="Subject", required=True, origin="delivered")
ANY_SUBJECT = Column(name="subject_id", label="Subject; empty for run tubes", origin="delivered")
ARM = Column(name="arm", label="Dose group", codes=ARMS, origin="delivered")
VISIT = Column(name="visit", label="Visit", codes=VISITS, origin="delivered")
VISIT_LABEL = Column(
    name="visit_label", label="Visit with the number of an unscheduled draw",
    derivation="visit, and for UNS its number in the order of time (UNS.1, UNS.2)",
)  # fmt: skip
STUDY_DAY = Column(
    name="study_day", label="Study day", type="integer", unit="d",
    derivation="difference of local dates from infusion; infusion is day 0",
)  # fmt: skip
COLLECTED = Column(name="collected_at", label="Time of collection", unit="ISO 8601", origin="delivered")
WHEN = (VISIT, VISIT_LABEL, STUDY_DAY, COLLECTED)
STATUS = Column(name="status", label="Status of the value", codes=STATUSES, required=True)
REASON = Column(name="reason", label="Why a value is not quantified, or a remark on one that is")
RULES = Column(name="rule_version", label="Version of the rules")
EVIDENCE = Column(name="evidence", label="Delivered rows on which the verdict rests", origin="delivered")
FILE_ID = Column(
    name="file_id", label="SHA-256 of the FCS file as delivered", required=True, origin="delivered"
)
SOURCE = Column(name="source_id", label="Where the value was delivered", origin="delivered")


def number(name: str, label: str, unit: str = "", *, derivation: str = "") -> Column:
    """Return a column of real numbers."""
    return Column(name=name, label=label, type="number", unit=unit, derivation=derivation)


def count_events(name: str, label: str) -> Column:
    """Return a column of counted events."""
    return Column(name=name, label=label, type="integer", unit="events")


def count_subjects(name: str, label: str) -> Column:
    """Return a column of counted subjects."""
    return Column(name=name, label=label, type="integer", unit="subjects")


ROW_UNIT = "unit of the row"
EXACT = "Clopper-Pearson, 95 %"
CI = (
    number("ci_low", "Lower 95 % limit", "%", derivation=EXACT),
    number("ci_high", "Upper 95 % limit", "%", derivation=EXACT),
)

SHIFT = "the value with the deciding limit moved {}; sensitivity to the gate, no confidence interval"


def gate_band(up: str, down: str, unit: str = "") -> tuple[Column, Column]:
    """Describe the value under a shifted gate: what it owes to the place of the limit."""
    return (
        number("gate_low", "With the gate moved up", unit, derivation=SHIFT.format(up)),
        number("gate_high", "With the gate moved down", unit, derivation=SHIFT.format(down)),
    )
