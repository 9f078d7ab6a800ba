"""Nudges on a real broker: after commit, and only for as long as they are of use."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from portal.lib.wake import HOUR, MINUTE, wake
from tests.stack import ROOT

TASK = "portal.provisioning.tasks.watch"


def _queued(broker: Any) -> list[dict[str, Any]]:
    found = [json.loads(one) for one in broker.lrange("sites", 0, -1)]
    return [one["headers"] for one in found]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("words", "seconds"), [({}, MINUTE), ({"lasts": HOUR}, HOUR)])
def test_a_nudge_expires(broker: Any, words: dict[str, int], seconds: int) -> None:
    before = datetime.now(UTC)

    wake(TASK, **words)

    [headers] = _queued(broker)
    assert headers["task"] == TASK
    lasts = datetime.fromisoformat(headers["expires"]) - before
    assert timedelta(seconds=seconds) <= lasts <= timedelta(seconds=seconds + 30)


@pytest.mark.django_db(transaction=True)
def test_a_nudge_may_be_for_later(broker: Any) -> None:
    before = datetime.now(UTC)

    wake(TASK, after=0.5)
    wake(TASK)

    now, later = _queued(broker)
    assert now["eta"] is None
    assert datetime.fromisoformat(later["eta"]) - before >= timedelta(seconds=0.5)


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_before_the_commit(broker: Any) -> None:
    with transaction.atomic():
        wake(TASK)
        assert not _queued(broker)

    assert len(_queued(broker)) == 1


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_nudges_nobody(broker: Any) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        wake(TASK)
        raise RuntimeError

    assert not _queued(broker)


def test_a_process_that_only_acts_knows_the_queues() -> None:
    """The portal never imports a worker's module by itself: its nudges went to the default queue,
    without the timeouts of the settings."""
    code = (
        "import django; django.setup();"
        "from portal.lib import wake; from celery import current_app as now;"
        f"print(now.amqp.router.route({{}}, {TASK!r})['queue'].name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split() == ["sites"]
