"""Support: bob asks, alice and dan may read it, the operator answers. Carol and mallory never see
it."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from portal.lib import ids
from tenants import rls
from tenants.models import Incident, SupportAttachment, SupportRequest
from tenants.support import incidents, requests
from tenants.support.incidents import Text
from tenants.support.requests import Wish
from tests.factories import NOON
from tests.web.conftest import World
from tests.web.rows.row import MEMBERS, Row

SUBJECT = "호출이 429로 거절됩니다"
SAID = "예산이 남았는데 거절됩니다."
LOG = b"2026-11-16 11:58 refused\n"


def asked(world: World) -> SupportRequest:
    """Bob's, open, with a file; asked anew where a deed has closed it."""
    with rls.tenant(world.cast.firm.pk):
        rows = SupportRequest.objects.filter(subject=SUBJECT, attachments__isnull=False)
        found = rows.exclude(state="closed").first()
        return found or requests.ask(
            wish=Wish(SUBJECT, SAID, "fault", "normal", consent_days=7),
            by=world.cast.bob.may,
            now=NOON,
            upload=SimpleUploadedFile("gateway.log", LOG),
        )


def told(world: World) -> Incident:
    with rls.everyone(because="test set-up"):
        found = Incident.objects.filter(ended_at=None).first()
        return found or incidents.begin(
            title=Text("대구-1이 느립니다", "Daegu-1 is slow"),
            text=Text("원인을 찾고 있습니다.", "We look for the cause."),
            sites=[world.site.code],
            began_at=NOON,
            by=world.cast.olivia.may,
            now=NOON,
        )


def request_id(world: World) -> dict[str, Any]:
    return {"public_id": asked(world).public_id}


def file_id(world: World) -> dict[str, Any]:
    with rls.tenant(world.cast.firm.pk):
        return {"public_id": SupportAttachment.objects.get(request=asked(world)).public_id}


def incident_id(world: World) -> dict[str, Any]:
    return {"public_id": told(world).public_id}


def a_request(world: World) -> dict[str, Any]:
    return {
        "subject": "질문이 있습니다",
        "text": "어떻게 하나요",
        "kind": "question",
        "severity": "low",
        "consent_days": "7",
        "organization": world.cast.firm.public_id,
        "idempotency_key": ids.mint("idem"),
    }


def an_answer(world: World) -> dict[str, Any]:
    return {"text": "더 알려 드립니다."}


def a_reply(world: World) -> dict[str, Any]:
    return {"text": "살펴보았습니다.", "then": "asks"}


def a_consent(world: World) -> dict[str, Any]:
    return {"days": "3"}


def a_follower(world: World) -> dict[str, Any]:
    return {"follow": "1"}


def a_grade(world: World) -> dict[str, Any]:
    return {"severity": "high", "because": "여러 곳이 막혔습니다."}


def a_link(world: World) -> dict[str, Any]:
    return {"incident": told(world).public_id}


def an_update(world: World) -> dict[str, Any]:
    return {"text_ko": "고쳤습니다.", "text_en": "Fixed."}


def an_incident(world: World) -> dict[str, Any]:
    return an_update(world) | {
        "title_ko": "광주-1이 멈췄습니다",
        "title_en": "Gwangju-1 is down",
        "sites": [world.site.code],
        "began_at": "2026-11-16T11:00",
    }


# anonymous nobody alice bob carol dan mallory olivia
SEEN = "sign-in found-one 200 200 404 200 404 404"
DONE = "sign-in found-one away away 404 away 404 404"
STAFF = "sign-in found-one 403 403 403 403 403 200"
DEED = "sign-in found-one 403 403 403 403 403 away"

ROWS = [
    Row("support", "GET", MEMBERS),
    Row("support_new", "GET", MEMBERS),
    # mallory and olivia name a firm that they do not work in
    Row("support_new", "POST", "sign-in found-one away away away away 422 422", body=a_request),
    Row("support_incidents", "GET", MEMBERS),
    Row("support_request", "GET", SEEN, request_id),
    Row("support_file", "GET", SEEN, file_id),
    Row("support_answer", "POST", DONE, request_id, an_answer),
    Row("support_consent", "POST", DONE, request_id, a_consent),
    Row("support_follow", "POST", DONE, request_id, a_follower),
    Row("support_close", "POST", DONE, request_id),
    Row("desk", "GET", STAFF),
    Row("desk_csv", "GET", STAFF),
    Row("desk_request", "GET", STAFF, request_id),
    Row("desk_file", "GET", STAFF, file_id),
    Row("desk_answer", "POST", DEED, request_id, a_reply),
    Row("desk_remark", "POST", DEED, request_id, an_answer),
    Row("desk_take", "POST", DEED, request_id),
    Row("desk_grade", "POST", DEED, request_id, a_grade),
    Row("desk_link", "POST", DEED, request_id, a_link),
    Row("desk_view", "POST", DEED, request_id),
    Row("incidents", "GET", STAFF),
    Row("incident_new", "GET", STAFF),
    Row("incident_new", "POST", DEED, body=an_incident),
    Row("incident", "GET", STAFF, incident_id),
    Row("incident_update", "POST", DEED, incident_id, an_update),
]
