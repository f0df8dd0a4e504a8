"""The routes for scripts, described as OpenAPI 3.1."""

from collections.abc import Sequence
from typing import Any, Final

from corelab.singlecell.tables import COLUMNS

_CSV: Final = {"text/csv": {"schema": {"type": "string"}}}
_PARQUET: Final = {"application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}}}
_JSON: Final = {"application/json": {"schema": {"type": "object"}}}
_LINE: Final = {"text/plain": {"schema": {"type": "string"}}}
_ALLOW: Final = {"Allow": {"description": "The methods that there are", "schema": {"type": "string"}}}
_REFUSED: Final = {
    "400": {"description": "A parameter that is not known, or given twice", "content": _LINE},
    "401": {
        "description": "No login and no token that holds", "content": _LINE,
        "headers": {"WWW-Authenticate": {"description": "Bearer", "schema": {"type": "string"}}},
    },
    "403": {"description": "The account's role or the token does not give this", "content": _LINE},
    "404": {"description": "No such table, snapshot or subject", "content": _LINE},
    "405": {"description": "Nothing can be changed here", "content": _LINE, "headers": _ALLOW},
    "503": {"description": "The database is away; try again later", "content": _LINE},
}  # fmt: skip
_SESSION: Final[Sequence[dict[str, Any]]] = ({"session": []},)
_EITHER: Final[Sequence[dict[str, Any]]] = ({"token": []}, {"session": []})
_SNAPSHOT: Final = {
    "name": "snapshot", "in": "query", "required": False, "schema": {"type": "string"},
    "description": "Id of an older snapshot; the current one without it",
}  # fmt: skip
_SUBJECT: Final = {
    "name": "subject_id", "in": "query", "required": False, "schema": {"type": "string"},
    "description": "Only this subject's rows",
}  # fmt: skip


def describe_api(tables: Sequence[str], *, version: str) -> dict[str, Any]:
    """Describe the routes under ``/api/v1``.

    Parameters
    ----------
    tables
        Names of the current snapshot's tables.
    version
        Version of corelab.
    """
    name = {
        "name": "name", "in": "path", "required": True,
        "schema": {"type": "string", "enum": list(tables)} if tables else {"type": "string"},
    }  # fmt: skip
    cells = {
        "name": "name", "in": "path", "required": True,
        "schema": {"type": "string", "enum": sorted(COLUMNS)},
    }  # fmt: skip
    return {
        "openapi": "3.1.0",
        "info": {"title": "corelab", "version": version, "description": "The tables of a snapshot as files."},
        "security": [{"token": []}],
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "corelab_session"},
            }
        },
        "paths": {
            "/api/v1/tables/{name}.csv": _get("One table as CSV", [name, _SNAPSHOT, _SUBJECT], _CSV),
            "/api/v1/tables/{name}.parquet": _get("One table as Parquet", [name, _SNAPSHOT], _PARQUET),
            "/api/v1/dictionary.csv": _get("What each column is", [_SNAPSHOT], _CSV),
            "/api/v1/openapi.json": _get("This description", [], _JSON),
            "/api/v1/cells/{name}.csv": _get("One table of the single cells", [cells], _CSV, by=_SESSION),
            "/api/v1/audit.csv": _get("The audit trail, all of it or by a query", [], _CSV, by=_SESSION),
        },
    }


def _get(
    summary: str,
    parameters: list[dict[str, Any]],
    content: dict[str, Any],
    *,
    by: Sequence[dict[str, Any]] = _EITHER,
) -> dict[str, Any]:
    answers = {"200": {"description": summary, "content": content}} | _REFUSED
    return {"get": {"summary": summary, "parameters": parameters, "responses": answers, "security": list(by)}}
