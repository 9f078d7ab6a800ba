"""The cast: alice owns a firm, bob develops, carol keeps its budget, dan audits, mallory owns
another firm, nobody belongs nowhere, olivia runs the sites."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.test import Client

from tenants.actors import Actor
from tenants.models import Organization, Project, User
from tenants.roles import Role
from tests import factories
from tests.standing import STANDING


@dataclass(frozen=True)
class Person:
    user: User
    actor: Actor | None

    @property
    def may(self) -> Actor:
        assert self.actor is not None
        return self.actor


@dataclass(frozen=True)
class Cast:
    firm: Organization
    project: Project
    alice: Person
    bob: Person
    carol: Person
    dan: Person
    mallory: Person
    nobody: Person
    olivia: Person

    def __getitem__(self, name: str) -> Person:
        person = getattr(self, name)
        assert isinstance(person, Person)
        return person


NAMES = ("alice", "bob", "carol", "dan", "mallory", "nobody", "olivia")


def _person(name: str, label: str, of: Organization | None, role: str) -> Person:
    user = factories.user(f"{name}@example.com", label)
    return Person(user, factories.member(user, of, role) if of else None)


def assembled() -> Cast:
    """The cast in the database of now."""
    firm = factories.organization()
    other = factories.organization("이웃상사", number="2208162517")
    operator = factories.organization("두레 운영", kind="operator", number=None)
    factories.project(other, "남의 프로젝트")
    return Cast(
        firm=firm,
        project=factories.project(firm),
        alice=_person("alice", "김서연", firm, Role.OWNER),
        bob=_person("bob", "박도현", firm, Role.DEVELOPER),
        carol=_person("carol", "이정민", firm, Role.BUDGET_OFFICER),
        dan=_person("dan", "최감사", firm, Role.AUDITOR),
        mallory=_person("mallory", "남궁훈", other, Role.OWNER),
        nobody=_person("nobody", "무소속", None, ""),
        olivia=_person("olivia", "오운영", operator, Role.OWNER),
    )


@pytest.fixture
def cast_stands() -> None:
    """Marks who begins with the cast (``tests.standing``)."""


@pytest.fixture
def cast(db: None, cast_stands: None) -> Cast:
    found: Cast | None = STANDING.copy_of("cast_stands")
    return found or assembled()


def browser(person: Person) -> Client:
    """A signed-in browser."""
    client = Client()
    client.force_login(person.user)
    return client
