"""Pages of becoming a customer and of the operator's queue."""

from __future__ import annotations

from typing import Any

from tenants import rls
from tenants.models import Evidence
from tests import factories
from tests.web.conftest import World
from tests.web.rows.operator import DEED, STAFF, because, firm
from tests.web.rows.row import ANYBODY, MEMBERS, Row


def a_document(world: World) -> dict[str, Any]:
    """Of alice's firm; made once."""
    with rls.tenant(world.cast.firm.pk):
        found = Evidence.objects.first()
    return {
        "public_id": (found or factories.evidence(world.cast.firm, world.cast.alice.may)).public_id
    }


def a_version(world: World) -> dict[str, Any]:
    return {"public_id": "service-2026-11-01"}


def a_kind(world: World) -> dict[str, Any]:
    return {"kind": "operator"}


def a_message(world: World) -> dict[str, Any]:
    return {"message": "더 선명한 사본을 내세요."}


EVERYBODY = "sign-in {0} {0} {0} {0} {0} {0} {0}"
OWNERS = "sign-in found-one {0} 403 403 403 {0} {0}"

ROWS = [
    Row("terms", "GET", ANYBODY),
    Row("terms_version", "GET", ANYBODY, a_version),
    Row("organization_new", "GET", EVERYBODY.format("away")),
    Row("signup_kind", "GET", EVERYBODY.format("200")),
    Row("signup_kind", "POST", EVERYBODY.format("422"), body=a_kind),
    # nobody has chosen a kind yet: they are sent to where they stopped
    Row("signup_numbers", "GET", EVERYBODY.format("away")),
    Row("signup_numbers", "POST", EVERYBODY.format("away")),
    Row("signup_terms", "GET", EVERYBODY.format("found-one")),
    Row("signup_terms", "POST", EVERYBODY.format("found-one")),
    Row("signup_project", "GET", EVERYBODY.format("found-one")),
    Row("signup_project", "POST", EVERYBODY.format("found-one")),
    Row("registration", "GET", MEMBERS),
    Row("registration_state", "GET", MEMBERS),
    Row("registration_ask_again", "POST", OWNERS.format("away")),
    # all of them are confirmed: there is nothing to correct
    Row("registration_correct", "GET", OWNERS.format("away")),
    Row("registration_correct", "POST", OWNERS.format("away")),
    Row("evidence_new", "POST", OWNERS.format("422")),
    Row("evidence", "GET", "sign-in found-one 200 403 403 403 404 404", a_document),
    Row("verifications", "GET", STAFF),
    Row("verification", "GET", STAFF, firm),
    Row("verification_approve", "POST", DEED, firm, because),
    Row("verification_ask", "POST", DEED, firm, a_message),
    Row("verification_evidence", "GET", STAFF, a_document),
]
