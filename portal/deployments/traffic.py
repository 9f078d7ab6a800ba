"""What one endpoint was asked in the last 24 hours, and what it has used this month."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.deployments import freed
from portal.deployments.models import Endpoint, EndpointKind
from portal.lib.money import MICRO
from portal.lib.periods import Period
from portal.usage import queries
from portal.usage.queries import HourRow
from tenants.actors import Actor

HOURS = 24


@dataclass(frozen=True, slots=True)
class Traffic:
    """The reader's organization's own. ``used_micro``: of this month, without VAT; ``None`` for a
    shared endpoint, which is paid by tokens."""

    period: Period
    hours: tuple[HourRow, ...]
    used_micro: int | None

    @property
    def requests(self) -> int:
        return sum(row.requests for row in self.hours)

    @property
    def failed(self) -> int:
        return sum(row.failed for row in self.hours)

    @property
    def used_won(self) -> int | None:
        """Begun won, as a page shows it."""
        return None if self.used_micro is None else -(-self.used_micro // MICRO)

    def by_site(self) -> Counter[str]:
        """Code → requests."""
        found: Counter[str] = Counter()
        for row in self.hours:
            found[row.site] += row.requests
        return found

    def by_hour(self) -> list[tuple[datetime, int]]:
        """Every hour of the period, also those without a request."""
        found: Counter[datetime] = Counter()
        for row in self.hours:
            found[row.start] += row.requests
        starts = [self.period.start + timedelta(hours=number) for number in range(HOURS)]
        return [(start, found[start]) for start in starts]


def of(endpoint: Endpoint, actor: Actor, now: datetime) -> Traffic:
    """Whole hours, the one that runs included. ``endpoint`` with its living placements."""
    end = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    period = Period(end - timedelta(hours=HOURS), end)
    own = endpoint.organization_id == actor.organization.pk
    dedicated = own and endpoint.kind == EndpointKind.DEDICATED
    return Traffic(
        period=period,
        hours=tuple(queries.by_hour(actor, period, endpoint.public_id)),
        used_micro=freed.used_micro(endpoint, now) if dedicated else None,
    )
