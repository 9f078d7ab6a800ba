"""Every page and operation that answers 200, asked in process through the whole middleware stack.

What is asked comes from the permission tables of the tests, so that a new page is measured without
being named here. Asked by the large firm's owner, by the operator's staff and, where the table
lets it, by an API key; with filters, deep pages and the longest lists besides. Statements are
counted as PostgreSQL sees them, with savepoints and settings, without BEGIN and COMMIT.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from bench.servers import cpu_seconds
from tests.api.callers import bearer
from tests.api.rows import TABLE as OPERATIONS
from tests.cast import browser
from tests.web.conftest import World
from tests.web.rows import TABLE as PAGES
from tests.web.rows.row import PEOPLE

WARM, ROUNDS = 3, 40
# Not measured here: they wait for somebody else, make a document, or belong to other issues.
OUTSIDE = {
    "endpoint_logs": "waits for the site",
    "invoice_pdf": "a document of the money's issues, rendered by typst",
    "api_invoice_pdf": "as invoice_pdf",
    "funding_evidence": "documents of a whole programme in one file",
    "api_source_evidence": "as funding_evidence",
    "api_schema": "made once for those who write programs",
    "endpoint_new": "orders are another issue's, with its own bounds",
    "endpoint_estimate": "as endpoint_new",
    "invoice_draft": "the crowd's months are billed: no draft of theirs can be looked at",
    "api_invoice_draft": "as invoice_draft",
}
# Filters and deep pages; the words fit what ``bench.crowd`` makes.
FURTHER = {
    "audit": (
        "group=rights",
        "actor=서연",
        "verb=key.create",
        "since=2026-11-10&until=2026-11-16",
        "group=access&actor=서연&verb=member",
    ),
    "audit_export": ("format=jsonl", "actor=서연"),
    "members": ("page=9", "role=developer&text=서연"),
    "keys": ("page=6", "show=unused", "show=expiring&text=접수", "show=ended"),
    "access_review": ("page=12", "show=open", "show=key"),
    "notices": ("page=30", "unread=1", "severity=warning"),
    "customers": ("page=19", "text=병원", "state=suspended", "text=900000&state=active"),
    "deputies": ("page=3",),
    "endpoints": ("stopped=1",),
    "projects": ("page=2",),
    "api_audit": ("actor=서연", "group=rights&verb=key"),
    "api_customers": ("text=병원",),
}


@dataclass
class Asked:
    """One address, asked by one caller."""

    name: str
    who: str
    url: str
    times: list[float] = field(default_factory=list)  # seconds of a core
    walls: list[float] = field(default_factory=list)  # seconds on the clock
    statements: int = 0
    queries: int = 0

    @property
    def p95_ms(self) -> float:
        return statistics.quantiles(self.times, n=20)[-1] * 1000

    @property
    def median_ms(self) -> float:
        return statistics.median(self.times) * 1000

    @property
    def wall_p95_ms(self) -> float:
        return statistics.quantiles(self.walls, n=20)[-1] * 1000


def addresses(world: World) -> Iterator[Asked]:
    """Everything that is to be read, by whom the tables let."""
    for page in PAGES:
        if page.method == "GET" and page.name not in OUTSIDE:
            answers = dict(zip(PEOPLE, page.answers.split(), strict=True))
            url = reverse(page.name, kwargs=page.arguments(world))
            yield from _each(page.name, url, answers["alice"], answers["olivia"])
    for operation in OPERATIONS:
        if operation.method == "GET" and operation.name not in OUTSIDE:
            alice, _bob, _carol, _dan, _mallory, olivia, key, _foreign = operation.answers.split()
            url = f"/api/v1/{operation.path(world)}"
            yield from _each(operation.name, url, alice, olivia, key)


def _each(name: str, url: str, owner: str, operator: str, key: str = "") -> Iterator[Asked]:
    for who, answer in (("owner", owner), ("operator", operator), ("key", key)):
        if answer == "200":
            yield Asked(name, who, url)
            for more in FURTHER.get(name, ()):
                yield Asked(name, who, f"{url}?{more}")


def callers(world: World) -> dict[str, Client]:
    """Sessions and a key, as a browser and a program have them."""
    return {
        "owner": browser(world.cast.alice),
        "operator": browser(world.cast.olivia),
        "key": bearer(world.secret),
    }


class Counted:
    """Statements of one request. ``queries`` leaves out savepoints and settings."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, execute: Callable[..., Any], sql: Any, *rest: Any) -> Any:
        self.seen.append(str(sql))
        return execute(sql, *rest)

    @property
    def queries(self) -> list[str]:
        return [one for one in self.seen if not _is_housekeeping(one)]


