"""Gating templates: what the populations of a panel are, as data that is checked on loading."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml

from corelab.cytometry.markers import load_aliases
from corelab.errors import ConfigError
from corelab.study.yaml_text import parse_yaml
from corelab.vocabulary import Panel

GATES: Final = ("", "time", "beads", "singlets", "lymphocytes")
_TERM: Final = re.compile(r"^(?P<cut>\S+?)(?P<sign>[+-])(?P<optional>\?)?(?: if (?P<shared>\S+) shared)?$")
_UNLESS: Final = re.compile(r"^(?P<term>.+) unless the CAR reagent is (?P<reagent>\S+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One claim about a cut: above (``positive``) or not.

    An ``optional`` one is left out where its marker is not there; one with ``if_shared`` counts only
    where the channel of that marker carries a second antigen.
    """

    cut: str
    positive: bool
    optional: bool
    if_shared: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CutRule:
    """How one limit is fitted; the fields are explained at the head of ``cart.yaml``.

    ``instead_of`` names the marker that another one stands in for, in a tube without it (`settle_markers`).
    """

    name: str
    marker: str
    stand_in: str
    instead_of: str
    valley: str
    on: str
    above_of: str
    above_k: float
    between: tuple[str, ...]
    groups: str
    of: tuple[str, ...]
    k: float
    smear_k: float
    smear_below: float
    fair: float
    apart: float
    on_axis: bool
    fmo: float
    quantile: float
    control: str
    control_population: str
    otherwise: str
    minimum: int
    default: float
    shift: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationRule:
    """One population: its parent and the claims that its events meet."""

    name: str
    parent: str
    gate: str
    all_of: tuple[Term, ...]
    any_of: tuple[Term, ...]
    none_of: tuple[str, ...]
    passes_on: bool
    hidden: bool
    with_marker: str
    without_marker: str
    definition: str
    cell_ontology: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A gating template: markers, cuts by name, populations in the order of their gating."""

    panel: str
    version: str
    car_reagent: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    cuts: Mapping[str, CutRule]
    populations: tuple[PopulationRule, ...]
    expression: tuple[str, ...]
    minimum_population: str
    minimum_warn: int
    minimum_fail: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationMeaning:
    """What a population is in plain words, and its id in the Cell Ontology (empty where it has none)."""

    name: str
    definition: str
    cell_ontology: str


def list_meanings() -> tuple[PopulationMeaning, ...]:
    """List every population that the panels of the package report, each once.

    A subset is explained together with its compartment. A word of two panels keeps the explanation of
    the first.
    """
    found: dict[str, PopulationMeaning] = {}
    for panel in Panel:
        rules = {rule.name: rule for rule in load_template(panel).populations}
        for rule in rules.values():
            if rule.hidden or rule.name in found:
                continue
            words = rule.definition
            if "." in rule.name:
                words = f"{rules[rule.parent].definition.split(':')[0]}; {words}"
            found[rule.name] = PopulationMeaning(
                name=rule.name, definition=words, cell_ontology=rule.cell_ontology
            )
    return tuple(found.values())


START_FROM: Final = "start from one that corelab template DIR --panels writes"


def read_builtin(panel: str) -> str:
    """Return the text of a template that ships with the package."""
    return files("corelab.cytometry").joinpath("templates", f"{panel}.yaml").read_text(encoding="utf-8")


def load_template(panel: str | Path) -> Template:
    """Load the template of a panel that ships with the package, or one from a file.

    Parameters
    ----------
    panel
        ``bcell``, ``cart``, or the path of a YAML file of the same shape.

    Raises
    ------
    ConfigError
        If there is no such panel or file, or the template contradicts itself.
    """
    name = str(panel)
    if name in tuple(Panel):
        return _load_builtin(name)
    path = Path(panel)
    if not path.is_file():
        raise ConfigError(f"no panel {name!r}", expected=f"{' or '.join(Panel)}, or a template file")
    return parse_template(path.read_text(encoding="utf-8"), place=path.name)


@cache
def _load_builtin(name: str) -> Template:
    """Load a template of the package, once: it is never changed."""
    return parse_template(read_builtin(name), place=f"{name}.yaml")


def parse_template(text: str, *, place: str) -> Template:
    """Parse and check a template.

    Raises
    ------
    ConfigError
        If the YAML is broken, a key or marker is unknown, or a population, cut or parent is used
        before it is there.
    """
    try:
        data = parse_yaml(text)
    except yaml.YAMLError as error:
        raise ConfigError("no YAML", place=place, expected=str(error).splitlines()[0]) from error
    if not isinstance(data, dict):
        raise ConfigError("no mapping", place=place, expected="panel, version, cuts, populations")
    try:
        return _build(data, place)
    except KeyError as error:
        raise ConfigError(f"the key {error} is missing", place=place, remedy=START_FROM) from error
    except (TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"no template: {error}", place=place, remedy=START_FROM) from error


def settle_markers(template: Template, present: Collection[str]) -> Template:
    """Let a marker stand in for another in a tube that has it and lacks the other.

    Parameters
    ----------
    template
        Of the panel.
    present
        Markers of the tube.

    Returns
    -------
    Template
        The same one, where nothing stands in.
    """
    settled = {
        name: replace(rule, marker=rule.stand_in, instead_of=rule.marker)
        for name, rule in template.cuts.items()
        if rule.stand_in in present and rule.marker not in present
    }
    if not settled:
        return template
    names = {rule.instead_of: rule.marker for rule in settled.values()}
    required = tuple(dict.fromkeys(names.get(marker, marker) for marker in template.required))
    return replace(template, cuts={**template.cuts, **settled}, required=required)


def _build(data: Mapping[str, Any], place: str) -> Template:
    cuts = {name: _parse_cut(name, rule) for name, rule in data["cuts"].items()}
    reagent = str(data.get("car_reagent", ""))
    populations = tuple(_parse_population(_heed_reagent(row, reagent)) for row in data["populations"])
    populations += tuple(_expand(data))
    minimum = data["limits"]["minimum"]
    template = Template(
        panel=str(data["panel"]),
        version=str(data["version"]),
        car_reagent=reagent,
        required=tuple(data["markers"]["required"]),
        optional=tuple(data["markers"].get("optional", ())),
        cuts=cuts,
        populations=populations,
        expression=tuple(data.get("expression", ())),
        minimum_population=str(minimum["population"]),
        minimum_warn=int(minimum["warn"]),
        minimum_fail=int(minimum["fail"]),
    )
    _check(template, place)
    return template


def _heed_reagent(row: Mapping[str, Any], reagent: str) -> Mapping[str, Any]:
    """Leave out claims that the panel's CAR reagent forbids; an unknown reagent forbids them all."""
    terms = []
    for text in row.get("all", ()):
        match = _UNLESS.match(text)
        if match is None:
            terms.append(text)
        elif reagent and match["reagent"] not in reagent.casefold():
            terms.append(match["term"])
    return {**row, "all": terms}


