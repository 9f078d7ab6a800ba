"""Another price of the list from a day on: checked when it is proposed, and again when it is
carried out.

Prices are superseded, never edited. A change begins at a midnight in Korea that is still to come,
so that nothing which was used already gets another price.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing import (
    agreed_versions,
    agreements,
    price_notices,
    price_words,
    tariffs,
    term_values,
)
from billing.models import CardTariff, PriceTerm, StorageTariff, TokenTariff
from billing.price_rules import (
    MonthlyFromFirst,
    StartsTooEarly,
    StartsTooLate,
    UnknownItem,
    require_item,
    require_start,
)
from billing.resolution import Version
from billing.term_values import BadTerm
from portal.catalog.models import Chip
from portal.lib import ids
from portal.lib.periods import day_period
from tenants import reasons
from tenants.actions import proposals
from tenants.actors import Actor
from tenants.models import Proposal
from tenants.proposal_kinds import (
    PRICE_OF_CARDS,
    PRICE_OF_STORAGE,
    PRICE_OF_TOKENS,
    PRICE_TERM,
)

LIST_TERMS = ("batch", "fee", "replica_minimum", "tiers")  # a minimum is agreed with somebody
_WHAT = {PRICE_OF_TOKENS: "tokens", PRICE_OF_CARDS: "cards", PRICE_OF_STORAGE: "storage"}
_TICK = timedelta(microseconds=1)
LABELS = {
    "price_in": gettext_lazy("Input"),
    "price_cached": gettext_lazy("From the cache"),
    "price_out": gettext_lazy("Output"),
    "won_per_hour": gettext_lazy("A card-hour"),
    "won_per_gb_day": gettext_lazy("A GB-day"),
}

__all__ = [
    "BadPrice",
    "MonthlyFromFirst",
    "StartTaken",
    "StartsTooEarly",
    "StartsTooLate",
    "UnknownItem",
]


class BadPrice(Exception):
    def __str__(self) -> str:
        return _("A price is ₩0 to ₩1,000,000,000 with at most six decimals.")


class StartTaken(Exception):
    def __str__(self) -> str:
        return _("Another price begins on that day already. Choose another day.")


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of a change; ``before`` is empty where there was none."""

    label: str
    before: str
    after: str


def propose_tokens(
    *,
    model: str,
    price_in: Decimal,
    price_cached: Decimal,
    price_out: Decimal,
    starts_on: date,
    because: str,
    by: Actor,
    now: datetime,
    offering_class: str = "",
) -> Proposal:
    """Propose what a million tokens of a model cost from a day on, in won without VAT.

    ``offering_class``: of the chip's offerings only.
    """
    prices = {"price_in": price_in, "price_cached": price_cached, "price_out": price_out}
    payload = _payload(prices, starts_on) | (
        {"offering_class": offering_class} if offering_class else {}
    )
    return _propose(PRICE_OF_TOKENS, model, payload, because, by, now)


def propose_cards(
    *, chip: str, won_per_hour: Decimal, starts_on: date, because: str, by: Actor, now: datetime
) -> Proposal:
    """Propose what a card-hour of a chip costs from a day on, in won without VAT."""
    payload = _payload({"won_per_hour": won_per_hour}, starts_on)
    return _propose(PRICE_OF_CARDS, chip, payload, because, by, now)


def propose_storage(
    *,
    storage: str,
    won_per_gb_day: Decimal,
    starts_on: date,
    because: str,
    by: Actor,
    now: datetime,
) -> Proposal:
    """Propose what a GB costs per day from a day on, in won without VAT."""
    payload = _payload({"won_per_gb_day": won_per_gb_day}, starts_on)
    return _propose(PRICE_OF_STORAGE, storage, payload, because, by, now)


def propose_term(
    *,
    kind: str,
    item: str,
    value: Mapping[str, Any],
    starts_on: date,
    because: str,
    by: Actor,
    now: datetime,
) -> Proposal:
    """Propose tiers, a discount for batch, a fee or a shortest time for everybody."""
    payload = {"kind": kind, "item": item, "value": dict(value), "starts_on": starts_on.isoformat()}
    return _propose(PRICE_TERM, f"{kind}/{item}"[:64], payload, because, by, now)


def _payload(prices: dict[str, Decimal], starts_on: date) -> dict[str, Any]:
    return {name: f"{price:f}" for name, price in prices.items()} | {
        "starts_on": starts_on.isoformat()
    }


def _propose(
    kind: str, subject: str, payload: dict[str, Any], because: str, by: Actor, now: datetime
) -> Proposal:
    by.require("operator.prices")
    payload = payload | _checked(kind, subject, payload, now)
    return proposals.propose(
        kind=kind,
        subject=subject,
        payload=payload,
        because=reasons.normalized(because),
        by=by,
        now=now,
    )


