"""Refusing, withdrawing, expiring, terms that change, deeds that fail, rules that change."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from billing.approvals import asking, carrying, deciding, matrices, sweeps
from billing.approvals.deciding import Seen, Word
from billing.approvals.matrix import ORDER, Matrix, Rule, Step
from billing.models import (
    ApprovalDecision,
    ApprovalMatrix,
    ApprovalMove,
    ApprovalRequest,
    ApprovalStep,
    ApprovalTerms,
)
from tenants import actors, rls
from tenants.actors import Actor, NotAllowed
from tenants.reasons import BadReason
from tests.billing.signing import (
    NO,
    OFFICER_THEN_OWNER,
    YES,
    Doing,
    acting,
    ask,
    decisions,
    fresh,
    rules,
    sign,
    told,
)
from tests.cast import Cast
from tests.factories import NOON

# ─── refusing, withdrawing, expiring ───────────────────────────────────────────────────────────


def test_a_no_ends_it_with_a_sentence(cast: Cast) -> None:
    request, doing = ask(cast), Doing()

    assert sign(cast, request, "carol", doing, word=NO).state == "refused"

    assert (doing.ended, doing.results) == ([request.public_id], [])
    assert ("approval.refused", "박도현") in told(request)
    with pytest.raises(asking.NotOpen):
        sign(cast, request, "alice", doing)


def test_a_no_needs_a_sentence(cast: Cast) -> None:
    request, doing = ask(cast), Doing()

    with pytest.raises(BadReason):
        sign(cast, request, "carol", doing, word=Word(False, "  "))

    assert fresh(request).state == "waiting"


def withdraw(cast: Cast, request: ApprovalRequest, who: str, doing: Doing) -> ApprovalRequest:
    by = cast[who].may
    with actors.scope_for(by):
        return asking.withdraw(request=request, deed=doing.deed, by=by, now=NOON)


@pytest.mark.parametrize("who", ["bob", "alice"])
def test_is_withdrawn_by_who_asked_or_an_owner(cast: Cast, who: str) -> None:
    request, doing = ask(cast), Doing()

    assert withdraw(cast, request, who, doing).state == "withdrawn"
    assert withdraw(cast, request, who, doing).state == "withdrawn"
    assert doing.ended == [request.public_id]


def test_is_not_withdrawn_by_others(cast: Cast) -> None:
    with pytest.raises(asking.NotYours):
        withdraw(cast, ask(cast), "carol", Doing())


def test_expires_and_is_asked_again(cast: Cast) -> None:
    request, doing = ask(cast), Doing()
    late = NOON + timedelta(days=14)

    with pytest.raises(deciding.RequestExpired):
        sign(cast, request, "carol", doing, now=late)
    assert sweeps.expire({ORDER: doing.deed}, now=late) == 1
    assert sweeps.expire({ORDER: doing.deed}, now=late) == 0

    assert (fresh(request).state, doing.ended) == ("expired", [request.public_id])
    assert ("approval.expired", "박도현") in told(request)
    assert ask(cast).state == "waiting"


def test_reminds_after_days_and_each_time_once(cast: Cast) -> None:
    request = ask(cast)
    sent = [
        sweeps.remind(now=NOON + timedelta(days=days, hours=hours))
        for days, hours in ((1, 23), (2, 0), (2, 1), (7, 0), (8, 0), (12, 0), (13, 23))
    ]

    assert sent == [0, 1, 0, 1, 0, 1, 0]
    assert told(request).count(("approval.reminder", "이정민")) == 3


def test_a_sweep_that_slept_reminds_once(cast: Cast) -> None:
    request = ask(cast)

    assert sweeps.remind(now=NOON + timedelta(days=13)) == 1
    assert told(request).count(("approval.reminder", "이정민")) == 1


# ─── terms that change, deeds that fail ────────────────────────────────────────────────────────


def test_approves_nothing_on_terms_that_have_changed(cast: Cast) -> None:
    rules(cast, *OFFICER_THEN_OWNER)
    request, doing = ask(cast), Doing()
    sign(cast, request, "carol", doing)
    doing.won = 9_000_000

    found = sign(cast, request, "alice", doing, step=2)

    assert (found.state, doing.results, len(decisions(request))) == ("changed", [], 1)
    assert ("approval.changed", "박도현") in told(request)


def test_asked_again_all_sign_anew(cast: Cast) -> None:
    rules(cast, *OFFICER_THEN_OWNER)
    request, doing = ask(cast), Doing()
    sign(cast, request, "carol", doing)
    doing.won = 9_000_000
    sign(cast, request, "alice", doing, step=2)
    by = cast.bob.may
    with actors.scope_for(by):
        found = asking.ask_again(request=request, deed=doing.deed, by=by, now=NOON)

    assert (found.state, found.round, found.amount_won) == ("waiting", 2, 9_000_000)
    with pytest.raises(deciding.AlreadyDecided):  # the page of the first round
        sign(cast, request, "carol", doing)
    sign(cast, request, "carol", doing, number=2)
    assert sign(cast, request, "alice", doing, step=2, number=2).state == "done"


def test_who_asked_sees_the_change_first_and_asks_again(cast: Cast) -> None:
    request, doing, by = ask(cast), Doing(), cast.bob.may

    with actors.scope_for(by):
        with pytest.raises(asking.NotOpen):  # nothing has changed
            asking.ask_again(request=request, deed=doing.deed, by=by, now=NOON)
        doing.won = 9_000_000
        found = asking.ask_again(request=request, deed=doing.deed, by=by, now=NOON)

    assert (found.state, found.round, found.amount_won) == ("waiting", 2, 9_000_000)


def test_only_who_asked_asks_again(cast: Cast) -> None:
    request, doing = ask(cast), Doing(won=9_000_000)
    sign(cast, request, "carol", doing)
    by = cast.carol.may

    with actors.scope_for(by), pytest.raises(asking.NotYours):
        asking.ask_again(request=request, deed=doing.deed, by=by, now=NOON)


def test_a_deed_that_fails_is_shown_and_repeated(cast: Cast) -> None:
    request, doing = ask(cast), Doing(fault="빈 카드가 없습니다.")
    failed = sign(cast, request, "carol", doing)

    assert (failed.state, failed.fault) == ("failed", "빈 카드가 없습니다.")
    doing.fault = ""
    for _twice in range(2):
        again = carrying.carry_out(
            request=fresh(request), deed=doing.deed, by=cast.carol.may, now=NOON
        )
        assert again.state == "done"
    assert doing.results == ["thing_1"]
    assert told(request).count(("approval.failed", "박도현")) == 1


def test_repeats_for_who_asked_only_what_is_to_be_done(cast: Cast) -> None:
    request, doing = ask(cast), Doing()

    with pytest.raises(asking.NotOpen):
        carrying.repeat(request=request, deed=doing.deed, by=cast.bob.may, now=NOON)
    with pytest.raises(asking.NotYours):
        carrying.repeat(request=request, deed=doing.deed, by=cast.dan.may, now=NOON)


def test_the_sweep_does_what_a_dead_process_left(cast: Cast) -> None:
    request, doing = ask(cast), Doing()
    with rls.tenant(cast.firm.pk):
        ApprovalRequest.objects.filter(pk=request.pk).update(state="approved", state_since=NOON)

    soon, later = NOON + timedelta(minutes=4), NOON + timedelta(minutes=5)
    assert sweeps.carry_on({ORDER: doing.deed}, now=soon) == 0
    assert sweeps.carry_on({ORDER: doing.deed}, now=later) == 1
    assert (fresh(request).state, doing.results) == ("done", ["thing_1"])


def test_the_sweep_does_not_repeat_what_was_done_before_the_process_died(cast: Cast) -> None:
    request, doing = ask(cast), Doing(results=["thing_0"])
    with rls.tenant(cast.firm.pk):
        ApprovalRequest.objects.filter(pk=request.pk).update(state="approved", state_since=NOON)

    sweeps.carry_on({ORDER: doing.deed}, now=NOON + timedelta(minutes=5))

    assert (fresh(request).result, doing.results) == ("thing_0", ["thing_0"])


# ─── rules ─────────────────────────────────────────────────────────────────────────────────────


def test_requests_that_wait_keep_their_steps(cast: Cast) -> None:
    rules(cast, Step(("budget_officer",)))
    request, doing = ask(cast), Doing()
    rules(cast, Step(("owner",)))

    assert sign(cast, request, "carol", doing).state == "done"


def test_rules_are_written_by_owners_only(cast: Cast) -> None:
    for who in ("bob", "carol", "dan"):
        by = cast[who].may
        with actors.scope_for(by), pytest.raises(NotAllowed):
            matrices.write(matrix=Matrix(()), because="이유를 씁니다", version=0, by=by, now=NOON)


def test_rules_that_are_wrong_are_not_written(cast: Cast) -> None:
    by = cast.alice.may
    with actors.scope_for(by):
        with pytest.raises(matrices.WrongMatrix) as refused:
            matrices.write(
                matrix=Matrix((Rule(ORDER, 0, 100),)),
                because="이유를 씁니다",
                version=0,
                by=by,
                now=NOON,
            )
        assert not ApprovalMatrix.objects.exists()
    assert len(refused.value.sentences) >= 4


def test_two_writers_of_rules_make_one_version(cast: Cast) -> None:
    rules(cast, Step(("owner",)))
    by = cast.alice.may
    with actors.scope_for(by):
        held = matrices.holding(cast.firm)
        with pytest.raises(matrices.MatrixChangedMeanwhile):
            matrices.write(
                matrix=Matrix((Rule(ORDER), *held.matrix.rules[1:])),
                because="이유를 씁니다",
                version=0,
                by=by,
                now=NOON,
            )
        with pytest.raises(matrices.SameMatrix):
            matrices.write(matrix=held.matrix, because="이유를 씁니다", version=1, by=by, now=NOON)


@pytest.mark.parametrize(
    "model", [ApprovalMatrix, ApprovalTerms, ApprovalStep, ApprovalDecision, ApprovalMove]
)
def test_the_database_lets_nobody_change_what_was_signed(cast: Cast, model: Any) -> None:
    rules(cast, Step(("budget_officer",)))
    sign(cast, ask(cast), "carol", Doing())
    with rls.tenant(cast.firm.pk):
        row = model.objects.first()
        assert row is not None
        with pytest.raises(DatabaseError), transaction.atomic():
            model.objects.filter(pk=row.pk).delete()
        changed = {"needed": 5} if model is ApprovalStep else {"at": NOON + timedelta(days=1)}
        with pytest.raises(DatabaseError), transaction.atomic():
            model.objects.filter(pk=row.pk).update(**changed)


# ─── at once ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.django_db(transaction=True)
def test_two_at_once_have_one_effect(cast: Cast) -> None:
    request, doing = ask(cast), Doing()
    people = [acting(cast, "alice"), acting(cast, "carol")]
    gate, outcomes = threading.Barrier(2), []

    def run(by: Actor) -> None:
        gate.wait()
        try:
            found = deciding.decide(
                request=request, seen=Seen(1, 1), word=YES, deed=doing.deed, by=by, now=NOON
            )
            outcomes.append(found.state)
        except (asking.NotOpen, deciding.AlreadyDecided) as error:
            outcomes.append(type(error).__name__)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(one,)) for one in people]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)

    assert sorted(outcomes) == ["NotOpen", "done"]
    assert (len(decisions(request)), doing.results) == (1, ["thing_1"])
