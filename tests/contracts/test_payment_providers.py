"""What a card provider promises, shown on the real client over the strict fake; and over Stripe's
test mode where ``DURE_TEST_STRIPE_KEY`` (``sk_test_…``) is set: only that variant is skipped
without it, and it needs the network (``--force-enable-socket``)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from billing.providers.contract import (
    Charge,
    Charged,
    Forged,
    ProviderRefused,
    ProviderUnavailable,
    Refunded,
    RefundWish,
    UnknownObject,
    Wish,
)
from billing.providers.stripe_cards import VERSION, StripeCards
from portal.lib import ids
from tests.fakes.stripe import FAULTS, KEY, SECRET, Stripe
from tests.fakes.stripe import stripe as fake

LIVE = os.environ.get("DURE_TEST_STRIPE_KEY", "")
BACK = "https://portal.example/payments/"


@dataclass(frozen=True)
class Account:
    """A provider, and a way to put a card on file without a browser."""

    provider: StripeCards
    url: str
    key: str

    def post(self, path: str, **form: str) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.key}", "Stripe-Version": VERSION}
        return httpx2.post(f"{self.url}/v1/{path}", data=form, headers=headers, timeout=30)

    def card(self, token: str = "pm_card_visa") -> tuple[str, str]:
        """(payer, card)."""
        customer = self.provider.open_customer(key=ids.mint("org"), name="한빛정밀")
        answer = self.post(f"payment_methods/{token}/attach", customer=customer)
        assert answer.status_code == 200, answer.text
        return customer, answer.json()["id"]

    def wish(self, token: str = "pm_card_visa", won: int = 110_000) -> Wish:
        customer, method = self.card(token)
        return Wish(ids.mint("chg"), customer, method, won, "2026-11-00001", datetime.now(UTC))

    def charge(self, wish: Wish) -> Charge:
        return self.provider.charge(wish, now=datetime.now(UTC))


@pytest.fixture(scope="module")
def service() -> Iterator[Stripe]:
    with fake() as running:
        yield running


@pytest.fixture(params=["fake", "test mode"])
def account(request: pytest.FixtureRequest, service: Stripe) -> Account:
    if request.param == "fake":
        service.wrong, service.faults, service.books.slow_refunds = "", -1, False
        return Account(StripeCards(KEY, secrets=[SECRET], url=service.url), service.url, KEY)
    if not LIVE.startswith("sk_test_"):
        pytest.skip("DURE_TEST_STRIPE_KEY is not set")
    return Account(StripeCards(LIVE), "https://api.stripe.com", LIVE)


# ─── against both ──────────────────────────────────────────────────────────────────────────────


def test_opens_a_payer_once(account: Account) -> None:
    key = ids.mint("org")

    first = account.provider.open_customer(key=key, name="한빛정밀")

    assert account.provider.open_customer(key=key, name="한빛정밀") == first


def test_gives_a_page_for_a_card_and_says_that_none_came(account: Account) -> None:
    customer = account.provider.open_customer(key=ids.mint("org"), name="한빛정밀")

    made = account.provider.begin_setup(key=ids.mint("card"), customer=customer, back=BACK)
    found = account.provider.setup(made.reference)

    assert made.url.startswith("http") and made.reference.startswith("cs_")
    assert (found.customer, found.done, found.method) == (customer, False, None)


def test_charges_whole_won_once_for_a_key(account: Account) -> None:
    wish = account.wish(won=110_001)

    first, second = account.charge(wish), account.charge(wish)

    assert (first.state, first.won, first.key) == (Charged.PAID, 110_001, wish.key)
    assert first.reference == second.reference
    assert first.method == "Visa •••• 4242" and first.at is not None
    assert account.provider.charge_found(first.reference) == first


def test_finds_a_charge_by_its_key_when_keys_are_forgotten(account: Account) -> None:
    wish = account.wish()
    first = account.charge(wish)

    later = account.provider.charge(wish, now=datetime.now(UTC) + timedelta(days=3))

    assert later.reference == first.reference


def test_says_what_the_bank_said(account: Account) -> None:
    found = account.charge(account.wish("pm_card_chargeCustomerFail"))

    assert found.state is Charged.FAILED and found.refusal
    assert account.provider.cancel(found.reference).state is Charged.CANCELED


def test_leads_the_payer_to_the_bank(account: Account) -> None:
    wish = account.wish("pm_card_authenticationRequired")

    found = account.charge(wish)
    assert (found.state, found.url) == (Charged.ACTION, "")

    there = account.provider.confirm(
        found.reference, method=wish.method, back=BACK, key=ids.mint("idem")
    )
    assert there.state is Charged.ACTION and there.url.startswith("http")
    assert there.reference == found.reference


def test_refunds_once_for_a_key_and_never_more_than_was_paid(account: Account) -> None:
    charge = account.charge(account.wish(won=100_000))
    now = datetime.now(UTC)
    wish = RefundWish(ids.mint("ref"), charge.reference, 60_000, now)

    first, second = (account.provider.refund(wish, now=now) for _ in range(2))

    assert first.reference == second.reference and first.won == 60_000
    assert first.state in {Refunded.DONE, Refunded.PENDING}
    assert account.provider.refund_found(first.reference).key == wish.key
    late = account.provider.refund(wish, now=now + timedelta(days=3))
    assert late.reference == first.reference
    with pytest.raises(ProviderRefused):
        account.provider.refund(RefundWish(ids.mint("ref"), charge.reference, 40_001, now), now=now)


def test_shows_what_moved_on_the_balance(account: Account) -> None:
    charge = account.charge(account.wish(won=70_000))

    found = account.provider.movements(datetime.now(UTC) - timedelta(hours=1))

    moved = next(one for one in found if one.about == charge.reference)
    assert (moved.kind, moved.won) in {("charge", 70_000), ("payment", 70_000)}
    assert moved.fee_won >= 0


@pytest.mark.parametrize("reference", ["pi_doesnotexist", "pi_x"])
def test_knows_what_it_does_not_have(account: Account, reference: str) -> None:
    for ask in (
        account.provider.charge_found,
        account.provider.refund_found,
        account.provider.dispute_found,
        account.provider.setup,
    ):
        with pytest.raises(UnknownObject):
            ask(reference)


def test_forgets_a_card_and_charges_it_no_more(account: Account) -> None:
    wish = account.wish()
    account.provider.forget(wish.method)
    account.provider.forget(wish.method)

    with pytest.raises((ProviderRefused, UnknownObject)):
        account.charge(wish)


@pytest.mark.parametrize("won", [100_000_000, 1])
def test_refuses_what_is_too_large_or_too_small(account: Account, won: int) -> None:
    with pytest.raises(ProviderRefused):
        account.charge(account.wish(won=won))


def test_is_unavailable_with_a_wrong_key(account: Account) -> None:
    url = "" if "stripe.com" in account.url else account.url
    with pytest.raises(ProviderUnavailable):
        StripeCards("sk_test_wrong", url=url).charge_found("pi_1")


# ─── what only a fake can be told to do ────────────────────────────────────────────────────────


@pytest.fixture
def cards(service: Stripe) -> StripeCards:
    service.wrong, service.faults, service.books.slow_refunds = "", -1, False
    return StripeCards(KEY, secrets=["whsec_former", SECRET], url=service.url)


@pytest.mark.parametrize("fault", [one for one in FAULTS if one not in {"", "hang"}])
def test_is_unavailable_whatever_goes_wrong(
    service: Stripe, cards: StripeCards, fault: str
) -> None:
    service.wrong = fault

    with pytest.raises(ProviderUnavailable) as error:
        cards.charge_found("pi_1")

    assert KEY not in str(error.value)


def test_an_answer_that_is_lost_charges_once(service: Stripe, cards: StripeCards) -> None:
    account = Account(cards, service.url, KEY)
    wish = account.wish()
    before = len(service.books.all("charge"))
    service.wrong, service.faults = "cut", 1

    found = account.charge(wish)  # the library repeats it with the same key

    assert found.state is Charged.PAID
    assert len(service.books.all("charge")) == before + 1


def test_takes_the_card_that_was_typed_in(service: Stripe, cards: StripeCards) -> None:
    customer = cards.open_customer(key=ids.mint("org"), name="한빛정밀")
    made = cards.begin_setup(key=ids.mint("card"), customer=customer, back=BACK)

    assert service.books.type_in(made.reference, "pm_card_visa") == BACK

    found = cards.setup(made.reference)
    assert found.done and found.method is not None
    assert (found.method.last4, found.method.expires) == ("4242", "2031-08")


def test_the_payers_yes_and_no_at_the_bank(service: Stripe, cards: StripeCards) -> None:
    account = Account(cards, service.url, KEY)
    for yes, state in ((True, Charged.PAID), (False, Charged.FAILED)):
        wish = account.wish("pm_card_authenticationRequired")
        found = account.charge(wish)
        cards.confirm(found.reference, method=wish.method, back=BACK, key=ids.mint("idem"))

        assert service.books.answer_bank(found.reference, yes=yes) == BACK

        assert cards.charge_found(found.reference).state is state


def test_believes_only_signed_messages_of_now(service: Stripe, cards: StripeCards) -> None:
    Account(cards, service.url, KEY).charge(Account(cards, service.url, KEY).wish())
    event = service.books.events[-1]
    raw, signature = service.signed(event)

    told = cards.read(raw, signature)

    assert (told.event, told.kind) == (event["id"], "payment_intent.succeeded")
    assert told.about == event["data"]["object"]["id"]
    _raw, stale = service.signed(event, at=0)
    for wrong_raw, wrong in (
        (raw, ""),
        (raw, "t=1,v1=x"),
        (raw, "v1=x"),
        (raw, "nonsense"),
        (raw, stale),
        (raw + b" ", signature),
        (raw.replace(b"succeeded", b"s_cceeded"), signature),
    ):
        with pytest.raises(Forged):
            cards.read(wrong_raw, wrong)
    with pytest.raises(Forged):
        StripeCards(KEY, secrets=["whsec_other"], url=service.url).read(raw, signature)
    with pytest.raises(Forged):
        StripeCards(KEY, url=service.url).read(raw, signature)


def test_a_signed_message_that_is_no_event_is_none(service: Stripe, cards: StripeCards) -> None:
    for body in ([], {"id": "evt_1"}, {"id": "e", "type": "t", "created": "x", "data": {}}):
        raw, signature = service.signed({"inner": body})
        with pytest.raises(Forged):
            cards.read(raw, signature)


@pytest.mark.parametrize(
    ("path", "form", "code"),
    [
        ("payment_intents", {"amount": "1000"}, "parameter_missing"),
        ("payment_intents", {"payment_method_types[]": "card"}, "parameter_unknown"),
        ("customers", {"nmae": "x"}, "parameter_unknown"),
        ("refunds", {"payment_intent": "pi_1", "amount": "5"}, "resource_missing"),
        ("nothing", {}, ""),
    ],
)
def test_the_fake_is_strict(
    service: Stripe, cards: StripeCards, path: str, form: dict[str, str], code: str
) -> None:
    answer = Account(cards, service.url, KEY).post(path, **form)

    assert answer.status_code in {400, 404}
    assert answer.json()["error"]["code"] == code


@pytest.mark.parametrize("wish", [{"currency": "usd"}, {"amount": "10.5"}, {"amount": "-5"}])
def test_the_fake_takes_whole_won_only(
    service: Stripe, cards: StripeCards, wish: dict[str, str]
) -> None:
    account = Account(cards, service.url, KEY)
    customer, method = account.card()
    form = {"amount": "1000", "currency": "krw", "customer": customer, "payment_method": method}

    assert account.post("payment_intents", **form).status_code == 200
    assert account.post("payment_intents", **form | wish).status_code == 400


def test_the_fake_refuses_a_key_with_other_parameters(service: Stripe, cards: StripeCards) -> None:
    url, key = f"{service.url}/v1/customers", ids.mint("idem")
    headers = {
        "Authorization": f"Bearer {KEY}",
        "Stripe-Version": VERSION,
        "Idempotency-Key": key,
    }

    first = httpx2.post(url, data={"name": "a"}, headers=headers)
    again = httpx2.post(url, data={"name": "a"}, headers=headers)
    other = httpx2.post(url, data={"name": "b"}, headers=headers)

    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert other.json()["error"]["type"] == "idempotency_error"


def test_the_fake_tells_again_until_it_is_taken() -> None:
    answers, taken = [0, 500, 200], []

    def send(raw: bytes, signature: str) -> int:
        taken.append(raw)
        return answers[min(len(taken), 3) - 1]

    with Stripe(hook="http://127.0.0.1:9", send=send) as service:
        provider = StripeCards(KEY, url=service.url)
        service.books._tell("customer.created", {"id": "cus_1"})
        assert provider.open_customer(key="x", name="y")
        for _ in range(100):
            if len(taken) >= 3:
                break
            service.ended.wait(0.1)

    assert len(taken) >= 3 and len(set(taken[:3])) == 1
