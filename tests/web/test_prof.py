import cProfile, pstats, time
from tests import factories
from tests.cast import Cast
from billing import invoices, budgets
from datetime import timedelta
from tests.factories import NOON


def test_x(cast: Cast, valkey_url: str):
    import time

    t = time.perf_counter()
    factories.catalogue()
    print("cat", time.perf_counter() - t)
    t = time.perf_counter()
    site = factories.site(cards=20)
    print("site", time.perf_counter() - t)
    t = time.perf_counter()
    factories.budget(cast.firm)
    print("budget", time.perf_counter() - t)
    t = time.perf_counter()
    budgets.admission.cache_clear()
    budgets.publish(factories.budget(cast.firm), cast.firm)
    print("publish", time.perf_counter() - t)
    t = time.perf_counter()
    e = factories.endpoint(cast.project)
    factories.placement(e, site)
    print("ep", time.perf_counter() - t)
    t = time.perf_counter()
    factories.api_key(cast.project, cast.alice.may)
    print("key", time.perf_counter() - t)
    t = time.perf_counter()
    factories.ledger_entry(
        cast.project, at=NOON - timedelta(hours=1), tokens_in=2_000_000, tokens_out=1_000_000
    )
    print("led", time.perf_counter() - t)
    t = time.perf_counter()
    invoices.issue_interim(organization=cast.firm, by=cast.alice.may, now=NOON)
    print("inv", time.perf_counter() - t)
