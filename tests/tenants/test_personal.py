"""A copy of one's own data, and what is kept for how long."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.contrib.sessions.models import Session

from tenants import (
    mails,
    retention,
    rls,
    traces,
)
from tenants.actions import exports
from tenants.models import (
    AuditEvent,
    PersonalExport,
    User,
)
from tests import factories
from tests.cast import Cast
from tests.factories import NOON
from tests.tenants.belongings import copy_of, part, with_belongings


def test_copies_all_that_is_kept_across_organizations(cast: Cast) -> None:
    key = with_belongings(cast)

    copy = copy_of(cast.bob.user)

    assert part(copy, "account")[0]["email"] == "bob@example.com"
    assert {one["organization__name"] for one in part(copy, "memberships")} == {
        "한빛정밀",
        "이웃상사",
    }
    assert [one["public_id"] for one in part(copy, "keys")] == [key.public_id]
    assert part(copy, "deeds")[0]["verb"] == "key.create"
    assert part(copy, "deeds_about_you")[0]["verb"] == "member.change_role"
    assert {one["kind"] for one in part(copy, "notices")} == {"key.created", "key.unused"}
    assert [one["email"] for one in part(copy, "addresses")] == ["bob@example.com"]
    assert [one["name"] for one in part(copy, "files")] == ["beleg.png"]
    assert [one["address"] for one in part(copy, "sign_ins")] == ["192.0.2.7"]
    assert "Hallo" in {one["subject"] for one in part(copy, "mails")}
    for trace, *_rest in traces.pointing():
        assert f"data/{trace.section}.json" in copy.namelist()


def test_tells_no_secret_and_nobody_elses_rows(cast: Cast) -> None:
    key = with_belongings(cast)
    other, _secret = factories.api_key(cast.project, cast.alice.may, "von-alice")

    copy = copy_of(cast.bob.user)

    whole = b"".join(copy.read(name) for name in copy.namelist())
    assert b"GEHEIM" not in whole
    assert key.sha256.encode() not in whole
    assert [one["public_id"] for one in part(copy, "keys")] == [key.public_id]
    assert other.sha256.encode() not in whole
    assert b"alice@example.com" not in whole
    assert "남궁훈".encode() not in whole
    assert b"<script>" not in copy.read("index.html")


def test_keeps_a_copy_for_the_person_alone_and_for_seven_days(cast: Cast) -> None:
    made = exports.ask(user=cast.bob.user, now=NOON)
    exports.make(made.pk, now=NOON)
    last = NOON + exports.KEPT - timedelta(seconds=1)

    assert exports.fetch(user=cast.alice.user, public_id=made.public_id, now=NOON) is None
    assert exports.fetch(user=cast.bob.user, public_id=made.public_id, now=last)
    assert not exports.fetch(user=cast.bob.user, public_id=made.public_id, now=NOON + exports.KEPT)
    with rls.user(cast.alice.user.pk):
        assert not PersonalExport.objects.exists()
    with rls.tenant(cast.firm.pk):
        assert not PersonalExport.objects.exists()
        verbs = AuditEvent.objects.filter(actor=cast.bob.user.public_id).values_list("verb")
        assert sorted(verbs) == [("account.export_ask",), ("account.export_fetch",)]


def test_makes_one_copy_an_hour(cast: Cast) -> None:
    first = exports.ask(user=cast.bob.user, now=NOON)

    with pytest.raises(exports.AskedLately):
        exports.ask(user=cast.bob.user, now=NOON + timedelta(minutes=59))
    again = exports.ask(user=cast.bob.user, now=NOON + timedelta(hours=1))

    assert exports.waiting() == [again.pk]
    exports.make(first.pk, now=NOON)  # gone: nothing happens
    exports.make(again.pk, now=NOON)
    assert exports.waiting() == []


def test_copies_for_somebody_of_whom_next_to_nothing_is_kept(cast: Cast) -> None:
    copy = copy_of(cast.nobody.user)

    assert part(copy, "account")[0]["email"] == "nobody@example.com"
    rest = {name for name in copy.namelist() if name.endswith(".json")} - {"data/account.json"}
    known = {name for name in rest if json.loads(copy.read(name))}
    assert known == {"data/exports.json"}


@pytest.mark.parametrize("name", ["../../etc/passwd", "</a><script>1</script>", "=HYPERLINK(1)"])
def test_no_name_of_a_person_becomes_a_path_or_markup(cast: Cast, name: str) -> None:
    User.objects.filter(pk=cast.bob.user.pk).update(name=name)

    copy = copy_of(User.objects.get(pk=cast.bob.user.pk))

    assert all(re.fullmatch(r"data/[a-z_]+\.json|index\.html", one) for one in copy.namelist())
    assert b"<script>" not in copy.read("index.html")
    assert part(copy, "account")[0]["name"] == name


def test_tells_nothing_of_an_address_that_was_never_proven(cast: Cast) -> None:
    """Whoever types a stranger's address learns nothing of the stranger's mails."""
    EmailAddress.objects.create(user=cast.mallory.user, email=cast.bob.user.email, verified=False)
    letter = mails.Letter("Only for Bob", "t", "h")
    mails.put([(cast.bob.user.email, letter)], organization=cast.firm, now=NOON)

    assert part(copy_of(cast.mallory.user), "mails") == []
    assert len(part(copy_of(cast.bob.user), "mails")) == 1


def test_says_when_a_copy_could_not_be_made(cast: Cast) -> None:
    made = exports.ask(user=cast.bob.user, now=NOON)
    with rls.everyone(because="test set-up"):
        PersonalExport.objects.filter(pk=made.pk).update(attempts=5)
        made.refresh_from_db()

    assert made.state_at(NOON) == "failed"
    assert exports.waiting() == []
    assert exports.ask(user=cast.bob.user, now=NOON + timedelta(hours=1)).pk != made.pk


def test_removes_what_is_too_old_and_nothing_else(cast: Cast) -> None:
    for key, days in (("old", -1), ("new", 1)):
        Session.objects.create(session_key=key, expire_date=NOON + timedelta(days=days))
    made = exports.ask(user=cast.bob.user, now=NOON - timedelta(days=8))
    exports.make(made.pk, now=NOON - timedelta(days=8))
    exports.ask(user=cast.bob.user, now=NOON)

    found = retention.sweep(NOON)

    assert found["sessions.Session.expire_date"] == 1
    assert found["tenants.PersonalExport.expires_at"] == 1
    assert list(Session.objects.values_list("session_key", flat=True)) == ["new"]
    assert len(exports.waiting()) == 1


def test_removes_no_more_than_its_bound_at_once(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    monkeypatch.setattr(retention, "MOST_BATCHES", 2)
    for number in range(6):
        Session.objects.create(session_key=f"s{number}", expire_date=NOON - timedelta(days=1))

    assert retention.sweep(NOON)["sessions.Session.expire_date"] == 4
    assert retention.sweep(NOON)["sessions.Session.expire_date"] == 2
