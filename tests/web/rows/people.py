"""Pages of members, invitations, roles, deputies and access reviews.

What the rows name is made once and made again where a deed has removed it.
"""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from typing import Any

from tenants import rls
from tenants.actions import reviews
from tenants.models import AccessLine, AccessReview, Deputyship, Invitation, Membership, User
from tests import factories
from tests.factories import NOON
from tests.web.conftest import World
from tests.web.rows.row import MEMBERS, Row, own_firm

TOKEN = "t" * 43


def a_member(world: World) -> Membership:
    """Erin, a developer of the firm."""
    with rls.tenant(world.cast.firm.pk):
        found = Membership.objects.filter(user__email="erin@example.com").first()
        if found is not None:
            return found
    person = User.objects.filter(email="erin@example.com").first()
    factories.member(
        person or factories.user("erin@example.com", "정에린"), world.cast.firm, "developer"
    )
    return a_member(world)


def an_invitation(world: World) -> Invitation:
    """Open, to an address that has no account."""
    with rls.tenant(world.cast.firm.pk):
        return Invitation.objects.get_or_create(
            public_id="ivt_0000000000000001",
            organization=world.cast.firm,
            defaults={
                "email": "new@example.com",
                "role": "developer",
                "token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest(),
                "invited_by": world.cast.alice.user,
                "created_at": NOON - timedelta(hours=2),
                "sent_at": NOON - timedelta(hours=2),
                "expires_at": NOON + timedelta(days=6),
            },
        )[0]


def a_deputyship(world: World) -> Deputyship:
    """Dan stands in for Carol."""
    with rls.tenant(world.cast.firm.pk):
        people = {one.user_id: one for one in Membership.objects.all()}
        return Deputyship.objects.get_or_create(
            public_id="dep_0000000000000001",
            organization=world.cast.firm,
            defaults={
                "absent": people[world.cast.carol.user.pk],
                "deputy": people[world.cast.dan.user.pk],
                "starts_date": date(2026, 12, 1),
                "ends_date": date(2026, 12, 8),
                "created_at": NOON,
                "created_by": "김서연",
            },
        )[0]


def a_review(world: World) -> AccessReview:
    """The open review of the quarter, with Erin in it."""
    a_member(world)
    with rls.tenant(world.cast.firm.pk):
        return reviews.open_now(by=world.cast.alice.may, now=NOON)


def a_line(world: World) -> AccessLine:
    """Erin's line."""
    review = a_review(world)
    with rls.tenant(world.cast.firm.pk):
        return AccessLine.objects.get(review=review, label="정에린")


def member_id(world: World) -> dict[str, Any]:
    return {"public_id": a_member(world).public_id}


def invitation_id(world: World) -> dict[str, Any]:
    return {"public_id": an_invitation(world).public_id}


def token(world: World) -> dict[str, Any]:
    an_invitation(world)
    return {"token": TOKEN}


def deputy_id(world: World) -> dict[str, Any]:
    return {"public_id": a_deputyship(world).public_id}


def review_id(world: World) -> dict[str, Any]:
    return {"public_id": a_review(world).public_id}


def line_id(world: World) -> dict[str, Any]:
    return {"public_id": a_line(world).public_id}


def a_guest(world: World) -> dict[str, Any]:
    return {"email": "guest@example.com", "role": "developer"}


def a_role(world: World) -> dict[str, Any]:
    return {"role": "auditor"}


def revoked(world: World) -> dict[str, Any]:
    return {"rest": "revoke"}


def wrong_address(world: World) -> dict[str, Any]:
    return {"confirm": "somebody@example.com"}


def a_leave(world: World) -> dict[str, Any]:
    """Erin stands in; who is not of the firm names somebody whom they cannot."""
    return {"deputy": "erin@example.com", "starts_date": "2026-12-01", "ends_date": "2026-12-08"}


def confirmed(world: World) -> dict[str, Any]:
    return {"decision": "confirmed"}


READ = "sign-in found-one 200 403 200 200 {0} {0}"
CHANGE = "sign-in found-one {0} 403 403 403 {1} {1}"
REVIEW = "sign-in found-one 200 403 403 200 {0} {0}"

ROWS = [
    Row("members", "GET", READ.format(200)),
    Row("member", "GET", READ.format(404), member_id),
    Row("member_change", "POST", CHANGE.format("away", 404), member_id, a_role),
    Row("member_remove", "GET", CHANGE.format(200, 404), member_id),
    Row("member_remove", "POST", CHANGE.format("away", 404), member_id, revoked),
    Row("member_hand_over", "POST", CHANGE.format(422, 404), member_id, wrong_address),
    Row("member_leave", "GET", MEMBERS),
    # alice is the only owner; mallory and olivia name a firm that is not theirs
    Row("member_leave", "POST", "sign-in found-one 422 away away away 422 422", body=own_firm),
    Row("invitation_new", "GET", CHANGE.format(200, 200)),
    # once for the firm, and once for each of the others
    Row("invitation_new", "POST", CHANGE.format("away", "away"), body=a_guest),
    Row("invitation_resend", "POST", CHANGE.format("away", 404), invitation_id),
    Row("invitation_revoke", "POST", CHANGE.format("away", 404), invitation_id),
    # nobody of these has the invited address; anonymous people are shown where to sign in
    Row("invitation_open", "GET", "200 404 404 404 404 404 404 404", token),
    Row("invitation_open", "POST", "200 404 404 404 404 404 404 404", token),
    Row("roles", "GET", MEMBERS),
    Row("deputies", "GET", MEMBERS),
    # the page asks for ids of those who see members, which these words are not
    Row("deputies", "POST", "sign-in found-one 422 422 422 422 422 422", body=a_leave),
    Row("deputy_revoke", "POST", "sign-in found-one away 404 away away 404 404", deputy_id),
    Row("access_reviews", "GET", REVIEW.format(200)),
    Row("access_review_open", "POST", CHANGE.format("away", "away")),
    Row("access_review", "GET", REVIEW.format(404), review_id),
    Row("access_review_sign", "POST", CHANGE.format("away", 404), review_id),
    Row("access_review_csv", "GET", REVIEW.format(404), review_id),
    Row("access_line", "POST", CHANGE.format("away", 404), line_id, confirmed),
]
