"""What is kept of a deed, under which ids, and what never is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from tenants import actors, audit, audit_groups, audit_log, rls
from tenants.actions import keys, members
from tenants.audit_log import BadCursor, Filters
from tenants.models import AuditEvent, AuditPerson, EventGroup
from tenants.origins import Origin
from tenants.scopes import Scope
from tests import factories
from tests.cast import Cast
from tests.factories import NOON


def newest(cast: Cast) -> AuditEvent:
    return AuditEvent.objects.order_by("-id")[0]


def test_names_people_by_opaque_ids_only(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        members.add(user=cast.nobody.user, role="developer", by=cast.alice.may, now=NOON)
        event = newest(cast)
        known = {one.ref: one.label for one in AuditPerson.objects.all()}

    assert (event.actor, event.subject) == (
        cast.alice.user.public_id,
        cast.nobody.user.public_id,
    )
    assert known[event.actor] == "김서연" and known[event.subject] == "무소속"
    row = str(vars(event))
    assert "김서연" not in row and "@" not in row


def test_tells_where_from_and_in_which_request(cast: Cast) -> None:
    by = replace(cast.alice.may, origin=Origin("203.0.113.7", "req_1"))
    with rls.tenant(cast.firm.pk):
        audit.record("x.y", by=by, now=NOON, subject="s", because="딱 맞는 이유")

        event = newest(cast)
    assert (event.address, event.request_id) == ("203.0.113.7", "req_1")
    assert event.because == "딱 맞는 이유"


def test_a_key_acts_on_behalf_of_its_maker(cast: Cast) -> None:
    key, secret = factories.api_key(
        cast.project, cast.alice.may, scopes=[Scope.INFERENCE, Scope.CONTROL_READ]
    )
    actor = actors.of_key(secret, now=NOON)
    assert actor is not None
    with rls.tenant(cast.firm.pk):
        audit.record("x.y", by=actor, now=NOON, subject="s")
        event = newest(cast)

    assert (event.actor_kind, event.actor) == ("key", key.public_id)
    assert event.on_behalf == cast.alice.user.public_id


def test_keeps_no_secret(cast: Cast) -> None:
    _, secret = factories.api_key(cast.project, cast.alice.may)
    changes = {
        "password": "hunter2",
        "client_secret": {"from": "a1", "to": "b2"},
        "nested": {"api_token": "t0k3n", "name": "fine"},
        "list": [secret],
        "note": "-----BEGIN PRIVATE KEY-----",
        "tokens_in": 5,
    }
    with rls.tenant(cast.firm.pk):
        audit.record("x.y", by=cast.alice.may, now=NOON, subject="s", changes=changes)
        kept = newest(cast).changes

    text = str(kept)
    for hidden in ("hunter2", "a1", "b2", "t0k3n", secret, "PRIVATE"):
        assert hidden not in text
    assert kept["nested"]["name"] == "fine"


def test_no_deed_of_today_writes_a_secret(cast: Cast) -> None:
    key, secret = factories.api_key(cast.project, cast.alice.may)
    with rls.tenant(cast.firm.pk):
        keys.rotate(key=key, overlap=timedelta(0), by=cast.alice.may, now=NOON)
        text = str(list(AuditEvent.objects.values()))

    assert secret not in text and key.sha256 not in text


def test_a_look_is_kept_once_an_hour(cast: Cast) -> None:
    moments = [0, 59, 61, 119, 122]
    with rls.tenant(cast.firm.pk):
        for minutes in moments:
            audit.seen(
                "member.read",
                by=cast.dan.may,
                now=NOON + timedelta(minutes=minutes),
                subject=cast.firm.public_id,
            )
        kept = AuditEvent.objects.filter(verb="member.read").count()

    assert kept == 3


@pytest.mark.parametrize(
    ("verb", "group"),
    [
        ("member.read", EventGroup.ACCESS),
        ("audit.export", EventGroup.ACCESS),
        ("member.add", EventGroup.RIGHTS),
        ("key.rotate", EventGroup.RIGHTS),
        ("organization.create", EventGroup.RIGHTS),
        ("budget.change", EventGroup.OTHER),
        ("nonsense", EventGroup.OTHER),
    ],
)
def test_sorts_deeds_as_the_law_keeps_them(verb: str, group: EventGroup) -> None:
    assert audit_groups.group_of(verb) == group


@pytest.mark.parametrize(
    ("months", "found"),
    [
        (1, datetime(2026, 2, 28, tzinfo=UTC)),
        (13, datetime(2025, 2, 28, tzinfo=UTC)),
        (25, datetime(2024, 2, 29, tzinfo=UTC)),
        (24, datetime(2024, 3, 31, tzinfo=UTC)),
    ],
)
def test_counts_months_back_to_days_that_exist(months: int, found: datetime) -> None:
    assert audit_groups.months_before(datetime(2026, 3, 31, tzinfo=UTC), months) == found


# ─── reading ───────────────────────────────────────────────────────────────────────────────────


def deeds(cast: Cast, count: int = 5) -> None:
    for number in range(count):
        audit.record(
            f"thing.deed{number}",
            by=cast.bob.may if number % 2 else cast.alice.may,
            now=NOON + timedelta(hours=number),
            subject=f"prj_{number}",
        )


def found(cast: Cast, **filters: object) -> list[str]:
    page = audit_log.page(cast.dan.may, Filters(**filters))  # type: ignore[arg-type]
    return [event.verb for event in page.events if event.verb.startswith("thing.")]


def test_finds_by_person_deed_thing_and_day(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        deeds(cast, 14)  # NOON is 12:00 in Korea: number 12 is midnight
        assert len(found(cast, actor="박도")) == 7
        assert len(found(cast, actor="BOB@example")) == 7
        assert len(found(cast, actor=cast.bob.user.public_id)) == 7
        assert found(cast, subject="prj_3") == ["thing.deed3"]
        assert found(cast, verb="thing.deed1")[-1] == "thing.deed1"
        assert found(cast, since=date(2026, 11, 17)) == ["thing.deed13", "thing.deed12"]
        assert len(found(cast, until=date(2026, 11, 16))) == 12
        assert found(cast, group="access") == []


def test_pages_without_gap_or_repeat_also_within_one_moment(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        for number in range(7):
            audit.record(f"thing.{number}", by=cast.alice.may, now=NOON, subject="s")
        seen: list[str] = []
        cursor = ""
        while True:
            page = audit_log.page(cast.dan.may, Filters(verb="thing."), cursor, 2)
            seen += [event.verb for event in page.events]
            cursor = page.older
            if not cursor:
                break

    assert seen == [f"thing.{number}" for number in reversed(range(7))]


@pytest.mark.parametrize(
    "cursor", ["x", "1", "1-", "-1-1", "9" * 18 + "-1", "1-1 OR 1=1", "1-\x00"]
)
def test_refuses_a_cursor_that_nobody_gave_out(cast: Cast, cursor: str) -> None:
    with rls.tenant(cast.firm.pk), pytest.raises(BadCursor):
        audit_log.page(cast.dan.may, Filters(), cursor)


@pytest.mark.parametrize(
    ("months", "group"),
    [
        ((23, 36, 12), "access"),
        ((24, 35, 12), "rights"),
        ((24, 36, 11), "other"),
        ((121, 36, 12), "access"),
    ],
)
def test_keeps_nothing_shorter_than_the_law(
    cast: Cast, months: tuple[int, int, int], group: str
) -> None:
    access, rights, other = months
    with rls.tenant(cast.firm.pk), pytest.raises(audit_log.MonthsOutOfRange) as refused:
        audit_log.change_retention(
            access_months=access,
            rights_months=rights,
            other_months=other,
            by=cast.alice.may,
            now=NOON,
        )
    assert refused.value.group == group
