"""Staff look at a customer's pages: they see what a member sees, and change nothing at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from tenants import rls, viewing
from tenants.models import AuditEvent, Notice, StaffView
from tests.api.callers import send
from tests.api.rows import TABLE as OPERATIONS
from tests.cast import browser
from tests.factories import NOON
from tests.web.conftest import World
from tests.web.rows import TABLE as PAGES
from tests.web.test_walk import state_of

REASON = "문의 123번을 함께 봅니다."
ACCESS_ONLY = {"tenants_auditevent", "tenants_auditperson"}  # that they looked is written down


@pytest.fixture
def olivia(world: World) -> Client:
    """Inside a view of alice's firm."""
    client = browser(world.cast.olivia)
    place = reverse("customer_view", args=[world.cast.firm.public_id])
    answer = client.post(place, {"because": REASON})
    assert answer["Location"] == reverse("home")
    return client


def test_shows_the_customers_pages_under_a_banner(world: World, olivia: Client) -> None:
    page = olivia.get(reverse("keys")).content.decode()

    assert world.key.name in page
    assert reverse("view_end") in page
    assert world.secret not in page


def test_tells_the_customer_and_names_each_page_in_its_log(world: World, olivia: Client) -> None:
    olivia.get(reverse("keys"))

    with rls.everyone(because="test"):
        assert Notice.objects.filter(kind="staff.view", user=world.cast.alice.user).exists()
        logged = AuditEvent.objects.filter(organization=world.cast.firm)
        begun = logged.get(verb="operator.view_as")
        pages = logged.filter(verb="operator.view_page")
        assert begun.because == REASON
        assert [one.changes["path"] for one in pages] == [reverse("keys")]
        assert pages[0].actor == world.cast.olivia.user.public_id


def test_changes_nothing_by_any_form_or_call(world: World, olivia: Client) -> None:
    forms = [  # what the rows need for their words is made before the fingerprint
        (reverse(row.name, kwargs=row.arguments(world)), row.body(world))
        for row in PAGES
        if row.method == "POST" and row.name != "view_end"
    ]
    calls = [
        (one.method, one.path(world), one.body(world)) for one in OPERATIONS if one.method != "GET"
    ]
    before = state_of(world.cast.firm)
    statuses = {olivia.post(url, body).status_code for url, body in forms}
    statuses |= {send(olivia, *call).status_code for call in calls}

    after = state_of(world.cast.firm)
    changed = {table for table in after if after[table] != before[table]}
    assert statuses == {403}
    assert changed <= ACCESS_ONLY


def test_reads_every_page_without_writing_to_the_customer(world: World, olivia: Client) -> None:
    urls = [
        (row.name, reverse(row.name, kwargs=row.arguments(world)))
        for row in PAGES
        if row.method == "GET"
    ]
    before = state_of(world.cast.firm)
    for name, url in urls:
        assert olivia.get(url).status_code < 500, name

    after = state_of(world.cast.firm)
    assert {table for table in after if after[table] != before[table]} <= ACCESS_ONLY


def test_a_page_that_writes_by_mistake_fails(
    world: World, olivia: Client, monkeypatch: Any
) -> None:
    """The second wall: PostgreSQL itself, should a door forget."""
    from portal.web import keys as pages

    def careless(request: Any, public_id: str) -> Any:
        from tenants.models import Project

        Project.objects.update(name="oops")

    monkeypatch.setattr(pages, "_find", careless)

    answer = olivia.get(reverse("key", args=[world.key.public_id]))

    assert answer.status_code == 403
    with rls.tenant(world.cast.firm.pk):
        world.cast.project.refresh_from_db()
        assert world.cast.project.name != "oops"


def test_ends_by_one_click(world: World, olivia: Client) -> None:
    answer = olivia.post(reverse("view_end"))

    assert answer["Location"] == reverse("customer", args=[world.cast.firm.public_id])
    assert world.key.name not in olivia.get(reverse("keys")).content.decode()
    with rls.everyone(because="test"):
        assert StaffView.objects.get().ended_at == NOON


def test_ends_by_itself(world: World, olivia: Client) -> None:
    with time_machine.travel(NOON + viewing.LONGEST, tick=False):
        first = olivia.get(reverse("keys"))
        second = olivia.get(reverse("keys"))

    assert first["Location"] == reverse("home")
    assert second.status_code == 200
    assert world.key.name not in second.content.decode()


def test_a_form_sent_after_the_end_does_nothing(world: World, olivia: Client) -> None:
    with time_machine.travel(NOON + viewing.LONGEST, tick=False):
        answer = olivia.post(
            reverse("budget_change", args=[world.budget.public_id]),
            {"limit_won": "1", "because": "x"},
        )

    assert answer.status_code == 403


@pytest.mark.parametrize("who", ["mallory", "alice", "olivia"])
def test_a_forged_session_value_opens_nothing(world: World, who: str) -> None:
    """Somebody else's view that goes on, one's own that is over, or one that never was."""
    over = timedelta(hours=1) if who == "olivia" else timedelta()
    with rls.everyone(because="test"):
        view = viewing.begin(
            organization=world.cast.firm,
            because=REASON,
            by=world.cast.olivia.may,
            now=NOON - over,
        )
    for value in ("view_never", view.public_id):
        client = browser(world.cast[who])
        session = client.session
        session[viewing.SESSION_VIEW] = value
        session.save()

        client.get(reverse("home"))
        page = client.get(reverse("keys")).content.decode()

        assert (world.key.name in page) == (who == "alice")


def test_the_operator_does_not_view_itself(world: World) -> None:
    own = world.cast.olivia.may.organization.public_id

    answer = browser(world.cast.olivia).post(
        reverse("customer_view", args=[own]), {"because": REASON}
    )

    assert answer.status_code == 404
