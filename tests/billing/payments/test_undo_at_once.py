"""A deposit is undone while its money is used or paid back: one deed after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import connection, transaction

from billing.models import Account, BankLine, Payment
from billing.payments import bookings, deposits, refunds, statements
from portal.routing import deciding
from tenants import rls
from tenants.actors import Actor
from tenants.models import Organization
from tests import factories
from tests.billing.payments.conftest import balances, bill
from tests.billing.payments.test_bookings import credit, opens
from tests.billing.payments.test_statements import REASON, hand_in, row
from tests.cast import Cast
from tests.factories import NOON

pytestmark = pytest.mark.django_db(transaction=True)


Deed = Callable[[], object]


def nothing() -> None:
    """No deed."""


def credited(olivia: Actor, *firms: Organization) -> list[BankLine]:
    """₩1,000 from each, in the order of the firms. They owe nothing, so it is credit."""
    rows = [row(number, 1000, memo=firm.code) for number, firm in enumerate(firms, start=1)]
    with rls.everyone(because="test"):
        statements.book(statement=hand_in(olivia, *rows), by=olivia, now=NOON)
        return list(BankLine.objects.order_by("position"))


def undoing(line: BankLine, by: Actor) -> Deed:
    def deed() -> None:
        with rls.everyone(because="test"):
            deposits.undo(line=line, because=REASON, by=by, now=NOON)

    return deed


def meanwhile(before: Deed, waits: Deed, after: Deed = nothing) -> None:
    """In one transaction ``before``, then ``after`` as soon as ``waits`` waits for it on a
    connection of its own. What ``waits`` raises comes out."""

    def run() -> None:
        try:
            waits()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            before()
            running = pool.submit(run)
            while not running.done() and not _is_waited_for():
                time.sleep(0.01)
            after()
        running.result(30)


def _is_waited_for() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks"
            " WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
        )
        (found,) = cursor.fetchone()
    return bool(found)


def test_credit_is_used_or_undone_whoever_comes_first(cast: Cast, olivia: Actor) -> None:
    """A deposit is locked before its customer: in the other order, who has locked the deposit and
    wants the customer would wait for ever."""
    firms = [factories.organization(f"기관{number}", number=None) for number in range(3)]
    lines = credited(olivia, *firms)
    for firm in firms:
        bill(firm, 600)
    use = [partial(bookings.use_credit, organization=firm, now=NOON) for firm in firms]
    undo = [undoing(line, olivia) for line in lines]

    def look() -> None:
        with rls.everyone(because="test"):
            BankLine.objects.select_for_update().get(pk=lines[0].pk)

    meanwhile(look, undo[0], use[0])
    meanwhile(use[1], undo[1])
    meanwhile(undo[2], use[2])

    for firm in firms:
        assert (opens(firm), credit(firm), balances(firm)) == ([600], 0, {})
    assert balances(olivia.organization) == {Account.BANK: 3000, Account.UNMATCHED: -3000}


def test_what_is_being_paid_back_is_not_undone(cast: Cast, olivia: Actor, paul: Actor) -> None:
    (line,) = credited(olivia, cast.firm)
    with rls.everyone(because="test"):
        proposal = refunds.propose(
            payment=Payment.objects.get(), won=400, because=REASON, by=olivia, now=NOON
        )

    def approve() -> None:
        with rls.everyone(because="test"):
            deciding.approve(proposal=proposal, by=paul, now=NOON)

    with pytest.raises(deposits.RefundedMeanwhile):
        meanwhile(approve, undoing(line, olivia))

    assert credit(cast.firm) == 600
