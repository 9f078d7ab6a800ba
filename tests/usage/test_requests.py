"""Reading the ledger request by request: what fits, in which order, page by page."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import pytest
from django.db import connection

from portal.lib import ids
from portal.usage import requests
from portal.usage.models import LedgerEntry, OrphanedEvent
from portal.usage.requests import Filters
from tenants import rls
from tenants.actors import Actor
from tenants.models import Membership, Organization
from tests import factories
from tests.cast import Cast
from tests.factories import CHAT, EMBEDDING, NOON

TODAY = date(2026, 11, 16)


def days(**more: object) -> Filters:
    return Filters(**{"since": TODAY, "until": TODAY, **more})  # type: ignore[arg-type]


@pytest.fixture
def priced(cast: Cast) -> Cast:
    factories.catalogue()
    return cast


def listed(actor: Actor, filters: Filters, size: int = 50) -> list[LedgerEntry]:
    """All pages together."""
    found: list[LedgerEntry] = []
    cursor = ""
    with rls.tenant(actor.organization.pk):
        while True:
            page = requests.page(actor, filters, cursor, size)
            found += page.entries
            cursor = page.older
            if not cursor:
                return found


def limited(actor: Actor, of: Organization, *projects: str) -> Actor:
    with rls.everyone(because="test set-up"):
        Membership.objects.filter(user=actor.user, organization=of).update(
            all_projects=False, projects=list(projects)
        )
    return Actor(
        organization=of, verbs=actor.verbs, kind="user", label=actor.label, projects=projects
    )


def test_pages_show_each_request_once_newest_first(priced: Cast) -> None:
    for minute in range(7):
        for _twin in range(2):  # the same moment twice: the id decides
            factories.ledger_entry(priced.project, at=NOON + timedelta(minutes=minute))

    found = listed(priced.alice.may, days(), size=3)

    places = [(one.admitted_at, one.request_id) for one in found]
    assert len(places) == len(set(places)) == 14
    assert places == sorted(places, reverse=True)


def test_new_requests_move_no_page(priced: Cast) -> None:
    for minute in range(4):
        factories.ledger_entry(priced.project, at=NOON + timedelta(minutes=minute))
    with rls.tenant(priced.firm.pk):
        first = requests.page(priced.alice.may, days(), "", 2)

    factories.ledger_entry(priced.project, at=NOON + timedelta(hours=1))

    with rls.tenant(priced.firm.pk):
        second = requests.page(priced.alice.may, days(), first.older, 2)
    shown = [one.admitted_at for one in (*first.entries, *second.entries)]
    assert shown == [NOON + timedelta(minutes=minute) for minute in (3, 2, 1, 0)]
    assert second.older == ""


@pytest.mark.parametrize(
    ("filters", "keys"),
    [
        ({}, {"a", "b", "c", "d"}),
        ({"project": "second"}, {"b"}),
        ({"key": "a"}, {"a"}),
        ({"model": EMBEDDING}, {"c"}),
        ({"site": "busan-1"}, {"b"}),
        ({"outcome": "site_failed"}, {"d"}),
        ({"only": "late"}, {"c"}),
        ({"only": "written_off"}, {"d"}),
        ({"only": "written_off", "key": "a"}, set()),
        ({"site": "daegu-1", "outcome": "answered"}, {"a", "c"}),
    ],
)
def test_each_filter_narrows(priced: Cast, filters: dict[str, str], keys: set[str]) -> None:
    second = factories.project(priced.firm, "둘째")
    factories.ledger_entry(priced.project, key="a")
    factories.ledger_entry(second, key="b", site="busan-1")
    factories.ledger_entry(priced.project, key="c", model=EMBEDDING, late=True)
    factories.ledger_entry(priced.project, key="d", outcome="site_failed", written_off_micro=5)
    if filters.get("project"):
        filters = {"project": second.public_id}

    assert {one.key for one in listed(priced.alice.may, days(**filters))} == keys


def test_days_are_koreas_and_the_last_one_counts(priced: Cast) -> None:
    midnight = NOON - timedelta(hours=12)
    for at in (-1, 0, 86_399_999, 86_400_000):
        factories.ledger_entry(priced.project, at=midnight + timedelta(milliseconds=at))

    found = [one.admitted_at - midnight for one in listed(priced.alice.may, days())]

    assert found == [timedelta(milliseconds=86_399_999), timedelta(0)]


def test_an_id_is_found_whatever_the_days(priced: Cast) -> None:
    factories.ledger_entry(priced.project, at=NOON - timedelta(days=80))
    with rls.tenant(priced.firm.pk):
        wanted = LedgerEntry.objects.get().request_id

    assert [one.request_id for one in listed(priced.alice.may, days(request=wanted))] == [wanted]
    assert listed(priced.mallory.may, days(request=wanted)) == []


@pytest.mark.parametrize("text", ["", "x", "req_123", "6f9619ff-8b86-4011-b42d-00cf4fc964ff", "é"])
def test_what_is_no_request_id_is_refused(text: str) -> None:
    with pytest.raises(requests.BadRequestId):
        requests.parse_id(text)


@pytest.mark.parametrize("since", [TODAY + timedelta(days=1), TODAY - timedelta(days=92), date.min])
def test_days_that_cannot_be_shown_together_are_refused(since: date) -> None:
    with pytest.raises(requests.BadPeriod):
        Filters(since=since, until=TODAY)


def test_a_cursor_is_the_organizations_own_and_cannot_be_written_by_hand(priced: Cast) -> None:
    for minute in range(3):
        factories.ledger_entry(priced.project, at=NOON + timedelta(minutes=minute))
    with rls.tenant(priced.firm.pk):
        older = requests.page(priced.alice.may, days(), "", 1).older
    place, _colon, signature = older.rpartition(":")
    later = f"{int(place.partition('-')[0]) + 1}-{place.partition('-')[2]}:{signature}"

    for actor, cursor in (
        (priced.mallory.may, older),
        (priced.alice.may, later),
        (priced.alice.may, place),
        (priced.alice.may, "x"),
    ):
        with rls.tenant(actor.organization.pk), pytest.raises(requests.BadCursor):
            requests.page(actor, days(), cursor)


def test_who_is_limited_to_projects_sees_no_other(priced: Cast) -> None:
    second = factories.project(priced.firm, "둘째")
    factories.ledger_entry(priced.project, key="a")
    factories.ledger_entry(second, key="b")
    bob = limited(priced.bob.may, priced.firm, second.public_id)

    found = listed(bob, days())

    assert [one.key for one in found] == ["b"]
    assert listed(bob, days(project=priced.project.public_id)) == []
    with rls.tenant(priced.firm.pk):
        hidden = LedgerEntry.objects.get(key="a").request_id
        assert requests.find(bob, hidden) is None
        assert requests.find(priced.alice.may, hidden) is not None


def an_orphan(of: Organization, request_id: str) -> None:
    with rls.everyone(because="test set-up"):
        OrphanedEvent.objects.create(
            organization=of, request_id=UUID(request_id), cell=1, hold_micro=9, seen_at=NOON
        )


def test_a_hold_that_ran_out_is_found_by_who_sees_all_projects(priced: Cast) -> None:
    request_id = ids.mint_request_id(int(NOON.timestamp() * 1000))
    an_orphan(priced.firm, request_id)
    bob = limited(priced.bob.may, priced.firm, priced.project.public_id)

    with rls.tenant(priced.firm.pk):
        found = requests.find(priced.alice.may, UUID(request_id))
        assert found is not None and found.entry is None and found.orphan is not None
        assert requests.find(bob, UUID(request_id)) is None
    with rls.tenant(priced.mallory.may.organization.pk):
        assert requests.find(priced.mallory.may, UUID(request_id)) is None


def test_a_file_is_written_in_batches_and_says_where_it_ends(
    priced: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minute in range(5):
        factories.ledger_entry(priced.project, at=NOON + timedelta(minutes=minute), key=str(minute))
    monkeypatch.setattr(requests, "BATCH", 2)

    whole = [one and one.key for one in requests.export(priced.alice.may, days())]
    monkeypatch.setattr(requests, "EXPORT_MOST", 3)
    ended = [one and one.key for one in requests.export(priced.alice.may, days())]
    monkeypatch.setattr(requests, "EXPORT_MOST", 5)
    exactly = [one and one.key for one in requests.export(priced.alice.may, days())]

    assert whole == exactly == ["4", "3", "2", "1", "0"]
    assert ended == ["4", "3", "2", None]


def test_times_are_milliseconds_from_admission(priced: Cast) -> None:
    factories.ledger_entry(
        priced.project,
        first_byte_at=NOON + timedelta(microseconds=412_900),
        ended_at=NOON - timedelta(milliseconds=3),  # another machine's clock
    )
    factories.ledger_entry(priced.project, at=NOON - timedelta(minutes=1))

    newest, other = listed(priced.alice.may, days())

    assert (newest.first_byte_ms, newest.duration_ms) == (412, 0)
    assert other.first_byte_ms is None


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({}, "ledger_org_time"),
        ({"key": "key_x"}, "ledger_key_time"),
        ({"only": "late"}, "ledger_unusual"),
        ({"only": "written_off"}, "ledger_unusual"),
        ({"outcome": "site_failed"}, "ledger_unusual"),
    ],
)
def test_each_usual_question_has_an_index_that_fits(
    priced: Cast, filters: dict[str, str], index: str
) -> None:
    """Without statistics PostgreSQL would rather read a small table whole, so that is forbidden."""
    for _ in range(200 if "key" in filters else 1):  # where two indexes fit, the size decides
        factories.ledger_entry(priced.project, model=CHAT, key="key_y")
    with rls.tenant(priced.firm.pk), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off")
        plan = requests.rows(priced.alice.may, days(**filters))[:51].explain()

    assert index in plan
