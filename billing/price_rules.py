"""What holds for every change of a price, of the list or of one organization."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.utils.translation import gettext as _

from billing.term_lines import EVERY
from billing.term_values import BadTerm
from portal.catalog.models import CatalogModel, Chip
from portal.lib.periods import seoul_date
from tenants import names

LONGEST_AHEAD = timedelta(days=366 * 5)
STORAGE = ("standard",)


class UnknownItem(Exception):
    def __str__(self) -> str:
        return _("There is no such model or chip.")


class StartsTooEarly(Exception):
    def __str__(self) -> str:
        return _("A price begins tomorrow at the earliest. Choose a later day.")


class StartsTooLate(StartsTooEarly):
    def __str__(self) -> str:
        return _("A price begins within five years. Choose an earlier day.")


class MonthlyFromFirst(StartsTooEarly):
    """What is reckoned by whole months begins and ends with one."""

    def __str__(self) -> str:
        return _(
            "Tiers, discounts for batch and the shortest time billed hold for whole months: "
            "choose the first of a month."
        )


def require_start(starts_on: date, now: datetime) -> None:
    """A midnight in Korea that is still to come: nothing that was used gets another price."""
    today = seoul_date(now)
    if starts_on <= today:
        raise StartsTooEarly
    if starts_on > today + LONGEST_AHEAD:
        raise StartsTooLate


def require_item(kind: str, item: str) -> None:
    """What a price or term of this kind may be about. ``UnknownItem``, ``BadTerm``."""
    if not isinstance(item, str) or not _is_known(kind, item):
        raise UnknownItem


def _is_known(kind: str, item: str) -> bool:
    match kind:
        case "tokens":
            return CatalogModel.objects.filter(slug=item).exists()
        case "cards" | "replica_minimum":
            return Chip.objects.filter(code=item).exists()
        case "storage":
            return item in STORAGE
        case "batch":
            return item == EVERY or _is_known("tokens", item)
        case "tiers":
            what, _slash, name = item.partition("/")
            return what in {"tokens", "cards", "storage"} and _is_known(what, name)
        case "fee":
            return _is_name(item)
        case "minimum":
            return item == ""
        case _:
            raise BadTerm("kind", kind=str(kind)[:40])


def _is_name(text: str) -> bool:
    """Of a fee, as it will stand on the invoice."""
    try:
        return names.normalized(text, longest=40) == text
    except names.BadName:
        return False
