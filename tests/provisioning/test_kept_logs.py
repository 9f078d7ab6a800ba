"""Logs from the first second on, and after a failure, an end and the loss of the site."""

from __future__ import annotations

from datetime import timedelta

from portal.deployments import engine_logs
from portal.deployments.actions import endpoints
from portal.deployments.models import Endpoint, KeptLog, Placement
from portal.fleet.drivers.contract import LogLine, LogPage
from tenants import rls
from tests.deployments.conftest import Shop, shop
from tests.factories import NOON
from tests.fakes.site import FakeSite
from tests.provisioning.test_reconcile import placement, round_at, site

__all__ = ["placement", "shop", "site"]


def read(shop: Shop) -> list[engine_logs.EngineLog]:
    with rls.tenant(shop.firm.pk):
        replicas = engine_logs.replicas_of(Endpoint.objects.get(), shop.alice)
    return engine_logs.read(replicas)


def texts(shop: Shop) -> list[str]:
    return [line.text for one in read(shop) for line in one.lines]


def test_shows_lines_while_an_engine_loads(
    shop: Shop, site: FakeSite, placement: Placement
) -> None:
    site.ready = False
    round_at()

    (found,) = read(shop)

    assert [line.text for line in found.lines] == ["started"]
    assert (found.placement.state, found.silent, found.kept, found.steps) == (
        "starting",
        False,
        False,
        (),
    )
    with rls.tenant(shop.firm.pk):
        assert not KeptLog.objects.exists()


def test_keeps_the_last_lines_of_a_failure_with_its_next_step(
    shop: Shop, site: FakeSite, placement: Placement
) -> None:
    site.ready = False
    round_at()
    site.lines[placement.public_id] += [
        LogLine(number=number, at_ms=number, text=f"loading {number}") for number in range(2, 600)
    ]
    last = "torch.OutOfMemoryError, key engine-credential"
    site.lines[placement.public_id].append(LogLine(number=600, at_ms=600, text=last))
    site.cards = ()  # the engine has gone, and its card with it
    round_at(2)
    site.away = True

    (found,) = read(shop)

    assert found.placement.state == "failed"
    assert (found.silent, found.kept, len(found.lines)) == (True, True, 200)
    assert found.lines[-1].text == "torch.OutOfMemoryError, key …"
    assert [one.code for one in found.steps] == ["no_card", "out_of_memory"]


def test_keeps_them_after_the_end_and_forgets_them_in_time(
    shop: Shop, site: FakeSite, placement: Placement
) -> None:
    round_at()
    with rls.tenant(shop.firm.pk):
        endpoints.stop(endpoint=Endpoint.objects.get(), by=shop.alice, now=NOON)
    for seconds in (2, 4):
        round_at(seconds)
    site.away = True

    assert texts(shop) == ["started"]
    assert engine_logs.forget(now=NOON + timedelta(days=29)) == 0
    assert engine_logs.forget(now=NOON + timedelta(days=31)) == 1
    assert texts(shop) == []


def test_stops_asking_a_site_that_never_comes_to_an_end(
    shop: Shop, site: FakeSite, placement: Placement
) -> None:
    round_at()
    asked: list[int] = []

    def endless(of: str, since: int) -> LogPage:
        asked.append(since)
        line = LogLine(number=since + 1, at_ms=0, text=f"line {since}")
        return LogPage(lines=(line,), next=since + 1)

    site.logs = endless  # type: ignore[method-assign]

    assert len(texts(shop)) == len(asked) == engine_logs.PAGES
