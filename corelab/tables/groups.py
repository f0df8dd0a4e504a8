"""Who belongs to which dose group: the denominators of every summary."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from corelab.statistics.intervals import clopper_pearson
from corelab.tables.clock import Clocks
from corelab.vocabulary import Arm

ALL: Final = "all"
NAN: Final = float("nan")
NO_SUBJECT: Final = "NO_SUBJECT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Infused subjects by dose group, and all of them under ``all``."""

    members: Mapping[str, frozenset[str]]

    def split(self, subjects: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return some subjects by group; a subject that was not infused is in none."""
        given = frozenset(subjects)
        return {arm: given & members for arm, members in self.members.items()}


def build_groups(clocks: Clocks) -> Groups:
    """Group the infused subjects by the dose group to which they were allocated."""
    infused = {key: clock.arm for key, clock in clocks.subjects.items() if clock.infusion is not None}
    members = {
        arm.value: frozenset(key for key, given in infused.items() if given == arm.value) for arm in Arm
    }
    return Groups(members={**members, ALL: frozenset(infused)})


def count_fraction(
    place: Mapping[str, str], having: frozenset[str], judged: frozenset[str]
) -> dict[str, Any]:
    """Return a row of `summary`: how many of those judged have an endpoint, with the exact interval."""
    n, total = len(having & judged), len(judged)
    low, high = clopper_pearson(n, total)
    return {
        **place,
        "n": n,
        "n_total": total,
        "estimate": 100 * n / total if total else NAN,
        "ci_low": 100 * float(np.asarray(low)),
        "ci_high": 100 * float(np.asarray(high)),
        "unit": "%",
        "reason": "" if total else NO_SUBJECT,
    }
