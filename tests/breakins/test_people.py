"""People who want more than is theirs: by an old session, a used code, two browsers, many words."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.db import connections
from django.test import Client
from django.urls import reverse

from portal.routing import deciding
from tenants import audit, rls
from tenants.actions import quotas
from tenants.actors import NotAllowed
from tenants.models import AuditEvent, Organization, Proposal
from tests import factories
from tests.cast import browser
from tests.factories import NOON
from tests.web.conftest import World

WORDS = {"login": "alice@example.com", "password": "correct-horse-battery"}


def signed_in(world: World) -> Client:
    from allauth.account.models import EmailAddress

    user = world.cast.alice.user
    EmailAddress.objects.get_or_create(user=user, email=user.email, verified=True, primary=True)
    client = Client()
    client.post(reverse("account_login"), WORDS)
    return client


def test_an_ended_session_asks_in_vain(world: World) -> None:
    """A page that is still open goes on asking for its fragments."""
    mine, forgotten = signed_in(world), signed_in(world)
    asks = {"hx-request": "true"}
    place = reverse("endpoint_status", args=[world.endpoint.public_id])
    assert forgotten.get(place, headers=asks).status_code == 200

    mine.post(reverse("usersessions_list"))

    answer = forgotten.get(place, headers=asks)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")


def test_a_fragment_is_no_way_around_the_door(world: World) -> None:
    asks = {"hx-request": "true", "hx-target": "main", "hx-boosted": "true"}
    for name in ("endpoint_status", "endpoint_logs", "endpoint_estimate"):
        of_one = name in {"endpoint_status", "endpoint_logs"}
        place = reverse(name, args=[world.endpoint.public_id] if of_one else [])
        assert Client().get(place, headers=asks)["Location"].startswith("/accounts/login/")


def test_one_person_in_two_browsers_is_one_person(world: World) -> None:
    operator = world.cast.olivia.may
    with rls.everyone(because="test"):
        deciding.propose_suspension(
            organization=world.cast.firm, because="요금이 밀렸습니다.", by=operator, now=NOON
        )
        made = Proposal.objects.get()
    first, second = browser(world.cast.olivia), browser(world.cast.olivia)

    for client in (first, second):
        client.post(reverse("proposal_approve", args=[made.public_id]))

    with rls.everyone(because="test"):
        assert Proposal.objects.get().decision == "open"
        assert not world.cast.firm.holds.exists()


@pytest.mark.parametrize("who", ["alice", "mallory"])
def test_a_customer_raises_no_quota(world: World, who: str) -> None:
    by = world.cast[who].may
    with rls.everyone(because="test"), pytest.raises(NotAllowed):
        quotas.change(
            organization=by.organization,
            name="live_keys",
            most=9_999,
            because="Wir brauchen mehr.",
            by=by,
            now=NOON,
        )


def test_a_long_reason_keeps_no_deed_out_of_the_log(world: World) -> None:
    alice = world.cast.alice.may
    with rls.tenant(world.cast.firm.pk):
        audit.record("x.try", by=alice, now=NOON, subject="s" * 9_000, because="b" * 90_000)

        kept = AuditEvent.objects.get(verb="x.try")
    assert (len(kept.subject), len(kept.because)) == (120, 300)


@pytest.mark.django_db(transaction=True)
def test_a_recovery_code_opens_once_also_at_once() -> None:
    person = factories.user("rita@example.com")
    factories.second_factor(person)
    code = RecoveryCodes.activate(person).get_unused_codes()[0]

    def use(number: int) -> bool:
        try:
            kept = Authenticator.objects.get(user=person, type="recovery_codes")
            return bool(kept.wrap().validate_code(code))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(use, range(4)))

    assert taken.count(True) == 1


def test_a_member_of_a_suspended_firm_reads_and_orders_nothing(world: World) -> None:
    from tenants.models import OperatorHold
    from tests.web.rows.row import an_order

    with rls.everyone(because="test"):
        OperatorHold.objects.create(
            public_id="hold_1",
            organization=Organization.objects.get(pk=world.cast.firm.pk),
            because="요금이 밀렸습니다.",
            held_at=NOON,
            held_by="오운영",
        )
    client = browser(world.cast.alice)

    answer = client.post(reverse("endpoint_new"), an_order(world))

    assert client.get(reverse("invoices")).status_code == 200
    assert answer.status_code in {200, 403, 409, 422}
    from portal.deployments.models import Order

    with rls.tenant(world.cast.firm.pk):
        assert Order.objects.count() == 0
