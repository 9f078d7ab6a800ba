"""Who may open which page: one table for the whole cast. A URL that is missing here fails."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from portal.urls import urlpatterns
from tests.cast import browser
from tests.web.conftest import World
from tests.web.rows import TABLE
from tests.web.rows.row import PEOPLE, Row

EVERY_METHOD = {"healthz", "readyz"}  # balancers ask as they like


def names_of(patterns: list[URLPattern | URLResolver]) -> list[str]:
    """Names of our own pages; the API has a table of its own, Django and allauth theirs."""
    return [one.name or str(one.pattern) for one in patterns if isinstance(one, URLPattern)]


def client_of(world: World, who: str) -> Client:
    return Client() if who == "anonymous" else browser(world.cast[who])


def open_with(client: Client, world: World, row: Row, method: str = "") -> HttpResponse:
    url = reverse(row.name, kwargs=row.arguments(world))
    ask = getattr(client, (method or row.method).lower())
    answer: HttpResponse = ask(url, row.body(world))
    return answer


def open_as(world: World, who: str, row: Row) -> HttpResponse:
    """In a browser of its own: a deed may end the session."""
    return open_with(client_of(world, who), world, row)


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
    client = client_of(world, who)

    for row in READS:
        with subtests.test(row.name):
            found = word_of(open_with(client, world, row))
            assert found == row.answers.split()[PEOPLE.index(who)]


@pytest.mark.parametrize("row", DEEDS, ids=lambda row: row.name)
def test_lets_only_those_of_the_table_do_it(world: World, row: Row) -> None:
    found = {who: word_of(open_as(world, who, row)) for who in PEOPLE}

    assert found == dict(zip(PEOPLE, row.answers.split(), strict=True))


def test_refuses_other_methods(world: World, subtests: pytest.Subtests) -> None:
    client = client_of(world, "alice")

    for name in sorted({row.name for row in TABLE} - EVERY_METHOD):
        rows = [row for row in TABLE if row.name == name]
        for method in {"GET", "POST", "PUT", "DELETE"} - {row.method for row in rows}:
            with subtests.test(name, method=method):
                assert open_with(client, world, rows[0], method).status_code == 405


def test_refuses_a_form_without_its_token(world: World, subtests: pytest.Subtests) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.cast.alice.user)

    for row in DEEDS:
        with subtests.test(row.name):
            url = reverse(row.name, kwargs=row.arguments(world))
            assert client.post(url, row.body(world)).status_code == 403
