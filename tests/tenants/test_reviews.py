"""Access reviews: a snapshot, a decision for each line, a signature, and nothing after it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from psycopg.errors import RestrictViolation

from tenants import actors, rls, role_document
from tenants.actions import members, reviews
from tenants.actors import NotAllowed
from tenants.models import AccessLine, AccessReview, Membership, Notice
from tests import factories
from tests.architecture.test_repository import ROOT
from tests.cast import Cast
from tests.factories import NOON


def opened(cast: Cast) -> AccessReview:
    with rls.tenant(cast.firm.pk):
        return reviews.open_now(by=cast.alice.may, now=NOON)


def line_of(review: AccessReview, label: str) -> AccessLine:
    return AccessLine.objects.get(review=review, label=label)


def signed(cast: Cast) -> AccessReview:
    review = opened(cast)
    with rls.tenant(cast.firm.pk):
        for line in AccessLine.objects.filter(review=review):
            reviews.confirm(line=line, by=cast.alice.may, now=NOON)
        return reviews.sign(review=review, by=cast.alice.may, now=NOON)


def test_holds_every_member_and_live_key_of_the_moment(cast: Cast) -> None:
    factories.api_key(cast.project, cast.bob.may, "live")
    review = opened(cast)
    factories.member(factories.user("late@example.com", "늦은이"), cast.firm, "auditor")

    again = opened(cast)

    with rls.tenant(cast.firm.pk):
        labels = set(AccessLine.objects.filter(review=review).values_list("label", flat=True))
        assert again == review
        assert labels == {"김서연", "박도현", "이정민", "최감사", "live"}
        assert line_of(review, "박도현").rights["role"] == "developer"


@pytest.mark.parametrize("who", ["bob", "carol", "dan"])
def test_only_who_may_decides(cast: Cast, who: str) -> None:
    review = opened(cast)
    with rls.tenant(cast.firm.pk):
        line = line_of(review, "박도현")
        for deed in (
            lambda: reviews.confirm(line=line, by=cast[who].may, now=NOON),
            lambda: reviews.remove(line=line, by=cast[who].may, now=NOON),
            lambda: reviews.sign(review=review, by=cast[who].may, now=NOON),
            lambda: reviews.open_now(by=cast[who].may, now=NOON),
        ):
            with pytest.raises(NotAllowed):
                deed()


def test_removing_a_line_takes_the_access(cast: Cast) -> None:
    key, secret = factories.api_key(cast.project, cast.bob.may, "bobs")
    review = opened(cast)
    with rls.tenant(cast.firm.pk):
        _, ended = reviews.remove(line=line_of(review, "박도현"), by=cast.alice.may, now=NOON)
        reviews.remove(line=line_of(review, "박도현"), by=cast.alice.may, now=NOON)
        with pytest.raises(reviews.LineDecided):
            reviews.confirm(line=line_of(review, "박도현"), by=cast.alice.may, now=NOON)

        assert not Membership.objects.filter(user=cast.bob.user).exists()
    assert ended == [key]
    assert actors.of_key(secret, now=NOON) is None


def test_a_review_removes_no_last_owner(cast: Cast) -> None:
    review = opened(cast)
    with rls.tenant(cast.firm.pk), pytest.raises(members.LastOwner):
        reviews.remove(line=line_of(review, "김서연"), by=cast.alice.may, now=NOON)


def test_is_not_signed_while_a_line_is_open(cast: Cast) -> None:
    review = opened(cast)
    with rls.tenant(cast.firm.pk):
        reviews.confirm(line=line_of(review, "김서연"), by=cast.alice.may, now=NOON)
        with pytest.raises(reviews.LinesOpen) as found:
            reviews.sign(review=review, by=cast.alice.may, now=NOON)

    assert found.value.count == 3


def test_a_signed_review_takes_no_decision(cast: Cast) -> None:
    review = signed(cast)
    with rls.tenant(cast.firm.pk):
        line = line_of(review, "박도현")
        with pytest.raises(reviews.ReviewSigned):
            reviews.remove(line=line, by=cast.alice.may, now=NOON)
        with pytest.raises(reviews.ReviewSigned):
            reviews.confirm(line=line, by=cast.alice.may, now=NOON)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE tenants_accessreview SET signed_by = 'x'",
        "UPDATE tenants_accessreview SET signed_at = NULL",
        "DELETE FROM tenants_accessreview",
        "UPDATE tenants_accessline SET decision = 'removed'",
        "UPDATE tenants_accessline SET rights = '{}'",
        "DELETE FROM tenants_accessline",
        "INSERT INTO tenants_accessline (public_id, organization_id, review_id, kind, subject, "
        "label, rights, decision, decided_by) SELECT 'arl_x', organization_id, id, 'member', "
        "'mem_x', 'x', '{}', '', '' FROM tenants_accessreview",
    ],
)
def test_a_signed_review_is_not_changed_by_sql_either(cast: Cast, sql: str) -> None:
    signed(cast)

    with (
        rls.tenant(cast.firm.pk),
        pytest.raises(IntegrityError) as found,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)

    assert isinstance(found.value.__cause__, RestrictViolation)


def test_an_open_line_does_not_move_into_a_signed_review(cast: Cast) -> None:
    first = signed(cast)
    with rls.tenant(cast.firm.pk):
        second = reviews.open_now(by=cast.alice.may, now=NOON + timedelta(days=60))
        with pytest.raises(IntegrityError), transaction.atomic():
            AccessLine.objects.filter(review=second).update(review=first)
        with pytest.raises(IntegrityError), transaction.atomic():
            AccessLine.objects.filter(review=first).update(review=second)


# ─── what the sweep does ───────────────────────────────────────────────────────────────────────

JANUARY = datetime(2026, 12, 31, 15, 0, tzinfo=UTC)  # the first of January in Korea


def test_opens_one_a_quarter_for_everybody(cast: Cast) -> None:
    assert reviews.open_due(now=JANUARY - timedelta(seconds=1)) == 0  # founded in this quarter
    assert reviews.open_due(now=JANUARY) == 3
    assert reviews.open_due(now=JANUARY + timedelta(hours=1)) == 0

    with rls.everyone(because="notices are a person's own"):
        review = AccessReview.objects.get(organization=cast.firm)
        told = Notice.objects.filter(kind="review.opened", organization=cast.firm)
        assert review.quarter == "2027-Q1"
        assert [one.user for one in told] == [cast.alice.user]


def test_tells_once_of_what_is_overdue(cast: Cast) -> None:
    opened(cast)
    due = NOON + reviews.DAYS
    assert reviews.announce_overdue(now=due - timedelta(days=1)) == 0
    assert reviews.announce_overdue(now=due) == 1
    assert reviews.announce_overdue(now=due + timedelta(days=9)) == 0

    with rls.everyone(because="notices are a person's own"):
        assert Notice.objects.filter(kind="review.overdue").count() == 1


def test_a_signed_review_is_never_overdue(cast: Cast) -> None:
    signed(cast)

    assert reviews.announce_overdue(now=NOON + timedelta(days=90)) == 0


def test_the_document_of_roles_is_the_table() -> None:
    """`manage.py write_roles` writes it again."""
    assert (ROOT / "docs/roles.md").read_text(encoding="utf-8") == role_document.text()
