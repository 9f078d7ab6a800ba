"""Two workers at once, and a worker that is killed: one document whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest
from django.db import connection

from billing.etax import preparing, sweep
from tests.billing.etax.conftest import AFTER, Desk, make_invoice
from tests.fakes import etax as fakes
from tests.stack import ROOT


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_issue_one_document_each(desk: Desk) -> None:
    for n in range(1, 7):
        make_invoice(desk.cast.firm, number=f"2026-12-0000{n}")
    preparing.prepare_due(now=AFTER)
    start = threading.Barrier(3)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            start.wait(10)
            sweep.sweep(issuer=fakes.client(desk.service, seconds=5.0), now=AFTER)
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failed == []
    assert desk.states() == ["issued"] * 6
    issued = [place for deed, place in desk.service.calls if deed == "ISSUE"]
    assert len(issued) == 6 == len(desk.service.kept)


KILLED = """
import os, signal, sys
import django
django.setup()
from datetime import datetime
from billing.etax import sweep
from tests.fakes import etax as fakes
from billing.etax.popbill import Account, PopbillIssuer

when, url, moment = sys.argv[1:]
now = datetime.fromisoformat(moment)

class Dying(PopbillIssuer):
    def issue(self, document):
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        super().issue(document)
        os.kill(os.getpid(), signal.SIGKILL)

account = Account(url, url, fakes.SERVICE, fakes.LINK_ID, fakes.SECRET, fakes.NUMBER)
sweep.sweep(issuer=Dying(account, clock=lambda: now), now=now)
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_killed_between_call_and_commit_leaves_one_document(desk: Desk, when: str) -> None:
    make_invoice(desk.cast.firm)
    preparing.prepare_due(now=AFTER)

    done = subprocess.run(
        [sys.executable, "-c", KILLED, when, desk.service.url, AFTER.isoformat()],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == -signal.SIGKILL, done.stderr
    assert desk.states() == ["prepared"]
    assert len(desk.service.kept) == (1 if when == "after" else 0)
    assert desk.work(seconds=30) == sweep.Sweep()  # its lease holds
    for _ in range(9):
        desk.work(minutes=30)
    assert desk.states() == ["accepted"]
    assert len(desk.service.kept) == 1
