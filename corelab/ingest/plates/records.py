"""What every plate export says, whatever the reader: wells, readings, expected concentrations, curves."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

NAN: Final = float("nan")


class SampleType(StrEnum):
    """What is in a well; ``unstated`` where the export does not say."""

    STANDARD = "standard"
    QC = "qc"
    BLANK = "blank"
    UNKNOWN = "unknown"
    UNSTATED = "unstated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Well:
    """One row of an export: a well, or the wells of which a vendor reports only the mean.

    ``name`` is the sample as written, ``level`` the vendor's code (``S3``), ``dilution`` NaN where not given.
    """

    wells: tuple[str, ...]
    name: str
    sample_type: SampleType = SampleType.UNSTATED
    level: str = ""
    dilution: float = NAN

    @property
    def key(self) -> str:
        """The wells in one text."""
        return ",".join(self.wells)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One analyte in one well: the raw response, beads, and what the vendor made of it.

    ``signal`` is NaN where the reader gave none; ``signal_cv`` is that of a vendor's mean of wells, in
    percent. ``vendor_result`` and ``vendor_remark`` are texts as written. ``flags`` are words of ours
    (``OUTLIER``, ``MALFUNCTION``, ``LOW_BEAD``).
    """

    well: str
    analyte: str
    signal: float
    net_signal: float = NAN
    bead_count: float = NAN
    signal_cv: float = NAN
    vendor_result: str = ""
    vendor_remark: str = ""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Nominal:
    """Expected concentration of one analyte in one standard or control."""

    level: str
    analyte: str
    concentration: float
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorCurve:
    """A curve as the vendor prints it, ``y = d + (a - d) / (1 + (x / c)**b)**g``.

    ``is_net`` says that it holds for the response less the blank.
    """

    analyte: str
    a: float
    b: float
    c: float
    d: float
    g: float = 1.0
    is_net: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateExport:
    """One plate as its reader exported it.

    ``analytes`` holds one empty name where the export does not say what was measured. ``run_at`` is ISO 8601
    without a zone, empty where the export's date can be read in two ways.
    """

    plate: str
    batch: str
    format: str
    platform: str
    software: str
    run_at: str = ""
    analytes: tuple[str, ...]
    wells: tuple[Well, ...]
    readings: tuple[Reading, ...]
    nominals: tuple[Nominal, ...] = ()
    units: dict[str, str] = field(default_factory=dict)
    vendor_curves: tuple[VendorCurve, ...] = ()
    fewest_beads: float = NAN
    lot: str = ""
    remarks: tuple[str, ...] = ()
