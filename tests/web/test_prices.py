"""The price list for everybody, estimates as the fields change, and agreements on their pages."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from billing import tariffs
from billing.agreements import Line
from billing.models import Agreement, PriceTerm
from portal.deployments import quoting
from portal.fleet.models import Site
from tenants import rls
from tenants.actors import Actor
from tenants.models import Proposal
from tests import factories
from tests.billing.agreeing import (
    DECEMBER,
    FIXED,
    PERCENT,
    REASON,
    TOMORROW,
    agree,
    midnight,
    propose,
    second_person,
)
from tests.cast import browser
from tests.factories import CHAT, NOON
from tests.web.conftest import World

ENGLISH = {"headers": {"accept-language": "en"}}


def words(answer: Any) -> str:
    """What the page says, without its markup."""
    text = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return " ".join(text.replace("&nbsp;", " ").split())


@pytest.fixture
def second(world: World) -> Actor:
    return second_person(world.cast)


# ─── for everybody ─────────────────────────────────────────────────────────────────────────────


def test_anybody_reads_prices_without_and_with_vat(world: World) -> None:
    found = words(Client().get(reverse("price_list"), **ENGLISH))

    assert "₩60 ₩66" in found
    assert "₩1,450 ₩1,595" in found
    assert "Valid from" in found
    assert "Announced changes" not in found


def test_is_there_in_korean(world: World) -> None:
    found = words(Client().get(reverse("price_list"), headers={"accept-language": "ko"}))

    assert "가격표" in found
    assert "부가세" in found


def test_announces_a_change_beforehand(world: World) -> None:
    tariffs.set_token_tariff(
        model=CHAT, price_in=Decimal(70), price_out=Decimal(200), starts_at=midnight(DECEMBER)
    )

    found = words(Client().get(reverse("price_list"), **ENGLISH))

    assert "Announced changes" in found
    assert "Input ₩60 → ₩70 (with VAT ₩77)" in found
    assert "from 2026-12-01 00:00" in found


def test_shows_terms_of_the_list(world: World) -> None:
    PriceTerm.objects.create(
        public_id="trm_a", kind="batch", item="*", value={"off": "50"}, starts_at=midnight(DECEMBER)
    )

    found = words(Client().get(reverse("price_list"), **ENGLISH))

    assert "Discount for batch all models 50% off the list price" in found


def estimate(client: Client, **fields: Any) -> str:
    return words(client.get(reverse("price_estimate"), fields, **ENGLISH))


TOKENS = {
    "what": "tokens",
    "t-model": CHAT,
    "t-tokens_in": "1000",
    "t-tokens_cached": "0",
    "t-tokens_out": "500",
    "t-requests": "1000000",
}
CARDS = {
    "what": "cards",
    "c-chip": "rngd",
    "c-replicas": "2",
    "c-cards": "1",
    "c-hours_a_day": "9",
    "c-days_a_week": "5",
}


def test_estimates_requests_as_fields_change(world: World) -> None:
    found = estimate(Client(), **TOKENS)

    assert "One request ₩0.15 with VAT ₩0.165" in found
    assert "A month ₩150,000 with VAT ₩165,000" in found
    assert factories.token_tariff().public_id in found


def test_estimates_at_the_price_of_the_offerings_that_run(world: World) -> None:
    factories.placement(world.shared, world.site)
    tariffs.set_token_tariff(
        model=CHAT,
        offering_class="rngd",
        price_in=Decimal(30),
        price_out=Decimal(90),
        starts_at=NOON,
    )

    for client in (Client(), browser(world.cast.alice)):
        assert "A month ₩75,000 with VAT" in estimate(client, **TOKENS)


def test_estimates_an_endpoint(world: World) -> None:
    found = estimate(Client(), **CARDS)

    assert "One hour ₩2,900 with VAT ₩3,190" in found
    assert "A month ₩600,300" in found  # 207 hours
    assert "never stopped) ₩2,157,600" in found  # 744 hours


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (TOKENS | {"t-tokens_in": "-1"}, "greater than or equal to 0"),
        (TOKENS | {"t-tokens_in": "1.5"}, "whole number"),
        (TOKENS | {"t-tokens_in": "9" * 30}, "less than or equal to"),
        (TOKENS | {"t-tokens_in": "NaN"}, "whole number"),
        (TOKENS | {"t-tokens_cached": "1001"}, "No more tokens come from the cache"),
        (TOKENS | {"t-model": "gpt-9"}, "gpt-9 is not one of the available choices"),
        (CARDS | {"c-hours_a_day": "25"}, "less than or equal to 24"),
        (CARDS | {"c-chip": "a\x00b"}, "not one of the available choices"),
        ({}, "required"),
    ],
)
def test_says_what_is_wrong_with_an_estimate(
    world: World, fields: dict[str, str], says: str
) -> None:
    assert says in estimate(Client(), **fields)


def test_a_member_sees_the_price_that_was_agreed(world: World, second: Actor) -> None:
    import time_machine

    agree(world.cast, second, PERCENT)
    with time_machine.travel(midnight(TOMORROW), tick=False):
        own = estimate(browser(world.cast.alice), **TOKENS)
        other = estimate(browser(world.cast.mallory), **TOKENS)

    assert "A month ₩135,000" in own
    assert "A month ₩150,000" in other


def test_the_order_page_shows_the_quote_with_vat(world: World) -> None:
    client = browser(world.cast.alice)

    found = words(
        client.get(
            reverse("endpoint_estimate"),
            {"model": CHAT, "region": "daegu", "replicas": "1"},
            **ENGLISH,
        )
    )

    assert "₩1,450 with VAT ₩1,595" in found
    assert "₩1,078,800 with VAT ₩1,186,680" in found


def test_an_order_is_priced_as_agreed(world: World, second: Actor) -> None:
    agree(world.cast, second, Line("cards", "rngd", {"off": "20"}))
    wish = quoting.Wish("neu", CHAT, "daegu", 1)
    Site.objects.update(observed_at=midnight(TOMORROW))

    with rls.tenant(world.cast.firm.pk):
        quote = quoting.quote(wish=wish, project=world.cast.project, now=midnight(TOMORROW))

    assert quote.won_per_hour == 1160


def test_the_model_page_shows_a_request_and_the_most(world: World) -> None:
    client = browser(world.cast.alice)

    found = words(client.get(reverse("model", args=[CHAT]), **ENGLISH))

    assert "A typical request ₩0.108 with VAT ₩0.1188" in found
    assert "At most" in found


# ─── agreements ────────────────────────────────────────────────────────────────────────────────


def test_says_what_was_agreed_and_until_when(world: World, second: Actor) -> None:
    agree(world.cast, second, FIXED, ends_on=DECEMBER)

    found = words(browser(world.cast.alice).get(reverse("agreements"), **ENGLISH))

    assert "계약 2026-17" in found
    assert "2026-11-17 00:00 – 2026-12-01 00:00" in found
    assert "in ₩50 · cached ₩5 · out ₩150 for a million tokens" in found
    assert "Begins later" in found


def test_a_stranger_sees_nothing_of_it(world: World, second: Actor) -> None:
    agree(world.cast, second, FIXED)

    found = words(browser(world.cast.mallory).get(reverse("agreements"), **ENGLISH))

    assert "계약 2026-17" not in found
    assert "Nothing is agreed" in found


def wish(**changes: str) -> dict[str, str]:
    return {
        "reference": "계약 18",
        "starts_on": "2026-12-01",
        "ends_on": "",
        "because": REASON,
        "line-TOTAL_FORMS": "3",
        "line-INITIAL_FORMS": "0",
        "line-0-shape": "tokens",
        "line-0-item": CHAT,
        "line-0-value": "50 / 5 / 150",
        "line-1-shape": "graduated",
        "line-1-item": CHAT,
        "line-1-value": "0 0, 100 10, 1,000",
        "line-2-shape": "",
    } | changes


def send(world: World, **changes: str) -> Any:
    place = reverse("operator_agreement_new", args=[world.cast.firm.public_id])
    return browser(world.cast.olivia).post(place, wish(**changes), **ENGLISH)


def test_the_editor_proposes_what_was_typed(world: World) -> None:
    answer = send(world, **{"line-1-value": "0 0, 100 10, 1000 20"})

    assert answer.status_code == 302
    with rls.everyone(because="test"):
        lines = Proposal.objects.get().payload["lines"]
    assert lines == [
        {
            "kind": "tokens",
            "item": CHAT,
            "value": {"price_in": "50", "price_cached": "5", "price_out": "150"},
        },
        {
            "kind": "tiers",
            "item": f"tokens/{CHAT}",
            "value": {
                "mode": "graduated",
                "steps": [
                    {"start": 0, "end": 100, "off": "0"},
                    {"start": 100, "end": 1000, "off": "10"},
                    {"start": 1000, "end": None, "off": "20"},
                ],
            },
        },
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "needs exactly"),
        ({"line-1-value": "0 0, 100 10, 50 20"}, "A step runs from"),
        ({"line-1-value": "5 0, 100 10"}, "begins at 0, not at 5"),
        ({"line-1-value": "0 0, 100 110"}, "0 to 100 percent"),
        ({"line-1-shape": "", "line-0-value": "50 / 60 / 150"}, "60 &gt; 50"),
        ({"line-1-shape": "", "line-0-value": "-1 / 0 / 0"}, "₩0 to ₩1,000,000,000"),
        ({"line-1-shape": "", "line-0-value": "NaN / 0 / 0"}, "₩0 to ₩1,000,000,000"),
        ({"line-1-shape": "", "line-0-item": "gpt-9"}, "no such model"),
        ({"line-1-shape": "", "starts_on": "2026-11-16"}, "tomorrow at the earliest"),
        ({"line-1-shape": "", "starts_on": "gestern"}, "valid date"),
        ({"line-1-shape": "", "ends_on": "2026-11-30"}, "ends after it begins"),
        ({"line-1-shape": "", "line-0-shape": ""}, "1 to 50 lines"),
        ({"line-1-shape": "", "because": "x"}, "at least five characters"),
    ],
)
def test_the_editor_refuses_with_the_rule(world: World, changes: dict[str, str], says: str) -> None:
    answer = send(world, **changes)

    assert answer.status_code == 422
    assert says in answer.content.decode()
    with rls.everyone(because="test"):
        assert not Proposal.objects.exists()


def test_the_second_person_reads_before_and_after(world: World) -> None:
    browser(world.cast.olivia).post(
        reverse("price_propose", args=["tokens"]),
        {
            "model": CHAT,
            "price_in": "70",
            "price_cached": "30",
            "price_out": "200",
            "starts_on": "2026-12-01",
            "because": REASON,
        },
    )

    found = words(browser(world.cast.olivia).get(reverse("proposals"), **ENGLISH))

    assert "Input ₩60 → ₩70" in found
    assert "Output ₩180 → ₩200" in found


def test_the_preview_says_what_changes_and_whom_it_concerns(world: World, second: Actor) -> None:
    agree(world.cast, second, PERCENT, of=world.cast.mallory.may.organization)
    place = reverse("price_preview", args=["tokens"])
    fields = {
        "model": CHAT,
        "price_in": "70",
        "price_cached": "30",
        "price_out": "200",
        "starts_on": "2026-12-01",
        "because": REASON,
    }

    found = words(browser(world.cast.olivia).get(place, fields, **ENGLISH))
    dearer = words(
        browser(world.cast.olivia).get(place, fields | {"price_cached": "71"}, **ENGLISH)
    )
    early = words(browser(world.cast.olivia).get(place, {"model": CHAT}, **ENGLISH))

    assert "Input ₩60 → ₩70" in found
    assert "Organizations concerned 1 한빛정밀" in found
    assert "Follow by percent 이웃상사" in found
    assert "costs no more than other input" in dearer
    assert "once all fields are filled in" in early


def test_an_unknown_kind_of_price_is_not_there(world: World) -> None:
    olivia = browser(world.cast.olivia)

    assert olivia.get(reverse("price_propose", args=["coupons"])).status_code == 404
    assert olivia.get(reverse("price_preview", args=["coupons"])).status_code == 404


def test_an_agreement_ends_from_its_page(world: World, second: Actor) -> None:
    made = agree(world.cast, second, FIXED)
    olivia = browser(world.cast.olivia)
    place = reverse("operator_agreement_end", args=[made.public_id])

    early = olivia.post(place, {"ends_on": "2026-11-16", "because": REASON}, **ENGLISH)
    done = olivia.post(place, {"ends_on": "2026-12-24", "because": REASON})

    assert early.status_code == 422
    assert done.status_code == 302
    page = words(olivia.get(reverse("operator_agreement", args=[made.public_id]), **ENGLISH))
    assert "An earlier end waits for a second person." in page


def test_the_operators_list_is_empty_and_says_so(world: World) -> None:
    olivia = browser(world.cast.olivia)

    assert "No agreement yet" in words(olivia.get(reverse("operator_agreements"), **ENGLISH))
    propose(world.cast, FIXED)
    with rls.everyone(because="test"):
        assert not Agreement.objects.exists()


def test_words_of_a_term_are_translated() -> None:
    from billing import price_words

    with override("ko"):
        assert price_words.of_stored("fee", "x", {"won": 1000}) == "매월 ₩1,000"
