"""The pages and operations of answered requests, and what attackers try with them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portal.lib import ids
from portal.usage import requests
from portal.usage.models import OrphanedEvent
from tenants import rls
from tenants.models import Membership
from tests import factories
from tests.api.callers import send
from tests.cast import browser
from tests.factories import NOON
from tests.web.conftest import World
from tests.web.rows.requests import request_id


def entry(world: World, **fields: object) -> UUID:
    """One more request of the firm; its id."""
    values: dict[str, object] = {"key": world.key.public_id, "endpoint": world.endpoint.public_id}
    factories.ledger_entry(world.cast.project, **values | {"at": NOON} | fields)  # type: ignore[arg-type]
    found = request_id(world)["request_id"]
    assert isinstance(found, UUID)
    return found


def an_orphan(world: World, id_: UUID | str, **fields: object) -> None:
    with rls.everyone(because="test set-up"):
        OrphanedEvent.objects.create(
            organization=world.cast.firm,
            request_id=UUID(str(id_)),
            cell=1,
            hold_micro=1_500_000,
            seen_at=NOON,
            **fields,
        )


def text(client: Client, name: str, *path: object, **query: str) -> str:
    answer = client.get(reverse(name, args=path), query, headers={"accept-language": "en"})
    assert answer.status_code == 200
    content: str = answer.content.decode()
    return content


@pytest.fixture
def alice(world: World) -> Client:
    return browser(world.cast.alice)


# ─── the list ──────────────────────────────────────────────────────────────────────────────────


def test_names_what_it_lists(world: World, alice: Client) -> None:
    found = entry(world)

    page = text(alice, "requests")

    assert reverse("request", args=[found]) in page
    assert world.cast.project.name in page and world.key.name in page
    assert world.site.title in page and "SmolLM2" in page


def test_is_opened_from_a_key(world: World, alice: Client) -> None:
    page = text(alice, "key", world.key.public_id)

    assert f"{reverse('requests')}?key={world.key.public_id}&amp;since=2026-10-17" in page


def test_names_no_key_to_whom_may_see_none(world: World) -> None:
    entry(world)

    page = text(browser(world.cast.carol), "requests")

    assert world.key.name not in page and world.key.public_id in page
    assert 'name="key"' not in page


def test_asks_as_often_for_fifty_rows_as_for_one(world: World, alice: Client) -> None:
    asked = []
    text(alice, "requests")  # the first page of a session keeps that it is in use
    for more in (1, 60):
        for number in range(more):
            entry(world, at=NOON - timedelta(seconds=number), key=f"key_{number}")
        with CaptureQueriesContext(connection) as queries:
            text(alice, "requests")
        asked.append(sum(" FROM " in one["sql"] for one in queries))

    print(f"queries of the list of requests: {asked}")
    assert asked[0] == asked[1] <= 12


def test_walks_back_by_keyset_and_forth_to_the_newest(world: World, alice: Client) -> None:
    for number in range(requests.PAGE + 1):
        entry(world, at=NOON - timedelta(minutes=number + 10))

    first = text(alice, "requests", since="2026-11-16", until="2026-11-16")
    with rls.tenant(world.cast.firm.pk):
        older = requests.page(world.cast.alice.may, requests.Filters(*[NOON.date()] * 2)).older
    second = text(alice, "requests", since="2026-11-16", until="2026-11-16", cursor=older)

    assert "Older" in first and "Newest" not in first
    assert "Newest" in second and "Older" not in second
    assert second.count('<th scope="row">') == 3  # 51 and the world's two, less the first 50


@pytest.mark.parametrize("cursor", ["x", "1-1", "9" * 400, "1-1:ü", ":", "\x00"])
def test_refuses_a_forged_cursor(world: World, alice: Client, cursor: str) -> None:
    page = alice.get(reverse("requests"), {"cursor": cursor})
    call = alice.get("/api/v1/requests", {"cursor": cursor})

    assert page.status_code in {200, 400} and (page.status_code == 400 or cursor == "\x00")
    assert call.status_code in {400, 422}


def test_refuses_anothers_cursor(world: World, alice: Client) -> None:
    for number in range(3):
        entry(world, at=NOON - timedelta(minutes=number))
    older = send(alice, "GET", "requests?limit=1").json()["next"].partition("cursor=")[2]
    older = older.partition("&")[0]

    mallory = browser(world.cast.mallory)

    assert send(alice, "GET", f"requests?cursor={older}").status_code == 200
    assert send(mallory, "GET", f"requests?cursor={older}").status_code == 400
    assert mallory.get(f"{reverse('requests')}?cursor={older}").status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        {"since": "gestern"},
        {"since": "2026-11-16", "until": "2026-11-01"},
        {"since": "0001-01-01"},
        {"until": "9999-12-31"},
        {"outcome": "x"},
        {"only": "x"},
        {"request": "x"},
        {"request": "6f9619ff-8b86-4011-b42d-00cf4fc964ff"},
        {"project": "a\x00b"},
    ],
)
def test_says_what_makes_no_sense_and_leaves_it_out(
    world: World, alice: Client, query: dict[str, str]
) -> None:
    page = text(alice, "requests", **query)

    assert 'class="error"' in page
    assert reverse("request", args=[request_id(world)["request_id"]]) in page


def test_says_that_nothing_fits_and_how_to_go_on(world: World, alice: Client) -> None:
    page = text(alice, "requests", key="key_unknown")

    assert "No request fits" in page and f'href="{reverse("requests")}"' in page
    assert '<option value="key_unknown" selected>' in page


def test_says_that_there_is_nothing_yet(world: World) -> None:
    page = text(browser(world.cast.mallory), "requests")

    assert "No request in these days" in page and "See how to call" in page


def test_finds_an_id_whatever_the_days(world: World, alice: Client) -> None:
    found = str(entry(world))

    page = text(alice, "requests", since="2026-10-01", until="2026-10-02", request=f" {found} ")

    assert reverse("request", args=[found]) in page


def test_shows_what_was_written_off_and_what_is_unknown(world: World, alice: Client) -> None:
    entry(world, written_off_micro=2_500_000, late=True, outcome="cut_short", counted="none")

    page = text(alice, "requests", only="written_off")

    assert "₩2.5 written off" in page and "settled late" in page and "Cut short" in page
    assert 'data-label="Tokens in">–' in page


# ─── the file ──────────────────────────────────────────────────────────────────────────────────


def table(client: Client, **query: str) -> list[dict[str, str]]:
    answer = client.get(reverse("requests_csv"), query)
    pieces: Iterator[bytes] = answer.streaming_content  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(b"".join(pieces).decode("utf-8-sig"))))


def test_the_file_has_what_the_list_has(world: World, alice: Client) -> None:
    found = entry(world, written_off_micro=5, first_byte_at=NOON + timedelta(milliseconds=7))
    entry(world, at=NOON - timedelta(days=1), site="=busan")

    rows = table(alice, since="2026-11-16")

    assert len(rows) == 3 and rows[0]["request_id"] == str(found)
    assert (rows[0]["cost_won"], rows[0]["written_off_won"]) == ("0.015005", "0.000005")
    assert (rows[0]["first_byte_ms"], rows[0]["duration_ms"]) == ("7", "1000")
    assert rows[0]["admitted_at"] == "2026-11-16T12:00:00.000+09:00"
    assert table(alice, site="=busan")[0]["site"] == "'=busan"


def test_a_file_that_ends_early_says_so(
    world: World, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "EXPORT_MOST", 1)

    rows = table(alice)

    assert len(rows) == 2 and "1" in rows[1]["request_id"] and not rows[1]["cost_won"]


def test_mallorys_file_is_empty(world: World) -> None:
    assert table(browser(world.cast.mallory), project=world.cast.project.public_id) == []


# ─── one request ───────────────────────────────────────────────────────────────────────────────


def test_shows_course_counts_and_cost_with_links(world: World, alice: Client) -> None:
    found = entry(
        world,
        tokens_cached=40,
        attempts=2,
        first_byte_at=NOON + timedelta(milliseconds=412),
        counted="counted",
    )

    page = text(alice, "request", found)

    assert "12:00:00.000" in page and "after 412 ms" in page and "after 1,000 ms" in page
    assert "2 attempts" in page and "the gateway counted" in page
    assert "₩0.0036" in page and "₩0.0024" in page and "₩0.009" in page and "₩0.015" in page
    for name, to in (
        ("project", world.cast.project),
        ("key", world.key),
        ("endpoint", world.endpoint),
    ):
        assert f'href="{reverse(name, args=[to.public_id])}"' in page


def test_shows_how_long_it_waited_and_what_was_pretended(world: World, alice: Client) -> None:
    told = entry(world, data_class="medical", simulated=True, waited_ms=1234, replayable=False)
    page = text(alice, "request", told)
    assert "1,234 ms in the queue" in page and "simulated" in page and "Medical" in page

    at_once = entry(world, data_class="open", simulated=False, waited_ms=0, replayable=False)
    page = text(alice, "request", at_once)
    assert "in the queue" not in page and "real hardware" in page

    page = text(alice, "request", entry(world))  # from before: nothing is made up
    assert "in the queue" not in page and "<dt>Hardware</dt>" not in page


def test_links_nowhere_a_role_may_not_go(world: World) -> None:
    found = entry(world)

    page = text(browser(world.cast.carol), "request", found)

    assert reverse("key", args=[world.key.public_id]) not in page
    assert world.key.public_id in page


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"late": True}, "The settlement came after the hold had ended"),
        ({}, "The settlement came after the hold had ended"),
        ({"hold_micro": 15_000}, "It cost more than was held for it (₩0.015)"),
    ],
)
def test_says_why_something_was_written_off(
    world: World, alice: Client, fields: dict[str, object], words: str
) -> None:
    page = text(alice, "request", entry(world, written_off_micro=1_000_001, **fields))

    assert words in page and "Not charged: ₩1.000001." in page


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"price_version": "card"}, "paid by the card-hour"),
        ({"price_version": "test"}, "Asked with a test key"),
        ({"price_version": "tar_gone"}, "there are no lines"),
        ({"counted": "none"}, "Nobody knows the tokens"),
        ({"outcome": "site_failed"}, "Site failed"),
        ({"outcome": "of tomorrow"}, "Course"),
    ],
)
def test_says_what_there_is_instead_of_lines(
    world: World, alice: Client, fields: dict[str, object], words: str
) -> None:
    assert words in text(alice, "request", entry(world, settled_micro=0, **fields))


def test_tells_of_a_hold_that_ran_out(world: World, alice: Client) -> None:
    found, lost = entry(world), ids.mint_request_id(int(NOON.timestamp() * 1000))
    an_orphan(world, found, resolved_at=NOON)
    an_orphan(world, lost)

    settled, open_ = text(alice, "request", found), text(alice, "request", lost)

    assert "The settlement came later" in settled and "Course" in settled
    assert "Its hold of ₩1.5 ran out" in open_ and "Course" not in open_
    assert "&lt;time" not in settled + open_


@pytest.mark.parametrize(
    "id_",
    [
        "019a8b1e-0000-7000-8000-000000000000",
        "6f9619ff-8b86-4011-b42d-00cf4fc964ff",  # a UUIDv4
        "ffffffff-ffff-7fff-bfff-ffffffffffff",  # a time that no clock shows
        "019A8B1E-0000-7000-8000-000000000000",
        "x",
    ],
)
def test_knows_no_other_ids(world: World, alice: Client, id_: str) -> None:
    assert alice.get(f"/requests/{id_}/").status_code == 404
    assert alice.get(f"/api/v1/requests/{id_}").status_code == 404


def test_members_of_some_projects_see_only_those(world: World) -> None:
    found = entry(world)
    other = factories.project(world.cast.firm, "다른 일")
    with rls.everyone(because="test set-up"):
        mine = Membership.objects.filter(user=world.cast.bob.user)
        mine.update(all_projects=False, projects=[other.public_id])
    bob = browser(world.cast.bob)

    page = text(bob, "requests", project=world.cast.project.public_id)

    assert str(found) not in page and world.cast.project.name not in page
    assert bob.get(reverse("request", args=[found])).status_code == 404
    assert send(bob, "GET", f"requests/{found}").status_code == 404
    assert send(bob, "GET", "requests").json()["data"] == []
    assert table(bob) == []
