"""Who may open which page: one table for the whole cast. A URL that is missing here fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from portal.lib import ids
from portal.urls import urlpatterns
from tests.cast import browser
from tests.factories import CHAT
from tests.web.conftest import World

PEOPLE = ("anonymous", "nobody", "alice", "bob", "carol", "dan", "mallory", "olivia")

# Answers in the order of PEOPLE. "sign-in" and "found-one" are where doors.page_for sends those
# without a session and without an organization; "away" is any other redirect after a deed.
ANYBODY = "200 200 200 200 200 200 200 200"
MEMBERS = "sign-in found-one 200 200 200 200 200 200"

Words = Callable[[World], dict[str, Any]]


def nothing(world: World) -> dict[str, Any]:
    return {}


def endpoint_id(world: World) -> dict[str, Any]:
    return {"public_id": world.endpoint.public_id}


def shared_id(world: World) -> dict[str, Any]:
    return {"public_id": world.shared.public_id}


def key_id(world: World) -> dict[str, Any]:
    return {"public_id": world.key.public_id}


def invoice_id(world: World) -> dict[str, Any]:
    return {"public_id": world.invoice.public_id}


def a_model(world: World) -> dict[str, Any]:
    return {"slug": CHAT}


def a_site(world: World) -> dict[str, Any]:
    return {"code": world.site.code}


def own_firm(world: World) -> dict[str, Any]:
    return {"organization": world.cast.firm.public_id}


def bad_firm(world: World) -> dict[str, Any]:
    return {"kind": "operator", "name": "", "business_number": "1"}


def a_limit(world: World) -> dict[str, Any]:
    return {"limit_won": "200000000", "because": "더 많이"}


def a_key(world: World) -> dict[str, Any]:
    return {
        "name": "새 키",
        "project": world.cast.project.public_id,
        "mode": "live",
        "scopes": ["inference"],
        "rpm_limit": "60",
        "concurrency_limit": "16",
    }


def a_change(world: World) -> dict[str, Any]:
    return {
        "name": "anders",
        "scopes": ["inference"],
        "rpm_limit": "5",
        "concurrency_limit": "1",
    }


def an_overlap(world: World) -> dict[str, Any]:
    return {"overlap": "3600"}


def a_trial(world: World) -> dict[str, Any]:
    return {"model": CHAT}


def project_id(world: World) -> dict[str, Any]:
    return {"public_id": world.cast.project.public_id}


def a_project(world: World) -> dict[str, Any]:
    return {"name": ids.mint("p"), "data_class": "open"}


def an_order(world: World) -> dict[str, Any]:
    return {
        "name": f"주문-{ids.mint('x')}",
        "project": world.cast.project.public_id,
        "model": CHAT,
        "region": "daegu",
        "replicas": "1",
        "idempotency_key": ids.mint("idem"),
    }


@dataclass(frozen=True)
class Row:
    name: str
    method: str
    answers: str
    arguments: Words = nothing
    body: Words = nothing


TABLE = [
    Row("landing", "GET", ANYBODY),
    Row("display_settings", "POST", "away away away away away away away away"),
    Row("outbox", "GET", "404 404 404 404 404 404 404 404"),
    Row("gallery", "GET", ANYBODY),
    Row("healthz", "GET", ANYBODY),
    Row("readyz", "GET", ANYBODY),
    Row("home", "GET", MEMBERS),
    Row("organization_new", "GET", "sign-in 200 200 200 200 200 200 200"),
    Row("organization_new", "POST", "sign-in 422 422 422 422 422 422 422", body=bad_firm),
    Row("organization_switch", "POST", "sign-in 404 away away away away 404 404", body=own_firm),
    Row("members", "GET", "sign-in found-one 200 403 200 200 200 200"),
    Row("audit", "GET", "sign-in found-one 200 403 403 200 200 200"),
    Row("models", "GET", MEMBERS),
    Row("model", "GET", MEMBERS, a_model),
    Row("sites", "GET", MEMBERS),
    Row("site", "GET", MEMBERS, a_site),
    Row("endpoints", "GET", MEMBERS),
    Row("endpoint_new", "GET", "sign-in found-one 200 200 403 403 200 200"),
    # mallory and olivia name a project that is not theirs: the form knows no such choice
    Row("endpoint_new", "POST", "sign-in found-one away away 403 403 422 422", body=an_order),
    Row("endpoint_estimate", "GET", "sign-in found-one 200 200 403 403 200 200"),
    Row("endpoint", "GET", "sign-in found-one 200 200 200 200 404 200", endpoint_id),
    Row("endpoint", "GET", MEMBERS, shared_id),
    Row("endpoint_status", "GET", "sign-in found-one 200 200 200 200 404 200", endpoint_id),
    Row("endpoint_status", "GET", MEMBERS, shared_id),
    Row("endpoint_logs", "GET", "sign-in found-one 200 200 200 200 404 200", endpoint_id),
    Row("endpoint_stop", "POST", "sign-in found-one away away 403 403 404 away", endpoint_id),
    Row("endpoint_stop", "POST", "sign-in found-one away away 403 403 away away", shared_id),
    Row("keys", "GET", "sign-in found-one 200 200 403 200 200 200"),
    Row("key_new", "GET", "sign-in found-one 200 200 403 403 200 200"),
    Row("key_new", "POST", "sign-in found-one 200 200 403 403 422 422", body=a_key),
    Row("key", "GET", "sign-in found-one 200 200 403 200 404 404", key_id),
    Row("key_change", "GET", "sign-in found-one 200 200 403 403 404 404", key_id),
    Row("key_change", "POST", "sign-in found-one away away 403 403 404 404", key_id, a_change),
    # the key may read invoices, which bob may not: he is told so
    Row("key_rotate", "POST", "sign-in found-one 200 away 403 403 404 404", key_id, an_overlap),
    Row("key_test", "POST", "sign-in found-one 200 200 403 200 404 404", key_id, a_trial),
    Row("key_revocation", "GET", "sign-in found-one 200 200 403 200 404 404", key_id),
    Row("key_revoke", "POST", "sign-in found-one away away 403 403 404 404", key_id),
    Row("projects", "GET", MEMBERS),
    Row("project_new", "GET", "sign-in found-one 200 403 403 403 200 200"),
    Row("project_new", "POST", "sign-in found-one away 403 403 403 away away", body=a_project),
    Row("project", "GET", "sign-in found-one 200 200 200 200 404 404", project_id),
    Row("project", "POST", "sign-in found-one away 403 403 403 404 404", project_id, a_project),
    Row("project_archive", "POST", "sign-in found-one away 403 403 403 404 404", project_id),
    Row("project_restore", "POST", "sign-in found-one away 403 403 403 404 404", project_id),
    Row("usage", "GET", MEMBERS),
    Row("usage_csv", "GET", MEMBERS),
    Row("budget", "GET", MEMBERS),
    Row("budget_change", "GET", "sign-in found-one 200 403 200 403 200 200"),
    Row("budget_change", "POST", "sign-in found-one away 403 away 403 away away", body=a_limit),
    Row("invoices", "GET", "sign-in found-one 200 403 200 200 200 200"),
    Row("invoice", "GET", "sign-in found-one 200 403 200 200 404 404", invoice_id),
    Row("invoice_pdf", "GET", "sign-in found-one 200 403 200 200 404 404", invoice_id),
    Row("invoice_interim", "POST", "sign-in found-one away 403 away 403 away away"),
    Row("operator", "GET", "sign-in found-one 403 403 403 403 403 200"),
]
EVERY_METHOD = {"healthz", "readyz"}  # balancers ask as they like


def names_of(patterns: list[URLPattern | URLResolver]) -> list[str]:
    """Names of our own pages; the API has a table of its own, Django and allauth theirs."""
    return [one.name or str(one.pattern) for one in patterns if isinstance(one, URLPattern)]


def open_as(world: World, who: str, row: Row, method: str = "") -> HttpResponse:
    client = Client() if who == "anonymous" else browser(world.cast[who])
    url = reverse(row.name, kwargs=row.arguments(world))
    ask = getattr(client, (method or row.method).lower())
    answer: HttpResponse = ask(url, row.body(world))
    return answer


def word_of(answer: HttpResponse) -> str:
    """The answer in the table's words."""
    if answer.status_code != 302:
        return str(answer.status_code)
    place = answer["Location"]
    if place.startswith("/accounts/login/"):
        return "sign-in"
    return "found-one" if place == "/organizations/new/" else "away"


