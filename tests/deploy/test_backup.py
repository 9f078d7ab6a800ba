"""The whole round with real servers: copied, proven, restored into an empty place, counted anew."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from billing import budgets, invoices
from deploy.backup import copy, proof
from deploy.backup.__main__ import main
from deploy.local.postgres import StackError
from tenants import sealing
from tests import factories
from tests.cast import Cast
from tests.factories import NOON
from tests.stack import ROOT

SUPERUSER = os.environ["DURE_TEST_SUPERUSER_URL"]
PASSWORD = urlsplit(SUPERUSER).password or ""

COUNT = """
import django
django.setup()
from datetime import datetime
from django.conf import settings
from django.utils import timezone
from portal.admission.sync import Admission, connect
from portal.routing.publish import Publisher
import sys

publisher = Publisher(Admission(connect(settings.VALKEY_URL, timeout_seconds=5.0)))
publisher.turn(now=datetime.fromisoformat(sys.argv[3]))
found = publisher.admission.standing(sys.argv[1], subject=sys.argv[2], month="2026-11")
print(found.spent)
"""


@pytest.fixture
def firm(cast: Cast) -> Cast:
    """Use, an invoice, the journal, a sealed audit log."""
    factories.catalogue()
    factories.budget(cast.firm, 100_000)
    for n in range(5):
        factories.ledger_entry(
            cast.project, at=NOON - timedelta(hours=n + 1), tokens_in=1_000_000, settled_micro=60
        )
    made = invoices.issue_interim(organization=cast.firm, by=cast.alice.may, now=NOON)
    assert made is not None
    sealing.sweep(now=NOON)
    return cast


@pytest.fixture(scope="module")
def proven(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of a server with empty tables, made once."""
    return made(tmp_path_factory.mktemp("proven"))


@pytest.fixture
def folder(proven: Path, tmp_path: Path) -> Path:
    """The same to spoil."""
    return Path(shutil.copytree(proven, tmp_path / "backup"))


def made(tmp_path: Path) -> Path:
    """One backup by the command line; its folder."""
    words = ["--url", SUPERUSER, "--password", PASSWORD]
    assert main(["make", str(tmp_path / "backups"), *words]) == 0
    (found,) = (tmp_path / "backups").iterdir()
    return found


def restored(folder: Path, data: Path) -> int:
    return main(["restore", str(folder), "--data", str(data), "--password", PASSWORD])


@pytest.mark.django_db(transaction=True)
def test_the_whole_round(
    firm: Cast, tmp_path: Path, valkey_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, data = made(tmp_path), tmp_path / "empty" / "data"
    kept = json.loads((folder / proof.BOOKS).read_text())
    assert kept["tables"]["usage_ledgerentry"] == 5
    assert kept["sums"]["journal receivable ← accrued"] == "300045000.000000"
    assert kept["faults"] == []
    factories.ledger_entry(firm.project, tokens_in=9_000_000)  # afterwards: lost with the disk

    assert restored(folder, data) == 0

    told = capsys.readouterr().out
    assert "The books agree with the backup." in told
    assert "Verified: journal, documents" in told
    with proof.running(data, PASSWORD) as server:
        url = proof.at_port(os.environ["DATABASE_URL"], server.port)
        assert proof.differences(kept, proof.books(url, {})) == []
        spent = _counted_anew(firm, url)
    assert spent == 5 * 60


def _counted_anew(firm: Cast, url: str) -> int:
    """What the publisher counts in an empty Valkey from the ledger at ``url``."""
    done = subprocess.run(
        [sys.executable, "-c", COUNT, firm.firm.code, firm.firm.public_id, NOON.isoformat()],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    budgets.admission.cache_clear()
    assert done.returncode == 0, done.stderr
    return int(done.stdout.splitlines()[-1])


def test_restores_into_an_empty_place_only(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "mine").write_text("stays")

    assert restored(folder, data) == 1

    assert [one.name for one in data.iterdir()] == ["mine"]


@pytest.mark.parametrize("harm", ["bit", "cut", "missing", "unproven"])
def test_a_backup_that_is_not_whole_is_refused_and_leaves_nothing(
    folder: Path, tmp_path: Path, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    base = folder / copy.BASE
    raw = base.read_bytes()
    if harm == "bit":
        middle = len(raw) // 2
        base.write_bytes(raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :])
    elif harm == "cut":
        base.write_bytes(raw[: len(raw) // 2])
    elif harm == "missing":
        (folder / copy.LOG).unlink()
    else:
        (folder / proof.BOOKS).unlink()

    assert restored(folder, data) == 1

    assert not data.exists() or not any(data.iterdir())
    assert capsys.readouterr().err.strip()


def test_says_what_differs(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = json.loads((folder / proof.BOOKS).read_text())
    kept["tables"]["billing_invoice"] += 1
    (folder / proof.BOOKS).write_text(json.dumps(kept))

    assert restored(folder, tmp_path / "data") == 1

    told = capsys.readouterr().out
    assert "billing_invoice: 1 in the backup, 0 now" in told and "do NOT agree" in told


def test_a_server_that_is_away_leaves_no_half_backup(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="pg_basebackup"):
        copy.make("postgres://postgres:x@127.0.0.1:9/postgres", tmp_path / "one")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.django_db(transaction=True)
def test_the_books_name_what_does_not_add_up(firm: Cast) -> None:
    import psycopg

    from portal.deployments import books

    database = urlsplit(os.environ["DATABASE_URL"]).path
    address = SUPERUSER.rsplit("/", 1)[0] + database
    with psycopg.connect(address, autocommit=True) as superuser:
        superuser.execute("ALTER TABLE billing_invoice DISABLE TRIGGER ALL")
        superuser.execute("UPDATE billing_invoice SET supply_won = 1, total_won = 1 + vat_won")
        superuser.execute("UPDATE billing_invoiceseries SET last = last + 1")

    found = books.read(now=NOON).faults

    assert any(one.startswith("invoice total: ") for one in found)
    assert any(one.startswith("receivable: ") for one in found)
    assert any("1 of 2 numbers" in one for one in found)
