"""Pages of approvals: the inbox, one request, and who signs what."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from billing.approvals import matrices
from billing.approvals.matrix import ORDER
from billing.models import ApprovalMatrix, ApprovalRequest, Budget
from portal.deployments.models import Order
from tenants import rls
from tenants.actions import deputies
from tenants.models import Membership, Notice
from tests import factories
from tests.cast import browser
from tests.factories import NOON
from tests.web.conftest import World
from tests.web.rows.approvals import an_approval
from tests.web.rows.row import an_order

KO = {"HTTP_ACCEPT_LANGUAGE": "ko"}


def page(client: Client, name: str, *args: str, **query: str) -> str:
    answer = client.get(reverse(name, args=args), query, **KO)
    assert answer.status_code == 200
    return answer.content.decode()


def fresh(request: ApprovalRequest) -> ApprovalRequest:
    with rls.tenant(request.organization_id):
        return ApprovalRequest.objects.get(pk=request.pk)


def decide(client: Client, request: ApprovalRequest, word: str = "agree", **more: str) -> str:
    body = {"word": word, "round": "1", "step": "1"} | more
    answer = client.post(
        reverse("approval_decide", args=[request.public_id]), body, follow=True, **KO
    )
    assert answer.status_code == 200
    return answer.content.decode()


def test_counts_in_the_navigation_what_waits_for_the_reader(world: World) -> None:
    an_approval(world)

    counted = '<span class="badge">1<span class="hidden">'
    assert counted in page(browser(world.cast.carol), "home")
    assert counted not in page(browser(world.cast.bob), "home")


@pytest.mark.parametrize(
    ("who", "show", "there"),
    [
        ("carol", "mine", True),
        ("bob", "mine", False),
        ("bob", "asked", True),
        ("carol", "asked", False),
        ("dan", "open", True),
        ("dan", "closed", False),
    ],
)
def test_lists_what_waits_what_was_asked_and_what_is_over(
    world: World, who: str, show: str, there: bool
) -> None:
    request = an_approval(world)

    shown = page(browser(world.cast[who]), "approvals", show=show)

    assert (reverse("approval", args=[request.public_id]) in shown) is there
    other = page(browser(world.cast[who]), "approvals", show=show, kind=ORDER)
    assert reverse("approval", args=[request.public_id]) not in other


def test_shows_terms_chain_forecast_and_a_button_to_those_whose_turn_it_is(world: World) -> None:
    request = an_approval(world)

    shown = page(browser(world.cast.carol), "approval", request.public_id)

    for text in ("₩100,000,000", "₩200,000,000", "박도현", "김서연", "이정민", "12월 견적 집중"):
        assert text in shown
    button = reverse("approval_decide", args=[request.public_id])
    assert button in shown
    assert button not in page(browser(world.cast.bob), "approval", request.public_id)
    assert button not in page(browser(world.cast.dan), "approval", request.public_id)


def test_a_link_decides_nothing(world: World) -> None:
    request = an_approval(world)

    answer = browser(world.cast.carol).get(reverse("approval_decide", args=[request.public_id]))

    assert answer.status_code == 405
    assert fresh(request).state == "waiting"


def test_leads_from_the_notice_to_the_page_after_signing_in(world: World) -> None:
    request = an_approval(world)
    place = reverse("approval", args=[request.public_id])
    with rls.everyone(because="test"):
        assert Notice.objects.get(user=world.cast.carol.user, kind="approval.waiting").place == (
            place
        )

    answer = Client().get(place)

    assert answer["Location"] == f"{reverse('account_login')}?next={place}"


def test_leads_into_the_organization_that_it_speaks_of(world: World) -> None:
    request = an_approval(world)
    factories.member(world.cast.carol.user, world.cast.mallory.may.organization, "auditor")
    carol, place = browser(world.cast.carol), reverse("approval", args=[request.public_id])
    other = world.cast.mallory.may.organization.public_id
    carol.post(reverse("organization_switch"), {"organization": other})

    answer = carol.get(place, follow=True, **KO)

    assert answer.status_code == 200
    assert world.cast.firm.name in answer.content.decode()


def test_approving_carries_it_out(world: World) -> None:
    request = an_approval(world)

    shown = decide(browser(world.cast.carol), request)

    assert "승인하고 실행했습니다." in shown
    assert fresh(request).state == "done"
    with rls.tenant(world.cast.firm.pk):
        assert Budget.objects.get(pk=world.budget.pk).limit_won == 200_000_000
    assert reverse("approval_decide", args=[request.public_id]) not in shown


def test_refusing_needs_a_sentence_which_is_shown(world: World) -> None:
    request, carol = an_approval(world), browser(world.cast.carol)

    assert "이유를 다섯 글자 이상" in decide(carol, request, "refuse")
    assert fresh(request).state == "waiting"
    shown = decide(carol, request, "refuse", because="내년 예산으로 합시다.")

    assert fresh(request).state == "refused"
    assert "내년 예산으로 합시다." in shown


@pytest.mark.parametrize(
    "body",
    [
        {"word": "maybe"},
        {"round": "2"},
        {"step": "2"},
        {"step": "eins"},
        {"round": "-1"},
        {"round": "9" * 40},
    ],
)
def test_refuses_a_decision_on_something_else(world: World, body: dict[str, str]) -> None:
    request = an_approval(world)
    sent = {"word": "agree", "round": "1", "step": "1"} | body

    answer = browser(world.cast.carol).post(
        reverse("approval_decide", args=[request.public_id]), sent
    )

    assert answer.status_code == 302
    assert fresh(request).state == "waiting"


def test_a_second_signature_comes_too_late(world: World) -> None:
    request = an_approval(world)
    decide(browser(world.cast.carol), request)

    assert "이미 결정" in decide(browser(world.cast.alice), request)


def test_shows_a_difference_and_does_not_approve_it(world: World) -> None:
    request = an_approval(world)
    with rls.tenant(world.cast.firm.pk):
        Budget.objects.filter(pk=world.budget.pk).update(limit_won=120_000_000)

    shown = page(browser(world.cast.carol), "approval", request.public_id)
    assert "₩120,000,000" in shown
    assert 'value="agree"' not in shown
    decide(browser(world.cast.carol), request)

    assert fresh(request).state == "changed"
    bob = browser(world.cast.bob)
    assert reverse("approval_again", args=[request.public_id]) in page(
        bob, "approval", request.public_id
    )
    bob.post(reverse("approval_again", args=[request.public_id]))
    after = fresh(request)
    assert (after.state, after.round, after.amount_won) == ("waiting", 2, 80_000_000)


def test_names_the_deputy_and_who_is_away(world: World) -> None:
    request, cast = an_approval(world), world.cast
    with rls.tenant(cast.firm.pk):
        people = {one.user_id: one for one in Membership.objects.select_related("user")}
        deputies.name(
            absent=people[cast.carol.user.pk],
            deputy=people[cast.dan.user.pk],
            starts_date=NOON.date(),
            ends_date=NOON.date() + timedelta(days=2),
            by=cast.alice.may,
            now=NOON,
        )
    dan = browser(cast.dan)

    assert "이정민" in page(dan, "approval", request.public_id)
    shown = decide(dan, request)

    assert "최감사 (이정민" in shown
    assert fresh(request).state == "done"


def test_says_when_nobody_else_can_sign(world: World) -> None:
    with rls.tenant(world.cast.firm.pk):
        Membership.objects.filter(user=world.cast.carol.user).update(role="developer")
        request = an_approval(world)
        ApprovalRequest.objects.filter(pk=request.pk).update(requested_by=world.cast.alice.user)

    shown = page(browser(world.cast.alice), "approval", request.public_id)

    assert "다른 사람이 승인할 수 없습니다" in shown
    assert reverse("approval_decide", args=[request.public_id]) in shown


def test_an_expired_request_cannot_be_signed(world: World) -> None:
    request, carol = an_approval(world), world.cast.carol
    with time_machine.travel(NOON + timedelta(days=14), tick=False):
        client = browser(carol)
        assert reverse("approval_decide", args=[request.public_id]) not in page(
            client, "approval", request.public_id
        )
        assert "만료" in decide(client, request)


# ─── an order ──────────────────────────────────────────────────────────────────────────────────


def test_an_order_above_the_bound_leads_to_its_request(world: World) -> None:
    bob, body = browser(world.cast.bob), an_order(world) | {"replicas": "8"}

    estimate = bob.get(reverse("endpoint_estimate"), body, **KO).content.decode()
    assert "소유자 또는 예산담당" in estimate
    answer = bob.post(reverse("endpoint_new"), body, follow=True, **KO)

    with rls.tenant(world.cast.firm.pk):
        order = Order.objects.get(name=body["name"])
        request = ApprovalRequest.objects.get(subject=order.public_id)
    assert order.won_per_month > 5_000_000  # the bound of a firm's own rules
    assert order.state == "awaiting"
    assert answer.redirect_chain[-1][0] == reverse("approval", args=[request.public_id])
    assert reverse("approvals") in page(bob, "endpoints")
    decide(browser(world.cast.carol), request)
    with rls.tenant(world.cast.firm.pk):
        order.refresh_from_db()
        endpoint = order.endpoint
    assert endpoint is not None
    assert reverse("endpoint", args=[endpoint.public_id]) in page(
        bob, "approval", request.public_id
    )


# ─── who signs what ────────────────────────────────────────────────────────────────────────────


def test_says_who_would_approve(world: World) -> None:
    shown = page(
        browser(world.cast.bob), "approval_rules", kind=ORDER, won="5000000", data_class="open"
    )

    assert "엔드포인트 주문 ₩5,000,000: 소유자 또는 예산담당" in shown


@pytest.mark.parametrize("won", ["-1", "1.5", "9" * 30, "eins", ""])
def test_says_nothing_of_amounts_that_are_none(world: World, won: str) -> None:
    page(browser(world.cast.bob), "approval_rules", kind=ORDER, won=won, data_class="open")


def sheet(world: World, **changes: str) -> dict[str, str]:
    """The form as the page gives it: budget officers sign every order."""
    body = {"version": "0", "count": "4", "because": "모두 확인합니다", "action": "save"}
    kinds = ("order", "budget.raise", "fiscal.transfer", "project.sites")
    for number, kind in enumerate(kinds, 1):
        body |= {
            f"rule{number}-kind": kind,
            f"rule{number}-from_won": "0",
            f"rule{number}-step1": "budget_officer",
            f"rule{number}-needed1": "1",
        }
    return body | changes


def test_an_owner_writes_rules_that_hold_from_then_on(world: World) -> None:
    alice = browser(world.cast.alice)

    answer = alice.post(reverse("approval_rules_change"), sheet(world), follow=True, **KO)

    with rls.tenant(world.cast.firm.pk):
        held = matrices.holding(world.cast.firm)
        row = ApprovalMatrix.objects.get()
    assert (held.version, len(held.matrix.rules)) == (1, 4)
    assert held.matrix.rule_for(ORDER, 0, "medical").steps[0].roles == ("budget_officer",)
    assert (row.by, row.because) == ("김서연", "모두 확인합니다")
    assert "모두 확인합니다" in answer.content.decode()


@pytest.mark.parametrize(
    "changes",
    [
        {"rule1-from_won": "1"},
        {"rule1-until_won": "1000"},
        {"rule2-kind": "order"},
        {"rule1-from_won": "-5"},
        {"rule1-from_won": "1.5"},
        {"rule1-from_won": "9" * 20},
        {"rule1-step1": "developer"},
        {"rule1-step1": "mem_x"},
        {"rule1-needed1": "4"},
        {"rule1-kind": "party"},
        {"rule1-remove": "on"},
        {"because": ""},
        {"version": "3"},
        {"version": "x"},
        {"count": "x"},
    ],
)
def test_refuses_rules_that_are_wrong_and_keeps_what_was_written(
    world: World, changes: dict[str, str]
) -> None:
    body: dict[str, Any] = sheet(world, **changes)

    answer = browser(world.cast.alice).post(reverse("approval_rules_change"), body, **KO)

    assert answer.status_code == 422
    with rls.tenant(world.cast.firm.pk):
        assert not ApprovalMatrix.objects.exists()
    assert 'name="rule1-kind"' in answer.content.decode()


def test_tries_rules_without_saving_them(world: World) -> None:
    body = sheet(world) | {
        "action": "try",
        "try-kind": ORDER,
        "try-won": "10",
        "try-data_class": "medical",
    }

    answer = browser(world.cast.alice).post(reverse("approval_rules_change"), body, **KO)

    assert answer.status_code == 200
    assert "엔드포인트 주문 ₩10: 예산담당" in answer.content.decode()
    with rls.tenant(world.cast.firm.pk):
        assert not ApprovalMatrix.objects.exists()


def test_gives_one_more_card(world: World) -> None:
    body = sheet(world) | {"action": "more"}

    answer = browser(world.cast.alice).post(reverse("approval_rules_change"), body)

    assert answer.status_code == 200
    assert 'name="rule5-kind"' in answer.content.decode()
    assert 'name="count" value="5"' in answer.content.decode()