def _parse_cut(name: str, rule: Mapping[str, Any]) -> CutRule:
    above, smear = rule.get("above", {}), rule.get("smear", {})
    return CutRule(
        name=name,
        marker=rule["marker"],
        stand_in=rule.get("stand_in", ""),
        instead_of="",
        valley=rule.get("valley", ""),
        on=rule.get("within", ""),
        above_of=above.get("of", ""),
        above_k=float(above.get("k", 0)),
        between=tuple(rule.get("between", ())),
        groups=rule.get("groups", ""),
        of=tuple(rule.get("of", ())),
        k=float(rule.get("k", 0)),
        smear_k=float(smear.get("k", 0)),
        smear_below=float(smear.get("below", 0)),
        fair=float(rule.get("fair", 0)),
        apart=float(rule.get("apart", 0)),
        on_axis=rule.get("scale", "linear") == "axis",
        fmo=float(rule.get("fmo", 0)),
        quantile=float(rule.get("quantile", 0)),
        control=rule.get("control", ""),
        control_population=rule.get("in", ""),
        otherwise=rule.get("else", ""),
        minimum=int(rule.get("minimum", 0)),
        default=float(rule.get("default", "nan")),
        shift=_parse_shift(rule.get("shift", ())),
    )


def _parse_shift(raw: Sequence[float]) -> tuple[float, ...]:
    """Read the two ends of a shift, down and up; without one there is no band."""
    ends = tuple(float(value) for value in raw)
    if ends and not (len(ends) == 2 and ends[0] < 0 < ends[1]):
        reason = f"shift {ends} is not down and up"
        raise ValueError(reason)
    return ends


