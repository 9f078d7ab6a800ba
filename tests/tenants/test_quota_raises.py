"""Asking for a larger quota: once, for more, decided by the operator, and told to both."""

from __future__ import annotations

import pytest

from tenants import quotas, rls
from tenants.actions import quota_raises
from tenants.actions.quotas import QuotaOutOfRange, UnknownQuota
from tenants.actors import NotAllowed
from tenants.models import AuditEvent, Notice, QuotaRaise
from tests.cast import Cast
from tests.factories import NOON

pytestmark = pytest.mark.django_db
WHY = "학교마다 하나씩 씁니다."


def ask(cast: Cast, to_most: int = 80, name: str = "endpoints") -> QuotaRaise:
    with rls.tenant(cast.firm.pk):
        return quota_raises.ask(name=name, to_most=to_most, because=WHY, by=cast.bob.may, now=NOON)


def decide(cast: Cast, asked: QuotaRaise, most: int | None) -> QuotaRaise:
    with rls.everyone(because="tests"):
        return quota_raises.decide(
            asked=asked, most=most, because="카드가 넉넉합니다.", by=cast.olivia.may, now=NOON
        )


def told(kind: str) -> list[str]:
    with rls.everyone(because="tests"):
        rows = Notice.objects.filter(kind=kind).order_by("user__email")
        return [one.user.email for one in rows]


def test_what_is_granted_holds_and_both_are_told(cast: Cast) -> None:
    asked = ask(cast)
    assert told("quota.asked") == ["olivia@example.com"]

    done = decide(cast, asked, 70)  # less than was asked for

    assert (done.state, done.from_most, done.to_most) == ("granted", 50, 70)
    with rls.tenant(cast.firm.pk):
        assert quotas.most(cast.firm, "endpoints") == 70
        assert AuditEvent.objects.filter(verb="quota.ask").count() == 1
    assert told("quota.granted") == ["alice@example.com", "bob@example.com"]
    with pytest.raises(quota_raises.Decided):
        decide(cast, asked, 80)


def test_what_is_refused_changes_nothing_and_can_be_asked_again(cast: Cast) -> None:
    asked = ask(cast)
    with pytest.raises(quota_raises.AskedAlready):
        ask(cast, 90)

    assert decide(cast, asked, None).state == "refused"

    with rls.tenant(cast.firm.pk):
        assert quotas.most(cast.firm, "endpoints") == 50
    assert told("quota.refused") == ["alice@example.com", "bob@example.com"]
    assert ask(cast, 90).state == "open"


def test_refuses_what_makes_no_sense(cast: Cast) -> None:
    with pytest.raises(quota_raises.NotMore):
        ask(cast, 50)
    with pytest.raises(QuotaOutOfRange):
        ask(cast, 10**9)
    with pytest.raises(UnknownQuota):
        ask(cast, name="sites")
    with pytest.raises(NotAllowed), rls.tenant(cast.firm.pk):
        quota_raises.ask(name="cards", to_most=99, because=WHY, by=cast.carol.may, now=NOON)
