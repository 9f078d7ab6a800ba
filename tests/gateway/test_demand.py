"""What a gateway tells each second, and what it remembers of targets from table to table."""

from __future__ import annotations

from portal.gateway.demand import Traffic
from portal.routing.demand import EndpointDemand, TargetDemand, decode, encode
from portal.routing.table import EndpointRoutes, SiteInfo, Target

SITES = {"daegu-1": SiteInfo("daegu-1", "daegu", "healthy")}


def place(name: str, state: str = "healthy") -> Target:
    return Target(name, "daegu-1", "daegu", "rngd", "sha256:x", "http://h:1", "", "m", state=state)  # type: ignore[arg-type]


def routes(*targets: Target) -> EndpointRoutes:
    return EndpointRoutes("ep", 1, "m", "chat", 2048, 64, 8, targets)


def test_tells_a_second_once() -> None:
    traffic = Traffic("gw")
    one, other = traffic.candidates(routes(place("a"), place("b")), SITES, 1, 0)
    for _ in range(2):
        traffic.begin(one, 1)
    one.load.first_byte(30, 1)
    one.load.hear()
    one.load.end()
    traffic.begin(other, 1)
    other.load.hear()
    other.load.end()

    first = traffic.take(1000, {"ep": 3}, 1)
    second = traffic.take(2000, {}, 2)

    assert first.targets == (
        TargetDemand("a", 1, 2, 0, (30,), lately=1),
        TargetDemand("b", 0, 1, 0, ()),
    )
    assert first.endpoints == (EndpointDemand("ep", 3),)
    assert second.targets == (TargetDemand("a", 1, 0, 0, (), lately=1),)
    assert second.endpoints == ()
    assert decode(encode(first)) == first


def test_goes_on_telling_of_failures_while_a_target_is_avoided() -> None:
    traffic = Traffic("gw")
    [one] = traffic.candidates(routes(place("a")), SITES, 1, 0)
    for _ in range(8):
        traffic.begin(one, 1)
        traffic.fail(one, 1)
        one.load.hear()
        one.load.end()

    told = [traffic.take(second * 1000, {}, second).targets for second in range(1, 60)]

    lately = [(two.lately, two.failed_lately) for one_second in told for two in one_second]
    assert lately[0] == (8, 8)
    assert lately[5] == (5, 5)
    assert 20 < len(lately) < 40  # then it is forgotten


def test_remembers_a_target_from_table_to_table() -> None:
    traffic = Traffic("gw")
    [one] = traffic.candidates(routes(place("a")), SITES, 1, 0)
    traffic.begin(one, 1)

    again, new = traffic.candidates(routes(place("a"), place("b")), SITES, 1, 50)

    assert again.load is one.load
    assert (again.load.share(50), new.load.share(50)) == (1.0, 0.1)


def test_candidates_are_made_once_for_a_table() -> None:
    traffic = Traffic("gw")
    table = routes(place("a"))

    first = traffic.candidates(table, SITES, 1, 0)

    assert traffic.candidates(table, SITES, 1, 1) is first
    assert traffic.candidates(table, dict(SITES), 1, 1) is not first


def test_a_target_that_was_out_starts_slowly() -> None:
    traffic = Traffic("gw")
    traffic.candidates(routes(place("a", "out")), SITES, 1, 0)

    [one] = traffic.candidates(routes(place("a")), SITES, 1, 100)

    assert one.load.share(100) == 0.1


def test_forgets_endpoints_that_nobody_asks() -> None:
    traffic = Traffic("gw")
    table = routes(place("a"))
    [one] = traffic.candidates(table, SITES, 1, 0)
    traffic.begin(one, 0)

    traffic.take(0, {}, 1000)
    assert traffic.candidates(table, SITES, 1, 1000)[0] is one  # still in flight

    one.load.end()
    traffic.take(0, {}, 2000)
    assert traffic.candidates(table, SITES, 1, 2000)[0] is not one


def test_tells_for_some_seconds_that_nothing_ran_for_whoever_asked() -> None:
    traffic = Traffic("gw")
    traffic.find_asleep("ep", 1.0)
    traffic.find_asleep("ep", 1.5)

    told = [traffic.take(second * 1000, {"other": 1}, second).endpoints for second in (2, 6, 7)]

    waits = EndpointDemand("other", 1)
    assert told == [
        (EndpointDemand("ep", 0, 2), waits),
        (EndpointDemand("ep", 0, 2), waits),
        (waits,),
    ]
