"""What an issuer of e-tax invoices promises, shown on the real client over the strict fake, and on
popbill's own test mode where its keys are in the environment (``DURE_TEST_POPBILL_LINK_ID``,
``…_SECRET_KEY``, ``…_NUMBER`` of a member with a test certificate)."""

from __future__ import annotations

import dataclasses
import os
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest

from billing.etax.amendments import Code
from billing.etax.contract import (
    DuplicateKey,
    EtaxIssuer,
    Refused,
    Stage,
    Unavailable,
)
from billing.etax.documents import (
    APPROVAL,
    Amendment,
    Line,
    Party,
    Sheet,
    item_lines,
)
from billing.etax.popbill import Account, PopbillIssuer
from deploy.local.etax import LINK_ID, SERVICE
from portal.lib import ids
from portal.lib.periods import seoul_date
from tests.contracts.etax import client, document, fake, service
from tests.factories import NOON
from tests.fakes import etax as fakes
from tests.fakes.etax import NUMBER, Clock, Issuer

__all__ = ["client", "fake", "service"]  # fixtures

SECONDS = 0.5
LIVE = {
    name: os.environ.get(f"DURE_TEST_POPBILL_{name}")
    for name in ("LINK_ID", "SECRET_KEY", "NUMBER")
}


@dataclass
class Bench:
    """An issuer, and who the seller is there. ``fake`` is None for the real one."""

    issuer: EtaxIssuer
    number: str
    today: date
    fake: Issuer | None = None
    clock: Clock | None = None


@pytest.fixture(params=["fake", "popbill"])
def bench(request: pytest.FixtureRequest, fake: Issuer) -> Bench:
    if request.param == "fake":
        return Bench(fakes.client(fake), NUMBER, seoul_date(NOON), fake)
    if not all(LIVE.values()):
        pytest.skip("no keys of popbill's test mode in the environment")
    account = Account(
        "https://popbill-test.linkhub.co.kr",
        "https://auth.linkhub.co.kr",
        "POPBILL_TEST",
        LIVE["LINK_ID"] or "",
        LIVE["SECRET_KEY"] or "",
        LIVE["NUMBER"] or "",
    )
    return Bench(PopbillIssuer(account), LIVE["NUMBER"] or "", seoul_date(datetime.now(UTC)))


# ─── every issuer ──────────────────────────────────────────────────────────────────────────────


def test_issues_a_document_and_tells_of_it_by_our_number(bench: Bench) -> None:
    made = document(bench.number, bench.today)

    issued = bench.issuer.issue(made)
    found = bench.issuer.state(made.key)

    assert issued.stage is Stage.ISSUED and found is not None
    assert APPROVAL.match(found.approval)
    assert (found.key, found.supply_won, found.vat_won) == (made.key, 10_005, 1_000)
    assert found.stage in {Stage.ISSUED, Stage.SENT, Stage.ACCEPTED}


def test_takes_a_number_once(bench: Bench) -> None:
    made = document(bench.number, bench.today)
    bench.issuer.issue(made)

    with pytest.raises(DuplicateKey):
        bench.issuer.issue(dataclasses.replace(made, remark="다른 내용"))


def test_knows_nothing_of_a_number_that_was_never_issued(bench: Bench) -> None:
    assert bench.issuer.state(ids.mint("never")[:20]) is None


@pytest.mark.parametrize(
    "other",
    [
        {"buyer": Party("1234567890", "한빛정밀", "김서연")},  # its check digit is wrong
        {"vat_won": -1_000},
        {"supply_won": -10_005, "vat_won": -1_000},
        {"amendment": Amendment(Code.CANCELLED, Sheet.REVERSAL, date(2026, 11, 1), "1" * 24)},
    ],
)
def test_refuses_what_makes_no_sense_and_issues_nothing(
    bench: Bench, other: dict[str, object]
) -> None:
    made = document(bench.number, bench.today, **other)

    with pytest.raises(Refused):
        bench.issuer.issue(made)

    assert bench.issuer.state(made.key) is None


def test_takes_99_lines(bench: Bench) -> None:
    lines = item_lines([(f"품목 {n}", 1_000) for n in range(300)], 30_000, bench.today)

    issued = bench.issuer.issue(
        document(bench.number, bench.today, lines=lines, supply_won=300_000, vat_won=30_000)
    )

    assert issued.stage is Stage.ISSUED


def test_says_until_when_the_supplier_can_sign(bench: Bench) -> None:
    found = bench.issuer.certificate()

    assert found.fault == "" and found.expires_at is not None


# ─── over the fake ─────────────────────────────────────────────────────────────────────────────


def test_goes_from_issued_over_sent_to_accepted(fake: Issuer, client: PopbillIssuer) -> None:
    made = document()
    client.issue(made)
    stages = []

    for _ in range(3):
        found = client.state(made.key)
        assert found is not None
        stages.append(found.stage)
        fake.clock.tick(hours=1)  # type: ignore[attr-defined]

    assert stages == [Stage.ISSUED, Stage.SENT, Stage.ACCEPTED]


