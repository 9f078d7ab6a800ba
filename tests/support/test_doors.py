"""The doors of support and what attackers try there: places, ids, files, keys, stale changes."""

from __future__ import annotations

import csv
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tenants import rls
from tenants.models import (
    AuditEvent,
    SupportMessage,
    SupportRequest,
    User,
)
from tenants.support import requests
from tests import factories
from tests.api.callers import caller, send
from tests.cast import browser
from tests.factories import NOON
from tests.support.asking import asked, done, put_into, replied
from tests.web.conftest import World
from tests.web.rows.support import a_request

EVIL = [
    "//evil.example",
    "/\\evil.example",
    "javascript:alert(1)",
    "https://evil.example",
    "/a\r\nb",
]


def text_of(answer: object) -> str:
    return answer.content.decode()  # type: ignore[attr-defined,no-any-return]


# ─── the context of a page ─────────────────────────────────────────────────────────────────────


def test_every_page_leads_to_help_with_its_context(world: World) -> None:
    answer = browser(world.cast.bob).get(reverse("keys"))

    request_id = answer["X-Request-ID"]
    assert f"/support/new/?from=%2Fkeys%2F&amp;request_id={request_id}" in text_of(answer)


def test_the_form_has_the_pages_context(world: World) -> None:
    place = reverse("key", args=[world.key.public_id])

    answer = browser(world.cast.bob).get(
        reverse("support_new"), {"from": place, "request_id": "req_abc"}
    )

    form = answer.context["form"]
    assert form["path"].value() == place
    assert form["request_id"].value() == "req_abc"
    assert form["project"].value() == world.cast.project.public_id


@pytest.mark.parametrize("place", EVIL)
def test_a_place_elsewhere_is_left_out(world: World, place: str) -> None:
    page = text_of(browser(world.cast.bob).get(reverse("support_new"), {"from": place}))

    assert "evil" not in page and "javascript:" not in page


@pytest.mark.parametrize("place", EVIL)
def test_a_place_elsewhere_is_refused_when_it_is_sent(world: World, place: str) -> None:
    page = browser(world.cast.bob).post(reverse("support_new"), a_request(world) | {"path": place})
    call = send(
        caller(world, "bob"),
        "POST",
        "support/requests",
        {"subject": "질문이 있습니다", "text": "x", "kind": "question", "path": place},
    )

    assert (page.status_code, call.status_code) == (422, 422)
    assert call.json()["errors"][0]["field"] == "path"
    with rls.everyone(because="test"):
        assert not SupportRequest.objects.exists()


def test_anothers_page_tells_nothing_of_its_project(world: World) -> None:
    answer = browser(world.cast.mallory).get(
        reverse("support_new"), {"from": reverse("key", args=[world.key.public_id])}
    )

    assert world.cast.project.public_id not in text_of(answer)
    assert answer.context["form"]["project"].value() == ""


def test_errors_show_the_id_of_their_request_and_lead_to_help(world: World) -> None:
    page = browser(world.cast.bob).get("/keys/key_nowhere/")
    call = send(caller(world, "bob"), "GET", "keys/key_nowhere")

    assert page["X-Request-ID"] in text_of(page)
    assert f"request_id={page['X-Request-ID']}" in text_of(page)
    assert call.json()["request_id"] == call["X-Request-ID"]


