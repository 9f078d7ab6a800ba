"""Pages of fiscal years. Everything stands in a year of alice's firm."""

from __future__ import annotations

from typing import Any

from tests.web.conftest import World
from tests.web.fiscal_world import fiscal_of
from tests.web.rows.row import MEMBERS, Row

# Another organization's officers meet no year of theirs, or nothing under this id.
OFFICERS = "sign-in found-one {0} 403 {0} 403 404 404"


def line_id(world: World) -> dict[str, Any]:
    return {"public_id": fiscal_of(world).line.public_id}


def line_deed(world: World) -> dict[str, Any]:
    return line_id(world) | {"deed": "allot"}


def commitment_id(world: World) -> dict[str, Any]:
    return {"public_id": fiscal_of(world).commitment.public_id}


def commitment_deed(world: World) -> dict[str, Any]:
    return commitment_id(world) | {"deed": "spend"}


def movement_id(world: World) -> dict[str, Any]:
    return {"public_id": fiscal_of(world).movement.public_id}


def carryover_id(world: World) -> dict[str, Any]:
    return {"public_id": fiscal_of(world).carryover.public_id}


def in_a_year(world: World) -> dict[str, Any]:
    fiscal_of(world)
    return {}


def as_csv(world: World) -> dict[str, Any]:
    fiscal_of(world)
    return {"kind": "csv"}


def a_year(world: World) -> dict[str, Any]:
    return {"year": "2026"}


def a_line(world: World) -> dict[str, Any]:
    return {"code": "207-02", "name": "전산개발비"}


def an_allotment(world: World) -> dict[str, Any]:
    return {"quarter": "4", "won": "1,000", "on": "2026-11-16"}


def an_expenditure(world: World) -> dict[str, Any]:
    return {"won": "1", "on": "2026-11-16"}


def a_reason(world: World) -> dict[str, Any]:
    return {"because": "사유를 적습니다"}


def a_transfer(world: World) -> dict[str, Any]:
    found = fiscal_of(world)
    return {
        "source": found.other.public_id,
        "target": found.line.public_id,
        "won": "10",
        "because": "전산 사용료 부족",
    }


def a_project(world: World) -> dict[str, Any]:
    return {"project": world.cast.project.public_id}


ROWS = [
    Row("fiscal", "GET", MEMBERS, in_a_year),
    Row("fiscal_new", "GET", "sign-in found-one 200 403 200 403 200 200"),
    # the firm's year is there already, and the others are no public institutions
    Row("fiscal_new", "POST", "sign-in found-one 422 403 422 403 422 422", in_a_year, a_year),
    Row("fiscal_decide", "POST", OFFICERS.format("away"), in_a_year),
    Row("fiscal_movements", "GET", "sign-in found-one 200 200 200 200 404 404", in_a_year),
    Row("fiscal_reverse", "GET", OFFICERS.format("200"), movement_id),
    Row(
        "fiscal_reverse",
        "POST",
        "sign-in found-one away 403 422 403 404 404",
        movement_id,
        a_reason,
    ),
    Row("fiscal_commitments", "GET", "sign-in found-one 200 200 200 200 404 404", in_a_year),
    Row("fiscal_commitment", "GET", "sign-in found-one 200 200 200 200 404 404", commitment_id),
    Row("fiscal_commitment_deed", "GET", OFFICERS.format("200"), commitment_deed),
    Row(
        "fiscal_commitment_deed",
        "POST",
        OFFICERS.format("away"),
        commitment_deed,
        an_expenditure,
    ),
    Row("fiscal_line_new", "GET", OFFICERS.format("200"), in_a_year),
    Row(  # one takes the code, the other finds it taken
        "fiscal_line_new", "POST", "sign-in found-one away 403 422 403 404 404", in_a_year, a_line
    ),
    Row("fiscal_line", "GET", "sign-in found-one 200 200 200 200 404 404", line_id),
    Row("fiscal_line_deed", "GET", OFFICERS.format("200"), line_deed),
    Row("fiscal_line_deed", "POST", OFFICERS.format("away"), line_deed, an_allotment),
    Row("fiscal_bind", "GET", OFFICERS.format("200"), line_id),
    Row("fiscal_bind", "POST", OFFICERS.format("away"), line_id, a_project),
    Row("fiscal_transfers", "GET", "sign-in found-one 200 200 200 200 404 404", in_a_year),
    Row("fiscal_transfers", "POST", OFFICERS.format("away"), in_a_year, a_transfer),
    Row("fiscal_withdraw", "POST", OFFICERS.format("away"), carryover_id),
    Row("fiscal_closing", "GET", "sign-in found-one 200 200 200 200 404 404", in_a_year),
    # the year is not over
    Row("fiscal_closing", "POST", OFFICERS.format("422"), in_a_year, a_reason),
    Row("fiscal_export", "GET", "sign-in found-one 200 200 200 200 404 404", as_csv),
]
