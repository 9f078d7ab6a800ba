"""The kinds of request: their words, what of their terms is shown, and what is done once all
have signed. One table.

A kind's deed stands in the app that owns the thing, which may lie above billing: such apps give
it to ``deciding`` (``portal.deployments.approving.DEEDS`` names them all).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from billing.approvals.matrix import ORDER, RAISE, SITES, TRANSFER
from billing.models import ApprovalRequest
from tenants.actors import Actor

Terms = Mapping[str, Any]


class CannotBeDone(Exception):
    """What was approved cannot be done now; the sentence says why, and it may be tried again."""


class TermsChanged(CannotBeDone):
    """Between the look at the terms and the deed: nothing was done."""

    def __str__(self) -> str:
        return gettext("Price or terms have changed just now. Try again to see the difference.")


@dataclass(frozen=True, slots=True)
class Now:
    """What a request would be asked for at this moment."""

    terms: Terms
    amount_won: int


def _nothing(request: ApprovalRequest, now: datetime) -> None:
    return None


def _no_money(request: ApprovalRequest, now: datetime) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Deed:
    """What the app that owns a kind knows to do. All but ``carry_out`` run in the tenant's
    transaction.

    ``terms_now`` says what it would be now (``CannotBeDone``: it cannot be said). ``done`` gives
    the public id of what came of it, if it was carried out already. ``carry_out`` does it, opens
    its own transactions, may be repeated without harm, and answers the public id of the result;
    ``CannotBeDone``. ``ended``: nobody wants it any more; repeating it changes nothing.
    ``sets_aside`` is what the budgets of the request will have less, in micro-won.
    """

    terms_now: Callable[[ApprovalRequest, datetime], Now]
    carry_out: Callable[[ApprovalRequest, Actor, datetime], str]
    done: Callable[[ApprovalRequest], str]
    ended: Callable[[ApprovalRequest, datetime], None] = _nothing
    sets_aside: Callable[[ApprovalRequest, datetime], int] = _no_money


@dataclass(frozen=True, slots=True)
class Kind:
    """``amount`` says what the amount is; ``fields`` are the terms that are shown, in order, and
    ``money`` those of them that are won."""

    label: Promise | str
    plural: Promise | str
    amount: Promise | str
    fields: Mapping[str, Promise | str] = field(default_factory=dict)
    money: frozenset[str] = frozenset()


KINDS: dict[str, Kind] = {
    ORDER: Kind(
        pgettext_lazy("approval", "Order of an endpoint"),
        pgettext_lazy("approval", "orders"),
        _("In a whole month"),
        {
            "change": _("Change"),
            "strategy": _("How replicas are replaced"),
            "name": _("Name of the endpoint"),
            "model": _("Model"),
            "region": _("Region"),
            "replicas": _("Replicas"),
            "chip": _("Chip"),
            "cards": _("Cards"),
            "won_per_card_hour": _("One card, one hour"),
            "won_per_hour": _("Per hour"),
            "won_per_month": _("Per month, always on"),
            "begins": pgettext_lazy("reservation", "From"),
            "ends": pgettext_lazy("reservation", "Until"),
            "won_in_all": pgettext_lazy("reservation", "In all"),
        },
        frozenset({"won_per_card_hour", "won_per_hour", "won_per_month", "won_in_all"}),
    ),
    RAISE: Kind(
        pgettext_lazy("approval", "Raise of a budget"),
        pgettext_lazy("approval", "raises of budgets"),
        _("Raised by"),
        {"from_won": _("Limit before"), "to_won": _("Limit after"), "until": _("Until")},
        frozenset({"from_won", "to_won"}),
    ),
    TRANSFER: Kind(
        pgettext_lazy("approval", "Transfer between budget lines"),
        pgettext_lazy("approval", "transfers between budget lines"),
        pgettext_lazy("transfer", "Moved"),
        {
            "year": _("Fiscal year"),
            "from_line": _("From the line"),
            "to_line": _("To the line"),
            "won": pgettext_lazy("transfer", "Moved"),
            "from_free_won": _("Not allotted in the first line before"),
        },
        frozenset({"won", "from_free_won"}),
    ),
    SITES: Kind(
        pgettext_lazy("approval", "New sites for a project"),
        pgettext_lazy("approval", "new sites for projects"),
        "",
        {
            "regions_before": _("Regions before"),
            "regions": _("Regions after"),
            "data_class": _("Data class"),
        },
    ),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One term: what was asked for, and what it is now where that differs."""

    name: str
    label: str
    before: str
    after: str
    changed: bool


def lines(kind: str, asked: Terms, now: Terms | None = None) -> list[Line]:
    """The terms of a kind, in order, and what of them has changed. Terms that the table does not
    know (a later version wrote them) are shown by their own names."""
    known = KINDS[kind]
    current = asked if now is None else now
    names = [*known.fields, *sorted((set(asked) | set(current)) - set(known.fields))]
    return [
        Line(
            name,
            str(known.fields.get(name, name)),
            _text(asked.get(name), money=name in known.money),
            _text(current.get(name), money=name in known.money),
            asked.get(name) != current.get(name),
        )
        for name in names
        if name in asked or name in current
    ]


def _text(value: Any, *, money: bool) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    if money and value not in (None, ""):
        return f"₩{Decimal(str(value)):,}"
    return "" if value is None else str(value)
