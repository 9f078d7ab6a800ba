"""The end of an account: what goes, and what stays without a name."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import DatabaseError, models, transaction

from billing.models import BudgetChange
from portal.deployments.models import Endpoint
from portal.routing import endings
from tenants import (
    audit,
    erasure,
    rls,
    sealing,
    traces,
    verifying,
)
from tenants.actions import accounts
from tenants.models import (
    AccessLine,
    AccessReview,
    AccountDeletion,
    ApiKey,
    AuditEvent,
    AuditPerson,
    Deputyship,
    Invitation,
    Mail,
    Membership,
    Notice,
    StoredFile,
    User,
)
from tenants.roles import Role
from tests import factories
from tests.cast import Cast
from tests.factories import NOON
from tests.tenants.belongings import copy_of, part, with_belongings

LATER = NOON + accounts.GRACE + timedelta(seconds=1)


def columns_that_point_at_people() -> set[str]:
    """Every column of every model, also of those that join others, that points at a user."""
    return {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey) and field.related_model is User
    }


def test_says_of_every_column_what_becomes_of_the_person_in_it() -> None:
    assert columns_that_point_at_people() - set(traces.TRACES) == set()


def test_names_only_columns_that_exist() -> None:
    for trace, model, name in traces.pointing():
        assert model._meta.get_field(name).related_model is User
        model._base_manager.none().values(*trace.fields)
    for column, named_by in traces.COPIED_NAMES.items():
        found = traces.resolved(column)
        assert found is not None
        found[0]._base_manager.none().values(found[1], named_by)


def test_erases_the_person_and_keeps_what_must_stay(cast: Cast, valkey_url: str) -> None:
    factories.catalogue()
    key = with_belongings(cast)
    kept, _secret = factories.api_key(cast.project, cast.alice.may, "von-alice")
    endpoint = factories.endpoint(cast.project)
    with rls.everyone(because="test set-up"):
        Endpoint.objects.filter(pk=endpoint.pk).update(created_by="박도현")
        budget = factories.budget(cast.firm)
        change = BudgetChange.objects.create(
            organization=cast.firm, budget=budget, from_won=1, to_won=2, by="박도현", at=NOON
        )
    session = SessionStore()
    session["_auth_user_id"] = str(cast.bob.user.pk)
    session.create()
    accounts.ask_deletion(user=cast.bob.user, now=NOON)

    assert endings.end_accounts(now=LATER) == 1
    assert endings.end_accounts(now=LATER) == 0

    user = User.objects.get(pk=cast.bob.user.pk)
    assert user.email == f"{user.public_id}@erased.invalid"
    assert (user.is_active, user.has_usable_password()) == (False, False)
    name = erasure.former(user)
    with rls.everyone(because="test"):
        assert not Membership.objects.filter(user=user).exists()
        assert not Notice.objects.filter(user=user).exists()
        key.refresh_from_db()
        assert (key.revoked_at, key.made_by, key.created_by) == (LATER, None, name)
        kept.refresh_from_db()
        assert (kept.revoked_at, kept.created_by) == (None, "김서연")
        assert StoredFile.objects.get().created_by == name
        assert Endpoint.objects.get(pk=endpoint.pk).created_by == name
        assert BudgetChange.objects.get(pk=change.pk).by == name
        assert AccountDeletion.objects.get().done_at == LATER
    with rls.everyone(because="test"):
        assert list(Mail.objects.values_list("to", flat=True)) != []
        assert not Mail.objects.filter(to="bob@example.com").exists()
        person = AuditPerson.objects.get(organization=cast.firm, ref=user.public_id)
        assert (person.label, person.email, person.erased_at) == ("", "", LATER)
    assert not EmailAddress.objects.filter(user=user).exists()
    assert not Authenticator.objects.filter(user=user).exists()
    assert not Session.objects.filter(session_key=session.session_key).exists()


def test_leaves_no_name_in_any_column_that_copies_one(cast: Cast, valkey_url: str) -> None:
    """Past names too: those that the audit log has seen."""
    with_belongings(cast)
    for name in ("박새이름", "박세번째"):
        User.objects.filter(pk=cast.bob.user.pk).update(name=name)
        person = User.objects.get(pk=cast.bob.user.pk)
        with rls.tenant(cast.firm.pk):
            by = replace(cast.bob.may, user=person, label=person.label)
            audit.record("thing.deed", by=by, now=NOON, subject="prj_1")
    accounts.ask_deletion(user=person, now=NOON)

    endings.end_accounts(now=LATER)

    with rls.everyone(because="test"):
        for column in traces.COPIED_NAMES:
            found = traces.resolved(column)
            assert found is not None
            names = set(found[0]._base_manager.values_list(found[1], flat=True))
            assert not names & {"박도현", "박새이름", "박세번째", "bob@example.com"}, column


def test_names_every_column_that_sounds_like_a_persons_name() -> None:
    """A new column ``…_by``, ``…label`` or ``email`` says what becomes of the name in it."""
    no_names = {
        "tenants.AuditSeal.signed_by": "a signing key",
        "tenants.AuditPruning.signed_by": "a signing key",
        "tenants.AuditPerson.label": "audit.forget",
        "tenants.AuditPerson.email": "audit.forget",
        "tenants.User.email": "erasure.anonymise",
        "tenants.Invitation.email": "erasure.erase_addresses",
        "tenants.Mail.to": "erasure.erase_addresses",
        "account.EmailAddress.email": "goes with its row",
        "billing.EtaxMove.by": "an opaque reference, or a program",
        "fleet.SiteMove.by": "an opaque reference, or a program",
        "billing.EtaxProfile.email": "the organization's address for tax invoices",
        "billing.Accrual.label": "an endpoint, its chip and its site",
        "catalog.Version.label": "a model's version",
        "contenttypes.ContentType.app_label": "Django's own",
    }
    sounds = re.compile(r"(^|_)by$|label$|(^|_)e?mail$|^to$|person")

    found = {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if sounds.search(field.name)
        and isinstance(field, models.CharField)
        # a few letters are a choice ("mail": now, digest), not a name
        and (field.max_length or 999) > 24
    }

    assert found - set(traces.COPIED_NAMES) - set(no_names) == set()


@pytest.mark.django_db(transaction=True)
def test_erases_a_person_out_of_a_log_that_still_verifies(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, valkey_url: str
) -> None:
    settings.DURE_CHECKPOINT_DIR = tmp_path
    # the tests' server has a database for each worker, whose open transactions would count
    monkeypatch.setattr(sealing, "_horizon", lambda: 2**62)
    firm = factories.organization()
    factories.member(factories.user("alice@example.com", "김서연"), firm)
    bob = factories.user("bob@example.com", "박도현")
    factories.api_key(factories.project(firm), factories.member(bob, firm))
    accounts.ask_deletion(user=bob, now=NOON)
    assert sealing.sweep(now=NOON) == 1

    assert endings.end_accounts(now=LATER) == 1
    sealing.sweep(now=LATER)

    assert verifying.verify(firm, now=LATER).faults == []
    call_command("verify_audit")
    with rls.everyone(because="test"):
        told = " ".join(f"{one.__dict__}" for one in AuditEvent.objects.all())
        assert bob.public_id in told
        assert "박도현" not in told and "bob@example.com" not in told


def test_what_somebody_signed_stays_signed_without_the_name(cast: Cast, valkey_url: str) -> None:
    """Signed reviews, holds and views cannot be changed but for the name in them."""
    review = sealed_review(cast)
    accounts.ask_deletion(user=cast.bob.user, now=NOON)

    endings.end_accounts(now=LATER)

    name = erasure.former(cast.bob.user)
    with rls.everyone(because="test"):
        review.refresh_from_db()
        assert (review.signed_by, review.signed_at) == (name, NOON)
        line = AccessLine.objects.get(review=review)
        assert (line.label, line.decided_by, line.decision) == (name, name, "confirmed")
        for rows, change in (
            (AccessReview.objects.filter(pk=review.pk), {"signed_by": "김서연"}),
            (AccessReview.objects.filter(pk=review.pk), {"quarter": "2020-Q1"}),
            (AccessLine.objects.filter(pk=line.pk), {"decision": "removed"}),
            (AccessLine.objects.filter(pk=line.pk), {"label": "김서연"}),
        ):
            with pytest.raises(DatabaseError), transaction.atomic():
                rows.update(**change)
        for rows in (AccessReview.objects.filter(pk=review.pk), AccessLine.objects.all()):
            with pytest.raises(DatabaseError), transaction.atomic():
                rows.delete()


def sealed_review(cast: Cast) -> AccessReview:
    with rls.everyone(because="test set-up"):
        review = AccessReview.objects.create(
            public_id="rev_1",
            organization=cast.firm,
            quarter="2026-Q3",
            opened_at=NOON,
            due_date=NOON.date(),
        )
        AccessLine.objects.create(
            public_id="acl_1",
            organization=cast.firm,
            review=review,
            kind="member",
            subject="mem_1",
            label="박도현",
            rights={},
            decision="confirmed",
            decided_at=NOON,
            decided_by="박도현",
        )
        AccessReview.objects.filter(pk=review.pk).update(signed_at=NOON, signed_by="박도현")
    return review


def test_takes_the_name_out_of_what_others_were_told(cast: Cast, valkey_url: str) -> None:
    accounts.ask_deletion(user=cast.bob.user, now=NOON)  # tells alice that 박도현 leaves

    endings.end_accounts(now=LATER)

    with rls.everyone(because="test"):
        (told,) = Notice.objects.filter(user=cast.alice.user, kind="member.leaving")
        assert told.words["name"] == erasure.former(cast.bob.user)
        assert told.words["day"] == "2026-11-30"


def test_ends_what_hung_on_the_membership(cast: Cast, valkey_url: str) -> None:
    """Deputies, invitations that the person sent, and those that others sent to the person."""
    with rls.everyone(because="test set-up"):
        people = {one.user_id: one for one in Membership.objects.all()}
        Deputyship.objects.create(
            public_id="dep_1",
            organization=cast.firm,
            absent=people[cast.carol.user.pk],
            deputy=people[cast.bob.user.pk],
            starts_date=NOON.date(),
            ends_date=LATER.date() + timedelta(days=9),
            created_at=NOON,
            created_by="김서연",
        )
        sent, got = [
            Invitation.objects.create(
                public_id=f"ivt_{number}",
                organization=of,
                email=email,
                role="auditor",
                token_sha256=str(number) * 64,
                invited_by=by,
                created_at=NOON,
                sent_at=NOON,
                expires_at=LATER + timedelta(days=1),
            )
            for number, (of, email, by) in enumerate(
                (
                    (cast.firm, "guest@example.com", cast.bob.user),
                    (cast.mallory.may.organization, "bob@example.com", cast.mallory.user),
                )
            )
        ]
    accounts.ask_deletion(user=cast.bob.user, now=NOON)

    endings.end_accounts(now=LATER)

    with rls.everyone(because="test"):
        assert not Deputyship.objects.exists()
        sent.refresh_from_db()
        got.refresh_from_db()
        assert (sent.revoked_at, sent.email) == (LATER, "guest@example.com")
        assert (got.revoked_at, got.email) == (LATER, erasure.unreachable(cast.bob.user))


def test_the_address_is_free_for_somebody_new(cast: Cast, valkey_url: str) -> None:
    """Who signs up with it afterwards is nobody whom we knew."""
    with_belongings(cast)
    accounts.ask_deletion(user=cast.bob.user, now=NOON)
    endings.end_accounts(now=LATER)

    new = factories.user("bob@example.com", "박도현")

    copy = copy_of(new)
    for name in ("memberships", "keys", "sign_ins", "deeds", "mails", "names_beside_things"):
        assert part(copy, name) == [], name


def test_keeps_a_name_that_somebody_bore_who_left(cast: Cast, valkey_url: str) -> None:
    """It may be theirs: nobody is made the author of another's deeds."""
    other = factories.member(
        factories.user("second@example.com", "박도현"), cast.firm, Role.ADMINISTRATOR
    )
    theirs, _secret = factories.api_key(cast.project, other)
    with rls.everyone(because="test set-up"):
        Membership.objects.filter(user=other.user).delete()
    accounts.ask_deletion(user=cast.bob.user, now=NOON)

    endings.end_accounts(now=LATER)

    with rls.tenant(cast.firm.pk):
        assert ApiKey.objects.get(pk=theirs.pk).created_by == "박도현"


def test_keeps_a_name_that_another_member_bears(cast: Cast, valkey_url: str) -> None:
    factories.member(factories.user("second@example.com", "박도현"), cast.firm, Role.DEVELOPER)
    key, _secret = factories.api_key(cast.project, cast.bob.may)
    accounts.ask_deletion(user=cast.bob.user, now=NOON)

    endings.end_accounts(now=LATER)

    with rls.tenant(cast.firm.pk):
        assert ApiKey.objects.get(pk=key.pk).created_by == "박도현"


def test_changes_nothing_of_an_append_only_row_but_the_name(cast: Cast) -> None:
    with rls.everyone(because="test"):
        row = BudgetChange.objects.create(
            organization=cast.firm,
            budget=factories.budget(cast.firm),
            from_won=1,
            to_won=2,
            by="박도현",
            at=NOON,
        )
        for change in (
            {"by": "somebody else"},
            {"by": "former member usr_x", "to_won": 3},
            {"to_won": 3},
        ):
            with pytest.raises(DatabaseError), transaction.atomic():
                BudgetChange.objects.filter(pk=row.pk).update(**change)
        with pytest.raises(DatabaseError), transaction.atomic():
            BudgetChange.objects.filter(pk=row.pk).delete()
