"""API keys: never wider than who answers for them, rotated with an overlap, used from where."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tenants import actors, addresses, rls, scopes
from tenants.actions import keys, members
from tenants.actors import AddressNotAllowed
from tenants.models import ApiKey, AuditEvent, Membership
from tenants.origins import Origin
from tenants.roles import ROLES, Role
from tenants.scopes import Scope
from tests import factories
from tests.cast import Cast
from tests.factories import NOON

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("who", "wider"),
    [("alice", []), ("bob", [Scope.BILLING_READ]), ("carol", [Scope.CONTROL_READ])],
)
def test_gives_no_scope_that_its_maker_lacks(cast: Cast, who: str, wider: list[str]) -> None:
    """Carol may not make keys at all; the pure rule says it for her role too."""
    found = scopes.beyond(Scope.values, cast[who].may.verbs)

    assert set(wider) <= set(found)
    if who == "bob":
        with pytest.raises(keys.WiderThanMaker, match=r"."):
            factories.api_key(cast.project, cast.bob.may, scopes=Scope.values)


def test_no_scope_makes_keys_or_changes_people_and_money() -> None:
    never = {verb for verb in ROLES[Role.OWNER] if verb.endswith(".change")} - {"endpoints.change"}

    assert not scopes.verbs_of(Scope.values) & (never | {"audit.read", "invoices.issue"})


def test_a_key_shrinks_with_its_maker(cast: Cast) -> None:
    _, secret = factories.api_key(cast.project, cast.bob.may, scopes=[Scope.CONTROL_WRITE])
    before = actors.of_key(secret, now=NOON)
    assert before is not None and before.can("orders.create")
    with rls.tenant(cast.firm.pk):
        bob = Membership.objects.get(user=cast.bob.user)
        members.change_role(membership=bob, role=Role.AUDITOR, by=cast.alice.may, now=NOON)

    after = actors.of_key(secret, now=NOON)

    assert after is not None
    assert not after.can("orders.create")
    assert after.can("projects.read")


def test_a_key_whose_maker_left_may_do_nothing(cast: Cast) -> None:
    _, secret = factories.api_key(cast.project, cast.bob.may, scopes=[Scope.CONTROL_READ])
    with rls.tenant(cast.firm.pk):
        Membership.objects.filter(user=cast.bob.user).delete()

    found = actors.of_key(secret, now=NOON)

    assert found is not None and found.verbs == frozenset()


def test_whoever_changes_a_key_answers_for_it(cast: Cast) -> None:
    key, secret = factories.api_key(cast.project, cast.alice.may, scopes=[Scope.CONTROL_READ])
    with rls.tenant(cast.firm.pk):
        keys.change(
            key=key, wish=replace(keys.wish_of(key), rpm_limit=5), by=cast.bob.may, now=NOON
        )
        key.refresh_from_db()
        changes = AuditEvent.objects.filter(verb="key.change").get().changes

    assert key.made_by == cast.bob.user
    assert changes == {"rpm_limit": {"from": 60, "to": 5}}
    found = actors.of_key(secret, now=NOON)
    assert found is not None and not found.can("members.read")


def test_says_nothing_when_nothing_changes(cast: Cast) -> None:
    key, _ = factories.api_key(cast.project, cast.alice.may)
    with rls.tenant(cast.firm.pk):
        keys.change(key=key, wish=keys.wish_of(key), by=cast.bob.may, now=NOON)

        assert not AuditEvent.objects.filter(verb="key.change").exists()
        assert ApiKey.objects.get().made_by == cast.alice.user


def test_a_limit_of_tokens_is_told_and_goes_on_with_a_rotation(cast: Cast) -> None:
    key, _ = factories.api_key(cast.project, cast.alice.may)
    assert key.tpm_limit == 0
    wish = replace(keys.wish_of(key), tpm_limit=9000)
    with rls.tenant(cast.firm.pk):
        key = keys.change(key=key, wish=wish, by=cast.alice.may, now=NOON)
        made, _ = keys.rotate(key=key, overlap=DAY, by=cast.alice.may, now=NOON)
        changes = AuditEvent.objects.get(verb="key.change").changes

    assert changes == {"tpm_limit": {"from": 0, "to": 9000}}
    assert (key.tpm_limit, made.tpm_limit) == (9000, 9000)


@pytest.mark.parametrize("overlap", [timedelta(0), timedelta(hours=1), timedelta(days=30)])
def test_rotates_with_an_overlap(cast: Cast, overlap: timedelta) -> None:
    key, old = factories.api_key(cast.project, cast.alice.may, allowed_sites=["daegu-1"])
    with rls.tenant(cast.firm.pk):
        made, new = keys.rotate(key=key, overlap=overlap, by=cast.alice.may, now=NOON)

    assert made.replaces == key.public_id
    assert made.allowed_sites == ["daegu-1"]
    assert actors.of_key(new, now=NOON) is not None
    if overlap:
        assert actors.of_key(old, now=NOON + overlap - timedelta(microseconds=1)) is not None
    assert actors.of_key(old, now=NOON + overlap) is None


def test_an_overlap_never_lengthens_a_life(cast: Cast) -> None:
    key, old = factories.api_key(cast.project, cast.alice.may, expires_at=NOON + DAY)
    with rls.tenant(cast.firm.pk):
        keys.rotate(key=key, overlap=7 * DAY, by=cast.alice.may, now=NOON)

    assert actors.of_key(old, now=NOON + DAY) is None


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=30, seconds=1)])
def test_refuses_an_overlap_without_sense(cast: Cast, overlap: timedelta) -> None:
    key, _ = factories.api_key(cast.project, cast.alice.may)
    with rls.tenant(cast.firm.pk), pytest.raises(keys.BadOverlap):
        keys.rotate(key=key, overlap=overlap, by=cast.alice.may, now=NOON)


@pytest.mark.parametrize("deed", ["change", "rotate"])
def test_leaves_an_ended_key_alone(cast: Cast, deed: str) -> None:
    key, _ = factories.api_key(cast.project, cast.alice.may)
    with rls.tenant(cast.firm.pk):
        keys.revoke(key=key, by=cast.alice.may, now=NOON)
        with pytest.raises(keys.KeyEnded):
            if deed == "change":
                keys.change(key=key, wish=keys.wish_of(key), by=cast.alice.may, now=NOON)
            else:
                keys.rotate(key=key, overlap=DAY, by=cast.alice.may, now=NOON)


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("203.0.113.7", True),
        ("203.0.114.7", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("", False),
        ("nonsense", False),
    ],
)
def test_acts_only_from_its_addresses(cast: Cast, address: str, allowed: bool) -> None:
    _, secret = factories.api_key(
        cast.project,
        cast.alice.may,
        scopes=[Scope.CONTROL_READ],
        allowed_addresses=["203.0.113.0/24", "2001:db8::/32"],
    )

    if allowed:
        assert actors.of_key(secret, now=NOON, origin=Origin(address)) is not None
    else:
        with pytest.raises(AddressNotAllowed):
            actors.of_key(secret, now=NOON, origin=Origin(address))


def test_notes_its_use_once_a_minute(cast: Cast) -> None:
    key, secret = factories.api_key(cast.project, cast.alice.may, scopes=[Scope.CONTROL_READ])
    seen = []
    for seconds in (0, 59, 60):
        origin = Origin(f"10.0.0.{seconds}")
        actors.of_key(secret, now=NOON + timedelta(seconds=seconds), origin=origin)
        with rls.tenant(cast.firm.pk):
            seen.append(ApiKey.objects.values_list("used_at", "used_from").get(pk=key.pk))

    assert seen[0] == seen[1] == (NOON, "10.0.0.0")
    assert seen[2] == (NOON + timedelta(minutes=1), "10.0.0.60")


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([" 10.0.0.7 "], ["10.0.0.7/32"]),
        (["10.0.0.0/8", "10.0.0.0/8"], ["10.0.0.0/8"]),
        (["2001:DB8::/32"], ["2001:db8::/32"]),
        ([], []),
    ],
)
def test_writes_ranges_in_one_form(texts: list[str], found: list[str]) -> None:
    assert addresses.normalized(texts) == found


@pytest.mark.parametrize(
    "text",
    ["10.0.0.1/8", "10.0.0.0/33", "300.1.1.1", "example.com", "１０.0.0.1", "10.0.0", "*", "\x00"],
)
def test_refuses_what_is_no_range(text: str) -> None:
    with pytest.raises(addresses.BadRange):
        addresses.normalized([text])


def test_refuses_more_ranges_than_anybody_needs() -> None:
    with pytest.raises(addresses.BadRange):
        addresses.normalized([f"10.0.0.{number}" for number in range(51)])
