"""The audit log: sealed, verified, and what a superuser of the database cannot hide."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction

from tenants import audit, pruning, rls, sealing, verifying
from tenants.models import AuditEvent, AuditPruning, AuditSeal, Organization
from tests import factories
from tests.factories import NOON

pytestmark = pytest.mark.django_db(transaction=True)
SOON = NOON + timedelta(minutes=1)


@pytest.fixture(autouse=True)
def checkpoints(settings: Any, tmp_path: Path) -> Path:
    settings.DURE_CHECKPOINT_DIR = tmp_path / "checkpoints"
    return tmp_path / "checkpoints"


@pytest.fixture(autouse=True)
def _own_database_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' server has a database for each worker, whose open transactions would count."""
    name = connection.settings_dict["NAME"]

    def horizon() -> int:
        with psycopg.connect(os.environ["DURE_TEST_SUPERUSER_URL"]) as server:
            found = server.execute(
                "SELECT least(pg_snapshot_xmax(pg_current_snapshot())::text::bigint, "
                "(SELECT min(backend_xid::text::bigint) FROM pg_stat_activity WHERE datname = %s))",
                [name],
            ).fetchone()
        return int(found[0]) if found else 0

    monkeypatch.setattr(sealing, "_horizon", horizon)


def test_the_real_horizon_lies_below_what_still_runs() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        (mine,) = cursor.fetchone()
        cursor.execute(sealing._HORIZON)
        (horizon,) = cursor.fetchone()

    assert horizon <= mine


@pytest.fixture
def firm() -> Organization:
    """A firm with five events, sealed two by two."""
    made = factories.organization()
    owner = factories.member(factories.user("alice@example.com", "김서연"), made)
    for number in range(5):
        with rls.tenant(made.pk):
            audit.record(f"thing.deed{number}", by=owner, now=NOON, subject=f"prj_{number}")
    return made


@pytest.fixture
def sealed(firm: Organization, monkeypatch: pytest.MonkeyPatch) -> Organization:
    monkeypatch.setattr(sealing, "MOST_EVENTS", 2)
    assert sealing.sweep(now=NOON) == 3
    return firm


@pytest.fixture
def superuser() -> Iterator[psycopg.Connection[Any]]:
    """Whoever owns the server: triggers are no obstacle."""
    url = os.environ["DURE_TEST_SUPERUSER_URL"].rsplit("/", 1)[0]
    name = connection.settings_dict["NAME"]
    with psycopg.connect(f"{url}/{name}", autocommit=True) as found:
        found.execute("SET session_replication_role = replica")
        yield found


def faults(organization: Organization, now: Any = SOON + timedelta(minutes=10)) -> list[str]:
    return [fault.kind for fault in verifying.verify(organization, now=now).faults]


def event_ids(organization: Organization) -> list[int]:
    with rls.tenant(organization.pk):
        return list(AuditEvent.objects.order_by("transaction", "id").values_list("id", flat=True))


def test_a_sealed_log_is_whole(sealed: Organization) -> None:
    report = verifying.verify(sealed, now=SOON)

    assert (report.events, report.seals, report.unsealed, report.faults) == (5, 3, 0, [])


