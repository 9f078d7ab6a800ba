"""What the reading room shows of the tables, and what it answers no question about."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection
from django.db.models import BinaryField, CharField, JSONField, Model, TextField
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portal.deployments.models import Endpoint, Placement, PlacementMove
from portal.usage.models import CardTime
from portal.web.superusers import site
from tenants import rls
from tenants.models import (
    ApiKey,
    AuditEvent,
    AuditPerson,
    DomainClaim,
    Invitation,
    Mail,
    Membership,
    Notice,
    Organization,
    Project,
    SignIn,
    SingleSignOn,
    StoredFile,
    User,
)
from tenants.reading_room import MOST_ROWS, Reading
from tests import factories
from tests.factories import NOON
from tests.superusers.room import NO_ROW, TABLES, addresses, list_of, record_of
from tests.web.conftest import World

MOST_QUERIES = 15
# What the content security policy would not run.
FORBIDDEN = r"<script\b(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:"


# ─── what is shown ─────────────────────────────────────────────────────────────────────────────

MARK = "must-not-be-read"


def plant(world: World) -> None:
    """Rows with secrets in them, where the world has none."""
    firm, alice = world.cast.firm, world.cast.alice.user
    with rls.everyone(because="test"):
        Invitation.objects.create(
            public_id="inv_1",
            organization=firm,
            email="new@example.com",
            role="auditor",
            token_sha256=f"{MARK}-token-hash",
            invited_by=alice,
            created_at=NOON,
            sent_at=NOON,
            expires_at=NOON,
        )
        SingleSignOn.objects.create(
            public_id="sso_1",
            organization=firm,
            issuer="https://id.example",
            client_id="dure",
            sealed_secret=f"{MARK}-sealed",
            made_at=NOON,
        )
        DomainClaim.objects.create(
            public_id="dom_1",
            organization=firm,
            domain="hanbit.example",
            token=f"{MARK}-proof",
            made_at=NOON,
        )
        Mail.objects.create(
            public_id="mail_1",
            organization=firm,
            to="alice@example.com",
            subject=f"{MARK} subject",
            text=f"{MARK} code 123456",
            html=f"{MARK} link",
            message_id="<1@dure.example>",
            queued_at=NOON,
            next_at=NOON,
        )
        StoredFile.objects.create(
            public_id="file_1",
            organization=firm,
            name="사업자등록증.pdf",
            media_type="application/pdf",
            size=9,
            sha256=f"{MARK}-file-hash",
            content=b"must-not-be-read",
            created_by="김서연",
            created_at=NOON,
        )
    SignIn.objects.create(user=alice, at=NOON, device=f"{MARK}-device")


def withheld(model: type[Model]) -> list[str]:
    table = site._registry[model]
    assert isinstance(table, Reading)
    return [
        one.name
        for one in model._meta.concrete_fields
        if one.name not in table.shown
        and isinstance(one, CharField | TextField | JSONField | BinaryField)
        and not one.primary_key
    ]


def hidden_values() -> set[str]:
    """Every text of a column that is not shown, of every row there is."""
    found: set[str] = set()
    for model in TABLES:
        if names := withheld(model):
            for row in model._default_manager.values_list(*names):
                found |= {
                    one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one)
                    for one in (bytes(one) if isinstance(one, memoryview) else one for one in row)
                }
    return {one for one in found if len(one) > 8}


def test_shows_every_table_and_record_without_a_secret(
    world: World, olivia: Client, subtests: pytest.Subtests
) -> None:
    plant(world)
    with rls.everyone(because="test"):
        secrets = hidden_values()
    assert sum(MARK in one for one in secrets) >= 9
    assert world.key.sha256 in secrets and world.cast.alice.user.password in secrets
    for address in addresses(world):
        with subtests.test(address), CaptureQueriesContext(connection) as queries:
            answer = olivia.get(address)
            page = answer.content.decode()
            if str(NO_ROW) in address:
                assert answer.status_code == 404
                continue
            assert answer.status_code == 200
            assert [one for one in secrets if one in page] == []
            assert len(asked(queries)) <= MOST_QUERIES
            assert "no-store" in answer["Cache-Control"]
            assert "'unsafe" not in answer["Content-Security-Policy"]
            assert re.search(FORBIDDEN, page) is None


def test_says_what_is_there(world: World, olivia: Client) -> None:
    page = olivia.get(record_of(Organization, world.cast.firm.pk)).content.decode()

    assert world.cast.firm.name in page and (world.cast.firm.business_number or "") in page


def asked(queries: CaptureQueriesContext) -> list[str]:
    """Those that look at tables: not the settings and savepoints around them."""
    return [one["sql"] for one in queries.captured_queries if " FROM " in one["sql"]]


GROWING = [Project, ApiKey, Endpoint, Placement, PlacementMove, CardTime, User, Membership]
GROWING += [AuditEvent, AuditPerson, Notice, Authenticator]


def test_asks_as_often_for_many_rows_as_for_few(world: World, olivia: Client) -> None:
    def counts() -> dict[str, int]:
        found = {}
        for model in GROWING:
            with CaptureQueriesContext(connection) as queries:
                olivia.get(list_of(model))
            found[model._meta.label] = len(asked(queries))
        return found

    counts()  # leaves its traces, which another look within the hour does not
    few = counts()
    for number in range(3):
        made = factories.project(world.cast.firm, f"p{number}")
        factories.api_key(made, world.cast.alice.may)
        endpoint = factories.endpoint(made, f"e{number}")
        factories.placement(endpoint, world.site, moves=[(NOON, "ready")])
        factories.card_time(endpoint, start=NOON, end=NOON + timedelta(hours=1))
        person = factories.user(f"u{number}@example.com")
        factories.member(person, world.cast.firm, "auditor")
        factories.second_factor(person)

    assert counts() == few


def test_counts_no_table_whole(world: World, olivia: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        olivia.get(list_of(AuditEvent))

    counting = [one for one in asked(queries) if "COUNT(*)" in one and "auditevent" in one]
    assert len(counting) == 1 and f"LIMIT {MOST_ROWS}" in counting[0]


# ─── what is asked ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("table", "question"),
    [
        ("apikey", "sha256__startswith=0"),
        ("user", "password__contains=argon"),
        ("user", "email__startswith=alice"),
        ("invitation", "token_sha256__regex=^a"),
        ("apikey", "made_by__password__startswith=a"),
        ("organization", "keys__sha256__startswith=a"),
        ("authenticator", "user__password__startswith=a"),
    ],
)
def test_answers_no_question_about_hidden_columns(
    world: World, olivia: Client, table: str, question: str
) -> None:
    label = "mfa" if table == "authenticator" else "tenants"

    answer = olivia.get(reverse(f"admin:{label}_{table}_changelist") + "?" + question)

    assert answer.status_code in {302, 400}  # 302: a name that Django knows nothing of
    assert "?e=1" in answer.get("Location", "?e=1")


def test_finds_rows_by_organization_and_by_whole_values(world: World, olivia: Client) -> None:
    mine = olivia.get(list_of(Project), {"organization__exact": world.cast.firm.pk})
    part = olivia.get(list_of(User), {"q": "alice@exam"})
    whole = olivia.get(list_of(User), {"q": "alice@example.com"})

    assert "첫 프로젝트" in mine.content.decode() and "남의" not in mine.content.decode()
    assert "alice@example.com" not in part.content.decode()
    assert "김서연" in whole.content.decode()
