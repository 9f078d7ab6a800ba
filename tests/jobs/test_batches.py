"""One Idempotency-Key is one job of the organization, whoever sends it, however often at once."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from django.db import connection

from portal.jobs import batches, files
from portal.jobs.models import Job
from portal.jobs.refusals import OtherRequest
from tenants import rls
from tenants.actors import Actor
from tenants.models import Project
from tests import factories
from tests.factories import NOON
from tests.jobs.conftest import a_file, a_line

KEY = "nightly-1"


def wish(project: Project, by: Actor) -> batches.Wish:
    lines = a_file(a_line(1))
    file = files.upload([lines], name="in", project=project, by=by, now=NOON)
    key, _secret = factories.api_key(project, by)
    return batches.Wish(input_file=file, key=key, idempotency_key=KEY)


def firm() -> tuple[Project, Actor]:
    factories.catalogue()
    made = factories.organization()
    person = factories.member(factories.user("alice@example.com", "김서연"), made)
    return factories.project(made), person


def test_a_key_that_another_project_has_used_is_taken(db: None, valkey_url: str) -> None:
    project, alice = firm()
    first = batches.create(wish=wish(project, alice), by=alice, now=NOON)
    second = factories.project(project.organization, "연구")
    sees_one = replace(alice, projects=(second.public_id,))

    with pytest.raises(OtherRequest):
        batches.create(wish=wish(second, alice), by=sees_one, now=NOON)

    with rls.tenant(project.organization_id):
        assert Job.objects.get() == first


@pytest.mark.django_db(transaction=True)
def test_the_same_key_four_times_at_once_is_one_job(valkey_url: str) -> None:
    project, alice = firm()
    asked, start, results = wish(project, alice), threading.Barrier(4), list[object]()

    def create() -> None:
        try:
            start.wait(5)
            results.append(batches.create(wish=asked, by=alice, now=NOON).public_id)
        except Exception as error:
            results.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=create) for _each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    with rls.tenant(project.organization_id):
        assert results == [Job.objects.get().public_id] * 4
