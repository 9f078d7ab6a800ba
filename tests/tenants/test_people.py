"""Members who rise, go and hand over."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tenants import actors, rls
from tenants.actions import handover, members
from tenants.actions.handover import REVOKE, Fates
from tenants.actors import Actor, NotAllowed
from tenants.models import ApiKey, AuditEvent, Membership
from tenants.roles import Role
from tenants.scopes import Scope
from tests import factories
from tests.cast import Cast
from tests.factories import NOON

WEEK = timedelta(days=7)


def membership(cast: Cast, who: str) -> Membership:
    """To be asked inside the firm's block."""
    return Membership.objects.select_related("user", "organization").get(user=cast[who].user)


def acting(cast: Cast, who: str, at: datetime = NOON) -> Actor:
    """The actor as a door builds it at a moment, with what is lent."""
    with rls.tenant(cast.firm.pk):
        rows = Membership.objects.select_related("user", "organization")
        found = rows.annotate(lent=actors.lending(at)).get(user=cast[who].user)
        return actors.of_membership(found)


def limit(cast: Cast, who: str, *projects: str) -> Actor:
    """See only these projects from now on."""
    with rls.tenant(cast.firm.pk):
        rows = Membership.objects.filter(user=cast[who].user)
        rows.update(all_projects=False, projects=list(projects))
    return acting(cast, who)


# ─── rising ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("who", ["bob", "carol", "dan"])
@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMINISTRATOR])
def test_nobody_promotes_themselves(cast: Cast, who: str, role: str) -> None:
    with rls.tenant(cast.firm.pk), pytest.raises(NotAllowed):
        members.change_role(membership=membership(cast, who), role=role, by=cast[who].may, now=NOON)


@pytest.mark.parametrize(
    ("role", "refusal"),
    [
        (Role.OWNER, members.OnlyOwnersMakeOwners),
        (Role.BUDGET_OFFICER, members.RoleBeyondYours),
    ],
)
def test_an_administrator_does_not_rise_by_a_role(
    cast: Cast, role: str, refusal: type[Exception]
) -> None:
    adam = factories.member(factories.user("adam@example.com"), cast.firm, Role.ADMINISTRATOR)

    with rls.tenant(cast.firm.pk):
        for one in (Membership.objects.get(user=adam.user), membership(cast, "bob")):
            with pytest.raises(refusal):
                members.change_role(membership=one, role=role, by=adam, now=NOON)


@pytest.mark.parametrize("deed", ["change", "remove", "hand"])
def test_an_administrator_leaves_owners_alone(cast: Cast, deed: str) -> None:
    adam = factories.member(factories.user("adam@example.com"), cast.firm, Role.ADMINISTRATOR)
    factories.member(factories.user("second@example.com"), cast.firm, Role.OWNER)

    with rls.tenant(cast.firm.pk), pytest.raises(members.OnlyOwnersMakeOwners):
        alice = membership(cast, "alice")
        if deed == "change":
            members.change_role(membership=alice, role=Role.AUDITOR, by=adam, now=NOON)
        elif deed == "remove":
            members.remove(membership=alice, by=adam, now=NOON, fates=Fates(REVOKE))
        else:
            members.hand_ownership(
                to=membership(cast, "bob"), confirm="bob@example.com", by=adam, now=NOON
            )


def test_who_was_removed_meanwhile_does_nothing_more(cast: Cast) -> None:
    """The actor is from before; the deed asks the rows."""
    second = factories.member(factories.user("second@example.com"), cast.firm, Role.OWNER)
    with rls.tenant(cast.firm.pk):
        Membership.objects.filter(user=second.user).delete()
        with pytest.raises(NotAllowed):
            members.remove(membership=membership(cast, "bob"), by=second, now=NOON)


def test_another_tenants_member_is_gone(cast: Cast) -> None:
    with rls.everyone(because="test"):
        theirs = Membership.objects.get(user=cast.mallory.user)

        with pytest.raises(members.MemberGone):
            members.change_role(membership=theirs, role="auditor", by=cast.alice.may, now=NOON)
        assert members.remove(membership=theirs, by=cast.alice.may, now=NOON) == []
        assert Membership.objects.filter(pk=theirs.pk).exists()