def test_has_a_row_for_every_page() -> None:
    assert set(names_of(urlpatterns)) == {row.name for row in TABLE}


READS = [row for row in TABLE if row.method == "GET"]
DEEDS = [row for row in TABLE if row.method == "POST"]


@pytest.mark.parametrize("who", PEOPLE)
def test_shows_each_person_the_pages_of_the_table(
    world: World, who: str, subtests: pytest.Subtests
) -> None:
    for row in READS:
        with subtests.test(row.name):
            assert word_of(open_as(world, who, row)) == row.answers.split()[PEOPLE.index(who)]


@pytest.mark.parametrize("row", DEEDS, ids=lambda row: row.name)
def test_lets_only_those_of_the_table_do_it(world: World, row: Row) -> None:
    found = {who: word_of(open_as(world, who, row)) for who in PEOPLE}

    assert found == dict(zip(PEOPLE, row.answers.split(), strict=True))


def test_refuses_other_methods(world: World, subtests: pytest.Subtests) -> None:
    for name in sorted({row.name for row in TABLE} - EVERY_METHOD):
        rows = [row for row in TABLE if row.name == name]
        for method in {"GET", "POST", "PUT", "DELETE"} - {row.method for row in rows}:
            with subtests.test(name, method=method):
                assert open_as(world, "alice", rows[0], method).status_code == 405


def test_refuses_a_form_without_its_token(world: World, subtests: pytest.Subtests) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.cast.alice.user)

    for row in DEEDS:
        with subtests.test(row.name):
            url = reverse(row.name, kwargs=row.arguments(world))
            assert client.post(url, row.body(world)).status_code == 403