def _checked(kind: str, subject: str, payload: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """What of the payload has a stricter form, or the rule that it breaks."""
    starts_on = date.fromisoformat(payload["starts_on"])
    if kind == PRICE_TERM:
        return _checked_term(payload, starts_on, now)
    require_item(_WHAT[kind], subject)
    offering_class = payload.get("offering_class", "")
    if offering_class and not Chip.objects.filter(code=offering_class).exists():
        raise UnknownItem
    _prices(payload)
    require_start(starts_on, now)
    if _starting(kind, subject, offering_class, day_period(starts_on).start):
        raise StartTaken
    return {}


def _prices(payload: Mapping[str, Any]) -> dict[str, Decimal]:
    """The figures of a payload. ``BadPrice``; ``BadTerm`` if a hold would not cover the cache."""
    names = [name for name in LABELS if name in payload]
    try:
        found = {name: term_values.price(payload[name]) for name in names}
    except BadTerm as error:
        raise BadPrice from error
    if "price_cached" in found:
        term_values.require_cached_no_dearer(found["price_in"], found["price_cached"])
    return found


def _starting(kind: str, subject: str, offering_class: str, start: datetime) -> bool:
    rows = {
        PRICE_OF_TOKENS: TokenTariff.objects.filter(model=subject, offering_class=offering_class),
        PRICE_OF_CARDS: CardTariff.objects.filter(chip=subject),
        PRICE_OF_STORAGE: StorageTariff.objects.filter(storage=subject),
    }[kind]
    found: bool = rows.filter(starts_at=start).exists()
    return found


def _checked_term(payload: Mapping[str, Any], starts_on: date, now: datetime) -> dict[str, Any]:
    kind, item = payload["kind"], payload["item"]
    if kind not in LIST_TERMS:
        raise BadTerm("kind", kind=str(kind)[:40])
    value = term_values.parse(kind, payload["value"])
    require_item(kind, item)
    require_start(starts_on, now)
    if kind in agreements.WHOLE_MONTHS and starts_on.day != 1:
        raise MonthlyFromFirst
    start = day_period(starts_on).start
    if PriceTerm.objects.filter(kind=kind, item=item, starts_at=start).exists():
        raise StartTaken
    return {"value": term_values.written(value)}


def carry_out(proposal: Proposal, by: Actor, now: datetime) -> None:
    """Write the price of an approved proposal. ``StartsTooEarly`` if its day has come meanwhile."""
    by.require("operator.prices")
    kind, subject, payload = proposal.kind, proposal.subject, proposal.payload
    payload = payload | _checked(kind, subject, payload, now)
    start = day_period(date.fromisoformat(payload["starts_on"])).start
    if kind == PRICE_TERM:
        term = PriceTerm.objects.create(
            public_id=ids.mint("trm"),
            kind=payload["kind"],
            item=payload["item"],
            value=payload["value"],
            starts_at=start,
        )
        price_notices.of_term(term)
    else:
        version = _write(kind, subject, payload, start)
        agreed_versions.follow(version)
        price_notices.of_price(version)


def _write(kind: str, subject: str, payload: Mapping[str, Any], start: datetime) -> Version:
    prices = _prices(payload)
    if kind == PRICE_OF_TOKENS:
        return tariffs.set_token_tariff(
            model=subject,
            starts_at=start,
            offering_class=payload.get("offering_class", ""),
            **prices,
        ).version
    if kind == PRICE_OF_CARDS:
        return tariffs.set_card_tariff(chip=subject, starts_at=start, **prices).version
    return tariffs.set_storage_tariff(storage=subject, starts_at=start, **prices).version


# ─── before and after ──────────────────────────────────────────────────────────────────────────


def differences(kind: str, subject: str, payload: Mapping[str, Any]) -> list[Difference]:
    """What a proposed change would change, against what holds until it begins."""
    start = day_period(date.fromisoformat(payload["starts_on"])).start
    if kind == PRICE_TERM:
        return [_term_difference(payload, start)]
    offering_class = payload.get("offering_class", "")
    before = tariffs.Book(_WHAT[kind], start - _TICK).price(subject, offering_class=offering_class)
    found = []
    for name, price in _prices(payload).items():
        old = _figure(before, name)
        shown = price_words.won(old) if old is not None else ""
        found.append(Difference(str(LABELS[name]), shown, price_words.won(price)))
    return found


def _figure(version: Version | None, name: str) -> Decimal | None:
    if version is None:
        return None
    found: Decimal | None = getattr(version, name) if name.startswith("price_") else version.won
    return found


def _term_difference(payload: Mapping[str, Any], start: datetime) -> Difference:
    kind, item = payload["kind"], payload["item"]
    rows = PriceTerm.objects.filter(kind=kind, item=item, starts_at__lt=start)
    before = rows.order_by("-starts_at").first()
    return Difference(
        label=str(price_words.KINDS[kind]),
        before=price_words.of_stored(kind, item, before.value) if before else "",
        after=price_words.of_stored(kind, item, payload["value"]),
    )


def term_history(*, limit: int = 200) -> list[PriceTerm]:
    """Terms of the list that were, are and will be."""
    return list(PriceTerm.objects.order_by("kind", "item", "-starts_at")[:limit])
