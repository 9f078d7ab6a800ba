"""Operations on fiscal years. Everything stands in a year of alice's firm.

``answers``: alice bob carol dan | mallory olivia | key foreign-key. A key reads and never writes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.api.rows.row import Row
from tests.web.conftest import World
from tests.web.fiscal_world import fiscal_of

READ = "200 200 200 200 404 404 200 404"
WRITE = "{0} 403 {0} 403 404 404 403 403"


def at(text: str) -> Callable[[World], str]:
    def path(world: World) -> str:
        found = fiscal_of(world)
        return "fiscal/" + text.format(
            line=found.line.public_id,
            commitment=found.commitment.public_id,
            movement=found.movement.public_id,
            transfer=found.transfer.public_id,
            carryover=found.carryover.public_id,
        )

    return path


def body(**words: Any) -> Callable[[World], Any]:
    return lambda world: words


def a_transfer(world: World) -> Any:
    found = fiscal_of(world)
    return {
        "from_line": found.other.public_id,
        "into_line": found.line.public_id,
        "won": 10,
        "because": "전산 사용료 부족",
    }


def a_project(world: World) -> Any:
    return {"project": world.cast.project.public_id}


DAY = "2026-11-16"
REASON = body(because="사유를 적습니다")

ROWS = [
    Row("api_fiscal_years", "GET", at("years"), "200 200 200 200 200 200 200 200"),
    Row(
        "api_fiscal_years",
        "POST",
        at("years"),
        "422 403 422 403 422 422 403 403",
        body(year=2026),
    ),
    Row("api_fiscal_board", "GET", at("years/2026"), READ),
    Row("api_fiscal_decision", "POST", at("years/2026/decision"), WRITE.format("200")),
    Row(  # one takes the code, the other finds it taken
        "api_fiscal_lines",
        "POST",
        at("years/2026/lines"),
        "201 403 422 403 404 404 403 403",
        body(code="207-02", name="전산개발비"),
    ),
    Row("api_fiscal_movements", "GET", at("years/2026/movements"), READ),
    Row("api_fiscal_commitments", "GET", at("years/2026/commitments"), READ),
    Row("api_fiscal_transfers", "GET", at("years/2026/transfers"), READ),
    Row(
        "api_fiscal_transfers",
        "POST",
        at("years/2026/transfers"),
        WRITE.format("201"),
        a_transfer,
    ),
    Row("api_fiscal_close", "GET", at("years/2026/close"), READ),
    Row("api_fiscal_close", "POST", at("years/2026/close"), WRITE.format("422"), REASON),
    Row("api_fiscal_books", "GET", at("years/2026/books"), READ),
    Row(
        "api_fiscal_appropriations",
        "POST",
        at("lines/{line}/appropriations"),
        WRITE.format("201"),
        body(won=1000, on=DAY, because="제1회 추경"),
    ),
    Row(
        "api_fiscal_allotments",
        "POST",
        at("lines/{line}/allotments"),
        WRITE.format("201"),
        body(won=1000, on=DAY, quarter=4),
    ),
    Row(
        "api_fiscal_reallotments",
        "POST",
        at("lines/{line}/reallotments"),
        WRITE.format("201"),
        body(won=1000, on=DAY, from_quarter=1, quarter=4, because="분기 조정입니다"),
    ),
    Row(
        "api_fiscal_line_commitments",
        "POST",
        at("lines/{line}/commitments"),
        WRITE.format("201"),
        body(won=1000, on=DAY, subject="장비 임차", counterparty="두레 (예시)"),
    ),
    Row(  # the line is named to be carried over already
        "api_fiscal_carryovers",
        "POST",
        at("lines/{line}/carryovers"),
        WRITE.format("422"),
        body(won=1000, because="사업 기간 연장"),
    ),
    Row(
        "api_fiscal_projects",
        "POST",
        at("lines/{line}/projects"),
        WRITE.format("201"),
        a_project,
    ),
    Row(
        "api_fiscal_reversal",
        "POST",
        at("movements/{movement}/reversal"),
        "201 403 422 403 404 404 403 403",
        REASON,
    ),
    Row(
        "api_fiscal_changes",
        "POST",
        at("commitments/{commitment}/changes"),
        WRITE.format("201"),
        body(won=-5, on=DAY, because="물량이 줄었습니다"),
    ),
    Row(  # cancelled whole, and then there is nothing to cancel
        "api_fiscal_cancellation",
        "POST",
        at("commitments/{commitment}/cancellation"),
        "201 403 422 403 404 404 403 403",
        body(on=DAY, because="계약을 해제합니다"),
    ),
    Row(
        "api_fiscal_expenditures",
        "POST",
        at("commitments/{commitment}/expenditures"),
        WRITE.format("201"),
        body(won=5, on=DAY),
    ),
    Row(  # nothing was spent that could come back
        "api_fiscal_refunds",
        "POST",
        at("commitments/{commitment}/refunds"),
        WRITE.format("422"),
        body(won=5, on=DAY, because="착오 지급분"),
    ),
    Row(
        "api_fiscal_excuse",
        "POST",
        at("commitments/{commitment}/carryover"),
        "201 403 422 403 404 404 403 403",
        REASON,
    ),
    Row(
        "api_fiscal_withdrawal",
        "POST",
        at("carryovers/{carryover}/withdrawal"),
        WRITE.format("200"),
    ),
]
