"""Internal remarks: no customer ever sees one, on whatever way."""

from __future__ import annotations

import pytest
from django.core import serializers
from django.db import DatabaseError, transaction
from django.urls import reverse

from portal.lib import ids
from tenants import exports, rls
from tenants.models import (
    AuditEvent,
    Mail,
    Notice,
    SupportMessage,
    SupportMove,
    SupportRemark,
    SupportRequest,
)
from tenants.support import desk
from tenants.support.desk import Then
from tests.api.callers import caller, send
from tests.api.rows import TABLE as OPERATIONS
from tests.cast import Cast, browser
from tests.factories import NOON
from tests.support.asking import asked, done, house, replied
from tests.web.conftest import World
from tests.web.rows import TABLE as PAGES

SECRET = "고객이 또 착각했습니다 XKCD-1053"
CUSTOMERS = ("alice", "bob", "carol", "dan", "mallory")


def remarked(cast: Cast) -> SupportRequest:
    request = asked(cast, consent_days=7)
    done(desk.remark, by=cast.olivia.may, request=request, text=SECRET)
    replied(cast, request, Then.ASKS)
    return request


def test_the_staff_read_it(world: World) -> None:
    request = remarked(world.cast)

    page = browser(world.cast.olivia).get(reverse("desk_request", args=[request.public_id]))
    call = send(
        caller(world, "olivia"), "GET", f"operator/support/requests/{request.public_id}/remarks"
    )

    assert SECRET in page.content.decode()
    assert [one["text"] for one in call.json()["data"]] == [SECRET]


@pytest.mark.parametrize("who", CUSTOMERS)
def test_no_page_shows_it_to_a_customer(world: World, who: str) -> None:
    request = remarked(world.cast)
    client = browser(world.cast[who])

    for row in PAGES:
        if row.method == "GET":
            kwargs = row.arguments(world)
            if row.name.startswith(("support_request", "desk_request")):
                kwargs = {"public_id": request.public_id}
            answer = client.get(
                reverse(row.name, kwargs=kwargs), {"text": SECRET[:20], "show": "all"}
            )
            streamed = getattr(answer, "streaming_content", None)
            content = b"".join(streamed) if streamed is not None else answer.content
            assert SECRET not in content.decode("utf-8", "replace"), row.name


@pytest.mark.parametrize("who", [*CUSTOMERS, "key"])
def test_no_operation_tells_it_to_a_customer(world: World, who: str) -> None:
    request = remarked(world.cast)
    client = caller(world, who)
    paths = [row.path(world) for row in OPERATIONS if row.method == "GET"]
    paths += [
        f"support/requests/{request.public_id}{more}"
        for more in ("", "/messages", "/attachments", "/moves", "/consent", "/remarks")
    ]

    for path in paths:
        answer = send(client, "GET", path)
        streamed = getattr(answer, "streaming_content", None)
        content = b"".join(streamed) if streamed is not None else answer.content
        assert "XKCD-1053" not in content.decode("utf-8", "replace"), path


@pytest.mark.parametrize("query", ["XKCD", "착각", SECRET])
def test_no_search_gives_away_that_there_is_one(world: World, query: str) -> None:
    remarked(world.cast)

    call = send(caller(world, "bob"), "GET", f"support/requests?text={query}")
    page = browser(world.cast.alice).get(reverse("support"), {"text": query, "show": "all"})
    staff = browser(world.cast.olivia).get(reverse("desk"), {"text": query, "show": "all"})

    assert call.json()["data"] == []
    assert "sup_" not in page.content.decode()
    assert "429" not in staff.content.decode()


@pytest.mark.parametrize(
    "query", ["internal=1", "remarks=1", "expand=remarks", "include=remark", "side=remark"]
)
def test_no_parameter_opens_it(world: World, query: str) -> None:
    request = remarked(world.cast)
    path = f"support/requests/{request.public_id}/messages?{query}"

    assert send(caller(world, "bob"), "GET", path).status_code == 400


def test_no_notice_no_mail_and_no_event_of_the_customer_has_it(world: World) -> None:
    """Neither the remark nor anything else that was said leaves the house by mail."""
    request = remarked(world.cast)

    with rls.everyone(because="test"):
        notices = " ".join(str(one.words) for one in Notice.objects.all())
        mails = " ".join(f"{one.subject} {one.text} {one.html}" for one in Mail.objects.all())
        events = [
            f"{one.verb} {one.changes} {one.because}"
            for one in AuditEvent.objects.filter(organization=world.cast.firm)
        ]
    assert SECRET not in notices + mails + " ".join(events)
    assert "살펴보았습니다" not in mails and "거절됩니다." not in mails
    assert f"/support/{request.public_id}/" in mails
    assert not any("remark" in one for one in events)


def test_the_table_for_spreadsheets_has_nothing_of_what_was_said(world: World) -> None:
    remarked(world.cast)

    answer = browser(world.cast.olivia).get(reverse("desk_csv"))

    text = answer.content.decode("utf-8-sig")
    assert "429" in text
    assert SECRET not in text and "살펴보았습니다" not in text


@pytest.mark.parametrize("who", CUSTOMERS)
def test_the_database_shows_none_to_any_customers_transaction(cast: Cast, who: str) -> None:
    """What a personal export, a raw query or a page that forgets could read: nothing."""
    remarked(cast)

    with house(cast[who].may):
        assert SupportRemark.objects.count() == 0
        found = " ".join(
            serializers.serialize("json", model.objects.all())
            for model in (SupportRequest, SupportMessage, SupportMove)
        )
    with rls.user(cast[who].user.pk):
        assert SupportRemark.objects.count() == 0
    assert SECRET not in found


def test_a_customers_transaction_writes_none(cast: Cast) -> None:
    request = asked(cast)

    with rls.tenant(cast.firm.pk), pytest.raises(DatabaseError), transaction.atomic():
        SupportRemark.objects.create(
            public_id=ids.mint("rem"),
            organization=cast.firm,
            request=request,
            author="usr_x",
            text="eingeschlichen",
            at=NOON,
        )


def test_a_remark_is_bounded(world: World) -> None:
    request = asked(world.cast)
    path = f"operator/support/requests/{request.public_id}/remarks"

    for text in ("", " ", "a" * 10_001, "a\u202eb"):
        answer = send(caller(world, "olivia"), "POST", path, {"text": text})
        assert answer.status_code == 422, text[:5]


def test_a_copy_of_ones_data_has_what_one_wrote_and_no_remark(world: World) -> None:
    request = remarked(world.cast)

    with rls.everyone(because="test"):
        copy = {one.name: one.rows for one in exports.sections(world.cast.bob.user)}

    assert [one["public_id"] for one in copy["support_requests"]] == [request.public_id]
    assert [one["text"] for one in copy["support_messages"]] == ["예산이 남았는데 거절됩니다."]
    assert SECRET not in repr(copy)