def _is_housekeeping(sql: str) -> bool:
    return (
        sql.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK", "SET "))
        or "set_config(" in sql
        or "current_setting(" in sql
    )


def ask(client: Client, one: Asked) -> Counted:
    """One request, noted in ``one``. Of a stream, the time until its first piece."""
    counted = Counted()
    with connection.execute_wrapper(counted):
        began, before = time.perf_counter(), booked()
        answer = client.get(one.url)
        if getattr(answer, "streaming", False):
            next(iter(answer.streaming_content))  # type: ignore[attr-defined]
        one.times.append(booked() - before)
        one.walls.append(time.perf_counter() - began)
        answer.close()
    assert answer.status_code == 200, (one.who, one.url, answer.status_code, _text(answer))
    one.statements = max(one.statements, len(counted.seen))
    one.queries = max(one.queries, len(counted.queries))
    return counted


def booked() -> float:
    """CPU seconds so far of this process and of its connection's backend, as the kernel books."""
    connection.ensure_connection()
    return time.process_time() + cpu_seconds([connection.connection.info.backend_pid])


def _text(answer: Any) -> str:
    return "" if answer.streaming else answer.content.decode("utf-8", "replace")[:500]


def measure(world: World, *, rounds: int = ROUNDS, most_ms: float = 0.0) -> list[Asked]:
    """All of them, one after the other, each some rounds after it is warm. A deed of the first
    request (that somebody looked) counts among its queries. What was above ``most_ms`` is asked
    again at the end, since a neighbour on the machine may have been in the way; the better counts.
    """
    clients = callers(world)
    found = [*addresses(world), *_longest(world, clients)]
    for one in found:
        ask_often(clients[one.who], one, rounds)
    for one in found if most_ms else ():
        if one.p95_ms > most_ms:
            before = one.times, one.walls, one.p95_ms
            ask_often(clients[one.who], one, rounds)
            if one.p95_ms > before[2]:
                one.times, one.walls = before[:2]
    return found


def ask_often(client: Client, one: Asked, rounds: int) -> None:
    """So many times, after some that do not count."""
    one.times, one.walls = [], []
    for _ in range(min(WARM, rounds // 2)):
        ask(client, one)
    one.times, one.walls = [], []
    for _ in range(rounds):
        ask(client, one)


def _longest(world: World, clients: dict[str, Client]) -> Iterator[Asked]:
    """Lists of the API with as many rows as one may ask for, and where those go on."""
    for one in addresses(world):
        if one.name.startswith("api_") and "?" not in one.url:
            answer = clients[one.who].get(f"{one.url}?limit=200")
            body = _json(answer)
            if "data" in body and "next" in body:
                yield Asked(one.name, one.who, f"{one.url}?limit=200")
                if body["next"]:
                    yield Asked(one.name, one.who, _address(one.url, body["next"]))


def _address(url: str, following: str) -> str:
    """Where a list goes on: an address, or a cursor for this one."""
    if following.startswith("http"):
        return following.replace("http://testserver", "")
    return f"{url}?limit=200&cursor={following}"


def _json(answer: HttpResponse) -> dict[str, Any]:
    if answer.status_code != 200 or answer["Content-Type"] != "application/json":
        return {}
    found = json.loads(answer.content)
    return found if isinstance(found, dict) else {}
