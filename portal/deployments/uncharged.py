"""What of a reservation was charged although nothing ran on it, and what not: card-seconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import DurationField, ExpressionWrapper, F, Sum

from portal.deployments.models import Reservation, UnchargedTime
from portal.usage.models import CardTime

_SECOND = timedelta(seconds=1)
_CARD_TIME = ExpressionWrapper(
    F("cards") * (F("ended_at") - F("started_at")), output_field=DurationField()
)


@dataclass(frozen=True, slots=True)
class NotCharged:
    """``because``: one of ``Uncharged``."""

    because: str
    card_seconds: int


def of(one: Reservation) -> list[NotCharged]:
    """By reason; nothing where everything was charged or used."""
    rows = UnchargedTime.objects.filter(reservation=one).order_by("because")
    sums = rows.values_list("because").annotate(time=Sum(_CARD_TIME))
    return [NotCharged(because, time // _SECOND) for because, time in sums]


def charged_seconds(one: Reservation) -> int:
    """Card-seconds on which nothing ran and that are charged, as far as they are counted."""
    rows = CardTime.objects.filter(organization=one.organization_id, placement=one.public_id)
    rows = rows.filter(started_at__gte=one.starts_at, started_at__lt=one.ends_at)
    found: timedelta | None = rows.aggregate(all=Sum(_CARD_TIME))["all"]
    return found // _SECOND if found else 0
