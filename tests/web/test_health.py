"""What balancers ask: ready only with every migration, and cheaply asked again and again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.web import health
from portal.web.migrated import Migrated

# The database is made anew afterwards.
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("_no_static_files"),
]


@pytest.fixture(autouse=True)
def _asked_for_the_first_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "MIGRATED", Migrated())


@pytest.fixture
def owner() -> Iterator[psycopg.Connection[Any]]:
    """Who may take back what was migrated."""
    url = os.environ["DURE_TEST_SUPERUSER_URL"].rsplit("/", 1)[0]
    with psycopg.connect(f"{url}/{connection.settings_dict['NAME']}", autocommit=True) as found:
        yield found


def ready() -> HttpResponse:
    return Client().get("/readyz")


def take_back(owner: psycopg.Connection[Any], app: str) -> None:
    """Its last migration, and those in whose place that one stands."""
    graph = MigrationLoader(None).graph
    (last,) = graph.leaf_nodes(app)
    for found in [last, *graph.nodes[last].replaces]:
        owner.execute("DELETE FROM django_migrations WHERE app = %s AND name = %s", found)


def test_is_ready_with_every_migration() -> None:
    answer = ready()

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("apps", [["billing"], ["sessions", "tenants"]])
def test_waits_for_the_last_migration_of_each_app_and_names_it(
    owner: psycopg.Connection[Any], apps: list[str]
) -> None:
    for app in apps:
        take_back(owner, app)

    answer = ready()

    assert answer.status_code == 503
    assert answer.json() == {"status": "waiting", "for": "migrations", "behind": apps}


def test_waits_in_a_database_that_nobody_has_migrated(owner: psycopg.Connection[Any]) -> None:
    owner.execute("ALTER TABLE django_migrations RENAME TO something_else")

    answer = ready()

    assert (answer.status_code, answer.json()["for"]) == (503, "migrations")


def test_is_ready_where_the_old_migrations_stand_for_the_baseline(
    owner: psycopg.Connection[Any],
) -> None:
    """So it is until ``migrate``, which then only notes the baseline: everything is there."""
    baselines = [
        (app, name)
        for (app, name), one in MigrationLoader(None).graph.nodes.items()
        if app == "fleet" and one.replaces
    ]
    for found in baselines:
        owner.execute("DELETE FROM django_migrations WHERE app = %s AND name = %s", found)

    answer = ready()

    assert baselines
    assert answer.status_code == 200


def test_a_newer_database_is_no_hindrance(owner: psycopg.Connection[Any]) -> None:
    owner.execute(
        "INSERT INTO django_migrations (app, name, applied) VALUES ('billing', '9999_new', now())"
    )

    assert ready().status_code == 200


def test_asks_once_and_reads_no_list_any_more_when_it_was_ready() -> None:
    ready()

    with CaptureQueriesContext(connection) as asked:
        answer = ready()

    assert answer.status_code == 200
    assert [one["sql"] for one in asked] == ["SELECT 1"]
