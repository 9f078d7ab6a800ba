"""Operations on reserved cards."""

from __future__ import annotations

from typing import Any

from tests.api.rows.row import ALL, Row, at
from tests.web.conftest import World
from tests.web.rows.reservations import SPAN, a_reservation, own_offer


def reservation(world: World) -> str:
    return f"reservations/{a_reservation(world).public_id}"


def offers(world: World) -> str:
    return f"reservations/{a_reservation(world).public_id}/offers"


def offer(world: World) -> str:
    return f"reservation-offers/{own_offer(world).public_id}"


def take(world: World) -> str:
    return f"reservation-offers/{own_offer(world).public_id}/take?estimate=true"


def a_wish(world: World) -> dict[str, Any]:
    return {
        "name": "야간 학습",
        "project": world.cast.project.public_id,
        "chip": "rngd",
        "cards": 1,
        "starts_at": SPAN.start.isoformat(),
        "ends_at": SPAN.end.isoformat(),
    }


def too_much(world: World) -> dict[str, Any]:
    span = {"starts_at": SPAN.start.isoformat(), "ends_at": SPAN.end.isoformat()}
    return {"cards": 1000, **span}


def a_share(world: World) -> dict[str, Any]:
    return {"project": world.cast.project.public_id, "name": "낮 추론", "cards": 1}


ROWS = [
    Row("api_capacity_calendar", "GET", at("capacity-calendar"), ALL),
    Row("api_reservations", "GET", at("reservations"), ALL),
    Row(
        "api_reservations",
        "POST",
        at("reservations?estimate=true"),
        "200 200 403 403 422 422 200 422",
        a_wish,
    ),
    Row("api_reservation", "GET", reservation, "200 200 200 200 404 404 200 404"),
    Row("api_reservation", "DELETE", reservation, "200 200 403 403 404 404 200 404"),
    Row(
        "api_reservation_offers",
        "POST",
        offers,
        "409 409 403 403 404 404 409 404",
        too_much,
    ),
    Row("api_offers", "GET", at("reservation-offers"), ALL),
    Row("api_offer", "DELETE", offer, "204 204 403 403 404 404 204 404"),
    # an estimate of one's own is a price like any other; a foreign project is unknown
    Row("api_offer_take", "POST", take, "200 200 403 403 422 422 200 422", a_share),
]
