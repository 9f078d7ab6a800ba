"""One small function per noun; nothing random where a test looks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from portal.lib import ids
from tenants import actors, rls
from tenants.actions import keys
from tenants.actors import Actor
from tenants.models import ApiKey, Membership, Organization, Project, User
from tenants.roles import Role

NOON = datetime(2026, 11, 16, 3, 0, tzinfo=UTC)  # 12:00 in Korea, a Monday


def user(email: str = "somebody@example.com", name: str = "김누구", **fields: Any) -> User:
    return User.objects.create_user(email, "correct-horse-battery", name=name, **fields)


def organization(
    name: str = "한빛정밀", *, kind: str = "sme", number: str | None = "1234567891"
) -> Organization:
    with rls.everyone(because="test set-up"):
        return Organization.objects.create(
            public_id=ids.mint("org"),
            code=ids.mint_org_code(),
            name=name,
            kind=kind,
            business_number=number,
            created_at=NOON,
        )


def member(person: User, of: Organization, role: str = Role.OWNER) -> Actor:
    with rls.everyone(because="test set-up"):
        membership = Membership.objects.create(
            organization=of, user=person, role=role, joined_at=NOON
        )
        return actors.of_membership(membership)


def project(of: Organization, name: str = "첫 프로젝트", **fields: Any) -> Project:
    with rls.everyone(because="test set-up"):
        return Project.objects.create(
            public_id=ids.mint("prj"), organization=of, name=name, created_at=NOON, **fields
        )


def api_key(of: Project, by: Actor, name: str = "erp-연동", **wish: Any) -> tuple[ApiKey, str]:
    with rls.tenant(of.organization_id):
        return keys.create(project=of, wish=keys.KeyWish(name=name, **wish), by=by, now=NOON)
