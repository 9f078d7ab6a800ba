"""A running registry, and a firm that has signed up a moment ago."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from billing import onboarding
from deploy.local.registry import Registry
from tenants import actors, rls
from tenants.actions import checks
from tenants.actors import Actor
from tenants.models import Membership, Notice, Organization, User
from tenants.registry.nts import TaxServiceRegistry
from tests import factories
from tests.cast import Cast
from tests.factories import NOON
from tests.fakes.registry import KEY
from tests.fakes.registry import registry as fake

NUMBER = "1248100998"


@pytest.fixture
def service() -> Iterator[Registry]:
    with fake() as running:
        yield running


@dataclass
class Newcomer:
    """The new firm; ``cast`` stands by with the operator's people."""

    cast: Cast
    owner: User
    organization: Organization
    service: Registry

    @property
    def may(self) -> Actor:
        with rls.tenant(self.organization.pk):
            rows = Membership.objects.select_related("organization", "user")
            return actors.of_membership(rows.get(user=self.owner))

    def sweep(self, after: timedelta = timedelta(0)) -> checks.Sweep:
        """Ask the registry about all that are due."""
        client = TaxServiceRegistry(self.service.url, KEY, seconds=1.5)
        return checks.sweep(registry=client, now=NOON + after)

    def fresh(self) -> Organization:
        with rls.everyone(because="test"):
            return Organization.objects.get(pk=self.organization.pk)

    @property
    def state(self) -> str:
        return self.fresh().registration

    def told(self) -> list[str]:
        """Kinds of notices that the owner has, oldest first."""
        with rls.everyone(because="test"):
            rows = Notice.objects.filter(user=self.owner).order_by("pk")
            return list(rows.values_list("kind", flat=True))


def sign_up(owner: User, now: datetime = NOON, **wish: str) -> Organization:
    with rls.user(owner.pk):
        return onboarding.found(owner=owner, founding=factories.founding(**wish), now=now)


@pytest.fixture
def newcomer(cast: Cast, service: Registry, valkey_url: str) -> Newcomer:
    made = sign_up(cast.nobody.user)
    return Newcomer(cast, cast.nobody.user, made, service)
