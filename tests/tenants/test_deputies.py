"""Deputies and their dates: what is lent, when, and that nothing of it is handed on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tenants import rls
from tenants.actions import deputies, invitations, keys, members
from tenants.actions.invitations import Place
from tenants.actors import Actor, NotAllowed
from tenants.models import AuditEvent, Deputyship, Membership
from tenants.roles import Role
from tenants.scopes import Scope
from tests.cast import Cast
from tests.factories import NOON
from tests.tenants.test_people import acting, limit, membership

TODAY = date(2026, 11, 16)
WEEK = timedelta(days=7)


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
