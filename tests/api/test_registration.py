"""Becoming a customer over the API: what the pages do, in one call."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tenants import rls
from tenants.models import AuditEvent, Organization
from tests import factories
from tests.api.callers import bearer, send
from tests.cast import browser
from tests.web.conftest import World

TERMS = ["service-2026-11-01", "privacy-2026-11-01"]
FIRM: dict[str, Any] = {
    "kind": "sme",
    "name": "새 회사",
    "business_number": "124-81-00998",
    "terms": TERMS,
}


def test_founds_an_organization_for_a_person_without_one(world: World) -> None:
    client = browser(world.cast.nobody)
    versions = [one["id"] for one in send(client, "GET", "terms").json()["data"]]

    made = send(client, "POST", "organizations", FIRM | {"terms": versions})

    assert made.status_code == 201
    found = send(client, "GET", "registration").json()
    assert found["state"] == "pending_registry" and found["business_number_says"]
    assert found["because"] and found["asked"] == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "operator"}, "kind"),
        ({"name": "a\u200bb"}, "name"),
        ({"business_number": "1234567890"}, "business_number"),
        ({"business_number": "1234567891"}, "business_number"),
        ({"kind": "hospital"}, "medical_number"),
        ({"corporate_number": "1"}, "corporate_number"),
        ({"data_class": "secret"}, "data_class"),
        ({"terms": TERMS[:1]}, "terms"),
        ({"registration": "active"}, "registration"),
        ({"vouched_at": "2026-11-16T00:00:00Z"}, "vouched_at"),
    ],
)
def test_names_the_field_that_is_wrong(world: World, changes: dict[str, Any], field: str) -> None:
    answer = send(browser(world.cast.nobody), "POST", "organizations", FIRM | changes)

    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == [field]


def test_a_key_founds_nothing(world: World) -> None:
    assert send(bearer(world.secret), "POST", "organizations", FIRM).status_code == 401


def test_hands_in_a_document_and_shows_it(world: World) -> None:
    client = browser(world.cast.alice)
    upload = SimpleUploadedFile("등록증.png", factories.picture(), "image/png")

    sent = client.post("/api/v1/registration/evidence", {"kind": "business", "file": upload})
    listed = send(client, "GET", "registration/evidence").json()["data"]
    file = send(client, "GET", f"registration/evidence/{listed[0]['id']}/file")

    assert sent.status_code == 201
    assert [one["state"] for one in listed] == ["waiting"]
    assert file["Content-Type"] == "image/png"
    with rls.tenant(world.cast.firm.pk):
        assert AuditEvent.objects.filter(verb="evidence.download").count() == 1


@pytest.mark.parametrize(
    ("kind", "content", "field"),
    [("business", b"MZ", "file"), ("passport", None, "kind")],
)
def test_refuses_a_document_by_name(
    world: World, kind: str, content: bytes | None, field: str
) -> None:
    upload = SimpleUploadedFile("a.png", content or factories.picture(), "image/png")

    answer = browser(world.cast.alice).post(
        "/api/v1/registration/evidence", {"kind": kind, "file": upload}
    )

    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == [field]


def test_the_operator_confirms_over_the_api_too(world: World) -> None:
    with rls.everyone(because="test set-up"):
        Organization.objects.update(registration="active")
        Organization.objects.filter(pk=world.cast.firm.pk).update(registration="unverifiable")
    factories.evidence(world.cast.firm, world.cast.alice.may)
    olivia, path = browser(world.cast.olivia), f"operator/verifications/{world.cast.firm.public_id}"

    waiting = send(olivia, "GET", "operator/verifications?state=waiting").json()["data"]
    asked = send(olivia, "POST", f"{path}/ask", {"message": "뒷면도 내세요."})
    question = send(browser(world.cast.alice), "GET", "registration").json()["asked"]
    done = send(olivia, "POST", f"{path}/approve", {"because": "등록증과 같습니다."})

    assert [one["id"] for one in waiting] == [world.cast.firm.public_id]
    assert (asked.status_code, question) == (200, ["뒷면도 내세요."])
    assert (done.status_code, done.json()["state"]) == (200, "active")
