"""The world, and a superuser who came in with a second factor."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.cast import Person, browser
from tests.web.conftest import World, _no_static_files, world, world_stands

__all__ = ["_no_static_files", "world", "world_stands"]


def rise(person: Person) -> None:
    """Make somebody a superuser."""
    person.user.is_superuser = person.user.is_staff = True
    person.user.save()


def proven(client: Client, person: Person, **record: Any) -> Client:
    """The session as allauth leaves it after a second factor."""
    session = client.session
    session["account_authentication_methods"] = [{"method": "mfa", "type": "totp"} | record]
    session["account_authentication_methods_user"] = str(person.user.pk)
    session.save()
    return client


@pytest.fixture
def olivia(world: World) -> Client:
    """The operator's owner as a superuser, in a session with a second factor."""
    rise(world.cast.olivia)
    return proven(browser(world.cast.olivia), world.cast.olivia)