def test_a_page_that_fails_shows_it_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from portal.web import keys

    def broken(*args: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(keys, "_find", broken)
    client = Client(raise_request_exception=False)
    client.force_login(world.cast.bob.user)

    answer = client.get(reverse("key", args=[world.key.public_id]))

    assert answer.status_code == 500
    assert answer["X-Request-ID"] in text_of(answer)


# ─── texts are texts ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", ["<img src=x onerror=alert(1)>", "<b hx-get=/x>", "{{7*7}}"])
def test_html_shows_as_text_to_both_sides(world: World, text: str) -> None:
    request = asked(world.cast, subject=f"여기 {text}", text=text)
    replied(world.cast, request, text=text)

    for who, name in (("bob", "support_request"), ("olivia", "desk_request")):
        page = text_of(browser(world.cast[who]).get(reverse(name, args=[request.public_id])))
        assert "<img src=x" not in page and "<b hx-get" not in page and ">49<" not in page


def test_what_was_typed_stays_when_it_is_refused(world: World) -> None:
    request = asked(world.cast)
    place = reverse("support_answer", args=[request.public_id])

    answer = browser(world.cast.bob).post(
        place, {"text": "긴 설명입니다.", "upload": SimpleUploadedFile("x.exe", b"MZ\x00\x01")}
    )

    assert answer.status_code == 422
    assert "긴 설명입니다." in text_of(answer)
    with rls.tenant(world.cast.firm.pk):
        assert request.messages.count() == 1


def test_an_export_has_no_formula(world: World) -> None:
    asked(world.cast, subject="=HYPERLINK(1)")

    answer = browser(world.cast.olivia).get(reverse("desk_csv"))

    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert any("'=HYPERLINK(1)" in row for row in rows)
    with rls.everyone(because="test"):
        assert AuditEvent.objects.filter(verb="support.export").exists()


@pytest.mark.parametrize("name", ["오운영", ""])
def test_staff_have_no_address_on_the_customers_page(world: World, name: str) -> None:
    """Who gave no name is called by the address among colleagues, and by nothing here."""
    request = asked(world.cast)
    replied(world.cast, request)
    User.objects.filter(pk=world.cast.olivia.user.pk).update(name=name)

    page = text_of(
        browser(world.cast.bob).get(reverse("support_request", args=[request.public_id]))
    )
    call = send(caller(world, "bob"), "GET", f"support/requests/{request.public_id}/messages")

    assert name in page and "olivia@example.com" not in page
    assert {one["author"] for one in call.json()["data"]} == {"", world.cast.bob.user.public_id}


def test_a_deleted_account_is_nobody(world: World) -> None:
    """Rows name people by their ids only; without the person there is no name to be found."""
    person = factories.user("gone@example.com", "떠난 이")
    actor = factories.member(person, world.cast.firm, "developer")
    request = done(requests.ask, by=actor, wish=requests.Wish("안녕하세요", "x", "question", "low"))
    with rls.everyone(because="test"):
        type(person).objects.filter(pk=person.pk).update(public_id="usr_erased")

    page = text_of(
        browser(world.cast.alice).get(reverse("support_request", args=[request.public_id]))
    )

    assert "떠난 이" not in page and "gone@example.com" not in page


# ─── ids of others ─────────────────────────────────────────────────────────────────────────────


def test_a_form_of_another_tab_is_refused(world: World) -> None:
    """The organization that was shown is not the one that is worked in now."""
    body = a_request(world) | {"organization": world.cast.mallory.may.organization.public_id}

    answer = browser(world.cast.bob).post(reverse("support_new"), body)

    assert answer.status_code == 422


@pytest.mark.parametrize("field", ["project", "incident"])
def test_anothers_ids_in_a_body_are_unknown(world: World, field: str) -> None:
    theirs = factories.project(world.cast.mallory.may.organization, "남의 것").public_id

    answer = send(
        caller(world, "bob"),
        "POST",
        "support/requests",
        {"subject": "질문이 있습니다", "text": "x", "kind": "question", field: theirs},
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


# ─── states, keys and stale changes ────────────────────────────────────────────────────────────


@pytest.mark.parametrize("deed", ["messages", "close"])
def test_a_closed_one_takes_nothing(world: World, deed: str) -> None:
    request = put_into(asked(world.cast), "closed")
    body = {"text": "여보세요"} if deed == "messages" else {}

    call = send(caller(world, "bob"), "POST", f"support/requests/{request.public_id}/{deed}", body)
    page = browser(world.cast.bob).post(
        reverse("support_answer", args=[request.public_id]), {"text": "여보세요"}
    )

    assert (call.status_code, call.json()["title"]) == (409, "closed")
    assert page.status_code == 422
    with rls.tenant(world.cast.firm.pk):
        assert SupportMessage.objects.count() == 1


def test_a_repeated_call_asks_once(world: World) -> None:
    bob = caller(world, "bob")
    body = {"subject": "질문이 있습니다", "text": "x", "kind": "question"}

    first, again = (
        send(bob, "POST", "support/requests", body, Idempotency_Key="key-00001") for _ in range(2)
    )
    other = send(bob, "POST", "support/requests", body | {"text": "y"}, Idempotency_Key="key-00001")
    short = send(bob, "POST", "support/requests", body, Idempotency_Key="k")

    assert first.json()["id"] == again.json()["id"]
    assert (other.status_code, short.status_code) == (422, 400)


def test_a_form_that_is_sent_twice_asks_once(world: World) -> None:
    bob, body = browser(world.cast.bob), a_request(world)

    first, again = (bob.post(reverse("support_new"), body) for _ in range(2))

    assert first["Location"] == again["Location"]
    with rls.tenant(world.cast.firm.pk):
        assert SupportRequest.objects.count() == 1


def test_closes_nothing_that_was_changed_meanwhile(world: World) -> None:
    request = asked(world.cast)
    path = f"support/requests/{request.public_id}"
    tag = send(caller(world, "bob"), "GET", path)["ETag"]
    replied(world.cast, request)

    stale = send(caller(world, "bob"), "POST", f"{path}/close", {}, If_Match=tag)
    now = send(caller(world, "bob"), "GET", path)["ETag"]
    current = send(caller(world, "bob"), "POST", f"{path}/close", {}, If_Match=now)

    assert (stale.status_code, current.status_code) == (412, 200)


def test_the_staff_grade_nothing_that_was_changed_meanwhile(world: World) -> None:
    request = asked(world.cast)
    path, olivia = f"operator/support/requests/{request.public_id}", caller(world, "olivia")
    tag = send(olivia, "GET", path)["ETag"]
    body = {"severity": "high", "because": "여러 곳이 막혔습니다."}

    first = send(olivia, "PUT", f"{path}/severity", body, If_Match=tag)
    stale = send(olivia, "PUT", f"{path}/severity", body | {"severity": "low"}, If_Match=tag)

    assert (first.status_code, stale.status_code) == (200, 412)


def test_who_has_it_is_told_to_the_one_who_was_late(world: World) -> None:
    request = asked(world.cast)
    paul = factories.member(
        factories.user("paul@example.com", "박운영"), world.cast.olivia.may.organization
    )
    from tenants.support import desk

    done(desk.take, by=paul, request=request, instead_of="")

    page = browser(world.cast.olivia).post(
        reverse("desk_take", args=[request.public_id]), {"instead_of": ""}, follow=True
    )
    call = send(
        caller(world, "olivia"),
        "PUT",
        f"operator/support/requests/{request.public_id}/assignee",
        {"instead_of": ""},
    )

    assert "박운영" in text_of(page)
    assert (call.status_code, call.json()["title"]) == (409, "taken")


@pytest.mark.parametrize("query", ["show=secret", "remark=1", "ordering=path"])
def test_refuses_parameters_that_it_does_not_know(world: World, query: str) -> None:
    assert send(caller(world, "bob"), "GET", f"support/requests?{query}").status_code == 400
    staff = send(caller(world, "olivia"), "GET", f"operator/support/requests?{query}")
    assert staff.status_code in {400, 422}


@pytest.mark.parametrize(
    "query",
    [{"show": "x"}, {"severity": "x"}, {"text": "a\x00b"}, {"page": "999"}, {"organization": "x"}],
)
def test_a_filter_without_sense_breaks_no_page(world: World, query: dict[str, str]) -> None:
    for who, name in (("bob", "support"), ("olivia", "desk"), ("olivia", "desk_csv")):
        assert browser(world.cast[who]).get(reverse(name), query).status_code == 200


def test_a_long_queue_is_paged_with_few_queries(world: World) -> None:
    due = asked(world.cast).due_at
    with rls.everyone(because="test set-up"):
        SupportRequest.objects.bulk_create(
            SupportRequest(
                public_id=f"sup_{number:016}",
                organization=world.cast.firm,
                requester=world.cast.bob.user.public_id,
                kind="question",
                severity="low",
                subject=f"질문 {number}",
                created_at=NOON,
                moved_at=NOON,
                due_at=due,
            )
            for number in range(60)
        )
    for who, name in (("olivia", "desk"), ("bob", "support")):
        client = browser(world.cast[who])
        client.get(reverse(name))  # that she reads is noted once an hour

        with CaptureQueriesContext(connection) as found:
            page = text_of(client.get(reverse(name)))

        asked_of_tables = [one for one in found.captured_queries if "FROM" in one["sql"]]
        assert page.count("/sup_") == 50
        assert "1 / 2" in page
        assert len(asked_of_tables) <= 15
