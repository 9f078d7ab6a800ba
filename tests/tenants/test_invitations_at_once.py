"""Invitations from two connections: of accepting, revoking and accepting again, one wins."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from tenants import rls
from tenants.actions import invitations
from tenants.actions.invitations import NoSuchInvitation, Place
from tenants.actors import Actor
from tenants.models import Invitation, Membership, Organization, User
from tests import factories
from tests.factories import NOON
from tests.tenants.test_invitations import proven, token_of_mail


def _at_once(*deeds: Callable[[], object]) -> list[object]:
    """What each deed gave or raised, all begun at the same moment."""
    start, found = threading.Barrier(len(deeds)), [None] * len(deeds)

    def run(number: int) -> None:
        try:
            start.wait(5)
            found[number] = deeds[number]()  # type: ignore[call-overload]
        except Exception as error:
            found[number] = error  # type: ignore[call-overload]
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(deeds))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(15)
    return list(found)


def _invited() -> tuple[Organization, Actor, User, str]:
    firm = factories.organization()
    alice = factories.member(factories.user("alice@example.com", "김서연"), firm)
    erin = proven()
    with rls.tenant(firm.pk):
        invitations.create(email=erin.email, place=Place("developer"), by=alice, now=NOON)
    return firm, alice, erin, token_of_mail()


@pytest.mark.django_db(transaction=True)
def test_of_accepting_and_revoking_at_once_one_wins() -> None:
    firm, alice, erin, token = _invited()

    def revoke() -> None:
        with rls.tenant(firm.pk):
            invitations.revoke(invitation=Invitation.objects.get(), by=alice, now=NOON)

    found = _at_once(lambda: invitations.accept(token=token, user=erin, now=NOON), revoke)

    with rls.tenant(firm.pk):
        invitation = Invitation.objects.get()
        member = Membership.objects.filter(user=erin).exists()
    assert (invitation.accepted_at is None) != (invitation.revoked_at is None)
    assert member == (invitation.accepted_at is not None)
    refusals = [one for one in found if isinstance(one, Exception)]
    assert [type(one) for one in refusals] in ([NoSuchInvitation], [invitations.InvitationEnded])


@pytest.mark.django_db(transaction=True)
def test_two_clicks_accept_once() -> None:
    firm, _, erin, token = _invited()

    found = _at_once(*[lambda: invitations.accept(token=token, user=erin, now=NOON)] * 2)

    assert sorted(type(one).__name__ for one in found) == ["Membership", "NoSuchInvitation"]
    with rls.tenant(firm.pk):
        assert Membership.objects.filter(user=erin).count() == 1
