"""How a run is judged, as data; the defaults are those of ICH M10 for ligand-binding assays."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from corelab.errors import ConfigError
from corelab.immunoassay.fitting import WEIGHTINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRules:
    """Limits by which standards, replicates and controls of a run are judged; percentages throughout.

    ``weighting`` is one of `corelab.immunoassay.fitting.WEIGHTINGS`. ``tier`` is 2 for an exploratory
    multiplex marker whose wider limits were stated beforehand.

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
    dilutions_off: float = 30.0
    series_off: float = 5.0
    needs_qc: bool = False
    weighting: str = "1/y^2"


STRICT = RunRules()
EXPLORATORY = RunRules(
    tier=2, recovery_off=30.0, recovery_off_at_limits=30.0, standard_cv=25.0, standard_cv_at_limits=30.0,
    qc_off=30.0,
)  # fmt: skip


def build_rules(raw: Mapping[str, Any]) -> RunRules:
    """Read a study's section ``immunoassay``: the tier, and single limits that replace its own.

    Raises
    ------
    ConfigError
        If a limit is unknown or no number, or the weighting unknown.

    Examples
    --------
    >>> build_rules({"tier": 2}).qc_off, build_rules({"tier": 1, "fewest_beads": 35}).fewest_beads
    (30.0, 35)
    """
    base = EXPLORATORY if raw.get("tier") == 2 else STRICT
    known = {field.name: getattr(base, field.name) for field in fields(base)}
    for name, value in raw.items():
        if name not in known:
            raise ConfigError(f"immunoassay setting {name!r} is unknown", expected=", ".join(known))
        kind = type(known[name])
        if kind is bool or isinstance(value, bool) or kind is str:
            fits = isinstance(value, kind)
        else:
            fits = isinstance(value, int | float)
        if not fits:
            raise ConfigError(f"immunoassay setting {name} is {value!r}", expected=f"as {known[name]!r}")
    if raw.get("weighting", base.weighting) not in WEIGHTINGS:
        raise ConfigError(f"weighting {raw['weighting']!r} is unknown", expected=", ".join(WEIGHTINGS))
    return replace(base, **raw)
