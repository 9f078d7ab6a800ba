"""What the tenant actions promise."""

from datetime import timedelta

import pytest
from django.db import connection

from tenants import actors, rls
from tenants.actions import keys, members, organizations, projects
from tenants.founding import KindNotOpen
from tenants.models import ApiKey, AuditEvent, Membership, Project
from tenants.roles import ROLES, VERBS, Role
from tests import factories
from tests.cast import Cast
from tests.factories import NOON


def test_makes_an_organization_with_an_owner_and_a_project(cast: Cast) -> None:
    made, actor = organizations.create(
        owner=cast.nobody.user,
        founding=factories.founding(data_class="sensitive"),
        now=NOON,
    )

    assert actor.role == Role.OWNER
    with rls.tenant(made.pk):
        assert Project.objects.get().data_class == "sensitive"
        assert AuditEvent.objects.get().verb == "organization.create"


def test_refuses_a_business_number_twice(cast: Cast) -> None:
    with pytest.raises(organizations.NumberTaken):
        organizations.create(
            owner=cast.nobody.user,
            founding=factories.founding(business_number="1234567891"),
            now=NOON,
        )


def test_lets_nobody_sign_up_as_the_operator(cast: Cast) -> None:
    with pytest.raises(KindNotOpen):
        organizations.create(
            owner=cast.nobody.user, founding=factories.founding(kind="operator"), now=NOON
        )


def test_shows_a_key_once_and_keeps_its_hash(cast: Cast) -> None:
    key, secret = factories.api_key(cast.project, cast.alice.may)

    assert secret.startswith(f"dure_live_{cast.firm.code}_")
    assert secret not in str(vars(key))
    assert key.public_part.endswith(secret[-4:])
    actor = actors.of_key(secret, now=NOON)
    assert actor is not None and actor.organization == cast.firm


@pytest.mark.parametrize("change", ["revoked", "expired", "mistyped"])
def test_knows_no_actor_for_a_dead_key(cast: Cast, change: str) -> None:
    expires = NOON + timedelta(days=1) if change == "expired" else None
    key, secret = factories.api_key(cast.project, cast.alice.may, expires_at=expires)
    if change == "revoked":
        with rls.tenant(cast.firm.pk):
            keys.revoke(key=key, by=cast.alice.may, now=NOON)
    if change == "mistyped":
        secret = secret[:-1] + ("0" if secret[-1] != "0" else "1")

    assert actors.of_key(secret, now=NOON + timedelta(days=2)) is None


def test_revokes_once(cast: Cast) -> None:
    key, _ = factories.api_key(cast.project, cast.alice.may)

    with rls.tenant(cast.firm.pk):
        keys.revoke(key=key, by=cast.alice.may, now=NOON)
        keys.revoke(key=key, by=cast.alice.may, now=NOON + timedelta(hours=1))

        assert ApiKey.objects.get().revoked_at == NOON
        assert AuditEvent.objects.filter(verb="key.revoke").count() == 1


def test_refuses_a_second_project_of_the_same_name(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk), pytest.raises(projects.ProjectNameTaken):
        projects.create(name="첫 프로젝트", data_class="open", by=cast.alice.may, now=NOON)


def test_never_loses_the_last_owner(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        own = Membership.objects.get(user=cast.alice.user)
        with pytest.raises(members.LastOwner):
            members.remove(membership=own, by=cast.alice.may, now=NOON)
        with pytest.raises(members.LastOwner):
            members.change_role(membership=own, role=Role.DEVELOPER, by=cast.alice.may, now=NOON)


def test_lets_only_owners_make_owners(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        bob = Membership.objects.get(user=cast.bob.user)
        members.change_role(membership=bob, role=Role.ADMINISTRATOR, by=cast.alice.may, now=NOON)
        administrator = actors.of_membership(Membership.objects.get(user=cast.bob.user))
        carol = Membership.objects.get(user=cast.carol.user)
        with pytest.raises(members.OnlyOwnersMakeOwners):
            members.change_role(membership=carol, role=Role.OWNER, by=administrator, now=NOON)


@pytest.mark.parametrize("role", Role.values)
@pytest.mark.parametrize("verb", sorted(VERBS))
def test_requires_exactly_the_verbs_of_the_role(role: str, verb: str) -> None:
    from tenants.models import Organization

    actor = actors.Actor(Organization(), ROLES[role], "user", "x", role=role)

    if verb in ROLES[role]:
        actor.require(verb)
    else:
        with pytest.raises(actors.NotAllowed):
            actor.require(verb)


def test_gives_no_customer_an_operator_verb() -> None:
    assert not any(verb.startswith("operator.") for verbs in ROLES.values() for verb in verbs)


@pytest.mark.django_db(transaction=True)
def test_keeps_one_owner_when_two_remove_each_other_at_once() -> None:
    import threading

    firm = factories.organization()
    people = [factories.user(f"owner{n}@example.com") for n in (1, 2)]
    by = [factories.member(person, firm) for person in people]
    start = threading.Barrier(2)

    def remove(me: int) -> None:
        try:
            with rls.tenant(firm.pk):
                other = Membership.objects.get(user=people[1 - me])
                start.wait(5)
                members.remove(membership=other, by=by[me], now=NOON)
        except actors.NotAllowed:  # removed while waiting: no owner any more
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=remove, args=(n,)) for n in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(15)

    with rls.tenant(firm.pk):
        assert Membership.objects.filter(role=Role.OWNER).count() == 1
