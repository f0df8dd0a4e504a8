"""Files in, piece by piece: create, ask, append, remove, hand over; and the empty templates."""

import json
from typing import Any, Final, cast

from flask import Blueprint, Response, abort, jsonify, request
from flask_login import current_user

from corelab.errors import InputError, UploadOffsetError
from corelab.ingest.layouts import LAYOUTS
from corelab.ingest.template import format_template
from corelab.store.uploads import CHUNK, Upload
from corelab.vocabulary import Role
from dashboards.access.roles import check_role
from dashboards.api import FORMATS, build_attachment
from dashboards.site import Site

OFFSET_HEADER: Final = "Upload-Offset"
HASH_HEADER: Final = "Upload-Chunk-Sha256"
_LONGEST_BODY: Final = 64 * 1024
_SPARE: Final = 1024


def build_upload_routes(site: Site) -> Blueprint:
    """Collect the routes of the upload; every one is for scientists."""
    routes = Blueprint("uploads", __name__, url_prefix="/api/v1")
    routes.add_url_rule("/uploads", "open", lambda: answer_open(site), methods=["GET"])
    routes.add_url_rule("/uploads", "create", lambda: answer_create(site), methods=["POST"])
    routes.add_url_rule("/uploads/finish", "finish", lambda: answer_finish(site), methods=["POST"])
    routes.add_url_rule("/uploads/<upload_id>", "one", lambda upload_id: answer_one(site, upload_id))
    routes.add_url_rule(
        "/uploads/<upload_id>", "append", lambda upload_id: answer_append(site, upload_id), methods=["PATCH"]
    )
    routes.add_url_rule(
        "/uploads/<upload_id>", "remove", lambda upload_id: answer_remove(site, upload_id), methods=["DELETE"]
    )
    routes.add_url_rule("/templates/<stem>.csv", "template", answer_template)
    return routes


def describe_upload(upload: Upload) -> dict[str, Any]:
    """Write an upload as the browser needs it."""
    return {
        "id": upload.id, "name": upload.name, "size": upload.size, "received": upload.received,
        "state": upload.state,
    }  # fmt: skip


def answer_open(site: Site) -> Response:
    """Give the person's own files under way."""
    check_role(Role.SCIENTIST)
    found = site.home.uploads.open(current_user.name)
    return jsonify({"chunk": CHUNK, "files": [describe_upload(one) for one in found]})


def answer_create(site: Site) -> Response:
    """Begin a file, or say how much of it is here already."""
    check_role(Role.SCIENTIST)
    body = read_body()
    size = body.get("size")
    if not isinstance(size, int) or isinstance(size, bool):
        abort(400)
    try:
        upload = site.home.uploads.create(
            account=current_user.name, name=str(body.get("name", "")), size=size,
            changed=str(body.get("changed", ""))[:40], at=site.clock(),
        )  # fmt: skip
    except InputError as error:
        return refuse(site, error)
    return jsonify(describe_upload(upload))


def answer_one(site: Site, upload_id: str) -> Response:
    """Say how far one file has come."""
    check_role(Role.SCIENTIST)
    upload = site.home.uploads.get(upload_id, account=current_user.name)
    if upload is None:
        abort(404)
    return jsonify(describe_upload(upload))


def answer_append(site: Site, upload_id: str) -> Response:
    """Add a piece; 409 names the right offset where this one is wrong."""
    check_role(Role.SCIENTIST)
    request.max_content_length = CHUNK + _SPARE
    offset = request.headers.get(OFFSET_HEADER, type=int)
    size = request.content_length
    if offset is None or size is None:
        abort(400)
    try:
        upload = site.home.uploads.append(
            upload_id, cast("Any", request.stream), account=current_user.name, offset=offset, size=size,
            sha256=request.headers.get(HASH_HEADER, ""), at=site.clock(),
        )  # fmt: skip
    except UploadOffsetError as error:
        response = refuse(site, error, status=409)
        response.set_data(json.dumps({"reason": site.say(str(error)), "received": error.offset}))
        return response
    except InputError as error:
        return refuse(site, error)
    return jsonify(describe_upload(upload))


def answer_remove(site: Site, upload_id: str) -> Response:
    """Forget a file that was not handed over."""
    check_role(Role.SCIENTIST)
    try:
        site.home.uploads.discard(upload_id, account=current_user.name)
    except InputError:
        abort(404)
    return jsonify({})


def answer_finish(site: Site) -> Response:
    """Hand the received files over as one delivery."""
    check_role(Role.SCIENTIST)
    try:
        job = site.home.uploads.hand_over(
            account=current_user.name, role=current_user.role.value, at=site.clock()
        )
    except InputError as error:
        return refuse(site, error)
    return jsonify({"job": job})


def answer_template(stem: str) -> Response:
    """Give one input file to fill in."""
    check_role(Role.SCIENTIST)
    if stem not in LAYOUTS:
        abort(404)
    return build_attachment(format_template(LAYOUTS[stem]), f"{stem}.csv", FORMATS["csv"])


def read_body() -> dict[str, Any]:
    """Read a small JSON object, or answer 400."""
    request.max_content_length = _LONGEST_BODY
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        abort(400)
    return body


def refuse(site: Site, error: InputError, *, status: int = 422) -> Response:
    """Say in words what is wrong with a file or a piece."""
    response = jsonify({"reason": site.say(str(error))})
    response.status_code = status
    return response
