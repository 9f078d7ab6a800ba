"""What an order asks of a site stands beside it, and is what the cards and the report say: whoever
writes them, however they are written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest
from django.db import ProgrammingError, transaction

from portal.catalog.models import Chip
from portal.fleet import actions, leases
from portal.fleet.drivers.contract import CardReport, PowerReport, SiteReport
from portal.fleet.models import Card, Site, UsableCards
from tests import factories
from tests.factories import NOON

pytestmark = pytest.mark.django_db

Counts = dict[tuple[str, str], tuple[int, tuple[int, ...]]]


def card(site: Site, ref: str, state: str = "free", node: str = "", chip: str = "rngd") -> Card:
    kind = Chip.objects.get(code=chip)
    return Card(site=site, ref=ref, chip=kind, state=state, node=node, simulated=True, seen_at=NOON)


def kept() -> Counts:
    """Site and chip → cards, and the free ones of each machine that has any."""
    rows = UsableCards.objects.select_related("site", "chip").filter(cards__gt=0)
    return {(one.site.code, one.chip.code): (one.cards, tuple(one.free_by_node)) for one in rows}


def counted() -> Counts:
    """The same out of the cards."""
    found: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    usable = Card.objects.exclude(state__in=["failed", "gone"])
    for code, chip, node, state in usable.values_list("site__code", "chip__code", "node", "state"):
        found[code, chip][node].append(state)
    return {
        kind: (
            sum(len(states) for states in nodes.values()),
            () if "" in nodes else free_of(nodes),
        )
        for kind, nodes in found.items()
    }


def free_of(nodes: dict[str, list[str]]) -> tuple[int, ...]:
    free = (nodes[node].count("free") for node in sorted(nodes))
    return tuple(count for count in free if count) or (0,)


def writings(here: Site, there: Site) -> Iterator[Counts]:
    """Each way in which cards are written; what there is then."""
    card(here, "c1", node="a").save()
    yield {("daegu-1", "rngd"): (1, (1,))}
    Card.objects.bulk_create([card(here, "c2", node="b"), card(there, "d1", chip="atom-max")])
    yield {("daegu-1", "rngd"): (2, (1, 1)), ("busan-1", "atom-max"): (1, ())}
    Card.objects.bulk_create(
        [card(here, "c2", "used", node="b"), card(here, "c3", "used", node="b")],
        update_conflicts=True,
        unique_fields=["site", "ref"],
        update_fields=["state", "node"],
    )
    yield {("daegu-1", "rngd"): (3, (1,)), ("busan-1", "atom-max"): (1, ())}
    Card.objects.filter(ref="c3").update(site=there, chip=Chip.objects.get(code="atom-max"))
    yield {("daegu-1", "rngd"): (2, (1,)), ("busan-1", "atom-max"): (2, ())}
    Card.objects.filter(ref="c1").update(state="failed")
    yield {("daegu-1", "rngd"): (1, (0,)), ("busan-1", "atom-max"): (2, ())}
    Card.objects.filter(site=there).update(state="gone")
    yield {("daegu-1", "rngd"): (1, (0,))}
    Card.objects.filter(ref="c2").delete()
    yield {}


def test_is_counted_whoever_writes_a_card() -> None:
    factories.catalogue()
    here, there = factories.site(cards=0), factories.site("busan-1", region="busan", cards=0)

    for expected in writings(here, there):
        assert kept() == counted() == expected


def test_is_written_by_nobody_else() -> None:
    factories.catalogue()
    factories.site(cards=1)

    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        UsableCards.objects.update(cards=7)

    assert UsableCards.objects.get().cards == 1


def test_goes_with_its_site() -> None:
    factories.catalogue()
    site = factories.site(cards=2)

    site.delete()

    assert not UsableCards.objects.exists()


def test_knows_the_watts_of_the_last_report() -> None:
    factories.catalogue()
    site = factories.site(cards=0, seen_at=None)
    token = leases.take(site, owner="me", now=NOON)
    assert token is not None
    power = PowerReport(it_watts=900.0, facility_watts=990.5, inlet_celsius=22.0)
    cards = (CardReport(id="rngd-0", chip="rngd", state="free", node="n"),)

    for told, watts in ((power, 990.5), (None, None)):
        report = SiteReport(
            site="daegu-1", at_ms=0, generation=1, simulated=True, cards=cards, power=told
        )
        actions.record_report(site=site, report=report, token=token, now=NOON)

        assert Site.objects.get().watts_drawn == watts
    assert kept() == {("daegu-1", "rngd"): (1, (1,))}
