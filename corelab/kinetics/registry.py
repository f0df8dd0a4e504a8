"""Every kinetic parameter of a CAR-T analyte, by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from corelab.kinetics import exposure, exposure_areas, persistence, terminal_parameters
from corelab.kinetics.parameter import KineticSettings, Outcome, Parameter, build_case
from corelab.kinetics.profile import Course

PARAMETERS: Final[Mapping[str, Parameter]] = MappingProxyType(
    {
        parameter.name: parameter
        for module in (exposure, exposure_areas, terminal_parameters, persistence)
        for parameter in module.PARAMETERS
    }
)


def compute_parameters(course: Course, settings: KineticSettings) -> dict[str, Outcome]:
    """Compute every parameter of one course; each has an outcome, computable or not."""
    case = build_case(course, settings)
    return {name: parameter.compute(case) for name, parameter in PARAMETERS.items()}
