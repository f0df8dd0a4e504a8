"""Persistence, loss and re-expansion as parameters."""

from typing import Final

import numpy as np

from corelab.kinetics.loss import Loss, find_confirmed_loss
from corelab.kinetics.parameter import Case, Outcome, Parameter, explain_absence, not_calculated, number
from corelab.vocabulary import Status


def _find_loss(case: Case) -> Loss | None:
    settings = case.settings
    return find_confirmed_loss(
        case.course, samples=settings.loss_samples, minimum_gap_days=settings.loss_gap_days
    )


def compute_persistence(case: Case) -> Outcome:
    """Return the day of the last quantifiable value; the true end lies between ``low`` and ``high``.

    ``high`` is empty while the end is not confirmed (right-censored) or the value has come back.
    """
    if not case.has_quantified:
        return not_calculated(explain_absence(case))
    last = float(case.course.days[case.last_quantified])
    loss = _find_loss(case)
    is_over = loss is not None and not loss.has_returned
    if loss is not None and is_over:
        return number(last, low=last, high=loss.at)
    return number(last, "RIGHT_CENSORED", low=last)


def compute_detected_persistence(case: Case) -> Outcome:
    """Return the day of the last sample in which the analyte is detected, quantifiable or not."""
    detected = np.flatnonzero(case.course.is_detected)
    if not detected.size:
        return not_calculated("NOT_DETECTED" if case.course.days.size else explain_absence(case))
    last = float(case.course.days[detected[-1]])
    return number(last, low=last)


def compute_loss(case: Case) -> Outcome:
    """Return the day of the first of the confirming samples; the loss lies between ``low`` and ``high``."""
    if not case.has_quantified:
        return not_calculated(explain_absence(case))
    loss = _find_loss(case)
    if loss is None:
        last = float(case.course.days[case.last_quantified])
        return Outcome(low=last, status=Status.NOT_CALCULATED, reason="RIGHT_CENSORED")
    return number(loss.at, low=loss.after, high=loss.at)


def compute_reexpansion(case: Case) -> Outcome:
    """Return 1 where the analyte is quantifiable again after a confirmed loss, else 0."""
    if not case.has_quantified:
        return not_calculated(explain_absence(case))
    loss = _find_loss(case)
    return number(1.0 if loss is not None and loss.has_returned else 0.0)


PARAMETERS: Final = (
    Parameter(name="PERSIST", label="Persistence, quantifiable", unit="day", compute=compute_persistence),
    Parameter(
        name="PERSISTD", label="Persistence, detected", unit="day", compute=compute_detected_persistence
    ),
    Parameter(name="LOSS", label="Confirmed loss", unit="day", compute=compute_loss),
    Parameter(
        name="REEXP", label="Re-expansion after loss (1 yes, 0 no)", unit="flag", compute=compute_reexpansion
    ),
)