def _parse_population(row: Mapping[str, Any]) -> PopulationRule:
    return PopulationRule(
        name=row["name"],
        parent=row.get("parent", ""),
        gate=row.get("gate", ""),
        all_of=tuple(parse_term(text) for text in row.get("all", ())),
        any_of=tuple(parse_term(text) for text in row.get("any", ())),
        none_of=tuple(row.get("none", ())),
        passes_on=bool(row.get("passes_on", False)),
        hidden=bool(row.get("hidden", False)),
        with_marker=row.get("with", ""),
        without_marker=row.get("without", ""),
        definition=row["definition"],
        cell_ontology=row.get("cell_ontology", ""),
    )


def parse_term(text: str) -> Term:
    """Parse one claim.

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> parse_term("CD14-?").optional, parse_term("CD19- if CD3 shared").if_shared
    (True, 'CD3')
    """
    match = _TERM.match(text)
    if match is None:
        reason = f"{text!r} is no term like CD3+ or CD14-?"
        raise ValueError(reason)
    return Term(
        cut=match["cut"],
        positive=match["sign"] == "+",
        optional=bool(match["optional"]),
        if_shared=match["shared"] or "",
    )


def _expand(data: Mapping[str, Any]) -> Iterable[PopulationRule]:
    """Make the subsets of every compartment."""
    ontology = data.get("subset_cell_ontology", {})
    for compartment in data.get("compartments", ()):
        for subset in data.get("subsets", ()):
            name = subset["name"]
            yield _parse_population({
                **subset,
                "name": f"{compartment}.{name}",
                "parent": compartment,
                "cell_ontology": ontology.get(compartment, {}).get(name, ""),
            })  # fmt: skip


def _check(template: Template, place: str) -> None:
    """Check that everything a template names is there, and before its use."""
    known = load_aliases().known
    markers = {name for rule in template.cuts.values() for name in (rule.marker, rule.stand_in)} - {""}
    _refuse({template.panel} - set(Panel), "panels that the study does not have", place)
    _refuse(markers - known, "markers that have no alias", place)
    _refuse(markers - {*template.required, *template.optional}, "markers outside the panel's list", place)
    seen: set[str] = set()
    for rule in template.populations:
        _refuse({rule.name} & seen, "populations defined twice", place)
        used = {rule.parent, *rule.none_of} - {""}
        _refuse(used - seen, f"populations that {rule.name} uses too early", place)
        terms = {term.cut for term in (*rule.all_of, *rule.any_of)}
        _refuse(terms - set(template.cuts), f"cuts of {rule.name} that are not there", place)
        _refuse({rule.gate} - set(GATES), f"gates of {rule.name} that are not known", place)
        seen.add(rule.name)
    _refuse(_populations_of_cuts(template) - seen, "populations that cuts use", place)
    _refuse({*template.expression, template.minimum_population} - seen, "populations", place)


def _populations_of_cuts(template: Template) -> set[str]:
    used: set[str] = set()
    for rule in template.cuts.values():
        used |= {
            rule.on,
            rule.above_of,
            rule.groups,
            rule.control_population,
            rule.otherwise,
            *rule.between,
            *rule.of,
        }
    return used - {""}


def _refuse(names: Iterable[str], what: str, place: str) -> None:
    found: Sequence[str] = sorted(names)
    if found:
        raise ConfigError(f"{what}: {', '.join(found)}", place=place, expected="a consistent template")
