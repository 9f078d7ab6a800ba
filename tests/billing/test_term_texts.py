"""What stands on an invoice beside the lines of a month's terms: how each was reckoned."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from billing.rating import Item
from billing.term_lines import (
    BATCH,
    Monthly,
    Percent,
    ReplicaMinimum,
    Run,
    Term,
    Tiers,
    Used,
    extra_lines,
)
from tests.billing.test_term_lines import HALF, NOVEMBER, STEPS, term, tiers, tokens


def in_use(kind: str, quantity: int, won: int, priced: str) -> Used:
    return Used(Item("2026-11", kind, "x", "tar_1"), priced, quantity, Fraction(won))


SAID: list[tuple[Term, list[Used], str, str]] = [
    (
        term("batch", Percent(Decimal(50)), "m"),
        [tokens(10, label=BATCH)],
        "배치 할인 m: ₩600 × 50%",
        "Batch discount, m: ₩600 × 50%",
    ),
    (
        term("batch", Percent(Decimal("12.50")), "*"),
        [tokens(Fraction(1, 8000), label=BATCH)],
        "배치 할인 모든 모델: ₩0.01 × 12.5%",
        "Batch discount, all models: ₩0.01 × 12.5%",
    ),
    (
        tiers("volume"),
        [tokens(1_000)],
        "수량 할인 m (백만 토큰): ₩60,000 ÷ 1,000 × (1,000×20%)",
        "Volume rebate, m (M tokens): ₩60,000 ÷ 1,000 × (1,000×20%)",
    ),
    (
        term("tiers", Tiers("graduated", STEPS), "cards/rngd"),
        [in_use("card_seconds", 360_003, 145_000, "cards/rngd")],
        "구간별 할인 rngd (카드·시간): ₩145,000 ÷ 100.0008 × (100×0% + 0.0008×10%)",
        "Graduated rebate, rngd (card-hours): ₩145,000 ÷ 100.0008 × (100×0% + 0.0008×10%)",
    ),
    (
        term("tiers", Tiers("graduated", STEPS), "storage/standard"),
        [in_use("storage", 200 * 1000 * 86_400, 740, "storage/standard")],
        "구간별 할인 standard (GB·일): ₩740 ÷ 200 × (100×0% + 100×10%)",
        "Graduated rebate, standard (GB-days): ₩740 ÷ 200 × (100×0% + 100×10%)",
    ),
    (
        term("replica_minimum", ReplicaMinimum(3600), "rngd"),
        [],
        "최소 과금 3600초 미달 rngd: 레플리카 1개, 7200 카드·초",
        "Below the minimum of 3600 s, rngd: 1 replicas, 7200 card-seconds",
    ),
    (
        term("fee", Monthly(300_000), "support", first=HALF, agreed=True),
        [],
        "월 기본료 support: ₩300,000 × 15/30",
        "Monthly fee, support: ₩300,000 × 15/30",
    ),
    (
        term("minimum", Monthly(60_000), first=HALF, agreed=True),
        [tokens(-5)],
        "월 최소 이용액 차액: ₩60,000 × 15/30 − −₩300",
        "Up to the monthly minimum: ₩60,000 × 15/30 − −₩300",
    ),
]


@pytest.mark.parametrize(("one", "used", "korean", "english"), SAID)
def test_says_each_kind_in_both_languages(
    one: Term, used: list[Used], korean: str, english: str
) -> None:
    runs = [
        Run("ep", "a", "rngd", 4, 1800, Decimal(1450)),
        Run("ep", "a", "rngd", 4, 3600, Decimal(1450)),
    ]

    (line,) = extra_lines(NOVEMBER, [one], used, runs)

    assert (line.text_ko, line.text_en) == (korean, english)
    assert line.item == Item("2026-11", one.kind, one.item, one.version)


@pytest.mark.parametrize(("letters", "written"), [(179, 200), (180, 200), (300, 200), (10, 31)])
def test_long_names_are_cut_with_a_sign(letters: int, written: int) -> None:
    fee = term("fee", Monthly(1_000), "이" * letters, agreed=True)

    (line,) = extra_lines(NOVEMBER, [fee], [])

    assert len(line.text_en) == written
    assert line.text_en.endswith("…") is (letters > 179)
