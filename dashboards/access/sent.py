"""What browsers send, refused with 400 before anything works on it where it cannot be what a page sends."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from flask import Flask, abort, request
from flask.json.provider import DefaultJSONProvider

CALLBACKS: Final = "/_dash-update-component"
_KINDS: Final[Mapping[str, type]] = {
    "pathname": str, "search": str, "n_clicks": int, "n_intervals": int, "figure": dict, "hidden": bool,
    "selectedRows": list, "rowData": list,
}  # fmt: skip
"""What the properties are that hold one kind of thing wherever they stand."""
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


class StrictJson(DefaultJSONProvider):
    """JSON of the server: what is nested beyond measure, or is no text, is no JSON instead of a failure."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Read JSON.

        Raises
        ------
        ValueError
            If it is none, is nested too deeply, or holds half a sign that cannot be stored.
        """
        try:
            read = super().loads(s, **kwargs)
            text = s if isinstance(s, str) else s.decode("utf-8")
            if _SURROGATE.search(text):
                json.dumps(read, ensure_ascii=False).encode("utf-8")
        except RecursionError as error:
            message = "nested too deeply"
            raise ValueError(message) from error
        return read


def add_sent_checks(server: Flask, callbacks: Mapping[str, Mapping[str, Any]]) -> None:
    """Read JSON strictly, and let only requests through that ask for a callback as its page asks.

    Parameters
    ----------
    server
        The server; who asks was checked before.
    callbacks
        Dash's callbacks by what they fill, as they are registered.
    """
    server.json = StrictJson(server)

    def check() -> None:
        if request.path == CALLBACKS and request.method == "POST" and not is_call(request.json, callbacks):
            abort(400)

    server.before_request(check)


def is_call(body: Any, callbacks: Mapping[str, Mapping[str, Any]]) -> bool:
    """Tell whether a body names a callback of this app with the things that it takes, in their order."""
    output = body.get("output") if isinstance(body, dict) else None
    callback = callbacks.get(output) if isinstance(output, str) else None
    if callback is None or "callback" not in callback:
        return False
    parts = [(body.get(part, []), callback[part]) for part in ("inputs", "state")]
    asked = all(_names(sent) == _names(known) and all(map(_is_filled, sent)) for sent, known in parts)
    changed, outputs = body.get("changedPropIds", []), body.get("outputs")
    filled = _names(outputs if isinstance(outputs, list) else [outputs])
    return (
        asked and bool(filled) and isinstance(changed, list) and all(isinstance(one, str) for one in changed)
    )


def _is_filled(thing: Mapping[str, Any]) -> bool:
    """Tell whether a value is of the kind that its property has; nothing is of every kind."""
    kind, value = _KINDS.get(thing["property"], object), thing.get("value")
    is_kind = value is None or isinstance(value, kind)
    return is_kind and (kind is not list or all(isinstance(row, dict) for row in value or ()))


def _names(listed: Any) -> list[tuple[Any, Any]] | None:
    """Return id and property of each thing; None where something is none."""
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        return None
    names = [(one.get("id"), one.get("property")) for one in listed]
    return names if all(isinstance(word, str) for pair in names for word in pair) else None
