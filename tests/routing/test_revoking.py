"""A revoked key is refused at once, also while the publisher is dead or behind."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db import transaction
from django.test import TestCase

from portal.admission import keys as names
from portal.admission.sync import Admission
from portal.deployments.models import Endpoint
from portal.routing import revoking, snapshot
from portal.routing.publish import Publisher
from tenants import rls
from tenants.actions import handover, holds, keys, projects, reviews
from tenants.actions.handover import Fates
from tenants.models import AccessLine, ApiKey, Membership, OperatorHold
from tests import factories
from tests.factories import NOON
from tests.routing.conftest import Rows


@pytest.fixture
def publisher(rows: Rows, valkey: redis.Redis) -> Publisher:
    return Publisher(Admission(valkey))


def told(valkey: redis.Redis, rows: Rows, key: ApiKey | None = None) -> bytes | None:
    found = valkey.hget(names.grant(rows.firm.code, (key or rows.key).sha256), "revoked")
    assert found is None or isinstance(found, bytes)
    return found


def revoke(rows: Rows) -> None:
    """As a request does it: the deed in the tenant's transaction, the word after its commit."""
    with TestCase.captureOnCommitCallbacks(execute=True), rls.tenant(rows.firm.pk):
        revoking.revoke(key=rows.key, by=rows.cast.alice.may, now=NOON)


