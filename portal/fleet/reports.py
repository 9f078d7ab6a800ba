"""Whether a site's report makes sense. Pure. One that does not is kept from everything else: the
site counts as silent until it says something that can be true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from portal.fleet.drivers.contract import CardReport, ReplicaReport, SiteReport

MOST_CARDS = 4096  # of one site; a container holds a few hundred
MOST_REPLICAS = 4096
AHEAD = timedelta(minutes=5)  # that a site's clock may be ahead of ours
MOST_NUMBER = 2**31 - 1
MOST_WATTS = 100_000_000.0
INLET = (-60.0, 120.0)  # °C that a sensor can tell
LONGEST = {"id": 64, "placement": 24, "node": 64, "url": 200, "model_digest": 71}


def nonsense(report: SiteReport, *, site: str, now: datetime) -> str:
    """What cannot be true, in a sentence for the operator; empty if nothing."""
    for fault in _faults(report, site, now):
        return fault
    return ""


def _faults(report: SiteReport, site: str, now: datetime) -> Iterable[str]:
    # A cluster that was never told anything, or has forgotten everything, knows no name yet.
    fresh = report.site == "" and report.generation == 0
    if report.site != site and not fresh:
        yield f"It answers as another site: {report.site[:64]!r}."
    if len(report.cards) > MOST_CARDS or len(report.replicas) > MOST_REPLICAS:
        yield (
            f"It reports {len(report.cards)} cards and {len(report.replicas)} replicas; "
            f"{MOST_CARDS} of each are possible."
        )
    if b"\\u0000" in msgspec.json.encode(report):
        yield "Its report has an invisible character that no text may have."
    if report.generation < 0 or report.generation > 2**62:
        yield f"It reports the generation {report.generation}."
    if report.at_ms / 1000 > (now + AHEAD).timestamp():
        yield "Its clock is more than five minutes ahead of ours."
    if report.at_ms < 0:
        yield "Its report is from before 1970."
    yield from _power(report)
    yield from _cards(report.cards)
    yield from _replicas(report)


def _power(report: SiteReport) -> Iterable[str]:
    power = report.power
    if power is None:
        return
    for name, watts in (("machines", power.it_watts), ("site", power.facility_watts)):
        if not 0 <= watts <= MOST_WATTS:  # nor a number that is none
            yield f"It reports {watts:g} W for its {name}."
    low, high = INLET
    if not low <= power.inlet_celsius <= high:
        yield f"It reports {power.inlet_celsius:g} °C at the inlet."


def _cards(cards: tuple[CardReport, ...]) -> Iterable[str]:
    yield from _twice("card", (card.id for card in cards))
    for card in cards:
        if not card.id or len(card.id) > LONGEST["id"] or len(card.node) > LONGEST["node"]:
            yield "The name of a card or machine is empty or too long."
        if len(card.placement or "") > LONGEST["placement"] or len(card.chip) > LONGEST["id"]:
            yield f"What it says of the card {card.id} is too long."


def _replicas(report: SiteReport) -> Iterable[str]:
    yield from _twice("replica", (one.placement for one in report.replicas))
    known = {card.id for card in report.cards}
    held = [card for one in report.replicas for card in one.cards]
    yield from _twice("card in two replicas", held)
    for card in held:
        if card not in known:
            yield f"A replica has the card {card[:64]!r}, which the site does not have."
    for one in report.replicas:
        yield from _replica(one)


def _replica(one: ReplicaReport) -> Iterable[str]:
    if not one.placement or len(one.placement) > LONGEST["placement"]:
        yield "The name of a replica is empty or too long."
    if not (0 <= one.epoch <= MOST_NUMBER and 0 <= one.restarts <= MOST_NUMBER):
        yield f"The replica {one.placement} has an impossible epoch or number of starts."
    url = one.url or ""
    if len(url) > LONGEST["url"] or (url and not url.startswith(("http://", "https://"))):
        yield f"The replica {one.placement} has an address that cannot be called."
    if len(one.model_digest) > LONGEST["model_digest"]:
        yield f"The digest of the replica {one.placement} is too long."
    served = one.served
    if served is not None:
        counts = (served.since_ms, served.tokens_in, served.tokens_out, served.requests or 0)
        if not all(0 <= count < 2**53 for count in counts):
            yield f"The replica {one.placement} has served an impossible number."


def _twice(what: str, names: Iterable[str]) -> Iterable[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"It reports the same {what} twice: {name[:64]!r}."
