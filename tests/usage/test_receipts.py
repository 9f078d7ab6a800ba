"""Receipts: signed once from the ledger, the same for ever, and verified without our code."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import jwt
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from portal.deployments import receipts as asking
from portal.lib import ids, jws, signing
from portal.usage import receipts
from portal.usage.checks import readable_keys
from portal.usage.models import LedgerEntry, Receipt
from portal.usage.receipts import NoReceipt
from tenants import rls
from tenants.actors import Actor
from tenants.models import Project
from tests import factories
from tests.cast import Cast
from tests.factories import NOON


@pytest.fixture
def request_id(cast: Cast) -> str:
    """One request of alice's firm, at a pretended site."""
    factories.catalogue()
    factories.site()
    return booked(cast)


def booked(cast: Cast, **fields: Any) -> str:
    with rls.everyone(because="test"):
        before = set(LedgerEntry.objects.values_list("request_id", flat=True))
        factories.ledger_entry(cast.project, **fields)
        [made] = set(LedgerEntry.objects.values_list("request_id", flat=True)) - before
    return str(made)


def ask(cast: Cast, request_id: str, *, who: str = "alice", **changes: Any) -> Receipt:
    by: Actor = replace(cast[who].may, **changes)
    with rls.tenant(by.organization.pk):
        return asking.of_request(request_id=request_id, by=by, now=NOON)


def claims(cast: Cast, request_id: str) -> dict[str, Any]:
    return receipts.read(ask(cast, request_id).jws)


# ─── what it says ──────────────────────────────────────────────────────────────────────────────


def test_says_what_the_ledger_says(cast: Cast, request_id: str) -> None:
    with rls.tenant(cast.firm.pk):
        entry = LedgerEntry.objects.get()

    found = claims(cast, request_id)

    assert found == {
        "version": 1,
        "iss": "http://testserver",
        "iat": int(NOON.timestamp()),
        "request_id": request_id,
        "organization": cast.firm.public_id,
        "project": cast.project.public_id,
        "key": "key_x",
        "endpoint": "ep_x",
        "route": "/v1/chat/completions",
        "stream": True,
        "model": factories.CHAT,
        "model_digest": "sha256:x",
        "site": "daegu-1",
        "chip": "rngd",
        "placement": "plc_x",
        "outcome": "answered",
        "attempts": 1,
        "times": {
            "admitted": "2026-11-16T03:00:00.000Z",
            "first_byte": None,
            "ended": "2026-11-16T03:00:01.000Z",
        },
        "tokens": {"counted": "reported", "in": 100, "cached": 0, "out": 50},
        "cost_krw": {"total": "0.015", "settled": "0.015", "written_off": "0"},
        "price": entry.price_version,
        "stored": "nothing",
        "when_issued": {"data_class": "open", "site_simulated": True},
    }


def test_says_itself_what_the_entry_says_of_class_and_chip(cast: Cast, request_id: str) -> None:
    told = booked(cast, data_class="medical", simulated=False, waited_ms=0, replayable=False)
    found = claims(cast, told)
    assert (found["version"], found["data_class"], found["simulated"]) == (2, "medical", False)
    assert "when_issued" not in found
    assert found["stored"] == "nothing"

    kept = booked(cast, data_class="open", simulated=True, waited_ms=0, replayable=True)
    assert claims(cast, kept)["stored"] == "the answer, sealed, for ten minutes at most"


def test_gives_amounts_exactly(cast: Cast, request_id: str) -> None:
    big = booked(cast, settled_micro=9_007_199_254_740_993, written_off_micro=1)

    assert claims(cast, big)["cost_krw"] == {
        "total": "9007199254.740994",
        "settled": "9007199254.740993",
        "written_off": "0.000001",
    }


def test_tells_unknown_tokens_from_none(cast: Cast, request_id: str) -> None:
    unknown = booked(cast, counted="none", tokens_in=0, tokens_out=0)
    zero = booked(cast, counted="reported", tokens_in=0, tokens_out=0)

    found = claims(cast, unknown)["tokens"]
    assert found == {"counted": "none", "in": None, "cached": None, "out": None}
    assert claims(cast, zero)["tokens"]["out"] == 0


def test_says_that_a_site_or_project_is_not_known_any_more(cast: Cast, request_id: str) -> None:
    gone = booked(cast, site="gone-1")

    assert claims(cast, gone)["when_issued"]["site_simulated"] is None


def test_is_verified_by_others_with_the_public_keys_alone(cast: Cast, request_id: str) -> None:
    text = ask(cast, request_id).jws
    published = json.dumps(receipts.issuer().jwks())

    # nothing of ours from here on
    [key] = jwt.PyJWKSet.from_json(published).keys
    options: Any = {"verify_iat": False}
    found = jwt.decode(text, key.key, algorithms=["EdDSA"], options=options)
    assert found["request_id"] == request_id
    head, _, signature = text.rpartition(".")
    for place in range(len(head)):
        other = "A" if head[place] != "A" else "B"
        changed = f"{head[:place]}{other}{head[place + 1 :]}.{signature}"
        with pytest.raises(jwt.PyJWTError):
            jwt.decode(changed, key.key, algorithms=["EdDSA"], options=options)


# ─── once and the same ─────────────────────────────────────────────────────────────────────────


def test_is_the_same_whenever_and_whoever_asks(cast: Cast, request_id: str, settings: Any) -> None:
    first = ask(cast, request_id)
    with rls.everyone(because="test"):
        Project.objects.filter(pk=cast.project.pk).update(data_class="medical")
    settings.DURE_RECEIPT_KEYS = f"{signing.new_key()},{settings.DURE_RECEIPT_KEYS}"

    with rls.tenant(cast.firm.pk):
        later = asking.of_request(
            request_id=request_id, by=cast.bob.may, now=NOON + timedelta(days=400)
        )

    assert later.jws == first.jws
    assert receipts.read(later.jws)["when_issued"]["data_class"] == "open"


