"""Members who rise, go and hand over; deputies and their dates."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tenants import actors, rls
from tenants.actions import deputies, handover, invitations, keys, members
from tenants.actions.handover import REVOKE, Fates
from tenants.actions.invitations import Place
from tenants.actors import Actor, NotAllowed
from tenants.models import ApiKey, AuditEvent, Deputyship, Membership
from tenants.roles import Role
from tenants.scopes import Scope
from tests import factories
from tests.cast import Cast
from tests.factories import NOON

TODAY = date(2026, 11, 16)
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


# ─── deputies ──────────────────────────────────────────────────────────────────────────────────


def name(cast: Cast, absent: str, deputy: str, by: Actor | None = None, **more: date) -> Deputyship:
    with rls.tenant(cast.firm.pk):
        return deputies.name(
            absent=membership(cast, absent),
            deputy=membership(cast, deputy),
            starts_date=more.get("starts", TODAY + WEEK),
            ends_date=more.get("ends", TODAY + 2 * WEEK),
            by=by or cast[absent].may,
            now=NOON,
        )


@pytest.mark.parametrize(
    ("at", "lent"),
    [
        (datetime(2026, 11, 22, 14, 59, 59, tzinfo=UTC), False),  # one second before the 23rd
        (datetime(2026, 11, 22, 15, 0, tzinfo=UTC), True),
        (datetime(2026, 11, 29, 14, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 29, 15, 0, tzinfo=UTC), False),  # the 30th in Korea
    ],
)
def test_stands_in_from_the_first_day_until_before_the_last(
    cast: Cast, at: datetime, lent: bool
) -> None:
    name(cast, "carol", "dan")

    actor = acting(cast, "dan", at)

    assert actor.can("budgets.change") is lent
    assert actor.can("audit.read")
    assert "budgets.change" not in actor.own_verbs


def test_what_is_lent_is_the_role_of_the_moment(cast: Cast) -> None:
    name(cast, "carol", "dan", starts=TODAY)
    with rls.tenant(cast.firm.pk):
        members.change_role(
            membership=membership(cast, "carol"), role="auditor", by=cast.alice.may, now=NOON
        )

    assert not acting(cast, "dan").can("budgets.change")


def test_there_are_no_chains(cast: Cast) -> None:
    name(cast, "alice", "carol", starts=TODAY)
    name(cast, "carol", "bob", starts=TODAY)

    bob = acting(cast, "bob")

    assert bob.can("budgets.change")
    assert not bob.can("members.change")


def test_a_deputy_hands_nothing_of_it_on(cast: Cast) -> None:
    """Bob stands in for the owner: no owner, no administrator, no wider key, no other deputy."""
    name(cast, "alice", "bob", starts=TODAY)
    bob = acting(cast, "bob")
    assert bob.can("members.change")

    with rls.tenant(cast.firm.pk):
        for role, refusal in (
            (Role.OWNER, members.OnlyOwnersMakeOwners),
            (Role.ADMINISTRATOR, members.RoleBeyondYours),
        ):
            with pytest.raises(refusal):
                invitations.create(email="x@example.com", place=Place(role), by=bob, now=NOON)
            with pytest.raises(refusal):
                members.change_role(membership=membership(cast, "bob"), role=role, by=bob, now=NOON)
        with pytest.raises(keys.WiderThanMaker):
            wish = keys.KeyWish(name="wide", scopes=Scope.values)
            keys.create(project=cast.project, wish=wish, by=bob, now=NOON)
    with pytest.raises(members.OnlyOwnersMakeOwners):
        name(cast, "alice", "carol", by=bob)
    with pytest.raises(members.OnlyOwnersMakeOwners), rls.tenant(cast.firm.pk):
        members.hand_ownership(
            to=membership(cast, "bob"), confirm="bob@example.com", by=bob, now=NOON
        )


def test_the_log_names_both(cast: Cast) -> None:
    name(cast, "alice", "bob", starts=TODAY)
    with rls.tenant(cast.firm.pk):
        members.change_role(
            membership=membership(cast, "dan"),
            role=Role.DEVELOPER,
            by=acting(cast, "bob"),
            now=NOON,
        )

        event = AuditEvent.objects.get(verb="member.change_role")
    assert (event.actor, event.on_behalf) == (cast.bob.user.public_id, cast.alice.user.public_id)


@pytest.mark.parametrize(
    ("absent", "deputy", "by", "refusal"),
    [
        ("alice", "bob", "bob", NotAllowed),
        ("alice", "bob", "dan", NotAllowed),
        ("bob", "bob", "bob", deputies.OwnDeputy),
        ("bob", "mallory", "bob", Membership.DoesNotExist),
    ],
)
def test_nobody_takes_a_role_that_was_not_lent(
    cast: Cast, absent: str, deputy: str, by: str, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        name(cast, absent, deputy, by=cast[by].may)


def test_another_tenants_member_stands_in_for_nobody(cast: Cast) -> None:
    with rls.everyone(because="test"):
        theirs = Membership.objects.get(user=cast.mallory.user)
        own = membership(cast, "alice")

        with pytest.raises(members.MemberGone):
            deputies.name(
                absent=own,
                deputy=theirs,
                starts_date=TODAY,
                ends_date=TODAY + WEEK,
                by=cast.alice.may,
                now=NOON,
            )


@pytest.mark.parametrize(
    ("starts", "ends"),
    [
        (TODAY - timedelta(days=1), TODAY + WEEK),
        (TODAY, TODAY),
        (TODAY + WEEK, TODAY),
        (TODAY, TODAY + timedelta(days=367)),
        (date(9999, 12, 30), date(9999, 12, 31)),
    ],
)
def test_a_leave_has_a_sensible_length(cast: Cast, starts: date, ends: date) -> None:
    with pytest.raises(deputies.BadPeriod):
        name(cast, "bob", "carol", starts=starts, ends=ends)


def test_days_of_one_deputy_do_not_overlap(cast: Cast) -> None:
    first = name(cast, "bob", "carol")
    with pytest.raises(deputies.AlreadyDeputy):
        name(cast, "bob", "carol", starts=TODAY + WEEK + timedelta(days=1))
    name(cast, "bob", "carol", starts=first.ends_date, ends=first.ends_date + WEEK)


def test_a_deputy_sees_no_more_projects_than_who_is_away(cast: Cast) -> None:
    limit(cast, "carol", cast.project.public_id)
    with pytest.raises(deputies.SeesOtherProjects):
        name(cast, "carol", "dan", by=cast.alice.may)
    limit(cast, "dan", cast.project.public_id)
    name(cast, "carol", "dan", by=cast.alice.may, starts=TODAY)
    assert acting(cast, "dan").can("budgets.change")

    with rls.tenant(cast.firm.pk):  # widened later: the loan rests
        Membership.objects.filter(user=cast.dan.user).update(all_projects=True, projects=[])

    assert not acting(cast, "dan").can("budgets.change")


@pytest.mark.parametrize(
    ("who", "ends"), [("alice", True), ("carol", True), ("dan", True), ("bob", False)]
)
def test_those_whom_it_concerns_end_it(cast: Cast, who: str, ends: bool) -> None:
    made = name(cast, "carol", "dan", starts=TODAY)
    with rls.tenant(cast.firm.pk):
        if ends:
            deputies.revoke(deputyship=made, by=cast[who].may, now=NOON)
            deputies.revoke(deputyship=made, by=cast[who].may, now=NOON)
            assert AuditEvent.objects.filter(verb="deputy.revoke").count() == 1
        else:
            with pytest.raises(NotAllowed):
                deputies.revoke(deputyship=made, by=cast[who].may, now=NOON)

    assert acting(cast, "dan").can("budgets.change") is not ends


def test_a_deputyship_goes_with_the_member(cast: Cast) -> None:
    name(cast, "carol", "dan", starts=TODAY)
    with rls.tenant(cast.firm.pk):
        members.remove(membership=membership(cast, "carol"), by=cast.alice.may, now=NOON)

        assert not Deputyship.objects.exists()
    assert not acting(cast, "dan").can("budgets.change")
