"""A copy of one's own data, the end of an account, what is kept and for how long."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, connection, models, transaction

from billing.models import BudgetChange
from portal.deployments.models import Endpoint
from portal.routing import endings
from tenants import erasure, notices, retention, rls, traces, uploads
from tenants.actions import accounts, exports, members
from tenants.models import (
    AccountDeletion,
    ApiKey,
    AuditEvent,
    Membership,
    Notice,
    PersonalExport,
    StoredFile,
    User,
)
from tenants.roles import Role
from tests import factories
from tests.cast import Cast
from tests.factories import NOON

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


def copy_of(user: User) -> zipfile.ZipFile:
    made = exports.ask(user=user, now=NOON)
    exports.make(made.pk, now=NOON)
    content = exports.fetch(user=user, public_id=made.public_id, now=NOON)
    assert content is not None
    return zipfile.ZipFile(io.BytesIO(content))


def part(copy: zipfile.ZipFile, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(copy.read(f"data/{name}.json"))
    return found


def picture() -> SimpleUploadedFile:
    from PIL import Image

    raw = io.BytesIO()
    Image.new("RGB", (2, 2)).save(raw, "PNG")
    return SimpleUploadedFile("beleg.png", raw.getvalue())


def with_belongings(cast: Cast) -> ApiKey:
    """Bob in two organizations, with a key, a file, a notice, an authenticator, an address."""
    bob = cast.bob.user
    factories.member(bob, cast.mallory.may.organization, Role.AUDITOR)
    EmailAddress.objects.create(user=bob, email=bob.email, verified=True, primary=True)
    Authenticator.objects.create(user=bob, type="totp", data={"secret": "GEHEIM"})
    key, _secret = factories.api_key(cast.project, cast.bob.may)
    with rls.tenant(cast.firm.pk):
        uploads.store(picture(), organization=cast.firm, by=cast.bob.may, now=NOON)
        notices.tell(
            "key.unused",
            organization=cast.firm,
            to=[bob],
            now=NOON,
            name="<script>alert(1)</script>",
        )
    return key


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
    assert [one["kind"] for one in part(copy, "notices")] == ["key.unused"]
    assert [one["email"] for one in part(copy, "addresses")] == ["bob@example.com"]
    assert any(name.startswith("files/file_") for name in copy.namelist())
    for trace, *_rest in traces.pointing():
        assert f"data/{trace.section}.json" in copy.namelist()


def test_tells_no_secret_and_nobody_elses_rows(cast: Cast) -> None:
    key = with_belongings(cast)
    other, _secret = factories.api_key(cast.project, cast.alice.may, "von-alice")

    copy = copy_of(cast.bob.user)

    whole = b"".join(copy.read(name) for name in copy.namelist())
    assert b"GEHEIM" not in whole
    assert key.sha256.encode() not in whole
    assert other.public_id.encode() not in whole
    assert "김서연".encode() not in whole
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
        verbs = AuditEvent.objects.filter(actor_ref=cast.bob.user.email).values_list("verb")
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


def test_copies_for_somebody_without_an_organization(cast: Cast) -> None:
    assert part(copy_of(cast.nobody.user), "memberships") == []


# ─── the end of an account ─────────────────────────────────────────────────────────────────────


def test_lets_no_last_owner_go(cast: Cast) -> None:
    with pytest.raises(accounts.LastOwnerOf, match="한빛정밀"):
        accounts.ask_deletion(user=cast.alice.user, now=NOON)

    assert accounts.pending(cast.alice.user) is None


def test_undoes_the_end_while_there_is_time(cast: Cast) -> None:
    made = accounts.ask_deletion(user=cast.bob.user, now=NOON)

    assert accounts.undo_deletion(user=cast.bob.user, now=NOON + timedelta(days=13))
    assert not accounts.undo_deletion(user=cast.bob.user, now=NOON)
    assert accounts.end(made.pk, now=LATER) is None
    cast.bob.user.refresh_from_db()
    assert cast.bob.user.is_active


def test_ends_nothing_before_its_time(cast: Cast) -> None:
    made = accounts.ask_deletion(user=cast.bob.user, now=NOON)
    again = accounts.ask_deletion(user=cast.bob.user, now=NOON + timedelta(days=1))

    assert again == made
    assert accounts.due(NOON + timedelta(days=13)) == []
    assert accounts.end(made.pk, now=NOON + timedelta(days=13)) is None


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
    assert not EmailAddress.objects.filter(user=user).exists()
    assert not Authenticator.objects.filter(user=user).exists()
    assert not Session.objects.filter(session_key=session.session_key).exists()


def test_leaves_no_name_in_any_column_that_copies_one(cast: Cast, valkey_url: str) -> None:
    """Past names too: those that the audit log has seen."""
    with_belongings(cast)
    User.objects.filter(pk=cast.bob.user.pk).update(name="박새이름")
    accounts.ask_deletion(user=User.objects.get(pk=cast.bob.user.pk), now=NOON)

    endings.end_accounts(now=LATER)

    with rls.everyone(because="test"):
        for column in traces.COPIED_NAMES:
            found = traces.resolved(column)
            assert found is not None
            names = set(found[0]._base_manager.values_list(found[1], flat=True))
            assert not names & {"박도현", "박새이름", "bob@example.com"}, column


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


def test_waits_for_one_who_became_the_last_owner(cast: Cast, valkey_url: str) -> None:
    second = factories.member(factories.user("second@example.com", "둘째"), cast.firm)
    accounts.ask_deletion(user=cast.alice.user, now=NOON)
    assert second.user is not None
    with rls.tenant(cast.firm.pk):
        leaving = Membership.objects.get(user=second.user)
        members.remove(membership=leaving, by=cast.alice.may, now=NOON)

    assert endings.end_accounts(now=LATER) == 0

    assert User.objects.get(pk=cast.alice.user.pk).is_active
    with rls.user(cast.alice.user.pk):
        assert AccountDeletion.objects.get().held_at == LATER


@pytest.mark.django_db(transaction=True)
def test_keeps_an_owner_when_both_go_at_once() -> None:
    firm = factories.organization()
    people = [factories.user(f"owner{n}@example.com") for n in (1, 2)]
    for person in people:
        factories.member(person, firm)
    made = [accounts.ask_deletion(user=person, now=NOON) for person in people]
    start = threading.Barrier(2)

    def end(number: int) -> None:
        try:
            start.wait(5)
            accounts.end(made[number].pk, now=LATER)
        finally:
            connection.close()

    threads = [threading.Thread(target=end, args=(n,)) for n in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    with rls.tenant(firm.pk):
        assert Membership.objects.filter(role=Role.OWNER).count() == 1


# ─── retention ─────────────────────────────────────────────────────────────────────────────────


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
