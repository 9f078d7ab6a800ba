"""The wall, by enumeration: every route of pages and API, walked by everybody who is a stranger.

Each stranger asks every row of both permission tables with the ids of alice's firm, in the path,
in the body and in the query. Nothing of the firm may come back, and nothing of it may change.
A route without a row fails in ``test_permissions``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from portal.lib import ids
from tenants import rls
from tenants.actors import Actor
from tenants.checks import tenant_models
from tenants.models import Membership, OperatorHold, Organization, Project
from tenants.roles import Role
from tenants.scopes import Scope
from tests import factories
from tests.api.callers import bearer, send
from tests.api.rows import TABLE as OPERATIONS
from tests.architecture.test_repository import known_urls
from tests.cast import browser
from tests.factories import NOON
from tests.web.conftest import World
from tests.web.rows import TABLE as PAGES
from tests.web.rows.aliases import an_alias
from tests.web.rows.approvals import an_approval
from tests.web.rows.registration import a_document
from tests.web.rows.support import asked

READS = ("GET", "HEAD")
# Names that lists take or might take one day: with another's id in them they say nothing more.
QUERY = (
    "organization",
    "project",
    "key",
    "endpoint",
    "invoice",
    "member",
    "user",
    "cursor",
    "text",
    "page",
    "month",
    "subject",
    "person",
    "id",
)


@dataclass
class Walk:
    """Who walks, and what came back."""

    world: World
    client: Client
    markers: dict[str, str]
    counts: Counter[str] = field(default_factory=Counter)
    leaks: list[str] = field(default_factory=list)
    words: dict[tuple[int, str], Any] = field(default_factory=dict)

    def made(self, row: Any, what: str) -> Any:
        """The row's arguments, path or body: made once, however often it is asked for."""
        key = id(row), what
        if key not in self.words:
            self.words[key] = getattr(row, what)(self.world)
        return self.words[key]

    def saw(self, where: str, answer: HttpResponse, sent: str) -> None:
        """Count an answer; note what it tells of the firm beyond what was sent."""
        streamed = getattr(answer, "streaming_content", None)
        content = b"".join(streamed) if streamed is not None else answer.content
        text = content.decode("utf-8", "replace") + repr(sorted(answer.items()))
        self.counts[str(answer.status_code)] += 1
        if answer.status_code >= 500:
            self.leaks.append(f"{where}: {answer.status_code}")
        for what, marker in self.markers.items():
            if marker in text and marker not in sent:
                self.leaks.append(f"{where}: shows {what}")


def markers_of(world: World) -> dict[str, str]:
    """What only the firm and the operator may see."""
    firm = world.cast.firm
    return {
        "the firm's name": firm.name,
        "its code": firm.code,
        "its number": firm.business_number or "",
        "its id": firm.public_id,
        "a project": world.cast.project.public_id,
        "a key": world.key.public_id,
        "an endpoint": world.endpoint.public_id,
        "its name": world.endpoint.name,
        "an invoice": world.invoice.public_id,
        "a budget": world.budget.public_id,
        "the owner": world.cast.alice.user.email,
        "a member": world.cast.bob.user.public_id,
        "a member's name": world.cast.bob.user.name,
        "a document": a_document(world)["public_id"],
        "a support request": asked(world).public_id,
        "a name for a model": an_alias(world).public_id,
        "an approval": an_approval(world).public_id,
    }


def state_of(organization: Organization) -> dict[str, str]:
    """A fingerprint of every row of the organization, table by table."""
    found = {}
    with rls.everyone(because="test"), connection.cursor() as cursor:
        for model in tenant_models():
            column = "id" if model is Organization else "organization_id"
            table = model._meta.db_table
            cursor.execute(
                f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) "
                f"FROM {table} t WHERE {column} = %s",
                [organization.pk],
            )
            found[table] = cursor.fetchone()[0]
    return found


# ─── the strangers ─────────────────────────────────────────────────────────────────────────────


def _another_owner(world: World) -> Client:
    return browser(world.cast.mallory)


def _another(role: str) -> Callable[[World], Client]:
    def make(world: World) -> Client:
        person = factories.user(f"{role}@other.example", "낯선이")
        factories.member(person, world.cast.mallory.may.organization, role)
        client = Client()
        client.force_login(person)
        return client

    return make


def _removed(world: World) -> Client:
    """Was a developer of the firm, with a session that is still there."""
    person = factories.user("removed@example.com", "떠난이")
    actor: Actor = factories.member(person, world.cast.firm, Role.OWNER)
    client = Client()
    client.force_login(person)
    client.get(reverse("home"))
    with rls.everyone(because="test"):
        Membership.objects.filter(user=actor.user, organization=world.cast.firm).delete()
    return client


def _suspended_owner(world: World) -> Client:
    """Owns another firm, which the operator holds."""
    with rls.everyone(because="test"):
        OperatorHold.objects.create(
            public_id=ids.mint("hold"),
            organization=world.cast.mallory.may.organization,
            because="요금이 밀렸습니다.",
            held_at=NOON,
            held_by="오운영",
        )
    return browser(world.cast.mallory)


def _anonymous(world: World) -> Client:
    return Client()


def _nobody(world: World) -> Client:
    return browser(world.cast.nobody)


def _key(*scopes: str) -> Callable[[World], Client]:
    def make(world: World) -> Client:
        mallory = world.cast.mallory.may
        with rls.tenant(mallory.organization.pk):
            project = Project.objects.first()
        assert project is not None
        return bearer(factories.api_key(project, mallory, scopes=scopes)[1])

    return make


