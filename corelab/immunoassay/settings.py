"""How a run is judged, as data; the defaults are those of ICH M10 for ligand-binding assays."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRules:
    """Limits by which standards, replicates and controls of a run are judged; percentages throughout.

    ``tier`` is 2 for an exploratory multiplex marker whose wider limits were stated beforehand.

    References
    ----------
    ICH M10, Bioanalytical method validation (2022), section 4.
    """

    tier: int = 1
    recovery_off: float = 20.0
    recovery_off_at_limits: float = 25.0
    accepted_share: float = 75.0
    fewest_levels: int = 6
    standard_cv: float = 20.0
    standard_cv_at_limits: float = 25.0
    qc_off: float = 20.0
    sample_cv_flag: float = 20.0
    sample_cv_repeat: float = 30.0
    fewest_beads: int = 50
    hook_drop: float = 10.0
    series_off: float = 5.0
    weighting: str = "1/y^2"


STRICT = RunRules()
EXPLORATORY = RunRules(
    tier=2, recovery_off=30.0, recovery_off_at_limits=30.0, standard_cv=25.0, standard_cv_at_limits=30.0,
    qc_off=30.0,
)  # fmt: skip