@pytest.mark.django_db(transaction=True)
def test_two_who_ask_at_once_get_one_receipt() -> None:
    factories.catalogue()
    firm = factories.organization()
    alice = factories.member(factories.user("alice@example.com", "김서연"), firm)
    factories.ledger_entry(factories.project(firm))
    with rls.tenant(firm.pk):
        entry = LedgerEntry.objects.get()
    start, found = threading.Barrier(6), []

    def run(number: int) -> None:
        try:
            start.wait(5)
            now = NOON + timedelta(seconds=number)
            with rls.tenant(firm.pk):
                one = asking.of_request(request_id=str(entry.request_id), by=alice, now=now)
                found.append(one.jws)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(15)

    assert len(found) == 6
    assert len(set(found)) == 1
    with rls.tenant(firm.pk):
        assert Receipt.objects.get().jws == found[0]


def test_the_database_keeps_it_as_it_was_signed(cast: Cast, request_id: str) -> None:
    ask(cast, request_id)

    for deed in (
        lambda: Receipt.objects.update(jws="x"),
        lambda: Receipt.objects.all().delete(),
    ):
        with (
            pytest.raises(DatabaseError, match="append-only"),
            rls.tenant(cast.firm.pk),
            transaction.atomic(),
        ):
            deed()


def test_the_database_takes_none_without_its_entry(cast: Cast, request_id: str) -> None:
    """Neither of a request that was not, nor one that belongs to another firm or project."""
    with rls.tenant(cast.firm.pk):
        entry = LedgerEntry.objects.get()
    right = {
        "day": entry.day,
        "request_id": entry.request_id,
        "organization": cast.firm,
        "project": entry.project,
    }
    wrong = [
        {"day": entry.day + timedelta(days=1)},
        {"request_id": ids.UUID(ids.mint_request_id())},
        {"organization": cast.mallory.may.organization},
        {"project": "prj_other"},
    ]
    for one in wrong:
        with (
            pytest.raises(DatabaseError, match="no such entry"),
            rls.everyone(because="test"),
            transaction.atomic(),
        ):
            Receipt.objects.create(**right | one, jws="x", issued_at=NOON)

    with rls.everyone(because="test"):
        Receipt.objects.create(**right, jws="x", issued_at=NOON)


# ─── for whom ──────────────────────────────────────────────────────────────────────────────────


def test_knows_no_request_of_others_and_none_that_is_not_booked(
    cast: Cast, request_id: str
) -> None:
    ids_ = [
        ids.mint_request_id(),
        "00000000-0000-4000-8000-000000000000",
        request_id.upper() if request_id.upper() != request_id else "x",
        request_id.replace("-", ""),
        "{" + request_id + "}",
        "urn:uuid:" + request_id,
        "ffffffff-ffff-7fff-bfff-ffffffffffff",
        "",
        "x",
    ]
    for signed in (False, True):
        for one in ids_:
            with pytest.raises(NoReceipt):
                ask(cast, one)
        with pytest.raises(NoReceipt):
            ask(cast, request_id, who="mallory")
        with pytest.raises(NoReceipt):
            ask(cast, request_id, who="bob", projects=("prj_other",))
        if not signed:
            with rls.tenant(cast.firm.pk):
                assert not Receipt.objects.exists()
            ask(cast, request_id, who="bob", projects=(cast.project.public_id,))


# ─── the command ───────────────────────────────────────────────────────────────────────────────


def run(*words: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("verify_receipt", *words, stdout=out)
    except CommandError as error:
        return error.returncode, str(error)
    return 0, out.getvalue()


def test_the_command_verifies_without_a_database(
    cast: Cast,
    request_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: Any,
) -> None:
    text = ask(cast, request_id).jws
    genuine, changed, keys, others = (tmp_path / n for n in ("r", "changed", "keys", "others"))
    genuine.write_text(f"{text}\n")
    changed.write_text(text[:200] + ("A" if text[200] != "A" else "B") + text[201:])
    keys.write_text(json.dumps(receipts.issuer().jwks()))
    others.write_text(json.dumps(jws.Issuer(signing.new_key()).jwks()))
    monkeypatch.setattr("sys.stdin", StringIO(text))

    with django_assert_num_queries(0):
        assert run(str(genuine))[0] == 0
        assert request_id in run(str(genuine), "--keys", str(keys))[1]
        assert run("-")[0] == 0
        assert run(str(changed)) == (
            1,
            "Not genuine: it was changed after it was signed, or signed by somebody else.",
        )
        assert run(str(genuine), "--keys", str(others))[0] == 1
        assert run(str(tmp_path / "none"))[0] == 2
        assert run(str(genuine), "--keys", str(genuine))[0] == 2


# ─── keys ──────────────────────────────────────────────────────────────────────────────────────


def test_a_start_with_keys_that_cannot_be_read_names_the_entry(settings: Any) -> None:
    good = settings.DURE_RECEIPT_KEYS
    assert readable_keys(None) == []

    for keys, said in (
        ("x", "Key 1"),
        (f"{good},AAAA", "Key 2"),
        (signing.public_half(good), "must be a secret"),
    ):
        settings.DURE_RECEIPT_KEYS = keys
        [fault] = readable_keys(None)
        assert said in fault.msg
        assert fault.id == "usage.E001"
        assert good not in fault.msg
