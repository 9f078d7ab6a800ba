"""Incidents: told by the operator, read by everybody signed in, ended once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse
from django.utils import translation

from tenants import rls
from tenants.actors import NotAllowed
from tenants.models import Incident, IncidentUpdate, Notice
from tenants.support import desk, incidents, queues
from tenants.support.incidents import Text
from tenants.support.texts import BadText
from tests.api.callers import caller, send
from tests.cast import Cast, browser
from tests.factories import NOON
from tests.support.asking import asked, done, replied
from tests.web.conftest import World

TITLE = Text("대구-1이 느립니다", "Daegu-1 is slow")
KNOWN = Text("원인을 찾고 있습니다.", "We look for the cause.")
OVER = Text("고쳤습니다.", "Fixed.")


def begun(cast: Cast, **more: object) -> Incident:
    words: dict[str, object] = {"title": TITLE, "text": KNOWN, "sites": [], "began_at": NOON}
    return done(incidents.begin, by=cast.olivia.may, **(words | more))


@pytest.mark.parametrize("who", ["alice", "bob", "carol", "dan", "mallory", "olivia"])
def test_everybody_signed_in_reads_it(world: World, who: str) -> None:
    begun(world.cast, sites=[world.site.code])
    client = browser(world.cast[who])

    for name in ("support", "support_new", "support_incidents"):
        page = client.get(reverse(name)).content.decode()
        assert TITLE.ko in page, name
        assert str(world.site.title) in page, name


def test_speaks_the_readers_language(cast: Cast) -> None:
    incident = begun(cast)

    with translation.override("en"):
        assert incident.title == TITLE.en
    with translation.override("ko"):
        assert incident.title == TITLE.ko


def test_is_linked_by_who_asks_and_by_the_staff_and_all_are_told_at_its_end(cast: Cast) -> None:
    incident = begun(cast)
    asked(cast, incident=incident.public_id)
    second, third = asked(cast, by="mallory"), asked(cast, by="carol")
    done(desk.link, by=cast.olivia.may, request=second, incident=incident)
    replied(cast, third)

    done(
        incidents.end,
        by=cast.olivia.may,
        now=NOON + timedelta(hours=1),
        incident=incident,
        text=OVER,
    )

    with rls.everyone(because="test"):
        told = Notice.objects.filter(kind="incident.ended").select_related("user")
        assert {one.user.email for one in told} == {"bob@example.com", "mallory@example.com"}
        assert not queues.open_incidents()
    with pytest.raises(incidents.IncidentEnded):
        done(incidents.end, by=cast.olivia.may, incident=incident, text=OVER)
    with pytest.raises(incidents.IncidentEnded):
        done(incidents.update, by=cast.olivia.may, incident=incident, text=OVER)
    with rls.everyone(because="test"):
        assert Notice.objects.filter(kind="incident.ended").count() == 2


def test_nobody_links_what_is_over(cast: Cast) -> None:
    incident = begun(cast)
    done(incidents.end, by=cast.olivia.may, incident=incident, text=OVER)

    from tenants.support.requests import Unknown

    with pytest.raises(Unknown):
        asked(cast, incident=incident.public_id)


@pytest.mark.parametrize("who", ["alice", "mallory"])
def test_customers_tell_of_none(cast: Cast, who: str) -> None:
    with pytest.raises(NotAllowed):
        done(
            incidents.begin,
            by=cast[who].may,
            title=TITLE,
            text=KNOWN,
            sites=[],
            began_at=NOON,
        )


def test_a_customers_transaction_writes_none(cast: Cast) -> None:
    incident = begun(cast)
    with rls.tenant(cast.firm.pk):
        assert Incident.objects.update(title_ko="x") == 0
        with pytest.raises(DatabaseError), transaction.atomic():
            Incident.objects.create(
                public_id="inc_x", title_ko="x", title_en="x", began_at=NOON, created_at=NOON
            )
        with pytest.raises(DatabaseError), transaction.atomic():
            IncidentUpdate.objects.create(
                incident=incident, text_ko="x", text_en="x", by="x", at=NOON
            )


def test_what_was_told_is_not_changed(cast: Cast) -> None:
    begun(cast)

    with rls.everyone(because="test"), pytest.raises(DatabaseError), transaction.atomic():
        IncidentUpdate.objects.update(text_ko="anders")


def test_does_not_begin_in_the_future(cast: Cast) -> None:
    with pytest.raises(incidents.BadBeginning):
        begun(cast, began_at=NOON + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("title", "text", "field"),
    [
        (Text("", "x y z"), KNOWN, "title_ko"),
        (Text("가나다", "a\u202eb c"), KNOWN, "title_en"),
        (TITLE, Text("", "x"), "text_ko"),
        (TITLE, Text("x", "a" * 2001), "text_en"),
    ],
)
def test_needs_both_languages(cast: Cast, title: Text, text: Text, field: str) -> None:
    with pytest.raises(BadText) as refused:
        begun(cast, title=title, text=text)

    assert refused.value.field == field
    with rls.everyone(because="test"):
        assert not Incident.objects.exists()


def test_the_door_knows_the_sites(world: World) -> None:
    body = {
        "title_ko": TITLE.ko,
        "title_en": TITLE.en,
        "text_ko": KNOWN.ko,
        "text_en": KNOWN.en,
        "began_at": "2026-11-16T11:00:00+09:00",
    }
    olivia = caller(world, "olivia")

    unknown = send(olivia, "POST", "operator/incidents", body | {"sites": ["mars-1"]})
    known = send(olivia, "POST", "operator/incidents", body | {"sites": [world.site.code] * 2})

    assert (unknown.status_code, unknown.json()["errors"][0]["field"]) == (422, "sites")
    assert known.json()["sites"] == [world.site.code]


def test_a_page_writes_and_ends_it(world: World) -> None:
    incident = begun(world.cast)
    olivia, place = (
        browser(world.cast.olivia),
        reverse("incident_update", args=[incident.public_id]),
    )

    olivia.post(place, {"text_ko": "더 압니다.", "text_en": "We know more."})
    olivia.post(place, {"text_ko": OVER.ko, "text_en": OVER.en, "end": "1"})
    late = olivia.post(place, {"text_ko": "x", "text_en": "y"})

    assert late.status_code == 422
    page = browser(world.cast.bob).get(reverse("support_incidents")).content.decode()
    assert "더 압니다." in page and OVER.ko in page
