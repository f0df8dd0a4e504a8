"""Signing and unlocking results: one rule for the page and for the route, for reviewers only."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask import Blueprint, Response, abort, jsonify, request
from flask_login import current_user

from corelab.errors import InputError, ReviewError
from corelab.store.results import ResultScope, ResultTarget
from corelab.store.review import Review, ReviewState, Signature, Standing
from corelab.vocabulary import Role
from dashboards.access.roles import EVERY_ROLE, check_role
from dashboards.site import Site

MOST_TARGETS: Final = 2_000


def build_review_routes(site: Site) -> Blueprint:
    """Collect the routes under ``/api/v1/reviews``."""
    routes = Blueprint("reviews", __name__, url_prefix="/api/v1/reviews")
    routes.add_url_rule("", "list", lambda: answer_list(site), methods=["GET"])
    routes.add_url_rule("", "sign", lambda: answer_sign(site), methods=["POST"])
    return routes


def answer_list(site: Site) -> Response:
    """Give everything that was ever signed and where it stands now."""
    check_role(*EVERY_ROLE)
    return jsonify([describe_standing(one) for one in site.home.reviews.standings().values()])


def describe_standing(standing: Standing) -> dict[str, Any]:
    """Write where results stand as plain words."""
    target, review = standing.target, standing.review
    return {
        "scope": target.scope.value, "subject_id": target.subject_id, "visit": target.visit,
        "file_id": target.file_id, "state": standing.state.value, "stale": standing.is_stale,
        "by": review.author if review else "", "at": review.at if review else "",
        "snapshot": review.snapshot_id if review else "",
    }  # fmt: skip


def answer_sign(site: Site) -> Response:
    """Sign or unlock what is named: ``targets``, ``state``, ``password``, ``snapshot``, ``reason``.

    Answers 400 for a request that names nothing sound, 409 with the reason where it is refused.
    """
    check_role(Role.REVIEWER)
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        abort(400)
    try:
        targets = read_targets(body.get("targets"))
        signed = sign_targets(site, targets, body)
    except (InputError, ValueError, KeyError, TypeError):
        abort(400)
    except ReviewError as error:
        refused = jsonify({"reason": site.say(str(error))})
        refused.status_code = 409
        return refused
    return jsonify({"signed": len(signed)})


def read_targets(listed: Any) -> list[ResultTarget]:
    """Read targets as a browser names them.

    Raises
    ------
    ValueError, KeyError, TypeError
        If they are none.
    """
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_TARGETS:
        message = "targets"
        raise ValueError(message)
    return [
        ResultTarget(
            scope=ResultScope(one["scope"]), subject_id=str(one["subject_id"]), visit=str(one["visit"]),
            file_id=str(one.get("file_id", "")),
        )
        for one in listed
    ]  # fmt: skip


def sign_targets(site: Site, targets: Sequence[ResultTarget], given: Mapping[str, Any]) -> list[Review]:
    """Sign targets in the name of the person of this request; raises as `Reviews.sign`."""
    signature = Signature(
        author=current_user.name, password=str(given.get("password", "")), at=site.clock(),
        snapshot_id=str(given.get("snapshot", "")), reason=str(given.get("reason") or ""),
    )  # fmt: skip
    state = ReviewState(str(given.get("state")))
    if state is ReviewState.DRAFT:
        return site.home.reviews.unlock(targets, signature)
    return site.home.reviews.sign(targets, state, signature)
