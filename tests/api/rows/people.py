"""Operations on members, invitations, roles, deputies and access reviews."""

from __future__ import annotations

from typing import Any

from tests.api.rows.row import ALL, Row, at
from tests.web.conftest import World
from tests.web.rows.people import (
    a_deputyship,
    a_guest,
    a_leave,
    a_line,
    a_member,
    a_review,
    a_role,
    an_invitation,
    confirmed,
    own_firm,
    revoked,
    wrong_address,
)


def member(world: World) -> str:
    return f"members/{a_member(world).public_id}"


def invitation(world: World) -> str:
    return f"invitations/{an_invitation(world).public_id}"


def review(world: World) -> str:
    return f"access-reviews/{a_review(world).public_id}"


def a_deputy(world: World) -> dict[str, Any]:
    a_member(world)
    return a_leave(world)


# alice bob carol dan | mallory olivia | key foreign-key
READ = "200 403 200 200 {0} {0} 403 403"
CHANGE = "{0} 403 403 403 {1} {1} 403 403"
REVIEW = "200 403 403 200 {0} {0} 403 403"

ROWS = [
    Row("api_roles", "GET", at("roles"), ALL),
    Row("api_members", "GET", at("members"), READ.format(200)),
    Row("api_member", "GET", member, READ.format(404)),
    Row("api_member", "PATCH", member, CHANGE.format(200, 404), a_role),
    Row(
        "api_member_removal",
        "POST",
        lambda world: f"{member(world)}/removal",
        CHANGE.format(204, 404),
        revoked,
    ),
    Row(
        "api_member_ownership",
        "POST",
        lambda world: f"{member(world)}/ownership",
        CHANGE.format(422, 404),
        wrong_address,
    ),
    # alice is the only owner; mallory and olivia name a firm that is not theirs
    Row(
        "api_member_leave",
        "POST",
        at("members/leave"),
        "409 204 204 204 422 422 403 403",
        own_firm,
    ),
    Row("api_invitations", "GET", at("invitations"), CHANGE.format(200, 200)),
    Row("api_invitations", "POST", at("invitations"), CHANGE.format(201, 201), a_guest),
    Row("api_invitation", "DELETE", invitation, CHANGE.format(204, 404)),
    Row(
        "api_invitation_resend",
        "POST",
        lambda world: f"{invitation(world)}/resend",
        CHANGE.format(200, 404),
    ),
    Row("api_deputies", "GET", at("deputies"), ALL),
    Row(
        "api_deputies",
        "POST",
        at("deputies"),
        "201 201 201 201 422 422 403 403",
        a_deputy,
    ),
    # bob sees only what concerns him
    Row(
        "api_deputy",
        "DELETE",
        lambda world: f"deputies/{a_deputyship(world).public_id}",
        "204 404 204 204 404 404 404 404",
    ),
    Row("api_reviews", "GET", at("access-reviews"), REVIEW.format(200)),
    Row("api_reviews", "POST", at("access-reviews"), CHANGE.format(201, 201)),
    Row("api_review", "GET", review, REVIEW.format(404)),
    Row("api_review_lines", "GET", lambda world: f"{review(world)}/lines", REVIEW.format(404)),
    Row("api_review_sign", "POST", lambda world: f"{review(world)}/sign", CHANGE.format(409, 404)),
    Row(
        "api_review_line",
        "PATCH",
        lambda world: f"access-reviews/lines/{a_line(world).public_id}",
        CHANGE.format(200, 404),
        confirmed,
    ),
]
