"""The operator's side: taking, answering, grading, linking; the queue and its order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections

from tenants import rls
from tenants.actors import Actor
from tenants.models import AuditEvent, SupportRequest
from tenants.support import desk, hours, queues, requests
from tenants.support.desk import SameGrade, TakenMeanwhile, Then
from tenants.support.moves import RequestClosed
from tenants.support.queues import Filters
from tenants.support.words import WITHIN, Grade
from tests import factories
from tests.cast import Cast
from tests.factories import NOON
from tests.support.asking import asked, done, fresh, put_into, replied, wish


@pytest.fixture
def paul(cast: Cast) -> Actor:
    """Another of the operator's people."""
    person = factories.user("paul@example.com", "박운영")
    return factories.member(person, cast.olivia.may.organization, "developer")


@pytest.mark.parametrize("state", ["new", "with_operator", "with_customer", "solved"])
@pytest.mark.parametrize(
    ("then", "after"),
    [
        (Then.WORKING, "with_operator"),
        (Then.ASKS, "with_customer"),
        (Then.SOLVED, "solved"),
    ],
)
def test_an_answer_says_what_follows(cast: Cast, state: str, then: str, after: str) -> None:
    request = put_into(asked(cast), state)

    replied(cast, request, then, NOON + timedelta(minutes=5))

    found = fresh(request)
    assert (found.state, found.assignee) == (after, cast.olivia.user.public_id)
    assert found.answered_at == NOON + timedelta(minutes=5)


def test_only_the_first_answer_counts_as_first(cast: Cast) -> None:
    request = asked(cast)
    replied(cast, request)
    replied(cast, request, now=NOON + timedelta(hours=1))

    assert fresh(request).answered_at == NOON


def test_the_staff_answers_nothing_that_is_closed(cast: Cast) -> None:
    request = put_into(asked(cast), "closed")

    with pytest.raises(RequestClosed):
        replied(cast, request)
    with pytest.raises(RequestClosed):
        done(desk.take, by=cast.olivia.may, request=request, instead_of="")


def test_taking_it_moves_what_is_new(cast: Cast) -> None:
    request = asked(cast)

    done(desk.take, by=cast.olivia.may, request=request, instead_of="")

    assert fresh(request).state == "with_operator"
    with rls.everyone(because="test"):
        logs = AuditEvent.objects.filter(verb="operator.support_take")
        assert {one.organization_id for one in logs} == {
            cast.firm.pk,
            cast.olivia.may.organization.pk,
        }


def test_takes_over_only_from_whom_was_seen(cast: Cast, paul: Actor) -> None:
    request = asked(cast)
    done(desk.take, by=paul, request=request, instead_of="")

    with pytest.raises(TakenMeanwhile, match="박운영"):
        done(desk.take, by=cast.olivia.may, request=request, instead_of="")
    assert paul.user is not None
    done(desk.take, by=cast.olivia.may, request=request, instead_of=paul.user.public_id)

    assert fresh(request).assignee == cast.olivia.user.public_id


@pytest.mark.django_db(transaction=True)
def test_of_two_who_take_it_at_once_one_has_it() -> None:
    firm, operator = (
        factories.organization(),
        factories.organization("운영", kind="operator", number=None),
    )
    alice = factories.member(factories.user("alice@example.com", "김서연"), firm)
    staff = [
        factories.member(factories.user(f"s{n}@example.com", f"직원 {n}"), operator, "developer")
        for n in range(2)
    ]
    request = done(requests.ask, by=alice, wish=wish())

    def take(number: int) -> str:
        try:
            done(desk.take, by=staff[number], request=fresh(request), instead_of="")
        except TakenMeanwhile:
            return "late"
        finally:
            connections.close_all()
        return "mine"

    with ThreadPoolExecutor(2) as pool:
        found = sorted(pool.map(take, range(2)))

    assert found == ["late", "mine"]
    with rls.everyone(because="test"):
        assert request.moves.filter(after="with_operator").count() == 1


def test_another_severity_has_a_reason_and_another_time(cast: Cast) -> None:
    request = asked(cast)

    done(
        desk.grade,
        by=cast.olivia.may,
        now=NOON + timedelta(minutes=10),
        request=request,
        severity="critical",
        because="모두가 막혔습니다.",
    )

    found = fresh(request)
    assert found.due_at == hours.due(NOON, WITHIN[Grade.CRITICAL])
    with rls.tenant(cast.firm.pk):
        row = request.moves.latest("pk")
    assert (row.what, row.before, row.after) == ("severity", "normal", "critical")
    with pytest.raises(SameGrade):
        done(
            desk.grade,
            by=cast.olivia.may,
            request=request,
            severity="critical",
            because="모두가 막혔습니다.",
        )


def test_what_was_answered_keeps_its_time(cast: Cast) -> None:
    request = asked(cast)
    due = request.due_at
    replied(cast, request)

    done(
        desk.grade,
        by=cast.olivia.may,
        request=request,
        severity="critical",
        because="모두가 막혔습니다.",
    )

    assert fresh(request).due_at == due


# ─── the queue ─────────────────────────────────────────────────────────────────────────────────


def queue(cast: Cast, now: object = NOON, **filters: object) -> list[SupportRequest]:
    with rls.everyone(because="test"):
        rows = queues.queue(Filters(**filters), by=cast.olivia.may, now=now)  # type: ignore[arg-type]
        return list(rows)


def test_overdue_ones_stand_first_then_by_due_then_what_was_answered(cast: Cast) -> None:
    answered = asked(cast, severity="critical", now=NOON - timedelta(hours=2))
    replied(cast, answered)
    soon = asked(cast, severity="high")
    later = asked(cast, severity="low")
    late = asked(cast, severity="low", now=NOON - timedelta(days=7))

    waiting = put_into(asked(cast, now=NOON - timedelta(days=8)), "with_customer")

    found = [one.pk for one in queue(cast)]

    assert found == [late.pk, waiting.pk, soon.pk, later.pk, answered.pk]
    with rls.everyone(because="test"):
        counts = queues.counts(by=cast.olivia.may, now=NOON)
    assert (counts.open, counts.overdue, counts.mine) == (5, 1, 1)


def test_finds_by_each_filter(cast: Cast) -> None:
    mine = asked(cast, severity="high")
    done(desk.take, by=cast.olivia.may, request=mine, instead_of="")
    late = asked(cast, now=NOON - timedelta(days=7))
    theirs = asked(cast, by="mallory", subject="요금을 묻습니다")
    closed = put_into(asked(cast), "closed")

    def ids(**filters: object) -> set[int]:
        return {one.pk for one in queue(cast, **filters)}

    assert ids() == {mine.pk, late.pk, theirs.pk}
    assert ids(show="closed") == {closed.pk}
    assert ids(severity="high") == {mine.pk}
    assert ids(overdue=True) == {late.pk}
    assert ids(mine=True) == {mine.pk}
    assert ids(organization=cast.mallory.may.organization.public_id) == {theirs.pk}
    assert ids(text="요금") == {theirs.pk}
    assert ids(text="이웃상사") == {theirs.pk}
    assert ids(text=late.public_id) == {late.pk}
    assert ids(show="all") == {mine.pk, late.pk, theirs.pk, closed.pk}


def test_what_waits_for_the_customer_is_not_overdue(cast: Cast) -> None:
    request = put_into(asked(cast, now=NOON - timedelta(days=7)), "with_customer")

    assert not request.is_overdue_at(NOON)
    assert queue(cast, overdue=True) == []
