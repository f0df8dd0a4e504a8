"""Sets a report as PDF/A with typst: the same report is the same bytes."""

import datetime as dt
import json
import re
from importlib import resources
from typing import Final

from corelab.errors import ConfigError
from corelab.report.page import Page

FONTS: Final = ("Libertinus Serif", "DejaVu Sans Mono")
"""Fonts that typst brings along; reports in English need no other, so they are alike on every machine."""
CHINESE_FONTS: Final = (
    "Noto Sans CJK SC", "Source Han Sans SC", "Noto Sans SC", "PingFang SC", "Microsoft YaHei",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback", "SimHei", "SimSun",
)  # fmt: skip
STANDARD: Final = "a-2b"
_CHINESE: Final = re.compile("[\u2e80-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff]")
_UNWRITABLE: Final = re.compile(r"the text `\"?(.+?)\"?` could not be displayed")


def write_pdf(page: Page, *, created_at: dt.datetime, chinese_font: str = "") -> bytes:
    """Return a report as PDF/A-2b, dated with its snapshot and not with the moment of writing.

    Parameters
    ----------
    created_at
        When the snapshot was made.
    chinese_font
        What `find_chinese_font` found on this machine.

    Raises
    ------
    ConfigError
        If the report has Chinese words and this machine has no font for them, or a sign that no font has.
    """
    import typst

    data = dict(page.describe())
    text = json.dumps(data, ensure_ascii=False, sort_keys=True)
    needs_chinese = _CHINESE.search(text) is not None
    chinese = chinese_font if needs_chinese else ""
    if needs_chinese and not chinese:
        raise ConfigError(
            "the report has Chinese words and this machine has no font for them", place=page.title,
            expected=" or ".join(CHINESE_FONTS[:3]), remedy="install one (Debian: fonts-wqy-microhei, 2 MB)",
        )  # fmt: skip
    is_chinese = page.language == "zh"
    fonts = [chinese, *FONTS] if is_chinese else [*FONTS, *filter(None, [chinese])]
    given = {**data, "fonts": fonts, "region": "cn" if is_chinese else "gb"}
    template = resources.files("corelab.report").joinpath("template.typ").read_bytes()
    try:
        return bytes(
            typst.compile(
                template, format="pdf", pdf_standards=STANDARD, timestamp=int(created_at.timestamp()),
                sys_inputs={"data": json.dumps(given, ensure_ascii=False, sort_keys=True)},
                ignore_system_fonts=not needs_chinese,
            )
        )  # fmt: skip
    except typst.TypstError as error:
        unwritable = _UNWRITABLE.search(str(error))
        if unwritable is None:
            raise
        raise ConfigError(
            f"no font here has the sign {unwritable.group(1)!r}", place=page.title,
            remedy="install a font that has it",
        ) from error  # fmt: skip


def find_chinese_font() -> str:
    """Return a font of this machine for Simplified Chinese, empty where there is none."""
    import typst

    known = set(typst.Fonts(include_system_fonts=True, include_embedded_fonts=False).families())
    return next((name for name in CHINESE_FONTS if name in known), "")
