"""Operations of becoming a customer and of the operator's queue."""

from __future__ import annotations

from collections.abc import Callable

from tests.api.rows.operator import because, staff
from tests.api.rows.row import ALL, Row, at
from tests.web.conftest import World
from tests.web.rows.registration import a_document, a_message

OWNERS = "{0} 403 403 403 {0} {0} 403 403"


def evidence(before: str) -> Callable[[World], str]:
    return lambda world: f"{before}/{a_document(world)['public_id']}/file"


def customer(more: str = "") -> Callable[[World], str]:
    return lambda world: f"operator/verifications/{world.cast.firm.public_id}{more}"


ROWS = [
    Row("api_terms", "GET", at("terms"), ALL),
    Row(
        "api_organizations",
        "POST",
        at("organizations"),
        "422 422 422 422 422 422 401 401",
        lambda world: {"kind": "operator"},
        without="401 422 401",
    ),
    Row("api_registration", "GET", at("registration"), ALL),
    Row("api_registration", "PATCH", at("registration"), OWNERS.format(409), lambda world: {}),
    Row("api_registration_ask", "POST", at("registration/ask"), OWNERS.format(429)),
    Row("api_evidence", "GET", at("registration/evidence"), ALL),
    # the table sends JSON; a file comes as a form
    Row("api_evidence", "POST", at("registration/evidence"), OWNERS.format(415), lambda world: {}),
    Row(
        "api_evidence_file",
        "GET",
        evidence("registration/evidence"),
        "200 403 403 403 404 404 403 403",
    ),
    Row("api_verifications", "GET", at("operator/verifications"), staff(200)),
    Row("api_verification", "GET", customer(), staff(200)),
    Row("api_verification_evidence", "GET", customer("/evidence"), staff(200)),
    Row("api_verification_file", "GET", evidence("operator/evidence"), staff(200)),
    Row("api_verification_approve", "POST", customer("/approve"), staff(409), because),
    Row("api_verification_ask", "POST", customer("/ask"), staff(409), a_message),
]
