"""Gate trees as text to be kept: canonical JSON, the same tree always the same text."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

from corelab.cytometry.interchange import model
from corelab.cytometry.interchange.model import GateTree, select_subtree
from corelab.errors import InputError

_KIND: Final = "kind"
_RECORDS: Final[Mapping[str, type[Any]]] = {
    record.__name__: record
    for record in (
        model.Asinh, model.Biex, model.Boolean, model.Bound, model.Cells, model.Dimension,
        model.Ellipsoid, model.FloorLog, model.Gate, model.GateTree, model.Hyperlog, model.Linear,
        model.Log, model.Logicle, model.Matrix, model.Operand, model.Polygon, model.Ratio,
        model.Rectangle,
    )
}  # fmt: skip


def format_tree(tree: GateTree) -> str:
    """Write a tree as canonical JSON; numbers come back to the same double."""
    return _dump(_encode(tree))


def format_shape(tree: GateTree, gate: str) -> str:
    """Write one gate of a tree, with everything it rests on, as canonical JSON.

    Raises
    ------
    InputError
        If the tree has no such gate.
    """
    if gate not in tree.gates:
        raise InputError(f"no gate {gate!r}", expected=f"one of {', '.join(tree.gates) or 'a tree'}")
    return _dump({"gate": gate, "tree": _encode(select_subtree(tree, gate))})


def parse_shape(text: str) -> tuple[GateTree, str]:
    """Read a tree and the name of its gate that `format_shape` wrote.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        data = json.loads(text)
        tree, gate = parse_tree(_dump(data["tree"])), str(data["gate"])
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"no stored gate ({error})", expected="a gate as it was stored") from error
    if gate not in tree.gates:
        raise InputError(f"no gate {gate!r}", expected="a gate of its own tree")
    return tree, gate


def parse_tree(text: str) -> GateTree:
    """Read a tree that `format_tree` wrote.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        tree = _decode(json.loads(text))
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"no stored gates ({error})", expected="gates as they were stored") from error
    if not isinstance(tree, GateTree):
        raise InputError("no stored gates", expected="gates as they were stored")
    return tree


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _encode(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        own = {field.name: _encode(getattr(value, field.name)) for field in fields(value)}
        return {_KIND: type(value).__name__} | own
    if isinstance(value, Mapping):
        return {key: _encode(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [_encode(inner) for inner in value]
    return value


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_decode(inner) for inner in value)
    if not isinstance(value, dict):
        return value
    if _KIND not in value:
        return {key: _decode(inner) for key, inner in value.items()}
    record = _RECORDS[value[_KIND]]
    return record(**{key: _decode(inner) for key, inner in value.items() if key != _KIND})