def test_what_came_after_the_seal_is_only_counted(sealed: Organization) -> None:
    with rls.tenant(sealed.pk):
        owner = factories.member(factories.user("b@example.com"), sealed)
        audit.record("thing.late", by=owner, now=SOON, subject="prj_x")

    report = verifying.verify(sealed, now=SOON)

    assert (report.events, report.unsealed, report.count) == (5, 1, 0)


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (["UPDATE tenants_auditevent SET verb = verb || 'x' WHERE id = {1}"], ["changed"]),
        (["UPDATE tenants_auditevent SET address = '1.1.1.1' WHERE id = {2}"], ["changed"]),
        (
            ["UPDATE tenants_auditevent SET at = at + interval '1 microsecond' WHERE id = {1}"],
            ["changed"],
        ),
        (["UPDATE tenants_auditevent SET organization_id = 0 WHERE id = {1}"], ["removed"]),
        (["DELETE FROM tenants_auditevent WHERE id = {3}"], ["removed"]),
        (
            [
                "UPDATE tenants_auditevent SET id = -1 WHERE id = {0}",
                "UPDATE tenants_auditevent SET id = {0} WHERE id = {1}",
                "UPDATE tenants_auditevent SET id = {1} WHERE id = -1",
            ],
            ["changed", "changed"],
        ),
        (
            [
                "UPDATE tenants_auditevent a SET subject = b.subject FROM tenants_auditevent b "
                "WHERE (a.id, b.id) IN (({1}, {2}), ({2}, {1}))"
            ],
            ["changed", "changed"],
        ),
        (["UPDATE tenants_auditseal SET count = count - 1 WHERE number = 2"], None),
        (["UPDATE tenants_auditseal SET leaves = substr(leaves, 2) WHERE number = 2"], None),
        (["DELETE FROM tenants_auditseal WHERE number = 2"], None),
        (["DELETE FROM tenants_auditseal WHERE number = 3"], None),
        (
            [
                "DELETE FROM tenants_auditseal WHERE number = 3",
                "DELETE FROM tenants_auditevent WHERE id = {4}",
                "UPDATE tenants_auditchain SET number = 2, seals_outside = 2, total = 4, hash = "
                "(SELECT hash FROM tenants_auditseal WHERE number = 2)",
            ],
            ["cut"],
        ),
        (["DELETE FROM tenants_auditseal", "DELETE FROM tenants_auditchain"], ["cut"]),
        (
            [
                "INSERT INTO tenants_auditevent (organization_id, at, transaction, actor_kind, "
                "actor, verb, subject, changes, because) SELECT organization_id, at, transaction, "
                "actor_kind, actor, 'thing.never', subject, changes, because "
                "FROM tenants_auditevent WHERE id = {0}"
            ],
            ["inserted"],
        ),
    ],
    ids=[
        "one-letter",
        "an-address",
        "a-microsecond",
        "moved-away",
        "removed",
        "ids-swapped",
        "texts-swapped",
        "seal-count",
        "seal-leaves",
        "seal-removed",
        "last-seal-removed",
        "cut-and-chain-set-back",
        "everything-cut",
        "inserted",
    ],
)
def test_finds_what_a_superuser_did(
    sealed: Organization,
    superuser: psycopg.Connection[Any],
    statements: list[str],
    found: list[str] | None,
) -> None:
    ids = event_ids(sealed)
    for statement in statements:
        superuser.execute(statement.format(*ids))

    seen = faults(sealed)

    assert seen if found is None else seen == found


def test_finds_a_chain_that_was_cut_and_written_anew(
    sealed: Organization, superuser: psycopg.Connection[Any], settings: Any
) -> None:
    """The whole end is sealed again, hashes and all, but without our key."""
    from portal.lib import signing

    superuser.execute("DELETE FROM tenants_auditseal")
    superuser.execute("DELETE FROM tenants_auditchain")
    superuser.execute("DELETE FROM tenants_auditevent WHERE verb = 'thing.deed0'")
    ours, settings.DURE_AUDIT_KEY = settings.DURE_AUDIT_KEY, signing.new_key()
    theirs, settings.DURE_CHECKPOINT_DIR = (
        settings.DURE_CHECKPOINT_DIR,
        settings.DURE_CHECKPOINT_DIR / "elsewhere",
    )
    sealing.sweep(now=NOON)
    settings.DURE_AUDIT_KEY, settings.DURE_CHECKPOINT_DIR = ours, theirs

    assert {"unsigned", "differs_outside"} <= set(faults(sealed))


def test_finds_a_checkpoint_that_is_missing_outside(
    sealed: Organization, checkpoints: Path
) -> None:
    next(checkpoints.rglob("*.jsonl")).unlink()

    assert faults(sealed) == ["missing_outside"] * 3
    assert faults(sealed, now=NOON + timedelta(seconds=30)) == []  # the sweep may still write it


def test_finds_a_checkpoint_that_was_changed(sealed: Organization, checkpoints: Path) -> None:
    file = next(checkpoints.rglob("*.jsonl"))
    file.chmod(0o600)
    lines = file.read_text().replace('"count":2', '"count":1', 1) + "no json\n"
    file.write_text(lines)

    assert set(faults(sealed)) == {"unsigned", "unreadable", "missing_outside"}


