"""Offerings: everybody reads the catalogue, the operator's staff moves evidence."""

from __future__ import annotations

from typing import Any

from portal.catalog.models import Offering
from portal.fleet.models import SiteOffering
from tests.factories import CHAT, NOON
from tests.web.conftest import World
from tests.web.rows.row import Row


def an_offering(world: World) -> Offering:
    return Offering.objects.get(version__model__slug=CHAT, chip__code="rngd")


def offering_id(world: World) -> dict[str, Any]:
    return {"public_id": an_offering(world).public_id}


def lapsed(world: World) -> dict[str, Any]:
    """It has to be verified again at the site."""
    SiteOffering.objects.update_or_create(
        site=world.site,
        offering=an_offering(world),
        defaults={"state": "reverify", "sdk": "1.0", "since": NOON},
    )
    return offering_id(world) | {"code": world.site.code}


def a_move(world: World) -> dict[str, Any]:
    return {"to": "failing", "because": "대구-1에서 멈췄습니다."}


def a_check(world: World) -> dict[str, Any]:
    return {"works": "1", "because": "다시 돌려 보았습니다."}


def a_form(world: World) -> dict[str, Any]:
    """Another artifact; the evidence then has to be shown again."""
    one = an_offering(world)
    numbers = {"parallel": one.parallel, "context_tokens": one.context_tokens}
    return numbers | {"artifact": "furiosa-ai/Model-8B", "because": "공급사 문서를 확인했습니다."}


def a_figure(world: World) -> dict[str, Any]:
    return {
        "kind": "tokens_per_second",
        "value": "31.50",
        "conditions_ko": "카드 1장, 요청 1건",
        "conditions_en": "1 card, one request",
        "mark": "measured",
        "source_name": "두레 대구-1",
        "because": "대구-1에서 재었습니다.",
    }


STAFF = "sign-in found-one 403 403 403 403 403 200"
DEED = "sign-in found-one 403 403 403 403 403 away"

ROWS = [
    Row("operator_offerings", "GET", STAFF),
    Row("operator_offering", "GET", STAFF, offering_id),
    Row("operator_offering_move", "POST", DEED, offering_id, a_move),
    Row("operator_offering_edit", "POST", DEED, offering_id, a_form),
    Row("operator_offering_figure", "POST", DEED, offering_id, a_figure),
    Row("operator_offering_verify", "POST", DEED, lapsed, a_check),
]