STRANGERS: dict[str, Callable[[World], Client]] = {
    "anonymous": _anonymous,
    "nobody": _nobody,
    "removed member": _removed,
    "another owner": _another_owner,
    "owner of a suspended organization": _suspended_owner,
    **{f"another {role}": _another(role) for role in Role.values if role != Role.OWNER},
    **{f"key {scope}": _key(scope) for scope in Scope.values},
    "key of all scopes": _key(*Scope.values),
}


# ─── the walk ──────────────────────────────────────────────────────────────────────────────────


def _pages(walk: Walk) -> None:
    for row in PAGES:
        url, body = reverse(row.name, kwargs=walk.made(row, "arguments")), walk.made(row, "body")
        answer = getattr(walk.client, row.method.lower())(url, body)
        walk.saw(f"{row.method} {row.name}", answer, f"{url} {body!r}")


def _operations(walk: Walk) -> None:
    for row in OPERATIONS:
        path, body = walk.made(row, "path"), walk.made(row, "body")
        answer = send(walk.client, row.method, path, body, Idempotency_Key="walk-1")
        walk.saw(f"{row.method} {row.name}", answer, f"{path} {body!r}")


def _records(walk: Walk) -> None:
    """The superusers' reading room: for each of its addresses, what a wrong address is told."""
    for name in sorted(name for name in known_urls() if name.startswith("admin:")):
        given = {"admin:index": [], "admin:app_list": ["tenants"]}
        rest = [] if name.endswith("_changelist") else [str(walk.world.cast.firm.pk)]
        url = reverse(name, args=given.get(name, rest))
        answer = walk.client.get(url)
        walk.saw(f"GET {name}", answer, url)
        if answer.status_code != 404:
            walk.leaks.append(f"GET {name}: {answer.status_code}")


def _queries(walk: Walk) -> None:
    """Every list, asked with the firm's ids under every name that might choose rows."""
    values = [value for value in walk.markers.values() if value]
    for row in PAGES:
        if row.method in READS and not walk.made(row, "arguments"):
            url = reverse(row.name)
            for value in _enough(values, walk.client.get(url).status_code):
                answer = walk.client.get(url, dict.fromkeys(QUERY, value))  # it takes what it knows
                walk.saw(f"GET {row.name}?…={value}", answer, value)
    for operation in OPERATIONS:
        path = walk.made(operation, "path")
        if operation.method == "GET" and not re.search(r"_[0-9a-z]{16}", path):
            bare = send(walk.client, "GET", path).status_code
            names = Names(list(QUERY))
            for value in _enough(values, bare):
                _ask(walk, operation.name, path, names, value, {200, bare} & {200, 403, 404})


def _enough(values: list[str], bare: int) -> list[str]:
    """Of what is closed without a question, two."""
    return values[: 2 if bare in (302, 403, 404) else None]


@dataclass
class Names:
    """Of an operation's list: those asked together, and those that spoil the answer to others."""

    together: list[str]
    alone: list[str] = field(default_factory=list)


def _ask(walk: Walk, operation: str, path: str, names: Names, value: str, enough: set[int]) -> None:
    """All names at once; each by itself where that is not answered, nor closed as it is without a
    question (``enough``). What is refused by its name is not asked again; what is refused by its
    value is asked by itself from then on."""

    def asked(*chosen: str) -> HttpResponse:
        query = "&".join(f"{name}={value}" for name in chosen)
        answer = send(walk.client, "GET", f"{path}?{query}")
        walk.saw(f"GET {operation}?{query}", answer, value)
        return answer

    for name in names.alone:
        asked(name)
    if not names.together or asked(*names.together).status_code in enough:
        return
    for name in tuple(names.together):
        answer = asked(name)
        if answer.status_code not in enough:
            names.together.remove(name)
            if b'"unknown_parameter"' not in getattr(answer, "content", b""):
                names.alone.append(name)


def _walk(world: World, who: str) -> Walk:
    return Walk(world, STRANGERS[who](world), {k: v for k, v in markers_of(world).items() if v})


@pytest.mark.parametrize("who", STRANGERS)
def test_shows_a_stranger_nothing_and_lets_them_change_nothing(
    world: World, who: str, record_property: Callable[[str, object], None]
) -> None:
    walk = _walk(world, who)
    for row in PAGES:  # what the rows need for their words is made before the fingerprint
        walk.made(row, "arguments"), walk.made(row, "body")
    for operation in OPERATIONS:
        walk.made(operation, "path"), walk.made(operation, "body")
    before = state_of(world.cast.firm)

    _pages(walk)
    _operations(walk)
    _records(walk)

    after = state_of(world.cast.firm)
    record_property("walk", f"{who}: {sum(walk.counts.values())} requests {dict(walk.counts)}")
    print(f"walk {who}: {sum(walk.counts.values())} requests {dict(sorted(walk.counts.items()))}")
    assert walk.leaks == []
    assert {table for table in after if after[table] != before[table]} == set()


def test_lists_tell_no_more_when_they_are_asked_with_anothers_ids(world: World) -> None:
    walk = _walk(world, "another owner")

    _queries(walk)

    print(f"walk queries: {sum(walk.counts.values())} requests {dict(sorted(walk.counts.items()))}")
    assert walk.leaks == []


def test_the_walk_sees_a_leak(world: World) -> None:
    """Alice herself is shown what a stranger is not: the markers are really looked for."""
    walk = Walk(world, browser(world.cast.alice), markers_of(world))

    _pages(walk)

    assert len({leak.rpartition("shows ")[2] for leak in walk.leaks}) >= 8
