"""What a trial is: arms, visits and the settings by which its numbers are judged."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from corelab.errors import ConfigError
from corelab.study.yaml_text import parse_yaml
from corelab.vocabulary import VISITS, Arm

BY_VISIT: Final = "untargeted_windows"
OWN_CHECK: Final = ("immunoassay",)
"""Sections of settings that may hold more than the built-in study does, and judge it where they are read."""
SUBSECTIONS: Final = (("flow_quality", "run_control"), ("flow_quality", "bead_qc"))
"""Settings that are sections themselves: laid over the built-in ones name by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmDefinition:
    """One dose group: its word, its label and the planned dose in viable CAR+ cells per kg."""

    code: Arm
    label: str
    planned_dose_per_kg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One visit of the schedule.

    ``day`` or ``month`` is the target counted from infusion (study day 0); both are None where the
    protocol gives no target. ``before`` and ``after`` are the window in days. ``expects`` names what is
    due: ``bcell``, ``cart``, ``qpcr``, ``cytokine``, ``laboratory``, ``renal``, ``scores``.
    """

    code: str
    order: int
    day: int | None
    month: int | None
    before: int
    after: int
    expects: tuple[str, ...]
    efficacy: bool

    @property
    def has_target(self) -> bool:
        """Whether the protocol places this visit on the infusion clock."""
        return self.day is not None or self.month is not None


@dataclass(frozen=True, kw_only=True)
class Study:
    """A trial as data. ``settings`` is the nested mapping of the study file's section of that name."""

    id: str
    title: str
    timezone: str
    subject_id_pattern: str
    subjects_planned: int
    arms: tuple[ArmDefinition, ...]
    visits: tuple[Visit, ...]
    settings: Mapping[str, Mapping[str, Any]]
    vault_recipient: str
    """Public key by which delivered files are also kept as they came; empty: they are not kept."""
    source: str
    """The study file's text, kept whole so that a snapshot can name what it was made with."""

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone in which local dates and zone-less times are read."""
        return ZoneInfo(self.timezone)

    @cached_property
    def visits_by_code(self) -> Mapping[str, Visit]:
        """Visits by their word."""
        return {visit.code: visit for visit in self.visits}

    @cached_property
    def planned_dose(self) -> Mapping[str, float]:
        """Planned viable CAR+ cells per kg by arm."""
        return {arm.code.value: arm.planned_dose_per_kg for arm in self.arms}

    def localise(self, moment: dt.datetime) -> dt.datetime:
        """Give a zone-less moment the study's zone; move any other into it."""
        if moment.tzinfo is None:
            return moment.replace(tzinfo=self.zone)
        return moment.astimezone(self.zone)


def parse_study(text: str, *, place: str) -> Study:
    """Read a study file.

    Raises
    ------
    ConfigError
        If the text is no YAML mapping, lacks a key, or names an unknown visit, arm or time zone.
    """
    try:
        raw = parse_yaml(text)
    except yaml.YAMLError as error:
        raise ConfigError("not readable as YAML", place=place) from error
    if not isinstance(raw, dict):
        raise ConfigError("no mapping at the top level", place=place)
    try:
        study = _build_study(raw, text)
    except KeyError as error:
        raise ConfigError(f"key {error} is missing", place=place) from error
    except (TypeError, ValueError) as error:
        raise ConfigError(str(error), place=place) from error
    return study


def read_study(path: Path) -> Study:
    """Read a study file from disk; see `parse_study`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("cannot be read", place=path.name, expected="a UTF-8 study file") from error
    return parse_study(text, place=path.name)


def builtin_study() -> Study:
    """Return the trial that ships with corelab."""
    text = resources.files("corelab.study").joinpath("builtin.yaml").read_text(encoding="utf-8")
    return parse_study(text, place="builtin.yaml")


def _build_study(raw: Mapping[str, Any], text: str) -> Study:
    try:
        ZoneInfo(raw["timezone"])
    except ZoneInfoNotFoundError as error:
        message = f"time zone {raw['timezone']!r} is unknown"
        raise ValueError(message) from error
    re.compile(raw["subject_id_pattern"])
    return Study(
        id=str(raw["id"]),
        title=str(raw["title"]),
        timezone=str(raw["timezone"]),
        subject_id_pattern=str(raw["subject_id_pattern"]),
        subjects_planned=int(raw["subjects_planned"]),
        arms=tuple(_build_arm(arm) for arm in raw["arms"]),
        visits=tuple(_build_visit(visit, order) for order, visit in enumerate(raw["visits"])),
        settings=_merge_settings(raw.get("settings") or {}),
        vault_recipient=_read_recipient(raw.get("vault") or {}),
        source=text,
    )


def _read_recipient(raw: Mapping[str, Any]) -> str:
    recipient = str(raw.get("recipient") or "")
    if set(raw) - {"recipient"} or (recipient and not re.fullmatch(r"age1[02-9a-z]{58}", recipient)):
        message = "vault has recipient alone, a public key as corelab vault keygen prints it (age1...)"
        raise ValueError(message)
    return recipient


def _build_arm(raw: Mapping[str, Any]) -> ArmDefinition:
    return ArmDefinition(
        code=Arm(raw["code"]),
        label=str(raw["label"]),
        planned_dose_per_kg=float(raw["planned_dose_per_kg"]),
    )


def _build_visit(raw: Mapping[str, Any], order: int) -> Visit:
    code = str(raw["code"])
    if code not in VISITS:
        message = f"visit {code!r} is unknown; expected one of {', '.join(VISITS)}"
        raise ValueError(message)
    before, after = raw.get("window", (0, 0))
    return Visit(
        code=code,
        order=order,
        day=raw.get("day"),
        month=raw.get("month"),
        before=int(before),
        after=int(after),
        expects=tuple(raw["expects"]),
        efficacy=bool(raw.get("efficacy", False)),
    )


def _merge_settings(given: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Lay a study's settings over the built-in ones, section by section."""
    text = resources.files("corelab.study").joinpath("builtin.yaml").read_text(encoding="utf-8")
    defaults: dict[str, dict[str, Any]] = parse_yaml(text)["settings"]
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        message = f"settings {', '.join(unknown)} are unknown; expected {', '.join(defaults)}"
        raise ValueError(message)
    merged = {
        section: _lay_over(values, given.get(section) or {}, section) for section, values in defaults.items()
    }
    for section, name in SUBSECTIONS:
        own = (given.get(section) or {}).get(name) or {}
        merged[section][name] = _lay_over(defaults[section][name], own, f"{section}: {name}")
    return merged


def _lay_over(defaults: Mapping[str, Any], given: Mapping[str, Any], section: str) -> dict[str, Any]:
    """Lay the settings of one section over the built-in ones; a misspelt one is refused."""
    known = VISITS if section == BY_VISIT else defaults
    odd = sorted(str(name) for name in set(given) - set(known)) if section not in OWN_CHECK else []
    if odd:
        message = f"settings {section}: {', '.join(odd)} unknown; expected {', '.join(map(str, known))}"
        raise ValueError(message)
    return {**defaults, **given}
