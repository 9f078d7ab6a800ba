"""Transfers between budget lines: who signs, what was signed, what became of it, once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.approvals import asking, sweeps
from billing.approvals.deciding import NotYourStep
from billing.approvals.kinds import TermsChanged
from billing.approvals.matrix import TRANSFER
from billing.fiscal import lines, transfers
from billing.fiscal.book import Broken, Rule
from billing.models import ApprovalRequest, BudgetLine, FiscalMovement, FiscalTransfer
from tenants import actors, rls
from tenants.actors import Actor
from tests.billing import county as world
from tests.billing.county import NOVEMBER, County, entry
from tests.billing.signing import NO, decided, decisions, fresh, request_of

LITTLE, MUCH = 900_000, 2_000_000  # the budget officer alone; the officer, then the owner


@pytest.fixture
def county(db: None) -> County:
    return world.make()


def ask(county: County, won: int = LITTLE, by: Actor | None = None) -> FiscalTransfer:
    with rls.tenant(county.office.pk):
        return transfers.ask(
            source=county.office_costs,
            target=county.running,
            won=won,
            because="전산 사용료 부족",
            by=by or county.officer,
            now=NOVEMBER,
        )


def current(county: County) -> tuple[int, int]:
    return county.columns().current, county.columns(county.office_costs).current


BEFORE = (48_000_000, 12_000_000)


def test_both_entries_are_written_with_the_last_signature(county: County) -> None:
    asked = ask(county, MUCH, by=county.head)
    request = request_of(asked)
    assert (request.amount_won, request.data_class) == (MUCH, "open")

    assert decided(asked, transfers.DEED, county.officer).state == "waiting"
    assert current(county) == BEFORE
    # the owner asked, and nobody else is one: the officer signs the second step as well
    assert decided(asked, transfers.DEED, county.officer, step=2).state == "done"

    assert current(county) == (50_000_000, 10_000_000)
    with rls.tenant(county.office.pk):
        rows = FiscalMovement.objects.filter(document=asked.public_id)
        kept = set(rows.values_list("kind", "won", "by", "approved_by"))
    assert kept == {
        ("transfer_out", -MUCH, "정하늘", "오지훈"),
        ("transfer_in", MUCH, "정하늘", "오지훈"),
    }


def test_who_asked_signs_nothing_nor_does_their_deputy(county: County) -> None:
    asked = ask(county)
    deputy = world.deputy(county, county.officer)

    for person in (county.officer, deputy):
        with pytest.raises(NotYourStep):
            decided(asked, transfers.DEED, person)

    assert current(county) == BEFORE


def test_a_deputy_signs_for_who_is_on_leave_and_both_are_named(county: County) -> None:
    asked = ask(county)
    deputy = world.deputy(county, county.head)

    assert decided(asked, transfers.DEED, deputy).state == "done"

    [kept] = decisions(request_of(asked))
    assert (kept.decided_label, kept.for_label) == ("박소라", "정하늘")


@pytest.mark.parametrize("how", ["refused", "withdrawn", "expired"])
def test_what_is_not_approved_is_not_made(county: County, how: str) -> None:
    asked = ask(county)
    request, late = request_of(asked), NOVEMBER + timedelta(days=14)

    if how == "refused":
        decided(asked, transfers.DEED, county.head, word=NO)
    elif how == "withdrawn":
        with actors.scope_for(county.officer):
            asking.withdraw(request=request, deed=transfers.DEED, by=county.officer, now=NOVEMBER)
    else:
        sweeps.expire({TRANSFER: transfers.DEED}, now=late)

    with rls.tenant(county.office.pk):
        asked.refresh_from_db()
    assert (fresh(request).state, asked.state) == (how, "rejected")
    assert asked.decided_because == (NO.because if how == "refused" else "")
    assert current(county) == BEFORE


def test_what_was_allotted_meanwhile_makes_it_no_other_transfer(county: County) -> None:
    asked, crossing = ask(county), ask(county)
    lines.allot(
        line=county.office_costs, entry=entry(1), quarter=4, by=county.officer, now=NOVEMBER
    )

    assert decided(asked, transfers.DEED, county.head).state == "done"
    assert decided(crossing, transfers.DEED, county.head).state == "done"

    assert current(county) == (BEFORE[0] + 2 * LITTLE, BEFORE[1] - 2 * LITTLE)


def test_more_than_is_left_by_now_fails_with_the_numbers(county: County) -> None:
    asked = ask(county, LITTLE)
    lines.allot(
        line=county.office_costs,
        entry=entry(11_500_000),
        quarter=4,
        by=county.officer,
        now=NOVEMBER,
    )

    failed = decided(asked, transfers.DEED, county.head)

    assert failed.state == "failed"
    assert "500,000" in failed.fault and "400,000" in failed.fault
    assert current(county) == BEFORE


def left_approved(request: ApprovalRequest) -> None:
    """As a process leaves it that dies after the last signature."""
    with rls.tenant(request.organization_id):
        ApprovalRequest.objects.filter(pk=request.pk).update(state="approved", state_since=NOVEMBER)


def test_a_dead_process_is_carried_on_once(county: County) -> None:
    asked, later = ask(county), NOVEMBER + timedelta(minutes=5)
    request, deeds = request_of(asked), {TRANSFER: transfers.DEED}
    left_approved(request)

    assert sweeps.carry_on(deeds, now=later) == 1
    left_approved(request)  # it died again, before it could say that it was done
    assert sweeps.carry_on(deeds, now=later) == 1

    assert (fresh(request).state, fresh(request).result) == ("done", asked.public_id)
    left_approved(request)  # two at once: the second finds it done under the lock
    assert transfers.carry_out(request, county.head, later) == asked.public_id
    assert current(county) == (BEFORE[0] + LITTLE, BEFORE[1] - LITTLE)


def test_what_was_done_is_neither_withdrawn_nor_expired(county: County) -> None:
    asked = ask(county)
    request = request_of(asked)
    decided(asked, transfers.DEED, county.head)
    with rls.tenant(county.office.pk):  # a second attempt did it and died before it said so
        ApprovalRequest.objects.filter(pk=request.pk).update(state="failed")
        with pytest.raises(asking.NotOpen):
            asking.withdraw(request=request, deed=transfers.DEED, by=county.officer, now=NOVEMBER)

    sweeps.expire({TRANSFER: transfers.DEED}, now=NOVEMBER + timedelta(days=15))

    assert fresh(request).state == "done"


def test_is_written_on_the_signed_terms_only(county: County) -> None:
    """Between the look at the terms and the entries the line becomes another one."""
    request = request_of(ask(county))
    left_approved(request)
    with rls.tenant(county.office.pk):
        BudgetLine.objects.filter(pk=county.office_costs.pk).update(name="여비")

    with pytest.raises(TermsChanged):
        transfers.carry_out(request, county.head, NOVEMBER)

    assert current(county) == BEFORE


def test_transfers_to_no_line_itself(county: County) -> None:
    with rls.tenant(county.office.pk), pytest.raises(Broken) as refused:
        transfers.ask(
            source=county.running,
            target=county.running,
            won=1,
            because="자기 자신에게",
            by=county.officer,
            now=NOVEMBER,
        )

    assert refused.value.rule == Rule.SAME_LINE
