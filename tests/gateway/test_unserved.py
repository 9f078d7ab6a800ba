"""What no site took is counted once by the gateway that refused it, and told until it was heard."""

from __future__ import annotations

import http.client
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.admission import keys
from portal.gateway import unserved
from portal.gateway.client import ClientLeft
from portal.gateway.errors import Problem, invalid, no_eligible_site, no_room
from portal.gateway.unserved import MOST_KINDS, MOST_ROWS, Unserved, code_of
from portal.usage.unserved import Row, Told, decode, slot_of
from tests.fakes.upstream import Upstream
from tests.gateway.test_jobs import send
from tests.gateway.world import GatewayProcess, World, free_port, target, wait_until

NOW = 1_790_000_004_000
WHOSE = ("org_a", "prj_a", "ep_a")


def told(world: World) -> list[Told]:
    found: Any = world.client.xrange(keys.UNSERVED)
    return [decode(fields[b"told"]) for _, fields in found]


def totals(world: World) -> Counter[tuple[str, str]]:
    """(endpoint, code) → requests, of all runs that were told."""
    most: dict[tuple[str, Row], int] = {}
    for one in told(world):
        for row in one.rows:
            kind = (one.run, msgspec.structs.replace(row, count=0))
            most[kind] = max(most.get(kind, 0), row.count)
    found: Counter[tuple[str, str]] = Counter()
    for (_, row), count in most.items():
        found[row.endpoint, row.code] += count
    return found


def test_tells_totals_until_they_were_heard() -> None:
    counts = Unserved("gw", NOW)
    counts.note(WHOSE, "overloaded", NOW, NOW)
    counts.note(WHOSE, "overloaded", NOW + 1000, NOW + 1000)
    lost = counts.take(NOW + 1000)
    counts.note(WHOSE, "overloaded", NOW + 2000, NOW + 2000)

    again = counts.take(NOW + 2000)

    assert [one.count for one in lost.rows] == [2]
    assert again.rows == (Row(*WHOSE, "overloaded", slot_of(NOW), 3),)
    counts.heard(lost)  # an older one: what came since stays to be told
    assert counts.take(NOW + 3000).rows == again.rows
    counts.heard(again)
    assert counts.take(NOW + 3000).rows == ()
    counts.again()
    assert counts.take(NOW + 3000).rows == again.rows


def test_counts_in_the_slot_in_which_the_request_came() -> None:
    counts = Unserved("gw", NOW)
    counts.note(WHOSE, "overloaded", NOW - 30_000, NOW)
    counts.note(WHOSE, "overloaded", NOW - 3_600_000, NOW)  # longer than anything is remembered

    slots = [one.slot for one in counts.take(NOW).rows]

    assert slots == [slot_of(NOW - 30_000), slot_of(NOW - 900_000)]


def test_is_bounded_and_says_what_it_lost() -> None:
    counts = Unserved("gw", NOW)
    for number in range(MOST_KINDS + 1):
        counts.note(("org_a", "prj_a", f"ep_{number}"), "overloaded", NOW, NOW + number)

    first = counts.take(NOW + 9999)

    assert (len(first.rows), first.until_ms, first.lost_ms) == (MOST_ROWS, NOW, NOW + MOST_KINDS)
    assert not counts.take(NOW, over=True).over  # there is more to tell
    while counts.has_news:
        counts.heard(counts.take(NOW + 9999))
    assert counts.until_ms == NOW + 9999
    counts.heard(counts.take(NOW + 7_200_000))
    assert not counts._counts


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (no_eligible_site("none"), "no_eligible_site"),
        (no_room(3, 1), "overloaded"),
        (Problem(504, "site_timeout", "late"), "site_timeout"),
        (invalid("wrong", None), ""),
        (Problem(429, "rate_limit_exceeded", "slow down"), ""),
        (Problem(401, "key_no_longer_valid", "over"), ""),
        (ClientLeft(), ""),
        (RuntimeError(), "internal_error"),
    ],
)
def test_only_what_is_not_the_clients_own_counts(failure: BaseException, code: str) -> None:
    assert code_of(failure) == code


@given(st.lists(st.sampled_from(["note", "lose", "hear", "late", "restart"]), max_size=40))
def test_whatever_is_lost_or_repeated_the_highest_totals_are_what_came(steps: list[str]) -> None:
    counts, came, now = Unserved("gw", NOW), 0, NOW
    sent: list[Told] = []
    stored: list[Told] = []
    for step in [*steps, "restart", "hear"]:
        now += 700
        if step == "note":
            counts.note(WHOSE, "overloaded", now, now)
            came += 1
        elif step == "restart":  # of Valkey, which has lost everything
            stored.clear()
            counts.again()
        elif step == "late" and sent:
            stored.append(sent[0])  # was executed after all, and twice
        elif step in ("lose", "hear"):
            sent.append(counts.take(now))
            if step == "hear":
                stored.append(sent[-1])
                counts.heard(sent[-1])

    most: dict[int, int] = {}
    for one in stored:
        for row in one.rows:
            most[row.slot] = max(most.get(row.slot, 0), row.count)
    assert sum(most.values()) == came


def settle_down(world: World, gateway: GatewayProcess) -> None:
    world.publish()
    wait_until(lambda: gateway.get("/ready")[1].get("table") == world.number)


