"""A receipt for programs: JSON with its claims, or the signed text alone."""

from __future__ import annotations

from django.http import HttpResponse

from portal.lib import ids, signing
from portal.usage import receipts
from portal.usage.models import Receipt
from tenants import rls
from tenants.scopes import Scope
from tests import factories
from tests.api.callers import bearer, caller, send
from tests.api.rows.receipts import receipt
from tests.web.conftest import World


def ask(world: World, accept: str = "*/*", who: str = "key") -> HttpResponse:
    return send(caller(world, who), "GET", receipt(world), accept=accept)


def test_gives_json_or_the_text_alone(world: World) -> None:
    as_json = ask(world)
    alone = ask(world, "application/jose")

    assert as_json["Content-Type"] == "application/json"
    assert as_json["Cache-Control"] == "private, no-store"
    assert alone["Content-Type"] == "application/jose"
    body = as_json.json()
    assert set(body) == {"receipt", "claims"}
    assert alone.content.decode() == body["receipt"]
    assert receipts.read(body["receipt"]) == body["claims"]


def test_tells_why_there_is_none_as_a_problem_whatever_was_asked_for(world: World) -> None:
    for accept in ("*/*", "application/jose"):
        answer = send(
            caller(world, "key"), "GET", f"receipts/{ids.mint_request_id()}", accept=accept
        )
        assert answer.status_code == 404
        assert answer["Content-Type"] == "application/problem+json"
        assert "second" in answer.json()["detail"] or "1초" in answer.json()["detail"]


def test_knows_no_malformed_request(world: World) -> None:
    for name in ("x", "0" * 36, "openapi", "a-b_c"):
        assert send(caller(world, "key"), "GET", f"receipts/{name}").status_code == 404


def test_asks_for_the_scope_that_reads_usage_and_for_the_keys_own_project(world: World) -> None:
    def by(project: object, *scopes: str) -> int:
        key = bearer(factories.api_key(project, world.cast.alice.may, scopes=scopes)[1])  # type: ignore[arg-type]
        return send(key, "GET", receipt(world)).status_code

    beside = factories.project(world.cast.firm, "다른 프로젝트")

    assert by(world.cast.project, Scope.BILLING_READ) == 200
    assert by(world.cast.project, Scope.INFERENCE) == 403
    assert by(world.cast.project, Scope.CONTROL_READ, Scope.CONTROL_WRITE) == 403
    assert by(beside, Scope.BILLING_READ) == 404


def test_goes_on_to_tell_when_its_key_is_no_longer_known(world: World, settings: object) -> None:
    """A mistake of the operator, who then reads in docs/receipts.md how to put it right."""
    first = ask(world).json()

    settings.DURE_RECEIPT_KEYS = signing.new_key()  # type: ignore[attr-defined]

    assert ask(world).json() == first
    with rls.tenant(world.cast.firm.pk):
        assert Receipt.objects.count() == 1
