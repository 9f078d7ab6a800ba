"""Paying in a browser: the card by the processor's pages, the bank's file by the operator."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse

from billing.models import BankLine, Payment
from tenants import rls
from tests.billing.payments.test_statements import HEAD, row
from tests.cast import browser
from tests.fakes.stripe import KEY, SECRET, Stripe
from tests.fakes.stripe import stripe as fake
from tests.web.conftest import World


@pytest.fixture
def stripe(settings: Any) -> Iterator[Stripe]:
    with fake() as service:
        settings.DURE_STRIPE_KEY, settings.DURE_STRIPE_URL = KEY, service.url
        settings.DURE_STRIPE_WEBHOOK_SECRETS = [SECRET]
        yield service


def link(answer: HttpResponse) -> str:
    """Where the page leads to: a link of the processor's, never a form or a redirect."""
    assert answer.status_code == 200
    found = re.search(r'href="(http://127[^"]*/pages/[^"]+)"', answer.content.decode())
    assert found is not None
    return found[1]


def test_a_card_is_added_and_pays_with_the_banks_consent(world: World, stripe: Stripe) -> None:
    alice, invoice = browser(world.cast.alice), world.invoice

    session = link(alice.post("/payments/card/add/")).rsplit("/", 1)[1]
    back = stripe.books.type_in(session, "pm_card_authenticationRequired")
    answer = alice.get(back[back.index("/payments/") :], follow=True)
    assert "3184" in answer.content.decode()

    answer = alice.post(f"/payments/invoices/{invoice.public_id}/pay/")
    place = answer["Location"]
    charge = link(alice.post(f"{place}confirm/")).rsplit("/", 1)[1]
    assert stripe.books.answer_bank(charge, yes=True).endswith(place)

    alice.get(place)
    with rls.tenant(world.cast.firm.pk):
        assert Payment.objects.get().won == invoice.total_won
    assert invoice.number not in alice.get("/payments/").content.decode()
    assert b"cs_test" not in alice.get("/payments/").content


def test_says_so_when_the_processor_is_away(world: World, stripe: Stripe) -> None:
    stripe.wrong = "down"

    answer = browser(world.cast.alice).post("/payments/card/add/", follow=True)

    assert answer.redirect_chain == [("/payments/", 302)]
    assert "Nothing was charged" in answer.content.decode() or "응답하지" in answer.content.decode()


def test_the_account_opens_in_a_spreadsheet(world: World) -> None:
    answer = browser(world.cast.alice).get("/payments/account.csv")

    text = b"".join(answer).decode("utf-8-sig")  # type: ignore[arg-type]
    assert len(text.splitlines()) == 2 and str(world.invoice.total_won) in text


def hand_in(world: World, *rows: str, name: str = "s.csv") -> HttpResponse:
    raw = "\n".join([HEAD, *rows]).encode("cp949")
    form = {"upload": SimpleUploadedFile(name, raw)}
    return browser(world.cast.olivia).post("/operator/statements/", form)


def test_a_statement_is_shown_booked_placed_and_undone(world: World) -> None:
    olivia, firm = browser(world.cast.olivia), world.cast.firm

    place = hand_in(world, row(1, 500, memo=firm.code), row(2, 700, "누구"))["Location"]
    assert firm.name in olivia.get(place).content.decode()
    with rls.everyone(because="test"):
        assert not BankLine.objects.exists()

    olivia.post(f"{place}book/")
    with rls.everyone(because="test"):
        (waiting,) = BankLine.objects.all().open()
    olivia.post(f"/operator/deposits/{waiting.public_id}/place/", {"organization": firm.public_id})
    with rls.everyone(because="test"):
        assert sorted(Payment.objects.values_list("won", flat=True)) == [500, 700]

    undo = f"/operator/deposits/{waiting.public_id}/undo/"
    olivia.post(undo, {"because": "다른 기관입니다."})
    with rls.everyone(because="test"):
        assert list(BankLine.objects.all().open()) == [waiting]
    assert "700" in olivia.get("/operator/deposits/").content.decode()


def test_a_bad_file_says_why_and_the_same_file_leads_to_the_first(world: World) -> None:
    answer = hand_in(world, row(1, 500).replace('"500"', "５００"))
    assert answer.status_code == 422 and "５００" in answer.content.decode()

    first = hand_in(world, row(1, 500))
    assert hand_in(world, row(1, 500), name="again.csv")["Location"] == first["Location"]


@pytest.mark.parametrize("won", ["", "-5", "1e3", "５", "9" * 30, "0"])
def test_refunds_of_no_amount_are_refused(world: World, won: str) -> None:
    from tests.web.rows.payments import paid

    payment, olivia = paid(world), browser(world.cast.olivia)

    answer = olivia.post(
        f"/operator/payments/{payment.public_id}/refund/",
        {"won": won, "because": "계좌를 바꿨습니다."},
    )

    assert answer["Location"] == "/operator/payments/"
