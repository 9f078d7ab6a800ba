"""Reports that cannot be true: each has its sentence, and one that can has none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from portal.fleet.drivers.contract import (
    CardReport,
    PowerReport,
    ReplicaReport,
    ServedReport,
    SiteReport,
)
from portal.fleet.reports import MOST_CARDS, nonsense
from tests.factories import NOON

NOW_MS = int(NOON.timestamp() * 1000)


def card(name: str = "rngd-0", **fields: Any) -> CardReport:
    return CardReport(**{"id": name, "chip": "rngd", "state": "free"} | fields)


def replica(**fields: Any) -> ReplicaReport:
    served = ServedReport(since_ms=NOW_MS, tokens_in=1, tokens_out=1)
    plain = {"placement": "plc_1", "epoch": 1, "state": "ready", "url": "http://10.0.0.1:9000"}
    return ReplicaReport(**plain | {"cards": ("rngd-0",), "served": served} | fields)


def power(**fields: float) -> PowerReport:
    return PowerReport(**{"it_watts": 1.0, "facility_watts": 1.0, "inlet_celsius": 20.0} | fields)


def said(**fields: Any) -> str:
    plain = {"site": "daegu-1", "at_ms": NOW_MS, "generation": 1, "simulated": True}
    told = SiteReport(**plain | {"cards": (card(),), "replicas": (replica(),)} | fields)
    return nonsense(told, site="daegu-1", now=NOON)


def test_says_nothing_of_what_can_be_true() -> None:
    assert said(power=power()) == ""
    assert said(at_ms=NOW_MS + 299_000) == ""
    assert said(site="", generation=0) == ""  # a cluster that was never told anything
    assert said(cards=tuple(card(str(one)) for one in range(MOST_CARDS)), replicas=()) == ""
    assert said(cards=(card(chip="tpu"),), replicas=()) == ""  # shown, and not used


def test_says_nothing_of_what_stands_at_its_bounds() -> None:
    long = card("x" * 64, chip="c" * 64, node="n" * 64, placement="p" * 24)
    most = ServedReport(since_ms=0, tokens_in=2**53 - 1, tokens_out=0, requests=2**53 - 1)
    widest = replica(
        placement="p" * 24,
        cards=("x" * 64,),
        epoch=2**31 - 1,
        restarts=2**31 - 1,
        url="http://" + "x" * 193,
        model_digest="d" * 71,
        served=most,
    )

    assert said(cards=(long,), replicas=(widest,), generation=2**62) == ""
    assert said(power=power(it_watts=0.0, facility_watts=1e8, inlet_celsius=120.0)) == ""
    assert said(power=power(it_watts=1e8, facility_watts=0.0, inlet_celsius=-60.0)) == ""
    assert said(replicas=(replica(url=None, served=None),)) == ""


AHEAD = NOW_MS + int(timedelta(minutes=6).total_seconds() * 1000)
SERVED = ServedReport(since_ms=0, tokens_in=-1, tokens_out=0)
TOO_MANY = ServedReport(since_ms=0, tokens_in=0, tokens_out=2**53)
ASKED = ServedReport(since_ms=0, tokens_in=0, tokens_out=0, requests=-1)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"site": "busan-1"}, "another site"),
        ({"site": "", "generation": 1}, "another site"),
        ({"at_ms": AHEAD}, "clock"),
        ({"at_ms": -1}, "1970"),
        ({"generation": -1}, "generation"),
        ({"cards": (card(), card())}, "twice"),
        ({"cards": (card(""),), "replicas": ()}, "empty"),
        ({"cards": (card("x" * 65),), "replicas": ()}, "too long"),
        ({"cards": (card(node="n" * 65),)}, "too long"),
        ({"cards": (card(placement="p" * 25),)}, "too long"),
        ({"cards": tuple(card(str(one)) for one in range(MOST_CARDS + 1))}, "are possible"),
        ({"cards": (card("a\0"),), "replicas": ()}, "invisible"),
        ({"replicas": (replica(), replica(cards=()))}, "twice"),
        ({"replicas": (replica(), replica(placement="plc_2"))}, "card in two replicas"),
        ({"replicas": (replica(cards=("rngd-9",)),)}, "does not have"),
        ({"replicas": (replica(epoch=-1),)}, "epoch"),
        ({"replicas": (replica(restarts=2**31),)}, "starts"),
        ({"replicas": (replica(url="file:///etc"),)}, "address"),
        ({"replicas": (replica(url="http://" + "x" * 200),)}, "address"),
        ({"replicas": (replica(model_digest="d" * 72),)}, "digest"),
        ({"replicas": (replica(placement=""),)}, "empty"),
        ({"replicas": (replica(placement="p" * 25),)}, "too long"),
        ({"replicas": (replica(epoch=2**31),)}, "epoch"),
        ({"replicas": (replica(restarts=-1),)}, "starts"),
        ({"replicas": (replica(served=SERVED),)}, "impossible"),
        ({"replicas": (replica(served=TOO_MANY),)}, "impossible"),
        ({"replicas": (replica(served=ASKED),)}, "impossible"),
        ({"generation": 2**62 + 1}, "generation"),
        ({"cards": (card(chip="c" * 65),)}, "too long"),
        ({"power": power(it_watts=-1.0)}, "W for its machines"),
        ({"power": power(facility_watts=float("nan"))}, "W for its site"),
        ({"power": power(inlet_celsius=999.0)}, "inlet"),
    ],
)
def test_says_what_cannot_be_true(fields: dict[str, Any], words: str) -> None:
    assert words in said(**fields)