@pytest.mark.parametrize(
    ("to", "confirm", "refusal"),
    [
        ("bob", "carol@example.com", members.NotConfirmed),
        ("bob", "", members.NotConfirmed),
        ("bob", " Bob@example.com ", None),
        ("alice", "alice@example.com", members.AlreadyOwner),
    ],
)
def test_hands_the_ownership_to_whom_was_typed(
    cast: Cast, to: str, confirm: str, refusal: type[Exception] | None
) -> None:
    with rls.tenant(cast.firm.pk):
        heir = membership(cast, to)
        if refusal is None:
            members.hand_ownership(to=heir, confirm=confirm, by=cast.alice.may, now=NOON)
        else:
            with pytest.raises(refusal):
                members.hand_ownership(to=heir, confirm=confirm, by=cast.alice.may, now=NOON)

        owners = set(
            Membership.objects.filter(role=Role.OWNER).values_list("user__email", flat=True)
        )
        assert owners == {"bob@example.com" if refusal is None else "alice@example.com"}
        if refusal is None:
            assert membership(cast, "alice").role == Role.ADMINISTRATOR
            assert AuditEvent.objects.get(verb="ownership.hand_over").group == "rights"


# ─── keys of one who goes ──────────────────────────────────────────────────────────────────────


def remove_bob(cast: Cast, fates: Fates) -> list[ApiKey]:
    with rls.tenant(cast.firm.pk):
        return members.remove(
            membership=membership(cast, "bob"), fates=fates, by=cast.alice.may, now=NOON
        )


def test_every_live_key_needs_a_fate(cast: Cast) -> None:
    one, _ = factories.api_key(cast.project, cast.bob.may, "one")
    factories.api_key(cast.project, cast.bob.may, "two")
    ended, _ = factories.api_key(cast.project, cast.bob.may, "ended", expires_at=NOON + WEEK)
    with rls.tenant(cast.firm.pk):
        ApiKey.objects.filter(pk=ended.pk).update(expires_at=NOON)

    with pytest.raises(handover.KeysUndecided) as found:
        remove_bob(cast, Fates(each={one.public_id: REVOKE}))

    assert found.value.count == 1
    with rls.tenant(cast.firm.pk):
        assert membership(cast, "bob")
        assert not ApiKey.objects.exclude(revoked_at=None).exists()


def test_keys_end_or_go_on_under_another(cast: Cast) -> None:
    ending, dead = factories.api_key(cast.project, cast.bob.may, "ending")
    going, alive = factories.api_key(
        cast.project, cast.bob.may, "going", scopes=[Scope.CONTROL_READ]
    )
    with rls.tenant(cast.firm.pk):
        heir = membership(cast, "alice").public_id

    revoked = remove_bob(cast, Fates(rest=REVOKE, each={going.public_id: heir}))

    assert revoked == [ending]
    assert actors.of_key(dead, now=NOON) is None
    found = actors.of_key(alive, now=NOON)
    assert found is not None and found.can("projects.read")
    with rls.tenant(cast.firm.pk):
        assert ApiKey.objects.get(pk=going.pk).made_by == cast.alice.user


@pytest.mark.parametrize("heir", ["dan", "mallory", "bob", "nobody"])
def test_only_who_may_have_it_inherits_a_key(cast: Cast, heir: str) -> None:
    """An auditor makes no keys, a stranger is no member, the one who goes takes nothing over."""
    key, _ = factories.api_key(cast.project, cast.bob.may)
    with rls.everyone(because="test"):
        found = Membership.objects.filter(user=cast[heir].user).first()
        fate = found.public_id if found else "mem_0000000000000000"

    with pytest.raises(handover.NotTheirs):
        remove_bob(cast, Fates(each={key.public_id: fate}))


def test_a_limited_member_inherits_no_key_of_another_project(cast: Cast) -> None:
    other = factories.project(cast.firm, "둘째")
    key, _ = factories.api_key(cast.project, cast.bob.may)
    eve = factories.member(factories.user("eve@example.com"), cast.firm, Role.DEVELOPER)
    with rls.tenant(cast.firm.pk):
        row = Membership.objects.get(user=eve.user)
        Membership.objects.filter(pk=row.pk).update(all_projects=False, projects=[other.public_id])

    with pytest.raises(handover.NotTheirs):
        remove_bob(cast, Fates(each={key.public_id: row.public_id}))


def test_a_key_of_a_project_that_its_maker_lost_does_nothing(cast: Cast) -> None:
    _, secret = factories.api_key(cast.project, cast.bob.may, scopes=[Scope.CONTROL_READ])
    limit(cast, "bob", "prj_0000000000000000")

    found = actors.of_key(secret, now=NOON)

    assert found is not None and found.verbs == frozenset()
