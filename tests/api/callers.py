"""Who calls the API: people with a session, programs with a key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.test import Client

from tenants import rls
from tenants.actions import keys
from tenants.scopes import Scope
from tests import factories
from tests.cast import browser
from tests.factories import NOON
from tests.web.conftest import World

Ask = Callable[..., HttpResponse]


def bearer(secret: str) -> Client:
    return Client(headers={"authorization": f"Bearer {secret}"})


def caller(world: World, who: str) -> Client:
    """``key``: of alice's firm; ``foreign-key``: of mallory's; ``dead-key``: revoked."""
    if who == "anonymous":
        return Client()
    if who == "key":
        return bearer(world.secret)
    if who == "dead-key":
        key, secret = factories.api_key(world.cast.project, world.cast.alice.may, "dead")
        with rls.tenant(world.cast.firm.pk):
            keys.revoke(key=key, by=world.cast.alice.may, now=NOON)
        return bearer(secret)
    if who == "foreign-key":
        mallory = world.cast.mallory.may
        project = factories.project(mallory.organization, f"p{factories.ids.mint('x')}")
        return bearer(factories.api_key(project, mallory, scopes=Scope.values)[1])
    return browser(world.cast[who])


def send(client: Client, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
    """A JSON call below ``/api/v1/``."""
    ask = getattr(client, method.lower())
    options: dict[str, Any] = {"headers": {k.replace("_", "-"): v for k, v in headers.items()}}
    if body is not None:
        options |= {"data": body, "content_type": "application/json"}
    answer: HttpResponse = ask(f"/api/v1/{path}", **options)
    return answer