def test_sends_at_once_when_asked(fake: Issuer, client: PopbillIssuer) -> None:
    made = document()
    client.issue(made)

    client.send(made.key)

    found = client.state(made.key)
    assert found is not None and found.stage is Stage.SENT
    with pytest.raises(Refused):
        client.send(made.key)


@pytest.mark.parametrize(("number", "code"), [("1200099116", "ERR002"), ("1200099124", "ERR006")])
def test_tells_why_the_tax_service_rejected_it(
    fake: Issuer, client: PopbillIssuer, number: str, code: str
) -> None:
    made = document(buyer=Party(_with_check_digit(number), "낯선상사", "김"))
    client.issue(made)
    fake.clock.tick(hours=2)  # type: ignore[attr-defined]

    found = client.state(made.key)

    assert found is not None
    assert (found.stage, found.code) == (Stage.REJECTED, code) and found.sentence


def _with_check_digit(number: str) -> str:
    from tenants.numbers import BadBusinessNumber, normalized

    for digit in "0123456789":
        try:
            return normalized(number[:9] + digit)
        except BadBusinessNumber:
            continue
    raise AssertionError(number)


def test_an_amendment_names_a_document_that_the_tax_service_has(
    fake: Issuer, client: PopbillIssuer
) -> None:
    first = document()
    approval = client.issue(first).approval
    amendment = Amendment(Code.CANCELLED, Sheet.REVERSAL, first.write_date, approval)
    made = document(
        lines=(Line("계약의 해제", -10_005, -1_000),),
        supply_won=-10_005,
        vat_won=-1_000,
        amendment=amendment,
    )

    with pytest.raises(Refused):  # not before it has arrived there
        client.issue(made)
    fake.clock.tick(hours=2)  # type: ignore[attr-defined]
    client.issue(made)

    assert len(fake.kept) == 2


SPOILT = ["down", "hang", "trickle", "garbage", "huge", "redirect", "cut", "before", "limit"]


@pytest.mark.parametrize("fault", SPOILT)
def test_is_unavailable_whatever_goes_wrong(
    fake: Issuer, client: PopbillIssuer, fault: str
) -> None:
    fake.wrong = fault
    made = document()

    for call in (lambda: client.issue(made), lambda: client.state(made.key), client.certificate):
        with pytest.raises(Unavailable) as found:
            call()
        assert fakes.SECRET not in str(found.value) and "한빛" not in str(found.value)


@pytest.mark.parametrize("fault", ["hang", "trickle"])
def test_waits_no_longer_than_it_promises(fake: Issuer, client: PopbillIssuer, fault: str) -> None:
    client.certificate()  # for a token
    fake.wrong, fake.seconds, client.seconds = fault, 30.0, SECONDS
    began = time.monotonic()

    with pytest.raises(Unavailable):
        client.issue(document())

    assert time.monotonic() - began < 15  # of the thirty that the issuer takes
    fake.seconds = 1.0


@pytest.mark.parametrize("fault", ["other", "strange"])
def test_believes_no_answer_about_another_document(
    fake: Issuer, client: PopbillIssuer, fault: str
) -> None:
    made = document()
    client.issue(made)
    fake.wrong = fault

    with pytest.raises(Unavailable):
        client.state(made.key)


def test_an_issuer_that_goes_away_after_accepting_has_one_document(
    fake: Issuer, client: PopbillIssuer
) -> None:
    fake.wrong, fake.times = "cut", 1
    made = document()

    with pytest.raises(Unavailable):
        client.issue(made)

    assert client.state(made.key) is not None
    with pytest.raises(DuplicateKey):
        client.issue(made)
    assert len(fake.kept) == 1


def test_a_document_that_appears_late_is_still_one(fake: Issuer, client: PopbillIssuer) -> None:
    fake.wrong, fake.times, fake.seconds = "late", 1, 60.0
    made = document()
    with pytest.raises(Unavailable):
        client.issue(made)

    assert client.state(made.key) is None  # it is not seen yet
    with pytest.raises(Refused):
        client.issue(made)
    fake.clock.tick(minutes=2)  # type: ignore[attr-defined]
    assert client.state(made.key) is not None
    fake.seconds = 1.0


def test_asks_for_a_new_token_where_the_old_one_has_ended(
    fake: Issuer, client: PopbillIssuer
) -> None:
    made = document()
    client.issue(made)

    fake.tokens.clear()

    assert client.state(made.key) is not None


def test_is_unavailable_with_a_wrong_secret_and_without_a_server(fake: Issuer) -> None:
    wrong = fakes.client(fake, secret="bm9wZQ==")
    account = Account(
        "http://127.0.0.1:9", "http://127.0.0.1:9", SERVICE, LINK_ID, "bm9wZQ==", NUMBER
    )

    for issuer in (wrong, PopbillIssuer(account, seconds=SECONDS)):
        with pytest.raises(Unavailable):
            issuer.issue(document())


def test_a_certificate_that_has_ended_blocks_no_document(
    fake: Issuer, client: PopbillIssuer
) -> None:
    fake.certificate_days = -1

    with pytest.raises(Unavailable):  # again once it is renewed
        client.issue(document())
    found = client.certificate()

    assert "-11002031" in found.fault
