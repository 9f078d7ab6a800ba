"""Hours and scale of an endpoint, by browser and by API: seen, refused, set, ended."""

from __future__ import annotations

from django.urls import reverse
from django.utils import timezone

from portal.deployments.actions import opening
from portal.deployments.models import Endpoint, Scaling, Schedule
from tenants import rls
from tests.api.callers import caller, send
from tests.cast import browser
from tests.web.conftest import World
from tests.web.test_endpoint_changes import ENGLISH, ordered

OFFICE = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), "09:00-18:00") | {"holidays": "on"}


def test_shows_what_hours_cost_then_keeps_them_and_fixes_a_number(world: World) -> None:
    endpoint, bob = ordered(world), browser(world.cast.bob)
    names = ("", "_estimate", "_set")
    page, estimate, save = (
        reverse(f"endpoint_hours{name}", args=[endpoint.public_id]) for name in names
    )
    override = reverse("endpoint_override", args=[endpoint.public_id])
    assert "09:00-18:00" in bob.get(page + "?preset=office", headers=ENGLISH).content.decode()
    blank = dict.fromkeys(OFFICE, "") | {"holidays": "on", "dates": ""}
    begun = bob.get(estimate, blank, headers=ENGLISH).content.decode()
    assert "Write hours" in begun and "alert" not in begun
    wrong = bob.get(estimate, {"mon": "09:00-25:00"}, headers=ENGLISH).content.decode()
    assert "Monday: “09:00-25:00” is no time of day." in wrong
    found = bob.get(estimate, OFFICE, headers=ENGLISH).content.decode()
    assert "₩287,100" in found and "₩1,078,800" in found  # 22 days of 9 hours; 31 of 24

    bob.post(save, OFFICE | {"dates": "2026-12-24 10:00-15:00\n2026-12-31"})
    bob.post(
        reverse("endpoint_scaling_set", args=[endpoint.public_id]),
        {"least": 0, "per_replica": 0, "up_seconds": 10, "down_seconds": 60, "idle_minutes": 5},
    )
    bob.post(override, {"replicas": 1, "hours": 4})
    opening.sweep(now=timezone.now())

    with rls.tenant(world.cast.firm.pk):
        row = Schedule.objects.get()
        assert row.hours["dates"] == {"2026-12-24": ["10:00-15:00"], "2026-12-31": []}
        assert Scaling.objects.get().fixed == 1
    shown = bob.get(page, headers=ENGLISH).content.decode()
    assert "Fixed at 1 replicas until" in shown and "Closes at" in shown
    detail = bob.get(reverse("endpoint", args=[endpoint.public_id]), headers=ENGLISH)
    assert "Closes at" in detail.content.decode()
    bob.post(override, {"end": "1"})
    bob.post(save, {"none": "1"})
    with rls.tenant(world.cast.firm.pk):
        assert Scaling.objects.get().fixed is None and not Schedule.objects.exists()
        assert Endpoint.objects.get(pk=endpoint.pk).may_run


def test_programs_read_and_set_the_same(world: World) -> None:
    endpoint, api = ordered(world), caller(world, "bob")
    base = f"endpoints/{endpoint.public_id}/"
    bad = send(api, "PUT", base + "schedule", {"hours": {"mon": ["09:00-12:00", "11:00-13:00"]}})
    assert (bad.status_code, bad.json()["title"]) == (422, "schedule_overlap")
    low = send(api, "PUT", base + "scaling", {"least": 2})
    assert (low.status_code, low.json()["title"]) == (422, "out_of_bounds")

    kept = send(api, "PUT", base + "schedule", {"hours": {"mon": ["09:00-18:00"]}})
    scaled = send(api, "PUT", base + "scaling", {"least": 0})
    fixed = send(api, "POST", base + "override", {"replicas": 1, "hours": 2})

    assert (kept.status_code, kept.json()["hours_a_month"]) == (200, 45)
    assert (scaled.status_code, scaled.json()["least"], scaled.json()["most"]) == (200, 0, 1)
    assert fixed.json()["fixed"] == 1
    assert send(api, "DELETE", base + "override", None).status_code == 204
    assert send(api, "GET", base + "scaling", None).json()["fixed"] is None
    assert send(api, "DELETE", base + "schedule", None).status_code == 204
    assert send(api, "GET", base + "schedule", None).status_code == 404
