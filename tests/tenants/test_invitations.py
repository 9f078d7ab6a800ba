"""Invitations: one address, one use, no more than the inviter may give."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.utils import translation

from tenants import actors, mail_addresses, quotas, rls
from tenants.actions import invitations, members
from tenants.actions.invitations import NoSuchInvitation, Place
from tenants.actors import Actor, NotAllowed
from tenants.models import AuditEvent, Invitation, Mail, Membership, Notice, User
from tenants.roles import Role
from tests import factories
from tests.cast import Cast
from tests.factories import NOON

DAY = timedelta(days=1)
Capture = Callable[..., Any]


def proven(email: str = "erin@example.com", *, verified: bool = True) -> User:
    """A person who has, or has not, proven an address."""
    user = factories.user(email, "정에린")
    EmailAddress.objects.create(user=user, email=email, verified=verified, primary=True)
    return user


@pytest.fixture
def invite(cast: Cast, django_capture_on_commit_callbacks: Capture) -> Callable[..., str]:
    """Invite as somebody; the token that the mail carries."""

    def call(email: str = "erin@example.com", role: str = "developer", **more: Any) -> str:
        by: Actor = more.pop("by", cast.alice.may)
        with django_capture_on_commit_callbacks(execute=True), rls.tenant(by.organization.pk):
            place = Place(role, more.pop("projects", ()))
            invitations.create(email=email, place=place, by=by, now=more.pop("now", NOON))
        return token_of_mail()

    return call


def queued() -> list[Mail]:
    """The invitations in the outbox."""
    with rls.everyone(because="test"):
        return list(Mail.objects.filter(text__contains="/invitations/").order_by("pk"))


def token_of_mail() -> str:
    found = re.search(r"/invitations/([\w-]+)/", queued()[-1].text)
    assert found is not None
    return found[1]


def administrator(cast: Cast) -> Actor:
    return factories.member(
        factories.user("adam@example.com", "한관리"), cast.firm, "administrator"
    )


Invite = Callable[..., str]


@pytest.mark.parametrize(("language", "word"), [("ko", "초대했습니다"), ("en", "invites you")])
def test_a_mail_says_who_where_and_what_in_text_and_html(
    cast: Cast, invite: Invite, language: str, word: str
) -> None:
    cast.firm.name = "<b>한빛</b>"
    with rls.everyone(because="test"):
        cast.firm.save(update_fields=["name"])
    actor = actors.of_membership(
        Membership(organization=cast.firm, user=cast.alice.user, role=Role.OWNER)
    )
    with translation.override(language):
        token = invite(by=actor)

    sent = queued()[-1]
    html = sent.html
    assert sent.to == "erin@example.com"
    assert word in sent.text and word in html
    assert "<b>한빛</b>" in sent.text and "&lt;b&gt;한빛" in html and "<b>" not in html
    assert token in html and f'lang="{language}"' in html
    assert "\n" not in sent.subject


def test_accepting_gives_the_role_and_the_projects(cast: Cast, invite: Invite) -> None:
    erin, token = proven(), invite(projects=[cast.project.public_id])

    made = invitations.accept(token=token, user=erin, now=NOON + 7 * DAY - timedelta(seconds=1))

    assert (made.role, made.all_projects) == ("developer", False)
    assert made.projects == [cast.project.public_id]
    with rls.everyone(because="notices are a person's own"):
        event = AuditEvent.objects.get(verb="member.join")
        told = Notice.objects.filter(kind="member.joined")
        assert (event.actor, event.subject) == (erin.public_id, erin.public_id)
        assert [one.user for one in told] == [cast.alice.user]


def test_keeps_no_token(cast: Cast, invite: Invite) -> None:
    token = invite()

    with rls.tenant(cast.firm.pk):
        assert token not in repr(Invitation.objects.values().get())
        assert token not in repr(list(AuditEvent.objects.values()))


def forged(cast: Cast, token: str, erin: User) -> str:
    return token[:-1] + ("A" if token[-1] != "A" else "B")


def used(cast: Cast, token: str, erin: User) -> str:
    invitations.accept(token=token, user=erin, now=NOON)
    with rls.tenant(cast.firm.pk):
        Membership.objects.filter(user=erin).delete()
    return token


def revoked(cast: Cast, token: str, erin: User) -> str:
    with rls.tenant(cast.firm.pk):
        invitation = Invitation.objects.get()
        invitations.revoke(invitation=invitation, by=cast.alice.may, now=NOON)
        invitations.revoke(invitation=invitation, by=cast.alice.may, now=NOON)
    return token


def sent_again(cast: Cast, token: str, erin: User) -> str:
    with rls.tenant(cast.firm.pk):
        later = NOON + timedelta(minutes=2)
        invitations.resend(invitation=Invitation.objects.get(), by=cast.alice.may, now=later)
    return token


def expired(cast: Cast, token: str, erin: User) -> str:
    with rls.tenant(cast.firm.pk):
        Invitation.objects.update(expires_at=NOON)
    return token


def others_address(cast: Cast, token: str, erin: User) -> str:
    with rls.tenant(cast.firm.pk):
        Invitation.objects.update(email="erin+1@example.com")
    return token


def not_proven(cast: Cast, token: str, erin: User) -> str:
    EmailAddress.objects.filter(user=erin).update(verified=False)
    return token


def inviter_left(cast: Cast, token: str, erin: User) -> str:
    with rls.tenant(cast.firm.pk):
        Membership.objects.filter(user=cast.alice.user).delete()
    return token


def inviter_lowered(cast: Cast, token: str, erin: User) -> str:
    with rls.tenant(cast.firm.pk):
        Membership.objects.filter(user=cast.alice.user).update(role="auditor")
    return token


@pytest.mark.parametrize(
    "spoil",
    [
        forged,
        used,
        revoked,
        sent_again,
        expired,
        others_address,
        not_proven,
        inviter_left,
        inviter_lowered,
    ],
)
def test_a_link_that_is_no_good_says_one_sentence(
    cast: Cast, invite: Invite, spoil: Callable[..., str]
) -> None:
    erin, token = proven(), invite()
    token = spoil(cast, token, erin)

    with pytest.raises(NoSuchInvitation) as found:
        invitations.accept(token=token, user=erin, now=NOON)

    assert str(found.value) == str(NoSuchInvitation())
    with rls.tenant(cast.firm.pk):
        assert not Membership.objects.filter(user=erin).exists()


@pytest.mark.parametrize(
    ("who", "role", "refusal"),
    [
        ("administrator", Role.OWNER, members.OnlyOwnersMakeOwners),
        ("administrator", Role.BUDGET_OFFICER, members.RoleBeyondYours),
        ("bob", Role.DEVELOPER, NotAllowed),
        ("bob", Role.OWNER, NotAllowed),
        ("carol", Role.BUDGET_OFFICER, NotAllowed),
        ("dan", Role.AUDITOR, NotAllowed),
    ],
)
def test_nobody_rises_through_an_invitation(
    cast: Cast, invite: Invite, who: str, role: str, refusal: type[Exception]
) -> None:
    by = administrator(cast) if who == "administrator" else cast[who].may

    with pytest.raises(refusal):
        invite(role=role, by=by)

    assert queued() == []


def test_resending_asks_for_the_right_to_give_the_role(cast: Cast, invite: Invite) -> None:
    invite(role=Role.OWNER)
    adam = administrator(cast)

    with rls.tenant(cast.firm.pk), pytest.raises(members.OnlyOwnersMakeOwners):
        later = NOON + timedelta(minutes=5)
        invitations.resend(invitation=Invitation.objects.get(), by=adam, now=later)


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMINISTRATOR])
def test_whole_roles_have_no_limits(cast: Cast, invite: Invite, role: str) -> None:
    with pytest.raises(members.WholeOrganization):
        invite(role=role, projects=[cast.project.public_id])


def test_another_tenants_project_is_unknown(cast: Cast, invite: Invite) -> None:
    theirs = factories.project(cast.mallory.may.organization, "남")

    with pytest.raises(members.UnknownProject):
        invite(projects=[cast.project.public_id, theirs.public_id])


# ─── addresses (case 79) ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("email", ["ERIN@example.com", " erin@Example.COM ", "erin@EXAMPLE.com"])
def test_case_79_one_address_in_every_spelling(cast: Cast, invite: Invite, email: str) -> None:
    erin, token = proven(), invite(email)

    assert invitations.accept(token=token, user=erin, now=NOON).user == erin
    with pytest.raises(invitations.AlreadyMember):
        invite(email)


def test_case_79_a_plus_address_is_another_person(cast: Cast, invite: Invite) -> None:
    invite("erin+lab@example.com")

    with pytest.raises(NoSuchInvitation):
        invitations.accept(token=invite(), user=proven("erin+lab@example.com"), now=NOON)


@pytest.mark.parametrize(
    "email",
    [
        "erİn@example.com",
        "erin@example.com\r\nBcc: x@example.com",
        "erin@example.com,x@example.com",
        "erin",
        "@example.com",
        "erin@localhost",
        "e" * 250 + "@example.com",
        "<erin@example.com>",
        "",
    ],
)
def test_refuses_what_is_no_address(cast: Cast, invite: Invite, email: str) -> None:
    with pytest.raises(mail_addresses.BadAddress):
        invite(email)


def test_an_open_invitation_is_not_doubled(cast: Cast, invite: Invite) -> None:
    first = invite()

    with pytest.raises(invitations.AlreadyInvited):
        invite()

    second = invite(now=NOON + 7 * DAY)  # the first has expired
    assert first != second
    with rls.tenant(cast.firm.pk):
        assert Invitation.objects.filter(revoked_at=None).count() == 1


def test_two_organizations_invite_one_address(cast: Cast, invite: Invite) -> None:
    erin = proven()
    tokens = [invite(), invite(by=cast.mallory.may)]

    made = [invitations.accept(token=token, user=erin, now=NOON) for token in tokens]

    assert {one.organization_id for one in made} == {
        cast.firm.pk,
        cast.mallory.may.organization.pk,
    }


# ─── limits ────────────────────────────────────────────────────────────────────────────────────


def test_sends_only_so_many_an_hour_and_keeps_only_so_many_open(cast: Cast) -> None:
    fresh = itertools.count()

    def more(count: int, hours: int) -> None:
        for _ in range(count):
            invitations.create(
                email=f"p{next(fresh)}@example.com",
                place=Place("auditor"),
                by=cast.alice.may,
                now=NOON + timedelta(hours=hours),
            )

    with rls.tenant(cast.firm.pk):
        more(invitations.MOST_AN_HOUR, 0)
        with pytest.raises(invitations.TooFast):
            more(1, 0)
        more(quotas.QUOTAS["open_invitations"].usual - invitations.MOST_AN_HOUR, 2)
        with pytest.raises(invitations.TooManyInvitations):
            more(1, 4)
        more(1, 24 * 8)  # by then the others have expired


def test_is_sent_again_a_few_times_with_pauses(cast: Cast, invite: Invite) -> None:
    invite()
    with rls.tenant(cast.firm.pk):
        invitation = Invitation.objects.get()
        with pytest.raises(invitations.TooFast):
            invitations.resend(invitation=invitation, by=cast.alice.may, now=NOON)
        for hour in range(1, invitations.MOST_SENDS):
            later = NOON + timedelta(hours=hour)
            invitation = invitations.resend(invitation=invitation, by=cast.alice.may, now=later)
        with pytest.raises(invitations.TooFast):
            invitations.resend(invitation=invitation, by=cast.alice.may, now=NOON + DAY)


def test_a_lowered_inviters_invitations_end(cast: Cast, invite: Invite) -> None:
    with rls.tenant(cast.firm.pk):
        bob = Membership.objects.get(user=cast.bob.user)
        members.change_role(membership=bob, role=Role.OWNER, by=cast.alice.may, now=NOON)
        bob_may = actors.of_membership(Membership.objects.get(user=cast.bob.user))
    invite("a@example.com", Role.OWNER, by=bob_may)
    invite("b@example.com", Role.DEVELOPER, by=bob_may)
    with rls.tenant(cast.firm.pk):
        members.change_role(membership=bob, role=Role.ADMINISTRATOR, by=cast.alice.may, now=NOON)

        left = Invitation.objects.filter(revoked_at=None)
        assert [one.email for one in left] == ["b@example.com"]
