"""From the names that a person gave to the populations of the trial, by a small file of names."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import yaml

from corelab.cytometry.interchange.model import GateTree
from corelab.errors import ConfigError
from corelab.study.yaml_text import parse_yaml
from corelab.vocabulary import (
    B_SUBSETS,
    COMMON_POPULATIONS,
    T_COMPARTMENTS,
    T_MARKER_SUBSETS,
    T_MEMORY_SUBSETS,
)

_B_POPULATIONS: Final = ("b_cells", "b_reference", "cd19_positive", *B_SUBSETS)
POPULATIONS: Final = frozenset({
    *COMMON_POPULATIONS, *T_COMPARTMENTS, "car_neg_t", "nk_cells", *_B_POPULATIONS,
})  # fmt: skip
SUBSETS: Final = frozenset({*T_MEMORY_SUBSETS, "naive_or_scm", *T_MARKER_SUBSETS})
_PLACE: Final = "populations.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class NameRule:
    """Names of one population or subset; ``within`` limits it to gates below certain populations."""

    meanings: tuple[str, ...]
    names: frozenset[str]
    within: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NameMap:
    """Rules in the order in which they are tried, populations before subsets."""

    populations: tuple[NameRule, ...]
    subsets: tuple[NameRule, ...]


@cache
def default_name_map() -> NameMap:
    """Load the file of usual names that ships with the package."""
    text = files("corelab.cytometry.interchange").joinpath(_PLACE).read_text(encoding="utf-8")
    return parse_name_map(text, place=_PLACE)


def parse_name_map(text: str, *, place: str) -> NameMap:
    """Parse a file of names: YAML with ``populations`` and ``subsets``.

    Parameters
    ----------
    text
        The file; ``population: [name, ...]`` or ``population: {names: [...], within: [...]}``.
    place
        What to call it in an error.

    Raises
    ------
    ConfigError
        If it is no such file or names a population that the trial does not have.
    """
    try:
        data = parse_yaml(text)
    except yaml.YAMLError as error:
        raise ConfigError("no YAML", place=place, expected=str(error).splitlines()[0]) from error
    if not isinstance(data, dict) or not set(data) <= {"version", "populations", "subsets"}:
        raise ConfigError("no file of names", place=place, expected="populations and subsets")
    return NameMap(
        populations=_parse_rules(data.get("populations") or {}, POPULATIONS, place),
        subsets=_parse_rules(data.get("subsets") or {}, SUBSETS, place),
    )


def _parse_rules(rules: Any, known: frozenset[str], place: str) -> tuple[NameRule, ...]:
    if not isinstance(rules, dict):
        raise ConfigError("no mapping of populations to names", place=place, expected="population: [names]")
    return tuple(_parse_rule(str(words), rule, known, place) for words, rule in rules.items())


def _parse_rule(words: str, rule: Any, known: frozenset[str], place: str) -> NameRule:
    whole = rule if isinstance(rule, dict) else {"names": rule}
    names, within = whole.get("names"), whole.get("within") or []
    meanings = tuple(words.split())
    subsets = {f"{compartment}.{subset}" for compartment in T_COMPARTMENTS for subset in SUBSETS}
    unknown = [w for w in (*meanings, *map(str, within)) if w not in known | POPULATIONS | subsets]
    if unknown:
        raise ConfigError(f"{unknown[0]!r} is no population", place=place, expected=", ".join(sorted(known)))
    if not isinstance(names, list) or not names:
        raise ConfigError(f"{words} without names", place=place, expected="a list of names")
    return NameRule(
        meanings=meanings,
        names=frozenset(normalise_name(str(name)) for name in names),
        within=frozenset(map(str, within)),
    )


def normalise_name(name: str) -> str:
    """Return a name as it is compared.

    Examples
    --------
    >>> normalise_name(" CD4 | EM "), normalise_name("T  Cells")
    ('em', 't cells')
    """
    return " ".join(name.rpartition("|")[2].casefold().split())


def map_gates(tree: GateTree, names: NameMap) -> dict[str, tuple[str, ...]]:
    """Find the populations for which gates stand.

    Parameters
    ----------
    tree
        Gates with their labels.
    names
        The rules.

    Returns
    -------
    dict
        Gate to the populations it stands for; a gate whose name means nothing is not there. A
        population that several gates would be is that of the last one: "Singlets" before "Singlets2".
    """
    meanings: dict[str, tuple[str, ...]] = {}
    for gate in tree.gates.values():
        above = _find_above(gate.parent, tree, meanings)
        found = _find_meanings(gate.label, above, names)
        if found:
            for other, known in list(meanings.items()):
                left = tuple(one for one in known if one not in found)
                meanings[other] = left
            meanings[gate.name] = found
    return {name: found for name, found in meanings.items() if found}


def _find_above(parent: str, tree: GateTree, meanings: Mapping[str, tuple[str, ...]]) -> str:
    """Return the nearest population above a gate; a chain that turns in a circle ends."""
    seen: set[str] = set()
    while parent in tree.gates and parent not in seen:
        if meanings.get(parent):
            return meanings[parent][0]
        seen.add(parent)
        parent = tree.gates[parent].parent
    return ""


def _find_meanings(label: str, above: str, names: NameMap) -> tuple[str, ...]:
    word, exact = normalise_name(label), label.strip()
    compartment, _, subset = exact.partition(".")
    if exact in POPULATIONS or (subset in SUBSETS and compartment in T_COMPARTMENTS):
        return (exact,)
    for rule in names.populations:
        if word in rule.names and (not rule.within or above in rule.within):
            return rule.meanings
    compartment = above.partition(".")[0]
    if compartment in T_COMPARTMENTS:
        for rule in names.subsets:
            if word in rule.names and (not rule.within or above in rule.within):
                return tuple(f"{compartment}.{subset}" for subset in rule.meanings)
    return ()
