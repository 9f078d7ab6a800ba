"""Pages of own models: one of alice's firm that was refused, and its deeds."""

from __future__ import annotations

from typing import Any

from portal.catalog.models import OwnModel, Version
from portal.lib import ids
from tenants import rls
from tests.factories import CHAT, NOON
from tests.web.conftest import World
from tests.web.rows.row import MEMBERS, Row


def an_own_model(world: World, **fields: Any) -> OwnModel:
    """Refused; made anew where somebody has withdrawn it."""
    state = {"state": "refused", "code": "not_found"} | fields
    with rls.tenant(world.cast.firm.pk):
        found = OwnModel.objects.filter(state=state["state"]).first()
        return found or OwnModel.objects.create(
            public_id=ids.mint("mdl"),
            organization=world.cast.firm,
            name=f"상담 {ids.mint('m')}",
            base=Version.objects.get(model__slug=CHAT, current=True),
            location="https://models.example.kr/m.json",
            digest=f"sha256:{ids.mint('d')}",
            registered_at=NOON,
            registered_by="박도현",
            check_at=NOON,
            **state,
        )


def own_model_id(world: World) -> dict[str, Any]:
    return {"public_id": an_own_model(world).public_id}


def a_registration(world: World) -> dict[str, Any]:
    """No place is allowed: refused."""
    return {
        "name": "상담",
        "base": CHAT,
        "location": "https://models.example.kr/m.json",
        "digest": "sha256:" + "0" * 64,
        "licence_confirmed": "on",
    }


ONE = "sign-in found-one 200 200 200 200 404 404"
DEED = "sign-in found-one away away 403 403 404 404"
ROWS = [
    Row("own_models", "GET", MEMBERS),
    Row("own_model_new", "GET", "sign-in found-one 200 200 403 403 200 200"),
    Row("own_model_new", "POST", "sign-in found-one 422 422 403 403 422 422", body=a_registration),
    Row("own_model", "GET", ONE, own_model_id),
    Row("own_model_status", "GET", ONE, own_model_id),
    Row("own_model_check", "POST", DEED, own_model_id),
    Row("own_model_withdraw", "POST", DEED, own_model_id),
]
