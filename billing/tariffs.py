"""Which price holds at a moment, for everybody or for one organization.

Prices are superseded, never edited. ``resolution`` decides; here is what it decides about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from django.db.models import DateTimeField, Q, Value
from django.db.models.functions import Concat

from billing import resolution
from billing.models import AgreedTariff, CardTariff, StorageTariff, TokenTariff
from billing.resolution import Version, cards
from portal.lib import ids

DEFAULT_STORAGE = "standard"
_TABLES = {
    "tokens": ("model", TokenTariff),
    "cards": ("chip", CardTariff),
    "storage": ("storage", StorageTariff),
}


def token_tariffs_at(moment: datetime) -> dict[str, TokenTariff]:
    """model slug → tariff of the list, for all offerings. Without one, it is not for sale."""
    rows = TokenTariff.objects.filter(offering_class="", starts_at__lte=moment)
    return {row.model: row for row in rows.order_by("model", "-starts_at").distinct("model")}


def card_tariffs_at(moment: datetime) -> dict[str, CardTariff]:
    """chip code → tariff of the list."""
    rows = CardTariff.objects.filter(starts_at__lte=moment).order_by("chip", "-starts_at")
    return {row.chip: row for row in rows.distinct("chip")}


def listed(what: str, moment: datetime) -> list[Version]:
    """What holds in the list at a moment: of ``tokens``, ``cards`` or ``storage``."""
    column, table = _TABLES[what]
    names = [column, "offering_class"] if what == "tokens" else [column]
    rows = table.objects.filter(starts_at__lte=moment).order_by(*names, "-starts_at")  # type: ignore[attr-defined]
    return [row.version for row in rows.distinct(*names)]


def ever_listed() -> list[Version]:
    """Every version of the list, of all kinds, whenever it held."""
    tables = (table for _column, table in _TABLES.values())
    return [row.version for table in tables for row in table.objects.all()]  # type: ignore[attr-defined]


def agreed(
    what: str | tuple[str, ...], moment: datetime, organization: int | None = None
) -> dict[int, list[Version]]:
    """organization → versions agreed with it that hold at a moment; of one or of all."""
    kinds = (what,) if isinstance(what, str) else what
    rows = AgreedTariff.objects.filter(
        Q(term__ends_at=None) | Q(term__ends_at__gt=moment),
        item__regex=f"^({'|'.join(kinds)})/",
        starts_at__lte=moment,
        term__starts_at__lte=moment,
    ).select_related("term")
    if organization is not None:
        rows = rows.filter(organization=organization)
    found: dict[int, list[Version]] = defaultdict(list)
    for row in rows:
        found[row.organization_id].append(row.version)
    return dict(found)


class Book:
    """All prices of one kind at one moment, for many to be asked about."""

    def __init__(
        self,
        what: str,
        moment: datetime,
        organization: int | None = None,
        *,
        own: Mapping[int, Sequence[Version]] | None = None,
    ) -> None:
        """``own``: what is agreed, where it was asked for several kinds together."""
        self.what = what
        self.moment = moment
        self.agreed: Mapping[int, Sequence[Version]]
        if what == "cards" and organization is not None and own is None:
            found, mine = _cards(moment, organization)
            self.listed, self.agreed = _by_item(found), {organization: mine}
            return
        self.listed = _by_item(listed(what, moment))
        self.agreed = agreed(what, moment, organization) if own is None else own

    def price(
        self, name: str, organization: int | None = None, offering_class: str = ""
    ) -> Version | None:
        """What an item costs an organization, or anybody; ``None`` if it is not for sale."""
        item = f"{self.what}/{name}"
        return resolution.resolve(
            item,
            agreed=self.agreed.get(organization, ()) if organization is not None else (),
            listed=self.listed.get(item, ()),
            moment=self.moment,
            offering_class=offering_class,
        )

    def names(self, organization: int | None = None) -> set[str]:
        """Everything that has a price."""
        own = self.agreed.get(organization, ()) if organization is not None else ()
        mine = (one.item for one in own if one.item.startswith(f"{self.what}/"))
        items = {*self.listed, *mine}
        return {item.partition("/")[2] for item in items}


def _by_item(versions: Iterable[Version]) -> dict[str, list[Version]]:
    found: dict[str, list[Version]] = defaultdict(list)
    for one in versions:
        found[one.item].append(one)
    return dict(found)


def card_tariff_at(chip: str, moment: datetime, organization: int | None = None) -> Version | None:
    """The price of a card-hour for an organization, or the list's; ``None``: nobody set one.

    Agreed prices stand behind the wall: ask inside the tenant's transaction.
    """
    found, own = _cards(moment, organization, chip)
    return resolution.resolve(cards(chip), agreed=own, listed=found, moment=moment)


def _cards(
    moment: datetime, organization: int | None, chip: str = ""
) -> tuple[list[Version], list[Version]]:
    """What holds of card-hours in the list, and what is agreed with an organization, of one chip
    or of all: in one question, for the pages that ask many."""
    never = Value(None, output_field=DateTimeField())
    listed = CardTariff.objects.filter(starts_at__lte=moment).order_by("chip", "-starts_at")
    own = AgreedTariff.objects.filter(
        Q(term__ends_at=None) | Q(term__ends_at__gt=moment),
        organization=organization,
        item__startswith=cards(chip),
        starts_at__lte=moment,
        term__starts_at__lte=moment,
    )
    if chip:
        listed, own = listed.filter(chip=chip), own.filter(item=cards(chip))
    rows = (
        CardTariff.objects.filter(pk__in=listed.distinct("chip").values("pk"))
        .order_by()
        .annotate(name=Concat(Value(cards("")), "chip"), first=never, until=never, kind=Value(""))
        .annotate(own=Value(False))
        .values_list(
            "public_id", "name", "starts_at", "first", "until", "kind", "won_per_hour", "own"
        )
    )
    if organization is not None:
        term = ("term__starts_at", "term__ends_at")
        agreed = own.order_by().annotate(own=Value(True))
        fields = ("public_id", "item", "starts_at", *term, "offering_class", "won", "own")
        rows = rows.union(agreed.values_list(*fields), all=True).order_by()
    found: tuple[list[Version], list[Version]] = [], []
    for public_id, item, starts_at, first_at, ends_at, offering_class, won, is_own in rows:
        version = Version(public_id, item, starts_at, first_at, ends_at, offering_class, won=won)
        found[is_own].append(version)
    return found


def version(public_id: str) -> Version:
    """A version by the id that a ledger entry names; ``KeyError``: nothing is guessed.

    One of an agreement is found inside its tenant's transaction only.
    """
    found = _listed_version(public_id)
    if found is None:
        own = AgreedTariff.objects.filter(public_id=public_id).select_related("term").first()
        if own is None:
            raise KeyError(public_id)
        found = own.version
    return found


@lru_cache(maxsize=10_000)
def _listed_version(public_id: str) -> Version | None:
    """Versions of the list never change, so they are kept."""
    for table in (TokenTariff, CardTariff, StorageTariff):
        row = table.objects.filter(public_id=public_id).first()
        if row is not None:
            found: Version = row.version
            return found
    return None


def unit_price(public_id: str, kind: str) -> Decimal:
    """Won per million tokens, card-hour or GB-day of a version, for one kind of item
    (``billing.rating.Item.kind``). The one way from a ledger entry to its price. ``KeyError``."""
    return version(public_id).price_of(kind)


def set_token_tariff(
    *,
    model: str,
    price_in: Decimal,
    price_out: Decimal,
    price_cached: Decimal | None = None,
    starts_at: datetime,
    offering_class: str = "",
) -> TokenTariff:
    """A new price of a model's tokens from ``starts_at`` on; the same again changes nothing."""
    tariff, _ = TokenTariff.objects.get_or_create(
        model=model,
        offering_class=offering_class,
        starts_at=starts_at,
        defaults={
            "public_id": ids.mint("tar"),
            "price_in": price_in,
            "price_cached": price_in if price_cached is None else price_cached,
            "price_out": price_out,
        },
    )
    return tariff


