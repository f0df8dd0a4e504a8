"""Rules as data: versions of the protocol's criteria, grading profiles and response definitions.

A rule file is YAML under ``corelab/clinical/rules``; an amended protocol is a new file, or an amendment in
the study file, with its own version and the date from which it holds. Limits are written as text or whole
numbers, so that they are compared by their digits.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Final

from corelab.errors import ConfigError
from corelab.study.yaml_text import parse_yaml

Rule = Mapping[str, Any]
FIRST_DAY: Final = dt.date.min


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """One version of a set of rules, by their ids in the order of the protocol."""

    version: str
    effective_from: dt.date
    rules: Mapping[str, Rule]


@cache
def read_rule_file(name: str) -> Mapping[str, Any]:
    """Read a rule file of the package.

    Raises
    ------
    ConfigError
        If there is no such file or it holds no mapping.
    """
    source = resources.files("corelab.clinical").joinpath("rules", f"{name}.yaml")
    if not source.is_file():
        raise ConfigError(f"rules {name!r} are unknown", expected=f"one of {', '.join(list_rule_files())}")
    raw = parse_yaml(source.read_text(encoding="utf-8"))
    if not isinstance(raw, dict):
        raise ConfigError("no mapping at the top level", place=f"{name}.yaml")
    return MappingProxyType(raw)


def list_rule_files() -> list[str]:
    """Return the names of the rule files of the package."""
    folder = resources.files("corelab.clinical").joinpath("rules")
    return sorted(
        entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")
    )


def parse_limit(value: object, *, place: str) -> Fraction:
    """Read a limit by its digits.

    Raises
    ------
    ConfigError
        If it is no number, or one that YAML has already turned into binary floating point.
    """
    if isinstance(value, str | int) and not isinstance(value, bool):
        try:
            return Fraction(value)
        except ValueError:
            pass
    raise ConfigError(
        f"limit {value!r} is no exact number", place=place, expected="digits in quotes",
        remedy='write "1.5", not 1.5',
    )  # fmt: skip


def build_versions(names: Sequence[str], amendments: Sequence[Rule]) -> tuple[RuleSet, ...]:
    """Return the versions of a protocol's criteria, the earliest first.

    Parameters
    ----------
    names
        Rule files of the package.
    amendments
        Later changes of a study file, each with ``version``, ``effective_from`` and ``criteria``: by id the
        keys that change. Each stands on the version that held before it.

    Raises
    ------
    ConfigError
        If a file is unknown, an amendment lacks a key, names an unknown criterion or an earlier version.
    """
    files = [_parse_version(read_rule_file(name)) for name in names]
    versions = sorted(files, key=lambda rules: rules.effective_from)
    for raw in sorted(amendments, key=_read_start):
        versions.append(_amend(choose_version(versions, _read_start(raw)), raw))
        versions.sort(key=lambda rules: rules.effective_from)
    if len({rules.version for rules in versions}) < len(versions):
        raise ConfigError("two sets of eligibility rules share a version")
    return tuple(versions)


def _read_start(raw: Rule) -> dt.date:
    since = raw.get("effective_from")
    if isinstance(since, dt.date):
        return since
    raise ConfigError(
        f"effective_from {since!r} cannot be read", place=f"eligibility amendment {raw.get('version', '')}",
        expected="an ISO 8601 date",
    )  # fmt: skip


def _parse_version(raw: Mapping[str, Any]) -> RuleSet:
    return RuleSet(
        version=str(raw["version"]),
        effective_from=raw.get("effective_from") or FIRST_DAY,
        rules=MappingProxyType({rule["id"]: MappingProxyType(rule) for rule in raw["criteria"]}),
    )


def _amend(before: RuleSet, raw: Rule) -> RuleSet:
    try:
        version, changes = str(raw["version"]), raw["criteria"]
    except KeyError as error:
        raise ConfigError(f"key {error} is missing", place="eligibility amendment") from error
    unknown = sorted(set(changes) - set(before.rules))
    if unknown:
        raise ConfigError(f"criteria {', '.join(unknown)} are unknown", place=version)
    rules = {key: MappingProxyType({**rule, **changes.get(key, {})}) for key, rule in before.rules.items()}
    return RuleSet(version=version, effective_from=_read_start(raw), rules=MappingProxyType(rules))


def choose_version(versions: Sequence[RuleSet], on: dt.date | None) -> RuleSet:
    """Return the version that held on a date: consent; the first one where the date is not known.

    A child who consented before an amendment keeps the verdicts of the earlier version.
    """
    held = [rules for rules in versions if on is not None and rules.effective_from <= on]
    return held[-1] if held else versions[0]
