"""Asking and signing: one effect each, in the order of the steps."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.approvals import asking, deciding, queries, turns
from billing.approvals.deciding import Seen
from billing.approvals.matrix import Step
from billing.models import (
    ApprovalMove,
    ApprovalStep,
    ApprovalTerms,
)
from tenants import actors, rls
from tenants.actions import deputies
from tenants.actors import NotAllowed
from tenants.models import AuditEvent, Membership
from tests import factories
from tests.billing.signing import (
    OFFICER_THEN_OWNER,
    WON,
    YES,
    Doing,
    acting,
    ask,
    decisions,
    fresh,
    rules,
    sign,
    told,
    wish,
)
from tests.cast import Cast
from tests.factories import NOON

# ─── asking ────────────────────────────────────────────────────────────────────────────────────


def test_asks_nobody_below_the_bound(cast: Cast) -> None:
    by = cast.bob.may
    with actors.scope_for(by):
        made = asking.ask(wish=wish(cast, amount_won=4_999_999), by=by, now=NOON)

    assert made is None


def test_asks_those_whom_the_rules_name_and_freezes_the_terms(cast: Cast) -> None:
    request = ask(cast)

    assert (request.state, request.amount_won) == ("waiting", WON)
    assert request.expires_at == NOON + timedelta(days=14)
    with rls.tenant(cast.firm.pk):
        assert ApprovalTerms.objects.get().terms == {"won": WON}
        assert ApprovalStep.objects.get().roles == ["owner", "budget_officer"]
    assert told(request) == [("approval.waiting", "김서연"), ("approval.waiting", "이정민")]


def test_asks_once_about_one_thing(cast: Cast) -> None:
    ask(cast)

    with pytest.raises(asking.AlreadyAsked):
        ask(cast)


@pytest.mark.parametrize("won", [-1, 10**15 + 1, 1.5, True, "7000000"])
def test_refuses_amounts_that_are_none(cast: Cast, won: Any) -> None:
    with pytest.raises(asking.AmountOutOfRange):
        ask(cast, amount_won=won)


def test_who_waits_for_whom_is_counted(cast: Cast) -> None:
    rules(cast, *OFFICER_THEN_OWNER)
    ask(cast)

    with rls.tenant(cast.firm.pk):
        waits = {
            who: len(turns.of(acting(cast, who), now=NOON))
            for who in ("alice", "bob", "carol", "dan")
        }
    assert waits == {"alice": 0, "bob": 0, "carol": 1, "dan": 0}


def test_the_frame_asks_once_and_says_what_the_requests_say(cast: Cast) -> None:
    """A step behind another, one of two people, a deputy, something of the whole organization."""
    rules(cast, Step(("budget_officer", "owner"), needed=2), Step(("owner",)))
    begun, doing = ask(cast, subject="ord_1"), Doing()
    sign(cast, begun, "carol", doing)
    ask(cast, subject="ord_2", project=None)
    rules(cast, Step(("budget_officer",)))
    ask(cast, subject="ord_3")
    _leave(cast, absent="carol", deputy="dan")

    found = {}
    for who, asked in (("alice", 1), ("bob", 0), ("carol", 1), ("dan", 1)):
        by = acting(cast, who)
        with rls.tenant(cast.firm.pk):
            with CaptureQueriesContext(connection) as queried:
                found[who] = turns.of(by, now=NOON)
            said = [
                one.pk
                for one in queries.requests(by).order_by("expires_at", "pk")
                if (turn := queries.turn_of(one, by, now=NOON)) is not None and turn.mine
            ]
        assert (found[who], len(queried)) == (said, asked), who
    assert {who: len(keys) for who, keys in found.items()} == {
        "alice": 2,
        "bob": 0,
        "carol": 2,
        "dan": 2,
    }


# ─── signing ───────────────────────────────────────────────────────────────────────────────────


def test_is_carried_out_once_the_last_has_signed(cast: Cast) -> None:
    rules(cast, *OFFICER_THEN_OWNER)
    request, doing = ask(cast), Doing()

    assert sign(cast, request, "carol", doing).state == "waiting"
    assert doing.results == []
    done = sign(cast, request, "alice", doing, step=2)

    assert (done.state, done.result, doing.results) == ("done", "thing_1", ["thing_1"])
    assert [(one.decided_label, one.rung) for one in decisions(request)] == [
        ("이정민", "step"),
        ("김서연", "step"),
    ]
    with rls.tenant(cast.firm.pk):
        assert [(one.from_state, one.to_state) for one in ApprovalMove.objects.all()] == [
            ("waiting", "approved"),
            ("approved", "done"),
        ]
        verbs = AuditEvent.objects.filter(verb__startswith="approval.").values_list(
            "verb", flat=True
        )
        assert sorted(verbs) == [
            "approval.agree",
            "approval.agree",
            "approval.ask",
            "approval.carry_out",
            "approval.matrix",
        ]
    assert ("approval.approved", "박도현") in told(request)


@pytest.mark.parametrize(
    ("who", "step", "refusal"),
    [
        ("alice", 1, deciding.NotYourStep),  # the owner's step is the second
        ("alice", 2, deciding.AlreadyDecided),  # a step that is not open
        ("bob", 1, NotAllowed),
        ("dan", 1, NotAllowed),
    ],
)
def test_refuses_who_is_not_asked(
    cast: Cast, who: str, step: int, refusal: type[Exception]
) -> None:
    rules(cast, *OFFICER_THEN_OWNER)
    request, doing = ask(cast), Doing()

    with pytest.raises(refusal):
        sign(cast, request, who, doing, step=step)

    assert (decisions(request), fresh(request).state) == ([], "waiting")


def test_refuses_to_sign_twice(cast: Cast) -> None:
    rules(cast, Step(("budget_officer", "owner"), needed=2))
    request, doing = ask(cast), Doing()
    sign(cast, request, "carol", doing)

    with pytest.raises(deciding.NotYourStep):
        sign(cast, request, "carol", doing)

    assert len(decisions(request)) == 1


def test_who_asked_does_not_sign_while_another_is_there(cast: Cast) -> None:
    request, doing = ask(cast, "alice"), Doing()

    with pytest.raises(deciding.NotYourStep):
        sign(cast, request, "alice", doing)

    assert sign(cast, request, "carol", doing).state == "done"


def test_an_owner_signs_their_own_request_where_nobody_else_may(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        Membership.objects.filter(user=cast.carol.user).update(role="developer")
    request, doing = ask(cast, "alice"), Doing()

    assert sign(cast, request, "alice", doing).state == "done"
    assert [one.rung for one in decisions(request)] == ["requester"]


def test_no_key_signs(cast: Cast) -> None:
    key, _secret = factories.api_key(cast.project, cast.alice.may, scopes=["billing_read"])
    by = replace(cast.alice.may, kind="key", key=key)
    request, doing = ask(cast), Doing()

    with pytest.raises(NotAllowed):
        deciding.decide(
            request=request, seen=Seen(1, 1), word=YES, deed=doing.deed, by=by, now=NOON
        )


@pytest.mark.parametrize("change", ["removed", "developer"])
def test_who_left_or_lost_the_role_does_not_sign_and_the_owner_does(
    cast: Cast, change: str
) -> None:
    rules(cast, Step(("budget_officer",)))
    request, doing, before = ask(cast), Doing(), acting(cast, "carol")
    with rls.tenant(cast.firm.pk):
        rows = Membership.objects.filter(user=cast.carol.user)
        rows.delete() if change == "removed" else rows.update(role=change)

    with pytest.raises(deciding.NotYourStep):  # her page was open all the time
        deciding.decide(
            request=request, seen=Seen(1, 1), word=YES, deed=doing.deed, by=before, now=NOON
        )

    with rls.tenant(cast.firm.pk):
        turn = queries.turn_of(fresh(request), acting(cast, "alice"), now=NOON)
    assert turn is not None
    assert (turn.pool.rung, turn.names, turn.mine) == ("owner", ("김서연",), True)
    assert sign(cast, request, "alice", doing).state == "done"


def test_a_deputy_signs_and_both_are_named(cast: Cast) -> None:
    rules(cast, Step(("budget_officer",)))
    _leave(cast, absent="carol", deputy="dan")
    request, doing = ask(cast), Doing()

    assert sign(cast, request, "dan", doing).state == "done"

    (kept,) = decisions(request)
    assert (kept.decided_label, kept.for_label) == ("최감사", "이정민")
    with rls.tenant(cast.firm.pk):
        event = AuditEvent.objects.get(verb="approval.agree")
        assert event.on_behalf == cast.carol.user.public_id


def test_a_deputy_no_longer_signs_after_the_leave(cast: Cast) -> None:
    rules(cast, Step(("budget_officer",)))
    _leave(cast, absent="carol", deputy="dan")
    request, doing, later = ask(cast), Doing(), NOON + timedelta(days=4)

    with pytest.raises(NotAllowed):
        sign(cast, request, "dan", doing, now=later)


def _leave(cast: Cast, *, absent: str, deputy: str) -> None:
    """Three days from today."""
    today = NOON.date()
    by = cast.alice.may
    with actors.scope_for(by):
        people = {one.user_id: one for one in Membership.objects.filter(organization=cast.firm)}
        deputies.name(
            absent=people[cast[absent].user.pk],
            deputy=people[cast[deputy].user.pk],
            starts_date=today,
            ends_date=today + timedelta(days=3),
            by=by,
            now=NOON,
        )