def test_tells_the_gateway_without_the_publisher(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    publisher.turn(now=NOON)
    assert told(valkey, rows) == b"0"
    assert revoking.is_refused(rows.key, rows.firm) is False

    revoke(rows)

    assert told(valkey, rows) == b"1"
    assert revoking.is_refused(rows.key, rows.firm) is True


def test_an_older_look_does_not_bring_it_back(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    """A publisher that had looked before the deed, and tells only now."""
    publisher.turn(now=NOON)
    older = snapshot.take(now=NOON, demands=[])
    revoke(rows)

    grant, revoked = older.grants[rows.key.sha256]
    publisher.admission.publish_grants([(rows.key.sha256, grant, revoked)])

    assert revoked is False
    assert told(valkey, rows) == b"1"


def test_a_later_look_keeps_it_refused(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    publisher.turn(now=NOON)
    revoke(rows)

    publisher.turn(now=NOON + timedelta(seconds=31))  # tells all again

    assert told(valkey, rows) == b"1"


def test_a_project_that_comes_back_within_a_turn_comes_back_at_the_next(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    """To the publisher nothing has changed; the tombstone between its looks is not its own."""
    _stop(rows)
    publisher.turn(now=NOON)
    _archive_and_restore(rows)
    assert told(valkey, rows) == b"1"

    publisher.turn(now=NOON + timedelta(seconds=1))

    assert told(valkey, rows) == b"0"


def test_a_key_that_was_revoked_meanwhile_does_not_come_back_with_its_project(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    _stop(rows)
    publisher.turn(now=NOON)
    _archive_and_restore(rows)
    revoke(rows)

    for second in range(1, 4):
        publisher.turn(now=NOON + timedelta(seconds=second))
        assert told(valkey, rows) == b"1"


def test_a_lifted_suspension_takes_hold_at_the_next_turn(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    publisher.turn(now=NOON)
    olivia = rows.cast.olivia.may
    with TestCase.captureOnCommitCallbacks(execute=True), rls.everyone(because="test"):
        revoking.tell(rows.firm, [rows.key])  # as a suspension does
        hold = OperatorHold.objects.create(
            public_id="hold_0000000000000001",
            organization=rows.firm,
            because="요금이 밀렸습니다.",
            held_at=NOON,
            held_by="오운영",
        )
        holds.lift(organization=rows.firm, because="입금을 확인했습니다.", by=olivia, now=NOON)
        assert hold.pk
    assert told(valkey, rows) == b"1"

    publisher.turn(now=NOON + timedelta(seconds=1))

    assert told(valkey, rows) == b"0"


def _stop(rows: Rows) -> None:
    """A project with endpoints is not archived."""
    with rls.everyone(because="test"):
        Endpoint.objects.filter(project=rows.project).update(stopped_at=NOON)


def _archive_and_restore(rows: Rows) -> None:
    alice = rows.cast.alice.may
    with TestCase.captureOnCommitCallbacks(execute=True), rls.tenant(rows.firm.pk):
        project = revoking.archive(project=rows.project, by=alice, now=NOON)
    with TestCase.captureOnCommitCallbacks(execute=True), rls.tenant(rows.firm.pk):
        projects.restore(project=project, by=alice, now=NOON)


def test_says_nothing_of_a_deed_that_is_taken_back(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    publisher.turn(now=NOON)
    with (
        TestCase.captureOnCommitCallbacks(execute=True),
        pytest.raises(RuntimeError),
        transaction.atomic(),
        rls.tenant(rows.firm.pk),
    ):
        revoking.revoke(key=rows.key, by=rows.cast.alice.may, now=NOON)
        raise RuntimeError("the request fails")

    assert told(valkey, rows) == b"0"


def test_revokes_in_postgresql_while_valkey_is_away(
    rows: Rows, settings: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from billing import budgets

    settings.VALKEY_URL = "redis://127.0.0.1:9/0"  # type: ignore[attr-defined]
    budgets.admission.cache_clear()
    try:
        revoke(rows)

        assert revoking.is_refused(rows.key, rows.firm) is None  # nobody can tell
        assert revoking.tell(rows.firm, [rows.key]) is False
        with rls.tenant(rows.firm.pk):
            assert ApiKey.objects.get(pk=rows.key.pk).revoked_at == NOON
    finally:
        budgets.admission.cache_clear()


def test_rotating_without_an_overlap_ends_the_old_key(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    publisher.turn(now=NOON)
    with TestCase.captureOnCommitCallbacks(execute=True), rls.tenant(rows.firm.pk):
        revoking.rotate(key=rows.key, overlap=timedelta(0), by=rows.cast.alice.may, now=NOON)

    assert told(valkey, rows) == b"1"


def test_rotating_with_an_overlap_lets_it_go_on_and_then_ends_it(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    """The end stands in the grant: Valkey's clock ends it, also with the publisher dead."""
    hour = timedelta(hours=1)
    publisher.turn(now=NOON)
    with TestCase.captureOnCommitCallbacks(execute=True), rls.tenant(rows.firm.pk):
        made, _ = revoking.rotate(key=rows.key, overlap=hour, by=rows.cast.alice.may, now=NOON)
    assert told(valkey, rows) == b"0"  # nobody has ended it, not even until the next turn

    grants = publisher.turn(now=NOON + timedelta(seconds=1)).grants

    assert told(valkey, rows) == b"0"
    assert grants[rows.key.sha256][0].expires_at_ms == int((NOON + hour).timestamp() * 1000)
    assert grants[made.sha256][0].expires_at_ms == 0


@pytest.mark.parametrize("how", ["removed", "leaves", "reviewed"])
def test_keys_of_a_member_who_goes_end_at_the_gateway(
    publisher: Publisher, rows: Rows, valkey: redis.Redis, how: str
) -> None:
    alice, bob = rows.cast.alice.may, rows.cast.bob
    key, _ = factories.api_key(rows.project, bob.may)
    publisher.turn(now=NOON)

    with TestCase.captureOnCommitCallbacks(execute=True), rls.tenant(rows.firm.pk):
        if how == "removed":
            membership = Membership.objects.get(user=bob.user)
            fates = Fates(handover.REVOKE)
            revoking.remove_member(membership=membership, fates=fates, by=alice, now=NOON)
        elif how == "leaves":
            revoking.leave(fates=Fates(handover.REVOKE), by=bob.may, now=NOON)
        else:
            review = reviews.open_now(by=alice, now=NOON)
            line = AccessLine.objects.get(review=review, label="박도현")
            revoking.remove_reviewed(line=line, by=alice, now=NOON)

    assert (told(valkey, rows, key), told(valkey, rows)) == (b"1", b"0")


def test_tells_every_key_before_the_publisher_hears_of_it(
    publisher: Publisher, rows: Rows, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would look, and its newer number would be refused where the tombstone came later."""
    other, _ = factories.api_key(rows.project, rows.cast.bob.may)
    publisher.turn(now=NOON)
    note, seen = Admission.note_ended, []

    def look_and_note(self: Admission, hashes: Any) -> None:
        seen.append((told(valkey, rows), told(valkey, rows, other)))
        note(self, hashes)

    monkeypatch.setattr(Admission, "note_ended", look_and_note)
    assert revoking.tell(rows.firm, [rows.key, other]) is True

    assert seen == [(b"1", b"1")]
    assert valkey.smembers(names.ENDED) == {rows.key.sha256.encode(), other.sha256.encode()}


def test_archiving_a_project_ends_its_keys_and_no_others(
    publisher: Publisher, rows: Rows, valkey: redis.Redis
) -> None:
    other = factories.project(rows.firm, "다른 일")
    with rls.tenant(rows.firm.pk):
        key, _ = factories.api_key(other, rows.cast.alice.may)
    publisher.turn(now=NOON)
    with TestCase.captureOnCommitCallbacks(execute=True), rls.tenant(rows.firm.pk):
        revoking.archive(project=other, by=rows.cast.alice.may, now=NOON)
    assert (told(valkey, rows, key), told(valkey, rows)) == (b"1", b"0")
    publisher.turn(now=NOON + timedelta(seconds=1))

    with rls.tenant(rows.firm.pk):
        projects.restore(project=other, by=rows.cast.alice.may, now=NOON)
    publisher.turn(now=NOON + timedelta(seconds=2))

    assert told(valkey, rows, key) == b"0"


def test_keeps_a_project_whose_endpoints_run(rows: Rows) -> None:
    with rls.tenant(rows.firm.pk), pytest.raises(revoking.ProjectInUse):
        revoking.archive(project=rows.project, by=rows.cast.alice.may, now=NOON)


@pytest.mark.parametrize(
    ("field", "value", "models", "sites"),
    [
        ("allowed_models", ["smollm2-135m-instruct"], {"smollm2-135m-instruct"}, None),
        ("allowed_models", ["gpt-9"], set(), None),
        ("allowed_sites", ["busan-1"], None, ("busan-1",)),
        ("allowed_sites", ["seoul-9"], None, ()),
    ],
)
def test_grants_no_more_than_the_key_says(
    rows: Rows, field: str, value: list[str], models: set[str] | None, sites: tuple[str, ...] | None
) -> None:
    with rls.tenant(rows.firm.pk):
        ApiKey.objects.filter(pk=rows.key.pk).update(**{field: value})

    grant = snapshot.take(now=NOON, demands=[]).grants[rows.key.sha256][0]

    if models is not None:
        assert set(grant.models) == models
    if sites is not None:
        assert grant.sites == sites


def test_grants_no_more_than_the_project_says(rows: Rows) -> None:
    """A key that allows all sites is still held by its project's regions."""
    with rls.tenant(rows.firm.pk):
        type(rows.project).objects.filter(pk=rows.project.pk).update(regions=["busan"])

    assert snapshot.take(now=NOON, demands=[]).grants[rows.key.sha256][0].sites == ("busan-1",)


def test_tells_scope_and_addresses(rows: Rows) -> None:
    with rls.tenant(rows.firm.pk):
        key, _ = keys.create(
            project=rows.project,
            wish=keys.KeyWish(
                "읽기", scopes=["control_read"], allowed_addresses=["203.0.113.0/24"]
            ),
            by=rows.cast.alice.may,
            now=NOON,
        )

    grant = snapshot.take(now=NOON, demands=[]).grants[key.sha256][0]

    assert grant.inference is False
    assert grant.allows_from("203.0.113.9") and not grant.allows_from("203.0.114.9")
    assert grant.allows_from("::ffff:203.0.113.9")