def test_counts_what_no_site_took_and_nothing_else(
    start: Any, world: World, upstream: Upstream
) -> None:
    gateway = start(DURE_GATEWAY_COLD_SECONDS="0")
    world.endpoint("none")
    world.endpoint("gone", target("gone", f"http://127.0.0.1:{free_port()}", "ok"))
    world.endpoint("broken", target("broken", upstream.url, "500"))
    world.endpoint("wrong", target("wrong", upstream.url, "refuse"))
    world.endpoint("cut", target("cut", upstream.url, "die"))
    settle_down(world, gateway)
    began = time.time_ns() // 1_000_000

    assert gateway.chat("none")[0] == 503
    assert gateway.chat("gone")[0] == 503
    assert gateway.chat("broken")[0] == 502
    assert gateway.chat("broken", stream=True, max_tokens=5)[0] == 502
    # What follows is answered, in the ledger, or the client's own.
    assert gateway.chat("smollm2")[0] == 200
    gateway.send("POST", "/v1/chat/completions", _chat("cut"), _headers(world))
    assert gateway.chat("wrong")[0] == 400
    assert gateway.chat("smollm2", temperature="hot")[0] == 400
    assert gateway.chat("nothing")[0] == 404
    world.change_grant(rpm=1)
    wait_until(lambda: gateway.chat("smollm2")[0] == 429)
    assert gateway.chat("none")[0] == 429
    wait_until(lambda: totals(world).total() >= 4)
    scraped = gateway.send("GET", "/metrics", None, {})[2].decode()
    gateway.stop()

    assert [line for line in scraped.splitlines() if line.startswith("dure_unserved_total")] == [
        'dure_unserved_total{code="no_eligible_site"} 2.0',
        'dure_unserved_total{code="site_failed"} 2.0',
    ]
    assert totals(world) == {
        ("ep_none", "no_eligible_site"): 1,
        ("ep_gone", "no_eligible_site"): 1,
        ("ep_broken", "site_failed"): 2,
    }
    last = told(world)[-1]
    assert last.over
    assert {one.run for one in told(world)} == {last.run}
    assert began <= last.until_ms
    rows = [row for one in told(world) for row in one.rows]
    assert {(row.organization, row.project) for row in rows} == {("org_gate", "prj_gate")}
    assert all(slot_of(began) <= row.slot <= slot_of(last.until_ms) for row in rows)


def _headers(world: World) -> dict[str, str]:
    return {"authorization": f"Bearer {world.key}", "content-type": "application/json"}


def _chat(model: str) -> bytes:
    return (
        b'{"model": "%b", "stream": true, "messages": [{"role": "user", "content": "x"}]}'
        % model.encode()
    )


def test_counts_whom_a_full_queue_turned_away_but_no_lines_of_jobs(
    start: Any, world: World, upstream: Upstream
) -> None:
    upstream.engine.think = 1.0
    gateway = start(DURE_GATEWAY_QUEUE_MOST_EACH="1")
    world.endpoint("busy", target("one", upstream.url, "think", slots=1))
    settle_down(world, gateway)

    with ThreadPoolExecutor(5) as pool:
        people = [pool.submit(gateway.chat, "busy") for _ in range(5)]
        wait_until(lambda: upstream.engine.thinking == 1)
        line = send(gateway, world, model="busy")
    gateway.stop()

    assert line[0] == 429
    assert Counter(one.result()[0] for one in people) == {200: 2, 429: 3}
    assert totals(world) == {("ep_busy", "overloaded"): 3}


def test_who_leaves_while_waiting_is_not_counted(start: Any, world: World) -> None:
    gateway = start()
    world.endpoint("none")
    settle_down(world, gateway)
    client = http.client.HTTPConnection("127.0.0.1", gateway.port)
    client.request("POST", "/v1/chat/completions", _chat("none"), _headers(world))
    wait_until(lambda: world.held() > 0)

    client.close()
    wait_until(lambda: world.held() == 0)
    gateway.stop()

    assert totals(world) == {}
    assert told(world)[-1].over


def test_two_gateways_and_one_that_is_killed_lose_what_they_had_not_told(
    start: Any, world: World
) -> None:
    one = start("one", DURE_GATEWAY_COLD_SECONDS="0", DURE_GATEWAY_ID="one")
    two = start("two", DURE_GATEWAY_COLD_SECONDS="0", DURE_GATEWAY_ID="two")
    world.endpoint("none")
    world.publish()
    for gateway in (one, two):
        wait_until(lambda g=gateway: g.get("/ready")[1].get("table") == world.number)

    for _ in range(5):
        assert one.chat("none")[0] == 503
        assert two.chat("none")[0] == 503
    wait_until(lambda: totals(world)["ep_none", "no_eligible_site"] == 10)
    one.kill()
    again = one.start()
    assert again.chat("none")[0] == 503
    wait_until(lambda: totals(world)["ep_none", "no_eligible_site"] == 11)
    again.stop()
    two.stop()

    runs = {told.run: told for told in told(world)}
    assert Counter(told.gateway for told in runs.values()) == {"one": 2, "two": 1}
    assert Counter(told.over for told in runs.values()) == {True: 2, False: 1}


def test_goes_on_when_nobody_reads(start: Any, world: World) -> None:
    gateway = start(DURE_GATEWAY_COLD_SECONDS="0")
    world.endpoint("none")
    settle_down(world, gateway)
    pipe = world.client.pipeline(transaction=False)
    for _ in range(unserved.MOST_WAITING + 1):
        pipe.xadd(keys.UNSERVED, {"told": b""})
    pipe.execute()

    assert gateway.chat("none")[0] == 503
    wait_until(lambda: "unserved.nobody_reads" in gateway.log.read_text())
    world.client.xtrim(keys.UNSERVED, maxlen=0, approximate=False)

    wait_until(lambda: totals(world)["ep_none", "no_eligible_site"] == 1)
