"""Values of terms: what is refused, by which rule, and that reading is the reverse of writing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.utils.translation import override

from billing import price_words, term_values
from billing.term_values import BadTerm

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("tokens", {"price_in": "60", "price_cached": "6", "price_out": "180.000001"}),
    ("tokens", {"off": "10"}),
    ("cards", {"won": "1450"}),
    ("cards", {"off": "12.5"}),
    ("storage", {"won": "0.5"}),
    ("batch", {"off": "50"}),
    ("tokens", {"price_in": "60", "price_cached": "60", "price_out": "0"}),
    ("cards", {"won": "1000000000"}),
    ("storage", {"off": "100"}),
    ("fee", {"won": 100000}),
    ("fee", {"won": 10**10}),
    ("fee", {"won": 0}),
    ("replica_minimum", {"seconds": 86400}),
    (
        "tiers",
        {
            "mode": "graduated",
            "steps": [
                *({"start": n, "end": n + 1, "off": "0"} for n in range(9)),
                {"start": 9, "end": None, "off": "100"},
            ],
        },
    ),
    (
        "tiers",
        {
            "mode": "volume",
            "steps": [
                {"start": 0, "end": 10**12, "off": "0"},
                {"start": 10**12, "end": None, "off": "1"},
            ],
        },
    ),
    ("minimum", {"won": 1000000}),
    ("replica_minimum", {"seconds": 600}),
    (
        "tiers",
        {
            "mode": "volume",
            "steps": [
                {"start": 0, "end": 100, "off": "0"},
                {"start": 100, "end": None, "off": "7.25"},
            ],
        },
    ),
]


@pytest.mark.parametrize(("kind", "value"), GOOD)
def test_reads_what_it_writes(kind: str, value: dict[str, Any]) -> None:
    found = term_values.parse(kind, value)

    assert term_values.written(found) == value
    assert price_words.of_stored(kind, "tokens/m" if kind == "tiers" else "m", value)


def steps(*rows: tuple[Any, Any, Any]) -> dict[str, Any]:
    found = [{"start": start, "end": end, "off": off} for start, end, off in rows]
    return {"mode": "graduated", "steps": found}


BAD: list[tuple[str, Any, str]] = [
    ("cards", {"won": "-1"}, "price"),
    ("cards", {"won": "0.0000001"}, "price"),
    ("cards", {"won": "1000000000.000001"}, "price"),
    ("cards", {"won": "1000000001"}, "price"),
    ("cards", {"won": "1e30"}, "price"),
    ("cards", {"won": "NaN"}, "price"),
    ("cards", {"won": "Infinity"}, "price"),
    ("cards", {"won": "viel"}, "price"),
    ("cards", {"won": 1.5}, "price"),
    ("cards", {"won": True}, "price"),
    ("cards", {"won": None}, "price"),
    ("cards", {"won": []}, "price"),
    ("cards", {}, "fields"),
    ("cards", {"won": "1", "off": "1"}, "fields"),
    ("cards", [], "fields"),
    ("cards", "1450", "fields"),
    ("cards", 1450, "fields"),
    ("tokens", {"price_in": "60"}, "fields"),
    ("tokens", {"price_in": "60", "price_cached": "61", "price_out": "1"}, "cached"),
    ("tokens", {"off": "100.01"}, "percent"),
    ("tokens", {"off": "-1"}, "percent"),
    ("batch", {"off": "33.333"}, "percent"),
    ("batch", {"off": "NaN"}, "percent"),
    ("fee", {"won": "1.5"}, "monthly"),
    ("fee", {"won": "-1"}, "monthly"),
    ("minimum", {"won": 10**10 + 1}, "monthly"),
    ("batch", {"off": "1", "won": "1"}, "fields"),
    ("replica_minimum", {"seconds": 86_401}, "seconds"),
    ("replica_minimum", {"seconds": "-1"}, "seconds"),
    ("tiers", {"mode": "package", "steps": []}, "mode"),
    ("tiers", {"mode": "volume", "steps": []}, "steps"),
    ("tiers", {"mode": "volume", "steps": "0 0"}, "steps"),
    ("tiers", steps(*[(0, None, "0")] * 11), "steps"),
    ("tiers", steps((1, None, "0")), "begin"),
    ("tiers", steps((0, 100, "0"), (101, None, "1")), "gap"),
    ("tiers", steps((0, 100, "0"), (99, None, "1")), "overlap"),
    ("tiers", steps((0, 100, "0")), "end"),
    ("tiers", steps((0, None, "0"), (100, None, "1")), "end"),
    ("tiers", steps((0, 0, "0"), (0, None, "1")), "step"),
    ("tiers", steps((0, "x", "0")), "step"),
    ("tiers", steps((0, 10**12 + 1, "0"), (10**12 + 1, None, "0")), "step"),
    ("tiers", {"mode": "volume", "steps": [0]}, "fields"),
    (
        "tiers",
        {"mode": "volume", "steps": [{"start": 0, "end": None, "off": "0", "x": 1}]},
        "fields",
    ),
    ("tiers", steps((0, None, "101")), "percent"),
    ("tiers", {"mode": "volume", "steps": [{}]}, "fields"),
    ("coupon", {"off": "1"}, "kind"),
]


@pytest.mark.parametrize(("kind", "value", "rule"), BAD)
def test_refuses_with_its_rule(kind: str, value: Any, rule: str) -> None:
    with pytest.raises(BadTerm) as refused:
        term_values.parse(kind, value)

    assert refused.value.rule == rule
    for language in ("ko", "en"):
        with override(language):
            assert str(refused.value)


def test_a_sentence_names_the_numbers() -> None:
    with override("en"):
        for kind, value, sentence in (
            ("tiers", steps((0, 100, "0"), (101, None, "1")), "between the steps: 100 to 101"),
            ("tiers", steps((0, 100, "0"), (99, None, "1")), "overlap: 99 to 100"),
            ("tiers", steps((1, None, "0")), "not at 1"),
            ("tokens", {"price_in": "60", "price_cached": "6.1E1", "price_out": "1"},
             "61 > 60"),
            ("cards", {}, "exactly: won"),
            ("tokens", {}, "exactly: price_in, price_cached, price_out"),
            ("tiers", {"mode": "volume", "steps": [{}]}, "exactly: start, end, off"),
            ("x" * 50, {}, r"of term: x{40}\.$"),
        ):  # fmt: skip
            with pytest.raises(BadTerm, match=sentence):
                term_values.parse(kind, value)


def test_reads_decimals_and_whole_numbers() -> None:
    assert term_values.price(Decimal("0.000001")) == Decimal("0.000001")
    assert term_values.price(0) == 0
    assert term_values.percent("100") == 100
