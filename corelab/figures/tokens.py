"""Colours, type and marks of the visual language, by scheme; every figure and page takes them from here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Scheme = Literal["light", "dark"]

FONT_FAMILY: Final = (
    'Inter, "Segoe UI", "Helvetica Neue", Arial, '
    '"PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif'
)
FONT_TICK: Final = 10
FONT_LABEL: Final = 11
FONT_TABLE: Final = 12

LINE_SERIES: Final = 2.0
LINE_CHOSEN: Final = 2.5
LINE_MEDIAN: Final = 3.2
LINE_HALO: Final = 6.0
LINE_THIN: Final = 1.0
DASH_LLOQ: Final = "4px,3px"
DASH_THRESHOLD: Final = "5px,3px"
DASH_GAP: Final = "2px,3px"
"""Dotted: nothing was measured between the two ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The colours of one scheme by role; ramps run from first to last in the order of their legend."""

    body: str
    panel: str
    zone: str
    gutter: str
    border: str
    grid: str
    ink: str
    ink_2: str
    muted: str
    context: str
    car_t: str
    b_cells: str
    low: str
    high: str
    warn: str
    fail: str
    ok: str
    action: str
    signed: str
    drug: str
    t_subsets: tuple[str, ...]
    b_subsets: tuple[str, ...]
    fold: tuple[str, ...]
    grades: tuple[str, ...]
    density: tuple[str, ...]
    families: Mapping[str, str]
    aplasia_sure: float
    aplasia_unsure: float


LIGHT: Final = Tokens(
    body="#FFFFFF", panel="#F5F6F7", zone="#F7F8FA", gutter="#EEF0F3", border="#D9DCE0", grid="#E9EBEE",
    ink="#1B1F24", ink_2="#4A525C", muted="#616974", context="#A9B0B8", car_t="#B84300", b_cells="#0063A3",
    low="#007A5E", high="#86358A", warn="#8A5800", fail="#B00020", ok="#2B6A3F", action="#1F5FA8",
    signed="#8E959E", drug="#C9D0D8",
    t_subsets=("#FBD9A0", "#F59A5B", "#D9575C", "#9C2F7F", "#4B1A72"),
    b_subsets=("#D5EBC8", "#8FD0B5", "#4CA8C0", "#2F78B4", "#2C4C93", "#1C2550"),
    fold=("#E1E5E9", "#BAC1C9", "#87909B", "#505A66", "#14181D"),
    grades=("#F1E3B5", "#E3B04B", "#C4691C", "#8E2B14", "#3D0A0A"),
    density=("#FFFFFF", "#DCE3EA", "#A9BDCF", "#6C93B5", "#3A6A97", "#1B4573", "#0B2447"),
    families={
        "inflammatory": "#D40D64", "th1_cytotoxic": "#6B3A08", "regulatory": "#0B7F8A",
        "homeostatic": "#2E228B", "chemokine": "#6C7B07", "acute_phase": "#22262B",
    },
    aplasia_sure=0.13, aplasia_unsure=0.06,
)  # fmt: skip

DARK: Final = Tokens(
    body="#15181C", panel="#1D2126", zone="#191D21", gutter="#22272D", border="#3A4048", grid="#282D34",
    ink="#ECEEF1", ink_2="#BFC5CD", muted="#9AA2AC", context="#59616B", car_t="#FF8B4D", b_cells="#5BB5F0",
    low="#33C79B", high="#DB8FD8", warn="#F0B429", fail="#FF7A85", ok="#6CC98A", action="#7FB6F2",
    signed="#6E7782", drug="#4A525C",
    t_subsets=("#FCE3B6", "#F7A566", "#E4686A", "#B4509B", "#7C58B8"),
    b_subsets=("#F4F9EC", "#ABDCB6", "#6CC3CB", "#3E97C9", "#5568CC", "#9A55AA"),
    fold=("#2E343B", "#4E5762", "#7C8692", "#B3BBC4", "#F4F6F8"),
    grades=("#4A4530", "#8A6A20", "#D17E30", "#FFA07E", "#FFE3DC"),
    density=("#15181C", "#26323E", "#35506B", "#4C7AA3", "#78A8CF", "#B3D2EA", "#F1F8FD"),
    families={
        "inflammatory": "#FF4D88", "th1_cytotoxic": "#F28619", "regulatory": "#D3F6F0",
        "homeostatic": "#7688EE", "chemokine": "#EFF295", "acute_phase": "#8897A7",
    },
    aplasia_sure=0.20, aplasia_unsure=0.09,
)  # fmt: skip

SCHEMES: Final[Mapping[Scheme, Tokens]] = {"light": LIGHT, "dark": DARK}

TEXT_AND_SERIES: Final = (
    "ink", "ink_2", "muted", "car_t", "b_cells", "low", "high", "warn", "fail", "ok", "action",
)  # fmt: skip
"""Roles that carry a meaning alone; each must stand out from body, panel and gutter (WCAG 2.2, 1.4.3)."""

FOLD_STEPS: Final = (1.4, 2.0, 4.0, 16.0, 64.0)
"""Fold change from which each colour of ``Tokens.fold`` holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How a status is drawn: a Plotly symbol, its size in px, hollow or filled."""

    symbol: str
    size: float
    hollow: bool = False
    lane: int = 0
    """0 at the value, 1 the lane ``<LLOQ``, 2 the lane ``no result``."""

    @property
    def is_filled_hollow(self) -> bool:
        """Whether the inside takes the colour of the body; Plotly colours an open symbol by its fill."""
        return self.hollow and not self.symbol.endswith("-open")


MARKS: Final[Mapping[str, Mark]] = {
    "quantified": Mark(symbol="circle", size=7),
    "detected_blq": Mark(symbol="triangle-down", size=8, hollow=True, lane=1),
    "not_detected": Mark(symbol="circle", size=6.5, hollow=True, lane=1),
    "above_uloq": Mark(symbol="triangle-up", size=9),
    "not_calculated": Mark(symbol="diamond", size=7, hollow=True, lane=2),
    "failed": Mark(symbol="x-thin-open", size=6, hollow=True, lane=2),
    "missing": Mark(symbol="diamond", size=7, hollow=True, lane=2),
}

ARM_SYMBOLS: Final[Mapping[str, str]] = {"low": "circle", "high": "square"}
ARM_GLYPHS: Final[Mapping[str, str]] = {"low": "●", "high": "■"}


def with_alpha(colour: str, alpha: float) -> str:
    """Return a hexadecimal colour with an opacity between 0 and 1.

    Examples
    --------
    >>> with_alpha("#0063A3", 0.13)
    'rgba(0,99,163,0.13)'
    """
    red, green, blue = _channels(colour)
    return f"rgba({red},{green},{blue},{alpha:g})"


def compute_contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two hexadecimal colours, 1 to 21.

    References
    ----------
    WCAG 2.2, definitions of relative luminance and contrast ratio.

    Examples
    --------
    >>> compute_contrast("#000000", "#FFFFFF")
    21.0
    """
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def ink_on(fill: str) -> str:
    """Return black or white ink, whichever reads better on a fill."""
    return max(("#1B1F24", "#FFFFFF"), key=lambda ink: compute_contrast(ink, fill))


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(channel / 255) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
