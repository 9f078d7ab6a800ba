"""What row-level security costs: nine busy queries with the wall and past it, in turn.

The statements are those that the product itself sends, caught on their way with their settings.
Each runs in a transaction of the same shape (BEGIN, settings, the query, COMMIT) on two
connections: the programs' role, which every policy holds, and a superuser, whom none does. Turns
alternate, so that whatever else the machine does meets both; medians are compared. Timed is the
query alone as the client sees it: planning, running, fetching.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection

from bench import servers
from bench.pages import callers
from portal.routing import snapshot
from tests.web.conftest import World

TURNS = 400
SETTINGS = (
    "SELECT set_config('app.org', %s, true), set_config('app.user', %s, true), "
    "set_config('role', %s, true)"
)


@dataclass(frozen=True)
class Busy:
    """A query, why it is among the busiest, where it is asked, and what is in its text."""

    name: str
    because: str
    at: str
    marks: tuple[str, ...]
    who: str = "owner"


BUSY = (
    Busy("memberships", "each request with a session", "/roles/", ('FROM "tenants_membership"',)),
    Busy("frame", "each page", "/roles/", ('"tenants_notice"', '"tenants_operatorhold"')),
    Busy("key", "each call of the API", "/api/v1/keys", ('"sha256" =', "tenants_apikey"), "key"),
    Busy("publisher", "each second", "", ('FROM "tenants_apikey"',)),
    Busy("key list", "the page most opened", "/keys/", ('FROM "tenants_apikey"', "LIMIT ")),
    Busy("uses", "beside each list of keys", "/keys/", ('FROM "usage_ledgerentry"',)),
    Busy("days", "home, for everybody", "/home/", ('FROM "usage_ledgerentry"', "GROUP BY 1")),
    Busy("members", "the list of people", "/members/", ('FROM "tenants_membership"', "LIMIT ")),
    Busy("audit", "the longest table", "/audit/", ('FROM "tenants_auditevent"', "LIMIT ")),
)


@dataclass(frozen=True)
class Caught:
    """A statement as it was sent, and the settings that were in force."""

    sql: str
    words: Any
    scope: tuple[str, str, str]


@dataclass(frozen=True)
class Cost:
    busy: Busy
    walled_us: float
    open_us: float

    @property
    def percent(self) -> float:
        return (self.walled_us / self.open_us - 1) * 100


class _Catching:
    """Keeps the first statement that has all marks."""

    def __init__(self, marks: tuple[str, ...]) -> None:
        self.marks = marks
        self.scope = ("", "", "none")
        self.caught: Caught | None = None

    def __call__(self, execute: Callable[..., Any], sql: Any, words: Any, *rest: Any) -> Any:
        text = str(sql)
        if "set_config(" in text:
            self.scope = tuple(words)  # type: ignore[assignment]
        elif self.caught is None and all(mark in text for mark in self.marks):
            self.caught = Caught(text, words, self.scope)
        return execute(sql, words, *rest)


def catch(world: World, busy: Busy, now: datetime) -> Caught:
    """The statement, out of a real request or the publisher's look."""
    catching = _Catching(busy.marks)
    with connection.execute_wrapper(catching):
        if busy.at:
            assert callers(world)[busy.who].get(busy.at).status_code == 200
        else:
            snapshot.take(now=now, demands=[])
    assert catching.caught is not None, busy.name
    return catching.caught


def measure(
    world: World, *, now: datetime, turns: int = TURNS, most_percent: float = 0.0
) -> list[Cost]:
    """Both ways, turn by turn; what was above ``most_percent`` again, with three times as many."""
    caught = [(busy, catch(world, busy, now)) for busy in BUSY]
    database = settings.DATABASES["default"]
    with (
        psycopg.connect(servers.superuser_url(), cursor_factory=psycopg.ClientCursor) as past,
        psycopg.connect(
            host=database["HOST"],
            port=database["PORT"],
            user=database["USER"],
            password=database["PASSWORD"],
            dbname=database["NAME"],
            cursor_factory=psycopg.ClientCursor,
        ) as walled,
    ):
        costs = []
        for busy, one in caught:
            cost = _compare(busy, one, walled, past, turns)
            if most_percent and cost.percent > most_percent:
                cost = _compare(busy, one, walled, past, 3 * turns)
            costs.append(cost)
        return costs


def _compare(
    busy: Busy, one: Caught, walled: psycopg.Connection, past: psycopg.Connection, turns: int
) -> Cost:
    times: dict[str, list[float]] = {"walled": [], "past": []}
    ways = {"walled": (walled, one.scope), "past": (past, (*one.scope[:2], "none"))}
    rows = {name: _run(server, scope, one)[1] for name, (server, scope) in ways.items()}
    assert rows["walled"] == rows["past"], (busy.name, rows)
    for turn in range(turns):
        for name in ("walled", "past") if turn % 2 else ("past", "walled"):
            server, scope = ways[name]
            times[name].append(_run(server, scope, one)[0])
    return Cost(
        busy, statistics.median(times["walled"]) * 1e6, statistics.median(times["past"]) * 1e6
    )


def _run(server: psycopg.Connection, scope: tuple[str, str, str], one: Caught) -> tuple[float, int]:
    """Seconds, and how many rows came."""
    with server.transaction(), server.cursor() as cursor:
        cursor.execute(SETTINGS, scope)
        began = time.perf_counter()
        cursor.execute(one.sql.encode(), one.words)
        rows = len(cursor.fetchall())
        return time.perf_counter() - began, rows
