"""Real PostgreSQL and Valkey for every test, as the application's own role.

``tests.plugin`` has started the servers. Nothing but loopback can be reached.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, settings

from tests.plugin import WORKER
from tests.stack import TEMPLATE

pytest_plugins = ["tests.cast"]

# How long an example takes says how busy the machine is, and nothing about the product.
settings.register_profile("dure", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dure")


def pytest_runtest_setup(item: pytest.Item) -> None:
    import pytest_socket
    from pytest_django.plugin import blocking_manager_key

    from tests import standing

    with item.config.stash[blocking_manager_key].unblock():
        standing.STANDING.keep(standing.wanted_by(item), str(item.path))
    pytest_socket.socket_allow_hosts(["127.0.0.1", "localhost", "::1"], allow_unix_socket=True)


def _copy_template() -> None:
    """A fresh database of this worker. The application's role still owns nothing in it."""
    import psycopg

    with psycopg.connect(os.environ["DURE_TEST_SUPERUSER_URL"], autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS dure_{WORKER} WITH (FORCE)")
        server.execute(f"CREATE DATABASE dure_{WORKER} TEMPLATE {TEMPLATE} OWNER dure_owner")


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: pytest.FixtureRequest) -> None:
    from django.test import TransactionTestCase

    _copy_template()

    def renew(self: TransactionTestCase) -> None:
        # The application's role may not truncate, and ledgers refuse it: copy the template again.
        from django.db import connections

        connections.close_all()
        _copy_template()

    TransactionTestCase._fixture_teardown = renew  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def _quick_settings(settings: object) -> None:
    """No manifest of static files, and a password hash that costs nothing."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]
    settings.STORAGES = {  # type: ignore[attr-defined]
        "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture
def _layers(
    request: pytest.FixtureRequest,
    _quick_settings: None,
    django_db_setup: None,
    django_db_blocker: Any,
) -> None:
    """What stands below the test's own savepoint."""
    from tests import standing

    with django_db_blocker.unblock():
        standing.STANDING.raise_up(standing.wanted_by(request.node))


@pytest.fixture
def _django_db_helper(_layers: None, _django_db_helper: None) -> None:
    """pytest-django's, which opens the test's own transaction or savepoint, after the layers."""


@pytest.fixture
def broker() -> Iterator[Any]:
    """A client of the worker's broker, empty: what tests before this one have queued is gone."""
    import redis

    client = redis.Redis.from_url(os.environ["CELERY_BROKER_URL"])
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


@pytest.fixture
def valkey_url() -> Iterator[str]:
    """The worker's own Valkey database, empty, with the functions loaded."""
    import redis

    from portal.admission import library

    url = os.environ["VALKEY_URL"]
    client = redis.Redis.from_url(url)
    client.flushdb()
    client.execute_command(*library.load_command())
    yield url
    client.flushdb()
    client.close()


@pytest.fixture
def valkey(valkey_url: str) -> Iterator[object]:
    """A client of the worker's Valkey database."""
    import redis

    client = redis.Redis.from_url(valkey_url)
    yield client
    client.close()


def loopback_port(url: str) -> int:
    return urlsplit(url).port or 0
