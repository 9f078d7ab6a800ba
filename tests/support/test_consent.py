"""A look at the customer's pages: only with a person's consent, for its days, until the request is
closed or the consent withdrawn. Views without a request stay as they were."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from tenants import rls, viewing
from tenants.actors import NotAllowed
from tenants.models import AuditEvent, Membership, Notice, StaffView, SupportConsent, SupportRequest
from tenants.support import consents, requests, sweeps
from tests.api.callers import caller, send
from tests.cast import Cast, browser
from tests.factories import NOON
from tests.support.asking import asked, done, fresh, put_into, wish
from tests.web.conftest import World

DAY = timedelta(days=1)


def consented(cast: Cast, days: int = 7) -> SupportRequest:
    return asked(cast, consent_days=days)


def look(cast: Cast, request: SupportRequest, later: timedelta = timedelta(0)) -> StaffView:
    return done(consents.look, by=cast.olivia.may, now=NOON + later, request=request)


def test_with_consent_the_staff_look_with_the_request_as_the_reason(cast: Cast) -> None:
    request = consented(cast)

    view = look(cast, request)

    assert (view.request, view.organization) == (request.public_id, cast.firm)
    assert request.subject in view.because and request.public_id in view.because
    with rls.everyone(because="test"):
        assert AuditEvent.objects.filter(
            organization=cast.firm, verb="operator.view_as", because=view.because
        ).exists()
        assert Notice.objects.filter(kind="staff.view", user=cast.alice.user).exists()


def test_without_consent_nobody_looks_from_the_request(cast: Cast) -> None:
    with pytest.raises(consents.NoConsent):
        look(cast, asked(cast))


def test_without_consent_the_existing_rules_stay(cast: Cast) -> None:
    asked(cast)
    with rls.everyone(because="test"):
        view = viewing.begin(
            organization=cast.firm, because="전화로 물었습니다.", by=cast.olivia.may, now=NOON
        )

    assert (view.request, view.until) == ("", NOON + viewing.LONGEST)


def test_who_may_not_view_does_not_view_with_consent_either(cast: Cast) -> None:
    request, olivia = consented(cast), cast.olivia.may
    actor = replace(olivia, verbs=olivia.verbs - {"operator.view_as"})

    with pytest.raises(NotAllowed):
        done(consents.look, by=actor, request=request)


def test_it_ends_with_its_days(cast: Cast) -> None:
    request = consented(cast, days=1)

    view = look(cast, request, DAY - timedelta(minutes=5))

    assert view.until == NOON + DAY
    with pytest.raises(consents.NoConsent):
        look(cast, request, DAY)


@pytest.mark.parametrize("way", ["withdrawn", "closed", "closed by itself"])
def test_it_ends_at_once_and_the_view_with_it(world: World, way: str) -> None:
    cast = world.cast
    request = consented(cast)
    olivia = browser(cast.olivia)
    olivia.post(reverse("desk_view", args=[request.public_id]))
    assert world.key.name in olivia.get(reverse("keys")).content.decode()

    if way == "withdrawn":
        done(consents.withdraw, by=cast.bob.may, request=request)
    elif way == "closed":
        done(requests.close, by=cast.bob.may, request=request)
    else:
        put_into(request, "solved", NOON - 14 * DAY)
        sweeps.close_solved(now=NOON)

    assert world.key.name not in olivia.get(reverse("keys")).content.decode()
    with pytest.raises(consents.NoConsent):
        look(cast, request)
    with rls.everyone(because="test"):
        ended = SupportConsent.objects.get(request=request)
        assert ended.ended_because == ("withdrawn" if way == "withdrawn" else "closed")


def test_anothers_view_goes_on_when_it_ends(cast: Cast) -> None:
    request = consented(cast)
    with rls.everyone(because="test"):
        other = viewing.begin(
            organization=cast.firm, because="전화로 물었습니다.", by=cast.olivia.may, now=NOON
        )

    done(consents.withdraw, by=cast.bob.may, request=request)

    with rls.everyone(because="test"):
        other.refresh_from_db()
    assert other.ended_at is None


def test_an_owner_withdraws_what_a_developer_gave(cast: Cast) -> None:
    request = consented(cast)

    done(consents.withdraw, by=cast.alice.may, request=request)

    with rls.tenant(cast.firm.pk):
        assert consents.live(request, now=NOON) is None
        assert AuditEvent.objects.filter(verb="support.withdraw").exists()


def test_who_left_consents_no_more(cast: Cast) -> None:
    request = consented(cast)
    with rls.everyone(because="test"):
        Membership.objects.filter(user=cast.bob.user).delete()

    with pytest.raises(consents.NoConsent):
        look(cast, request)


def test_a_new_one_takes_the_place_of_the_former(cast: Cast) -> None:
    request = consented(cast, days=1)

    done(consents.give, by=cast.bob.may, request=request, days=3)

    with rls.tenant(cast.firm.pk):
        found = consents.live(request, now=NOON)
        assert found is not None and found.until == NOON + 3 * DAY
        assert SupportConsent.objects.count() == 2


@pytest.mark.parametrize("days", [0, -1, 15, 10_000])
def test_refuses_days_beyond_the_bound(cast: Cast, days: int) -> None:
    request = asked(cast)

    with pytest.raises(consents.BadDays):
        done(consents.give, by=cast.bob.may, request=request, days=days)


def test_is_not_given_for_what_is_not_open(cast: Cast) -> None:
    request = put_into(asked(cast), "solved")

    with pytest.raises(consents.NotOpen):
        done(consents.give, by=cast.bob.may, request=request, days=1)


@pytest.mark.parametrize("who", ["olivia", "mallory"])
def test_nobody_else_consents_for_the_customer(cast: Cast, who: str) -> None:
    request = asked(cast)

    with pytest.raises(NotAllowed):
        done(consents.give, by=cast[who].may, request=request, days=1)


# ─── forged by the way of doors ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "forged",
    [
        {"consent_days": 9999},
        {"consent_until": "2099-01-01T00:00:00Z"},
        {"consent": True},
        {"state": "solved"},
        {"requester": "usr_x"},
        {"organization": "org_x"},
        {"assignee": "usr_x"},
        {"due_at": "2026-01-01T00:00:00Z"},
        {"internal": True},
    ],
)
def test_a_body_forges_nothing(world: World, forged: dict[str, object]) -> None:
    body = {"subject": "질문이 있습니다", "text": "x", "kind": "question", **forged}

    answer = send(caller(world, "bob"), "POST", "support/requests", body)

    assert answer.status_code == 422
    with rls.everyone(because="test"):
        assert not SupportRequest.objects.exists()


@pytest.mark.parametrize("days", ["0", "-1", "15", "9" * 30, "x", "３"])
def test_a_form_forges_no_days(world: World, days: str) -> None:
    request = asked(world.cast)

    browser(world.cast.bob).post(
        reverse("support_consent", args=[request.public_id]), {"days": days}
    )

    with rls.tenant(world.cast.firm.pk):
        found = consents.live(request, now=NOON)
        assert found is None or found.until <= NOON + 14 * DAY


def test_the_page_shows_it_and_takes_it_back(world: World) -> None:
    request = asked(world.cast)
    bob, url = browser(world.cast.bob), reverse("support_consent", args=[request.public_id])

    bob.post(url, {"days": "3"})
    page = bob.get(reverse("support_request", args=[request.public_id])).content.decode()
    assert "2026-11-19 12:00" in page

    bob.post(url, {"days": ""})
    page = bob.get(reverse("support_request", args=[request.public_id])).content.decode()
    assert "2026-11-19 12:00" not in page


def test_inside_a_view_the_staff_neither_consent_nor_close(world: World) -> None:
    request = consented(world.cast)
    olivia: Client = browser(world.cast.olivia)
    olivia.post(reverse("desk_view", args=[request.public_id]))

    for name in ("support_consent", "support_close", "support_answer"):
        answer = olivia.post(reverse(name, args=[request.public_id]), {"days": "14", "text": "x"})
        assert answer.status_code == 403
    page = olivia.get(reverse("support_request", args=[request.public_id]))

    assert page.status_code == 200
    assert fresh(request).state == "new"


def test_the_queue_offers_no_look_without_it(world: World) -> None:
    request = asked(world.cast)
    olivia = browser(world.cast.olivia)

    page = olivia.get(reverse("desk_request", args=[request.public_id])).content.decode()
    olivia.post(reverse("desk_view", args=[request.public_id]))

    assert reverse("desk_view", args=[request.public_id]) not in page
    assert viewing.SESSION_VIEW not in olivia.session


def test_a_view_that_outlives_the_consents_days_is_over(world: World) -> None:
    request = done(requests.ask, by=world.cast.bob.may, wish=wish(consent_days=1))
    with time_machine.travel(NOON + DAY - timedelta(minutes=1), tick=False):
        olivia = browser(world.cast.olivia)
        olivia.post(reverse("desk_view", args=[request.public_id]))
        assert world.key.name in olivia.get(reverse("keys")).content.decode()
    with time_machine.travel(NOON + DAY, tick=False):
        olivia.get(reverse("keys"))
        assert world.key.name not in olivia.get(reverse("keys")).content.decode()
