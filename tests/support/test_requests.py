"""Asking, answering, closing, following: what people of a customer do, and every move there is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from django.db import DatabaseError, transaction

from portal.lib.periods import SEOUL
from tenants import quotas, retention, rls
from tenants.actors import NotAllowed
from tenants.models import (
    AuditEvent,
    Membership,
    Notice,
    Quota,
    SupportMessage,
    SupportMove,
    SupportRequest,
)
from tenants.support import desk, moves, requests, sweeps
from tenants.support.desk import Then
from tenants.support.moves import MovedMeanwhile, Mover, NoSuchMove, RequestClosed
from tenants.support.words import ARROWS, REOPENED_WITHIN, RequestState, Side
from tests import factories
from tests.cast import Cast
from tests.factories import NOON
from tests.support.asking import asked, done, fresh, put_into, replied, wish

SECOND = timedelta(seconds=1)


def test_keeps_what_was_asked_and_says_when_the_answer_is_due(cast: Cast) -> None:
    made = asked(cast, path="/keys/?text=x", request_id="req_1", project=cast.project.public_id)

    assert (made.state, made.requester) == ("new", cast.bob.user.public_id)
    assert (made.path, made.request_id, made.project) == ("/keys/", "req_1", cast.project.public_id)
    assert f"{made.due_at.astimezone(SEOUL):%Y-%m-%d %H:%M}" == "2026-11-17 12:00"
    with rls.tenant(cast.firm.pk):
        assert [one.text for one in made.messages.all()] == ["예산이 남았는데 거절됩니다."]
        assert [(one.before, one.after) for one in made.moves.all()] == [("", "new")]
        event = AuditEvent.objects.get(verb="support.open")
    assert "예산" not in str(event.changes)


@pytest.mark.parametrize("field", ["kind", "severity", "project", "incident"])
def test_refuses_what_it_does_not_know_at_its_field(cast: Cast, field: str) -> None:
    with pytest.raises(requests.Unknown) as refused:
        asked(cast, **{field: "xyz"})

    assert refused.value.field == field


def test_refuses_anothers_project(cast: Cast) -> None:
    theirs = factories.project(cast.mallory.may.organization, "남의 것")

    with pytest.raises(requests.Unknown):
        asked(cast, project=theirs.public_id)


def test_the_same_key_gives_the_same_request(cast: Cast) -> None:
    first = done(requests.ask, by=cast.bob.may, wish=wish(), idempotency_key="key-00001")
    again = done(requests.ask, by=cast.bob.may, wish=wish(), idempotency_key="key-00001")

    assert again.pk == first.pk
    with pytest.raises(requests.KeyReused):
        done(
            requests.ask,
            by=cast.bob.may,
            wish=wish(subject="다른 것입니다"),
            idempotency_key="key-00001",
        )
    other = done(requests.ask, by=cast.alice.may, wish=wish(), idempotency_key="key-00001")
    assert other.pk != first.pk


def test_there_are_not_endlessly_many(cast: Cast) -> None:
    with rls.everyone(because="test set-up"):
        Quota.objects.create(
            organization=cast.firm,
            name="open_requests",
            most=1,
            because="x",
            set_by="x",
            set_at=NOON,
        )
    asked(cast)

    with pytest.raises(requests.TooManyRequests):
        asked(cast)
    assert "open_requests" in quotas.QUOTAS


def test_a_key_asks_nothing(cast: Cast) -> None:
    key, _secret = factories.api_key(cast.project, cast.alice.may)
    actor = replace(cast.alice.may, key=key)

    with pytest.raises(NotAllowed):
        done(requests.ask, by=actor, wish=wish())


# ─── who sees it ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("who", "sees"),
    [
        ("alice", True),
        ("bob", True),
        ("carol", False),
        ("dan", True),
        ("mallory", False),
    ],
)
def test_shows_it_to_who_asked_and_to_those_who_may_see_all(
    cast: Cast, who: str, sees: bool
) -> None:
    made = asked(cast)

    with rls.tenant(cast[who].may.organization.pk):
        found = SupportRequest.objects.visible_to(cast[who].may).filter(pk=made.pk).exists()
        said = SupportMessage.objects.visible_to(cast[who].may).exists()

    assert (found, said) == (sees, sees)


def test_who_is_limited_to_projects_sees_those_of_theirs_and_their_own(cast: Cast) -> None:
    other = factories.project(cast.firm, "다른 프로젝트")
    auditor = replace(cast.dan.may, projects=(other.public_id,))
    without, theirs = asked(cast), asked(cast, project=other.public_id)
    own = done(requests.ask, by=cast.dan.may, wish=wish())
    asked(cast, project=cast.project.public_id)

    with rls.tenant(cast.firm.pk):
        found = set(SupportRequest.objects.visible_to(auditor).values_list("pk", flat=True))

    assert found == {theirs.pk, own.pk}
    assert without.pk not in found


# ─── every arrow, every missing arrow, the second mover ────────────────────────────────────────

STATES = list(RequestState)
SOMEBODY = Mover(Side.OPERATOR, "usr_x")


@pytest.mark.parametrize(("before", "after"), sorted(ARROWS))
def test_moves_along_each_arrow_with_a_row_that_says_why(
    cast: Cast, before: str, after: str
) -> None:
    request = put_into(asked(cast), before)

    with rls.tenant(cast.firm.pk):
        moves.move(request, after, because="그래서", by=SOMEBODY, now=NOON + SECOND)
        row = SupportMove.objects.filter(request=request).latest("pk")

    assert fresh(request).state == after
    assert fresh(request).moved_at == NOON + SECOND
    assert (row.before, row.after, row.because) == (before, after, "그래서")


@pytest.mark.parametrize(
    ("before", "after"), [one for one in product(STATES, STATES) if one not in ARROWS]
)
def test_takes_no_other_way(cast: Cast, before: str, after: str) -> None:
    request = put_into(asked(cast), before)

    with rls.tenant(cast.firm.pk), pytest.raises(NoSuchMove):
        moves.move(request, after, because="x", by=SOMEBODY, now=NOON)

    assert fresh(request).state == before


def test_the_second_mover_is_told(cast: Cast) -> None:
    first = asked(cast)
    second = fresh(first)
    with rls.tenant(cast.firm.pk):
        moves.move(first, "solved", because="x", by=SOMEBODY, now=NOON)

        with pytest.raises(MovedMeanwhile):
            moves.move(second, "with_customer", because="x", by=SOMEBODY, now=NOON)
        assert SupportMove.objects.filter(request=first).count() == 2


def test_nobody_changes_a_move(cast: Cast) -> None:
    asked(cast)
    for deed in (
        lambda: SupportMove.objects.update(because="anders"),
        lambda: SupportMove.objects.all().delete(),
    ):
        with rls.everyone(because="test"), pytest.raises(DatabaseError), transaction.atomic():
            deed()


# ─── answers of the customer ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("state", "after"),
    [
        ("new", "new"),
        ("with_operator", "with_operator"),
        ("with_customer", "with_operator"),
        ("solved", "with_operator"),
    ],
)
def test_an_answer_gives_it_back_to_the_operator(cast: Cast, state: str, after: str) -> None:
    request = put_into(asked(cast), state)

    done(requests.answer, by=cast.bob.may, request=request, text="여전히 그렇습니다.")

    assert fresh(request).state == after


@pytest.mark.parametrize(
    ("state", "later"),
    [
        pytest.param("closed", SECOND, id="closed"),
        pytest.param("solved", REOPENED_WITHIN, id="solved-14-days-ago"),
    ],
)
def test_what_is_closed_takes_no_answer(cast: Cast, state: str, later: timedelta) -> None:
    request = put_into(asked(cast), state)

    with pytest.raises(RequestClosed):
        done(requests.answer, by=cast.bob.may, now=NOON + later, request=request, text="여보세요")

    assert fresh(request).state == state
    with rls.tenant(cast.firm.pk):
        assert request.messages.count() == 1


def test_a_second_before_14_days_it_is_still_reopened(cast: Cast) -> None:
    request = put_into(asked(cast), "solved")

    done(
        requests.answer,
        by=cast.bob.may,
        now=NOON + REOPENED_WITHIN - SECOND,
        request=request,
        text="다시 그렇습니다.",
    )

    assert fresh(request).state == "with_operator"


def test_a_conversation_has_an_end(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "MOST_MESSAGES", 2)
    request = asked(cast)
    done(requests.answer, by=cast.bob.may, request=request, text="둘")

    with pytest.raises(requests.TooLong):
        done(requests.answer, by=cast.bob.may, request=request, text="셋")


def test_closing_says_why_and_is_final(cast: Cast) -> None:
    request = asked(cast)

    done(requests.close, by=cast.bob.may, request=request, because="스스로 찾았습니다.")

    with rls.tenant(cast.firm.pk):
        assert request.moves.latest("pk").because == "스스로 찾았습니다."
    with pytest.raises(RequestClosed):
        done(requests.close, by=cast.bob.may, request=request)


# ─── by itself ─────────────────────────────────────────────────────────────────────────────────


def test_what_was_solved_14_days_ago_is_closed_by_itself(cast: Cast) -> None:
    old = put_into(asked(cast), "solved", NOON - REOPENED_WITHIN)
    young = put_into(asked(cast), "solved", NOON - REOPENED_WITHIN + SECOND)

    assert sweeps.close_solved(now=NOON) == 1
    assert sweeps.close_solved(now=NOON) == 0

    assert (fresh(old).state, fresh(young).state) == ("closed", "solved")
    with rls.tenant(cast.firm.pk):
        row = old.moves.latest("pk")
    assert (row.side, row.because) == ("system", moves.LAPSED)


def test_tells_the_staff_once_of_what_is_overdue(cast: Cast) -> None:
    late, answered = asked(cast), asked(cast)
    replied(cast, answered)
    due = late.due_at

    found = [sweeps.announce_overdue(now=moment) for moment in (due - SECOND, due, due)]

    assert found == [0, 1, 0]
    with rls.everyone(because="test"):
        told = Notice.objects.filter(kind="support.overdue")
        assert {one.user_id for one in told} == {cast.olivia.user.pk}


# ─── who is told ───────────────────────────────────────────────────────────────────────────────


def told_of(kind: str) -> set[str]:
    with rls.everyone(because="test"):
        rows = Notice.objects.filter(kind=kind).select_related("user")
        return {one.user.email.partition("@")[0] for one in rows}


@pytest.mark.parametrize(
    ("then", "kind"),
    [
        (Then.WORKING, "support.answered"),
        (Then.ASKS, "support.asked"),
        (Then.SOLVED, "support.solved"),
    ],
)
def test_tells_who_asked_and_who_follows(cast: Cast, then: str, kind: str) -> None:
    request = asked(cast)
    done(lambda by, now: requests.follow(request=request, by=by), by=cast.dan.may)

    replied(cast, request, then)

    assert told_of("support.new") == {"olivia"}
    assert told_of(kind) == {"bob", "dan"}


def test_tells_nobody_who_follows_no_more_or_may_not_see_it_now(cast: Cast) -> None:
    request = asked(cast)
    for who in (cast.dan.may, cast.alice.may):
        done(lambda by, now: requests.follow(request=request, by=by), by=who)
    done(lambda by, now: requests.unfollow(request=request, by=by), by=cast.alice.may)
    with rls.everyone(because="test"):
        Membership.objects.filter(user=cast.dan.user).update(role="developer")
        Membership.objects.filter(user=cast.bob.user).delete()

    replied(cast, request)

    assert told_of("support.asked") == set()


def test_tells_the_one_who_answers_for_it_of_the_customers_answer(cast: Cast) -> None:
    request = asked(cast)
    replied(cast, request)

    done(requests.answer, by=cast.bob.may, request=request, text="여기 있습니다.")

    assert told_of("support.replied") == {"olivia"}


def test_sees_nothing_any_more_once_removed(cast: Cast) -> None:
    """A removed member has no actor of the firm; with another's actor nothing is there."""
    request = asked(cast)
    stranger = cast.mallory.may

    with rls.tenant(stranger.organization.pk):
        assert not SupportRequest.objects.visible_to(stranger).filter(pk=request.pk).exists()
    with pytest.raises(SupportRequest.DoesNotExist):
        done(requests.answer, by=stranger, request=request, text="나도")
    with pytest.raises(SupportRequest.DoesNotExist):
        done(requests.answer, by=cast.carol.may, request=request, text="나도")


def test_the_customer_does_no_deed_of_the_staff(cast: Cast) -> None:
    request = asked(cast)
    for deed, more in (
        (desk.take, {"instead_of": ""}),
        (desk.remark, {"text": "x"}),
        (desk.link, {"incident": None}),
        (desk.grade, {"severity": "low", "because": "그냥 그렇게"}),
        (desk.answer, {"reply": desk.Reply("x", "solved")}),
    ):
        with pytest.raises(NotAllowed):
            done(deed, by=cast.alice.may, request=request, **more)


def test_what_was_said_is_kept_for_three_years_after_it_was_closed(cast: Cast) -> None:
    still_open, closed = asked(cast), put_into(asked(cast), "closed")

    retention.sweep(NOON + timedelta(days=3 * 365))
    before = texts_of(closed)
    retention.sweep(NOON + timedelta(days=3 * 365 + 2))

    assert (before, texts_of(closed), texts_of(still_open)) == (1, 0, 1)


def texts_of(request: SupportRequest) -> int:
    with rls.everyone(because="test"):
        return SupportMessage.objects.filter(request=request).count()
