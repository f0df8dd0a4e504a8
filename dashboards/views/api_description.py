"""The routes for scripts, described as OpenAPI 3.1."""

from collections.abc import Sequence
from typing import Any, Final

_CSV: Final = {"text/csv": {"schema": {"type": "string"}}}
_PARQUET: Final = {"application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}}}
_REFUSED: Final = {
    "401": {"description": "No login and no token that holds"},
    "403": {"description": "The account's role or the token does not give this"},
    "404": {"description": "No such table, snapshot or subject"},
}  # fmt: skip
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
    return {
        "openapi": "3.1.0",
        "info": {"title": "corelab", "version": version, "description": "The tables of a snapshot as files."},
        "security": [{"token": []}],
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "paths": {
            "/api/v1/tables/{name}.csv": _get("One table as CSV", [name, _SNAPSHOT, _SUBJECT], _CSV),
            "/api/v1/tables/{name}.parquet": _get("One table as Parquet", [name, _SNAPSHOT], _PARQUET),
            "/api/v1/dictionary.csv": _get("What each column is", [_SNAPSHOT], _CSV),
        },
    }


def _get(summary: str, parameters: list[dict[str, Any]], content: dict[str, Any]) -> dict[str, Any]:
    answers = {"200": {"description": summary, "content": content}} | _REFUSED
    return {"get": {"summary": summary, "parameters": parameters, "responses": answers}}
