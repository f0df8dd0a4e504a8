"""What is known of one child at screening or at a visit: results, answers, drugs, biopsies."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from corelab.clinical.bounds import UNBOUNDED, Bounds, scale
from corelab.clinical.egfr import Height
from corelab.clinical.logic import Truth
from corelab.clinical.reading import Reading
from corelab.errors import InputError
from corelab.units import conversion_factor

_YES: Final = frozenset(("yes", "y", "true", "1", "是"))
_NO: Final = frozenset(("no", "n", "false", "0", "否"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One laboratory result; ``unit`` is the canonical spelling, empty where the unit is unknown.

    ``ref_low`` and ``ref_high`` are the reference limits of that laboratory on that day, in the same unit.
    """

    test: str
    visit: str
    collected_at: str
    date: dt.date
    reading: Reading
    unit: str
    ref_low: Fraction | None
    ref_high: Fraction | None
    source_id: str

    def is_valid(self, target: str = "") -> bool:
        """Tell whether the result can be judged, in a unit where one is named."""
        if self.reading.word:  # positive and negative have no unit
            return True
        return self.reading.is_valid and bool(self.unit) and self.factor_to(target) is not None

    def factor_to(self, target: str) -> Fraction | None:
        """Return the exact factor to a unit, None where there is none."""
        if not target or target == self.unit:
            return Fraction(1)
        try:
            return conversion_factor(self.unit, target, substance=self.test)
        except InputError:
            return None

    def bounds_in(self, target: str = "") -> Bounds:
        """Return the interval of the value in a unit; unbounded where it cannot be converted."""
        factor = self.factor_to(target)
        return UNBOUNDED if factor is None else scale(self.reading.bounds, factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A recorded item of an instrument, with who recorded it."""

    text: str
    visit: str
    collected_at: str
    date: dt.date
    by: str
    comment: str
    source_id: str

    @property
    def truth(self) -> Truth:
        """Yes or no; unknown where it is neither."""
        word = self.text.strip().lower()
        if word in _YES:
            return Truth.YES
        return Truth.NO if word in _NO else Truth.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """A drug that was given from one date to another; ``end`` None where it goes on."""

    drug: str
    start: dt.date
    end: dt.date | None
    reason: str
    source_id: str

    def overlaps(self, first: dt.date, last: dt.date) -> bool:
        """Tell whether it was given on any day from ``first`` to ``last``."""
        return self.start <= last and (self.end is None or self.end >= first)


@dataclass(frozen=True, slots=True, kw_only=True)
class Biopsy:
    """A renal biopsy: its class and activity as written, empty where not recorded."""

    date: dt.date
    grade: str
    active: str
    source_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cd19Call:
    """The call of the platform's own CD19 table, with the rule by which it was made."""

    call: str
    percent: Fraction | None
    reason: str
    rule: str = "positive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who the child is; None where not recorded, ``source_id`` the delivered row."""

    subject_id: str
    sex: str
    birth_date: dt.date | None
    age_years: Fraction | None
    consent_date: dt.date | None
    screening_date: dt.date | None
    source_id: str = ""

    @property
    def anchor(self) -> dt.date | None:
        """The date on which age and biopsy are judged: consent, else screening."""
        return self.consent_date or self.screening_date


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that the criteria of one child are judged by; results and answers are of screening."""

    person: Person
    results: Mapping[str, Sequence[Result]] = field(default_factory=dict)
    answers: Mapping[tuple[str, str], Answer] = field(default_factory=dict)
    sledai: Sequence[Mapping[str, Answer]] = ()
    biopsies: Sequence[Biopsy] = ()
    exposures: Sequence[Exposure] = ()
    heights: Sequence[Height] = ()
    cd19: Cd19Call | None = None

    def latest(self, test: str, target: str = "") -> Result | None:
        """Return the latest valid result of a test; a later one that cannot be judged does not count."""
        valid = [result for result in self.results.get(test, ()) if result.is_valid(target)]
        return valid[-1] if valid else None

    def find_unusable(self, test: str) -> str:
        """Say why the latest delivered result of a test is not used; empty where there is none."""
        delivered = self.results.get(test, ())
        if not delivered:
            return ""
        return "UNKNOWN_UNIT" if delivered[-1].reading.is_valid else f"VALUE_{delivered[-1].reading.status}"

    def attested(self, item: str) -> Answer | None:
        """Return what the investigator attested of an item."""
        return self.answers.get(("attestation", item))


def given_within(exposures: Iterable[Exposure], drugs: Iterable[str], span: tuple[dt.date, dt.date]) -> bool:
    """Tell whether any of some drugs was given on any day of a span."""
    names = set(drugs)
    return any(exposure.drug in names and exposure.overlaps(*span) for exposure in exposures)
