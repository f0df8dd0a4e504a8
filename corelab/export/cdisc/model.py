"""What a data set of a submission is: its variables as data, read from the files beside this one."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Final, Literal

import yaml

VariableType = Literal["text", "number", "date"]
_FILES: Final = (("sdtm", "sdtm"), ("sdtm_clinical", "sdtm"), ("adam", "adam"))
"""Files of the specification and their standard, in the order of the data sets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable: ``core`` is Req, Exp or Perm; a ``date`` is a SAS date number of ADaM.

    ``terms`` names its code list in `read_terms`, ``method`` says how a derived one is made.
    """

    name: str
    label: str
    type: VariableType
    core: str
    origin: str
    terms: str
    method: str

    @property
    def is_number(self) -> bool:
        """Whether it is stored as a number."""
        return self.type != "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """One data set: its variables in order and the keys by which it is sorted."""

    name: str
    label: str
    standard: str
    category: str
    structure: str
    keys: tuple[str, ...]
    variables: tuple[Variable, ...]

    @property
    def names(self) -> list[str]:
        """Names of the variables in order."""
        return [variable.name for variable in self.variables]


@cache
def read_datasets() -> Mapping[str, Dataset]:
    """Return every data set of the specification by name, SDTM before ADaM."""
    found = {
        name: _read_dataset(name, raw, standard)
        for file, standard in _FILES
        for name, raw in _read_yaml(f"{file}.yaml").items()
    }
    return MappingProxyType(found)


@cache
def read_terms() -> Mapping[str, Any]:
    """Return test codes, names and code lists."""
    return MappingProxyType(_read_yaml("terms.yaml"))


def _read_yaml(name: str) -> dict[str, Any]:
    text = resources.files("corelab.export.cdisc").joinpath(name).read_text(encoding="utf-8")
    read: dict[str, Any] = yaml.safe_load(text)
    return read


def _read_dataset(name: str, raw: Mapping[str, Any], standard: str) -> Dataset:
    return Dataset(
        name=name,
        label=raw["label"],
        standard=standard,
        category=raw["class"],
        structure=raw["structure"],
        keys=tuple(raw["keys"].split()),
        variables=tuple(_read_variable(line) for line in raw["variables"].strip().splitlines()),
    )


def _read_variable(line: str) -> Variable:
    cells = [cell.strip() for cell in line.split("|")]
    name, label, kind, core, origin, terms, method = cells + [""] * (7 - len(cells))
    return Variable(
        name=name, label=label, type=_check_type(kind), core=core, origin=origin, terms=terms, method=method
    )


def _check_type(word: str) -> VariableType:
    kinds: dict[str, VariableType] = {"text": "text", "number": "number", "date": "date"}
    return kinds[word]