def set_card_tariff(*, chip: str, won_per_hour: Decimal, starts_at: datetime) -> CardTariff:
    """A new price of a chip's card-hour from ``starts_at`` on; the same again changes nothing."""
    tariff, _ = CardTariff.objects.get_or_create(
        chip=chip,
        starts_at=starts_at,
        defaults={"public_id": ids.mint("tar"), "won_per_hour": won_per_hour},
    )
    return tariff


def set_storage_tariff(
    *, storage: str = DEFAULT_STORAGE, won_per_gb_day: Decimal, starts_at: datetime
) -> StorageTariff:
    """A new price of a GB-day from ``starts_at`` on; the same again changes nothing."""
    tariff, _ = StorageTariff.objects.get_or_create(
        storage=storage,
        starts_at=starts_at,
        defaults={"public_id": ids.mint("tar"), "won_per_gb_day": won_per_gb_day},
    )
    return tariff


def token_history(*, limit: int = 200) -> list[TokenTariff]:
    """Prices of tokens that were, are and will be, each model's newest first."""
    return list(TokenTariff.objects.order_by("model", "offering_class", "-starts_at")[:limit])


def card_history(*, limit: int = 200) -> list[CardTariff]:
    """Prices of card-hours that were, are and will be, each chip's newest first."""
    return list(CardTariff.objects.order_by("chip", "-starts_at")[:limit])


def storage_history(*, limit: int = 200) -> list[StorageTariff]:
    """Prices of GB-days that were, are and will be, newest first."""
    return list(StorageTariff.objects.order_by("storage", "-starts_at")[:limit])
