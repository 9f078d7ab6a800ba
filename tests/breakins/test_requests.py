"""Requests that lie: about who asks, for whom, by what method, from which host."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from django.urls import reverse
from django.utils.html import escape

from portal.deployments.models import Endpoint
from tenants import mails, rls
from tenants.models import ApiKey, Mail, Organization, Project, User
from tests.api.callers import bearer, caller, send
from tests.cast import browser
from tests.factories import NOON
from tests.web.conftest import World
from tests.web.rows import TABLE as PAGES
from tests.web.rows.row import a_key

MARKUP = "<img src=xss onerror=alert(1)>"


def test_a_key_opens_no_page(world: World) -> None:
    """It is for programs: a page sees only sessions."""
    for row in PAGES:
        if row.method == "GET" and row.answers.split()[0] == "sign-in":
            answer = bearer(world.secret).get(reverse(row.name, kwargs=row.arguments(world)))
            assert answer["Location"].startswith("/accounts/login/"), row.name


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_a_header_makes_no_other_method(world: World, header: str) -> None:
    place = f"/api/v1/keys/{world.key.public_id}"
    alice = caller(world, "alice")

    answers = [
        alice.post(place, {}, content_type="application/json", headers={header: "DELETE"}),
        alice.post(f"{place}?_method=DELETE", {}, content_type="application/json"),
    ]

    assert [one.status_code for one in answers] == [405, 405]
    with rls.tenant(world.cast.firm.pk):
        assert ApiKey.objects.get(pk=world.key.pk).revoked_at is None


def test_a_forged_host_is_refused_and_sends_nothing(world: World) -> None:
    body = {"email": "new@example.com", "role": "auditor"}
    client = browser(world.cast.alice)

    answers = [
        client.post(reverse("invitation_new"), body, headers={"host": "evil.example"}),
        client.post(reverse("account_reset_password"), body, headers={"host": "evil.example"}),
    ]

    assert [one.status_code for one in answers] == [400, 400]
    assert mail.outbox == []
    with rls.everyone(because="test"):
        assert not Mail.objects.filter(to="new@example.com").exists()


def test_links_in_mails_are_ours_whatever_the_host(world: World, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    body = {"email": "new@example.com", "role": "auditor"}

    browser(world.cast.alice).post(
        reverse("invitation_new"), body, headers={"host": "evil.example"}
    )

    with rls.everyone(because="test"):
        sent = Mail.objects.get(to="new@example.com")
    assert settings.DURE_WEB_ORIGIN + "/invitations/" in sent.text
    assert "evil.example" not in sent.text + sent.html


def test_a_name_brings_no_line_into_a_subject(world: World) -> None:
    words = {"organization": "x\r\nBcc: all@example.com", "inviter": "y\u2028z", "link": "/"}

    with rls.everyone(because="test"), pytest.raises(mails.BadHeader):
        mails.queue(to="new@example.com", template="invitation", context=words, now=NOON)


def test_anothers_project_in_a_form_makes_no_key_there(world: World) -> None:
    answer = browser(world.cast.mallory).post(reverse("key_new"), a_key(world))

    assert answer.status_code in {200, 400, 422}
    with rls.everyone(because="test"):
        assert ApiKey.objects.count() == 1


def test_anothers_project_in_a_call_makes_no_key_there(world: World) -> None:
    body = {"name": "k", "project": world.cast.project.public_id}

    answer = send(caller(world, "mallory"), "POST", "keys", body)

    assert answer.status_code == 422
    with rls.everyone(because="test"):
        assert ApiKey.objects.filter(project=world.cast.project).count() == 1


def test_the_right_version_of_anothers_thing_changes_nothing(world: World) -> None:
    """``If-Match`` with the tag that its owner sees: there is no such project for a stranger."""
    path = f"projects/{world.cast.project.public_id}"
    tag = send(caller(world, "alice"), "GET", path)["ETag"]

    answer = send(caller(world, "mallory"), "PATCH", path, {"name": "mein"}, If_Match=tag)

    assert answer.status_code == 404
    with rls.everyone(because="test"):
        assert Project.objects.get(pk=world.cast.project.pk).name == "첫 프로젝트"


def test_exports_of_others_are_not_there(world: World) -> None:
    mallory = browser(world.cast.mallory)
    invoice = {"public_id": world.invoice.public_id}
    with rls.tenant(world.cast.firm.pk):
        from tenants.models import AuditEvent

        event = AuditEvent.objects.order_by("pk")[0].public_id

    assert mallory.get(reverse("invoice_pdf", kwargs=invoice)).status_code == 404
    assert mallory.get(reverse("audit_event", args=[event])).status_code == 404
    export = b"".join(mallory.get(reverse("audit_export")).streaming_content)
    assert event.encode() not in export and world.key.public_id.encode() not in export


def name_everything(world: World) -> None:
    """As somebody would who got past every form."""
    with rls.everyone(because="test"):
        Organization.objects.filter(pk=world.cast.firm.pk).update(name=MARKUP, address=MARKUP)
        Project.objects.filter(pk=world.cast.project.pk).update(name=MARKUP, cost_centre=MARKUP)
        ApiKey.objects.filter(pk=world.key.pk).update(name=MARKUP, created_by=MARKUP)
        Endpoint.objects.filter(pk=world.endpoint.pk).update(name=MARKUP, created_by=MARKUP)
    User.objects.filter(pk=world.cast.bob.user.pk).update(name=MARKUP)


def test_shows_no_name_as_markup_on_any_page(world: World, subtests: pytest.Subtests) -> None:
    name_everything(world)
    client, seen = browser(world.cast.alice), 0
    for row in PAGES:
        if row.method != "GET":
            continue
        with subtests.test(row.name):
            answer = client.get(reverse(row.name, kwargs=row.arguments(world)))
            page = b"" if answer.streaming else answer.content
            if answer["Content-Type"].startswith("text/html"):
                assert b"<img src=xss" not in page
                seen += escape(MARKUP).encode() in page
    assert seen >= 10


# ─── bodies ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'{"name": "a", "name": "b"}', id="a name twice"),
        pytest.param(b'{"name": "a", "regions": [{"x": 1, "x": 2}]}', id="twice further in"),
        pytest.param(b'{"name": NaN}', id="not a number"),
        pytest.param(b'{"name": -Infinity}', id="infinity"),
        pytest.param(b'{"name": ' + b"9" * 5_000 + b"}", id="a number of 5,000 digits"),
        pytest.param(b'{"name": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", id="deep"),
        pytest.param('{"name": "가"}'.encode("utf-16"), id="UTF-16"),
        pytest.param(
            b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07os.name\x94.", id="pickle"
        ),
    ],
)
def test_reads_only_json_that_says_one_thing(world: World, raw: bytes) -> None:
    answer = caller(world, "alice").post(
        "/api/v1/projects", data=raw, content_type="application/json"
    )

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"


def test_a_body_beyond_the_limit_is_not_read(world: World) -> None:
    body = b'{"name": "' + b"a" * 1_100_000 + b'"}'

    answer = caller(world, "alice").post(
        "/api/v1/projects", data=body, content_type="application/json"
    )

    assert answer.status_code in {400, 413}
    with rls.tenant(world.cast.firm.pk):
        assert Project.objects.count() == 1


def test_a_form_with_too_many_fields_is_not_read(world: World) -> None:
    body = {f"f{number}": "1" for number in range(300)} | a_key(world)

    answer = browser(world.cast.alice).post(reverse("key_new"), body)

    assert answer.status_code == 400


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("Hаnbit", id="a Cyrillic a"),
        pytest.param("Ηanbit", id="a Greek Eta"),
        pytest.param("한빛 Рrecision", id="in the second word"),
    ],
)
def test_case_80_a_name_that_imitates_another_is_refused(world: World, name: str) -> None:
    client = browser(world.cast.nobody)
    client.post(reverse("signup_kind"), {"kind": "sme"})
    body = {"name": name, "business_number": "1248100998"}

    project = send(caller(world, "alice"), "POST", "projects", {"name": name})
    firm = client.post(reverse("signup_numbers"), body)

    assert project.status_code == 422
    assert firm.status_code == 422 and list(firm.context["form"].errors) == ["name"]


@pytest.mark.parametrize("name", ["한빛ABC", "Ωμέγα", "Привет", "漢字かなabc", "R&D 2팀"])
def test_case_80_names_in_their_own_letters_are_taken(world: World, name: str) -> None:
    assert send(caller(world, "alice"), "POST", "projects", {"name": name}).status_code == 201