def test_the_command_says_what_and_where(
    sealed: Organization, superuser: psycopg.Connection[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("verify_audit")
    assert "5 events" in capsys.readouterr().out
    superuser.execute("DELETE FROM tenants_auditevent WHERE verb = 'thing.deed3'")

    with pytest.raises(CommandError) as failed:
        call_command("verify_audit", organization=sealed.public_id)

    assert failed.value.returncode == 1
    assert "removed: event number" in capsys.readouterr().out


def test_seals_nothing_that_an_open_transaction_may_still_precede(firm: Organization) -> None:
    """Ids are not commit order: a writer that began earlier commits later."""
    began, finish = threading.Event(), threading.Event()
    owner = factories.member(factories.user("slow@example.com"), firm)
    other = factories.member(factories.user("quick@example.com"), firm)

    def slow_writer() -> None:
        with rls.tenant(firm.pk):
            audit.record("thing.slow", by=owner, now=NOON, subject="prj_slow")
            began.set()
            finish.wait(10)
        connections.close_all()

    writer = threading.Thread(target=slow_writer)
    writer.start()
    assert began.wait(10)
    with rls.tenant(firm.pk):
        audit.record("thing.quick", by=other, now=NOON, subject="prj_quick")
    sealing.sweep(now=NOON)
    with rls.everyone(because="test"):
        before = sum(AuditSeal.objects.values_list("count", flat=True))
    finish.set()
    writer.join()
    sealing.sweep(now=NOON)

    report = verifying.verify(firm, now=SOON)

    assert before == 5  # neither the slow one nor what came after it
    assert (report.events, report.unsealed, report.count) == (7, 0, 0)


def test_two_sealers_make_one_chain(firm: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "MOST_EVENTS", 1)

    def sweep() -> None:
        sealing.sweep(now=NOON)
        connections.close_all()

    workers = [threading.Thread(target=sweep) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    sealing.sweep(now=NOON)

    report = verifying.verify(firm, now=SOON)
    assert (report.seals, report.count) == (5, 0)


def test_a_seal_that_was_not_written_outside_is_written_by_the_next_sweep(
    firm: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the commit and the file."""
    with monkeypatch.context() as broken:
        broken.setattr(sealing, "publish", lambda organization: None)
        sealing.sweep(now=NOON)
    assert "missing_outside" in faults(firm)

    sealing.sweep(now=SOON)

    assert faults(firm) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tenants_auditevent SET verb = 'x'",
        "DELETE FROM tenants_auditevent",
        "TRUNCATE tenants_auditevent CASCADE",
        "UPDATE tenants_auditseal SET hash = 'x'",
        "DELETE FROM tenants_auditseal",
        "ALTER TABLE tenants_auditevent DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "SELECT tenants_audit_prune(1, 1)",  # the system role may, but there is no record of it
    ],
)
@pytest.mark.parametrize("system", [False, True])
def test_the_programs_role_changes_nothing(
    sealed: Organization, statement: str, system: bool
) -> None:
    from django.db import DatabaseError

    scope = rls.everyone(because="test") if system else rls.tenant(sealed.pk)
    with pytest.raises(DatabaseError), scope, connection.cursor() as cursor:
        cursor.execute(statement)

    assert faults(sealed) == []


# ─── retention ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def old(firm: Organization) -> Organization:
    """The firm with three events from four years ago: one of access, two of rights."""
    owner = factories.member(factories.user("c@example.com"), firm)
    long_ago = NOON - timedelta(days=4 * 366)
    for verb in ("thing.read", "member.add", "member.remove"):
        with rls.tenant(firm.pk):
            audit.record(verb, by=owner, now=long_ago, subject="usr_x")
    sealing.sweep(now=NOON)
    return firm


def test_prunes_what_is_over_and_the_log_still_verifies(old: Organization) -> None:
    assert pruning.sweep(now=NOON) == 3

    report = verifying.verify(old, now=SOON + timedelta(minutes=10))
    assert (report.events, report.pruned, report.count) == (5, 3, 0)
    with rls.tenant(old.pk):
        assert not AuditEvent.objects.filter(at__lt=NOON).exists()
        assert sorted(AuditPruning.objects.values_list("group", "count")) == [
            ("access", 1),
            ("rights", 2),
        ]
    assert pruning.sweep(now=NOON) == 0


def test_prunes_nothing_that_is_not_sealed(firm: Organization) -> None:
    owner = factories.member(factories.user("c@example.com"), firm)
    with rls.tenant(firm.pk):
        audit.record("thing.read", by=owner, now=NOON - timedelta(days=4 * 366), subject="usr_x")

    assert pruning.sweep(now=NOON) == 0


def test_a_pruning_record_that_was_forged_hides_nothing(
    old: Organization, superuser: psycopg.Connection[Any]
) -> None:
    """Removed by hand, with a record of it, but without our signature."""
    superuser.execute("DELETE FROM tenants_auditevent WHERE verb = 'member.add'")
    superuser.execute(
        'INSERT INTO tenants_auditpruning (organization_id, number, "group", before, through, '
        "through_hash, count, at, signed_by, signature) SELECT organization_id, 1, 'rights', "
        "now(), number, hash, 1, now(), signed_by, signature FROM tenants_auditseal"
    )

    assert {"unsigned", "removed"} <= set(faults(old))


def test_erasing_a_name_leaves_the_chain_whole(sealed: Organization) -> None:
    from tenants import audit_log
    from tenants.audit_log import Filters
    from tenants.models import User

    alice = User.objects.get(email="alice@example.com")
    owner = factories.member(factories.user("d@example.com"), sealed)

    assert audit.forget(alice, now=SOON) == 1

    with rls.tenant(sealed.pk), transaction.atomic():
        page = audit_log.page(owner, Filters())
    assert "김서연" not in str(page.names) and "alice" not in str(page.names)
    assert faults(sealed) == []
