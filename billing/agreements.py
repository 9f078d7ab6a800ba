"""What one organization agrees with the operator: proposed by one person, approved by another.

An agreement begins at a midnight in Korea that is still to come. Tiers, discounts for batch and
the shortest time billed hold for whole months; fees and minimums count by days. No two agreements
of an organization hold for the same item at once: the database refuses it. Percent off the list
follows the list: each list price has a version of its own for the organization.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from billing import agreed_versions, price_words, term_values
from billing.models import (
    AgreedTerm,
    Agreement,
)
from billing.price_rules import (
    MonthlyFromFirst,
    UnknownItem,
    require_item,
    require_start,
)
from billing.term_lines import Percent
from portal.lib import ids
from portal.lib.periods import day_period, seoul_date
from tenants import names, notices, reasons
from tenants.actions import deeds, proposals
from tenants.actors import Actor
from tenants.models import Organization, Proposal
from tenants.proposal_kinds import AGREEMENT, AGREEMENT_END

KINDS = tuple(price_words.KINDS)
WHOLE_MONTHS = ("batch", "replica_minimum", "tiers")
MOST_LINES = 50
LONGEST_YEARS = 10


class EndsTooEarly(Exception):
    def __str__(self) -> str:
        return _("An agreement ends after it begins, tomorrow at the earliest, within ten years.")


class BadLines(Exception):
    def __str__(self) -> str:
        return _("An agreement has 1 to 50 lines, each about something else.")


class NoListPrice(Exception):
    def __init__(self, item: str) -> None:
        super().__init__(item)
        self.item = item

    def __str__(self) -> str:
        return _("%(item)s has no list price on that day that percent could be taken off.") % {
            "item": self.item
        }


class Overlaps(Exception):
    """Another agreement of the organization holds for the same item on some of the days."""

    def __init__(self, kind: str, item: str, other: str = "") -> None:
        super().__init__(kind, item, other)
        self.kind, self.item, self.other = kind, item, other

    def __str__(self) -> str:
        return _("Another agreement %(other)s holds then for %(kind)s %(item)s. End it first.") % {
            "other": self.other,
            "kind": price_words.KINDS.get(self.kind, self.kind),
            "item": price_words.of_item(self.kind, self.item),
        }


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to agree on; ``value`` as ``term_values`` reads it."""

    kind: str
    item: str
    value: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """What shall be agreed. ``ends_on`` is the first day after it."""

    reference: str
    starts_on: date
    ends_on: date | None
    lines: Sequence[Line]

    def payload(self) -> dict[str, Any]:
        """As a proposal keeps it."""
        return {
            "reference": self.reference,
            "starts_on": self.starts_on.isoformat(),
            "ends_on": self.ends_on.isoformat() if self.ends_on else None,
            "lines": [
                {"kind": one.kind, "item": one.item, "value": dict(one.value)} for one in self.lines
            ],
        }

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Wish:
        ends_on = payload["ends_on"]
        return cls(
            payload["reference"],
            date.fromisoformat(payload["starts_on"]),
            date.fromisoformat(ends_on) if ends_on else None,
            [Line(one["kind"], one["item"], one["value"]) for one in payload["lines"]],
        )


def propose(
    *, organization: Organization, wish: Wish, because: str, by: Actor, now: datetime
) -> Proposal:
    """Propose an agreement; another person approves. ``BadTerm``, ``Overlaps``, ``NoListPrice``,
    ``UnknownItem``, ``BadLines``, ``MonthlyFromFirst``, ``StartsTooEarly``, ``EndsTooEarly``."""
    by.require("operator.prices")
    wish = _checked(organization, wish, now)
    return proposals.propose(
        kind=AGREEMENT,
        subject=organization.public_id,
        payload=wish.payload(),
        because=reasons.normalized(because),
        by=by,
        now=now,
    )


def propose_end(
    *, agreement: Agreement, ends_on: date, because: str, by: Actor, now: datetime
) -> Proposal:
    """Propose that an agreement ends earlier than it would."""
    by.require("operator.prices")
    _require_end(agreement, ends_on, now)
    return proposals.propose(
        kind=AGREEMENT_END,
        subject=agreement.public_id,
        payload={"reference": agreement.reference, "ends_on": ends_on.isoformat()},
        because=reasons.normalized(because),
        by=by,
        now=now,
    )


def _checked(organization: Organization, wish: Wish, now: datetime) -> Wish:
    """The wish in its one form, or the rule that it breaks."""
    if organization.is_operator:
        raise UnknownItem
    reference = names.normalized(wish.reference, longest=80)
    require_start(wish.starts_on, now)
    _require_period(wish.starts_on, wish.ends_on)
    subjects = {(one.kind, one.item) for one in wish.lines}
    if not 1 <= len(wish.lines) <= MOST_LINES or len(subjects) != len(wish.lines):
        raise BadLines
    lines = [_checked_line(line, wish) for line in wish.lines]
    for line in lines:
        _require_free(organization, line, wish)
    return Wish(reference, wish.starts_on, wish.ends_on, lines)


def _require_period(starts_on: date, ends_on: date | None) -> None:
    if ends_on is None:
        return
    longest = starts_on + timedelta(days=366 * LONGEST_YEARS)
    if not starts_on < ends_on <= longest:
        raise EndsTooEarly


def _checked_line(line: Line, wish: Wish) -> Line:
    value = term_values.parse(line.kind, line.value)
    require_item(line.kind, line.item)
    if line.kind in WHOLE_MONTHS:
        days = (wish.starts_on, wish.ends_on) if wish.ends_on else (wish.starts_on,)
        if any(day.day != 1 for day in days):
            raise MonthlyFromFirst
    followed = line.kind in term_values.UNIT_PRICED and isinstance(value, Percent)
    start = day_period(wish.starts_on).start
    if followed and not agreed_versions.followed(f"{line.kind}/{line.item}", start, None):
        raise NoListPrice(line.item)
    return Line(line.kind, line.item, term_values.written(value))


def _require_free(organization: Organization, line: Line, wish: Wish) -> None:
    start = day_period(wish.starts_on).start
    rows = AgreedTerm.objects.filter(
        Q(ends_at=None) | Q(ends_at__gt=start),
        organization=organization,
        kind=line.kind,
        item=line.item,
    )
    if wish.ends_on is not None:
        rows = rows.filter(starts_at__lt=day_period(wish.ends_on).start)
    other = rows.select_related("agreement").first()
    if other is not None:
        raise Overlaps(line.kind, line.item, other.agreement.reference)


def _require_end(agreement: Agreement, ends_on: date, now: datetime) -> None:
    end = _moment(ends_on)
    if ends_on <= seoul_date(now) or end < agreement.starts_at:
        raise EndsTooEarly
    if agreement.ends_at is not None and end >= agreement.ends_at:
        raise EndsTooEarly
    monthly = agreement.terms.filter(kind__in=WHOLE_MONTHS).exists()
    if monthly and ends_on.day != 1:
        raise MonthlyFromFirst


def _moment(day: date) -> datetime:
    """Midnight in Korea; ``EndsTooEarly`` for a day that no calendar of ours reaches."""
    if not 2000 <= day.year <= 2999:
        raise EndsTooEarly
    return day_period(day).start


# ─── carried out ───────────────────────────────────────────────────────────────────────────────


def carry_out(proposal: Proposal, by: Actor, now: datetime) -> None:
    """Write an approved agreement; checked again, because days have passed."""
    by.require("operator.prices")
    organization = Organization.objects.select_for_update(no_key=True).get(
        public_id=proposal.subject
    )
    wish = _checked(organization, Wish.of(proposal.payload), now)
    agreement = Agreement.objects.create(
        public_id=ids.mint("agr"),
        organization=organization,
        reference=wish.reference,
        starts_at=day_period(wish.starts_on).start,
        ends_at=day_period(wish.ends_on).start if wish.ends_on else None,
        made_at=now,
    )
    for line in wish.lines:
        _write(agreement, line)
    deeds.record(
        "operator.agreement",
        of=organization,
        by=by,
        now=now,
        because=proposal.because,
        changes={"agreement": agreement.public_id, **wish.payload()},
    )
    _tell("agreement.made", agreement, wish.starts_on, now)


def _tell(kind: str, agreement: Agreement, day: date, now: datetime) -> None:
    """To everybody there who may read invoices."""
    notices.tell(
        kind,
        organization=agreement.organization,
        to=notices.holders(agreement.organization, "invoices.read"),
        now=now,
        place=reverse("agreements"),
        reference=agreement.reference,
        day=day.isoformat(),
    )


def _write(agreement: Agreement, line: Line) -> None:
    try:
        with transaction.atomic():
            term = AgreedTerm.objects.create(
                public_id=ids.mint("trm"),
                organization_id=agreement.organization_id,
                agreement=agreement,
                kind=line.kind,
                item=line.item,
                value=dict(line.value),
                starts_at=agreement.starts_at,
                ends_at=agreement.ends_at,
            )
    except IntegrityError as error:  # somebody was faster
        raise Overlaps(line.kind, line.item) from error
    value = term_values.parse(line.kind, line.value)
    if line.kind in term_values.UNIT_PRICED:
        agreed_versions.write(term, value)


def carry_out_end(proposal: Proposal, by: Actor, now: datetime) -> None:
    """Let an agreement end on an earlier day. What was used keeps its price."""
    by.require("operator.prices")
    agreement = Agreement.objects.select_for_update().get(public_id=proposal.subject)
    ends_on = date.fromisoformat(proposal.payload["ends_on"])
    _require_end(agreement, ends_on, now)
    end = _moment(ends_on)
    agreement.terms.filter(Q(ends_at=None) | Q(ends_at__gt=end)).update(ends_at=end)
    Agreement.objects.filter(pk=agreement.pk).update(ends_at=end)
    deeds.record(
        "operator.agreement_end",
        of=agreement.organization,
        by=by,
        now=now,
        because=proposal.because,
        changes={"agreement": agreement.public_id, "ends_on": ends_on.isoformat()},
    )
    _tell("agreement.ends", agreement, ends_on, now)


# ─── read ──────────────────────────────────────────────────────────────────────────────────────


def visible_to(actor: Actor) -> QuerySet[Agreement]:
    """The organization's own agreements, newest first."""
    return Agreement.objects.visible_to(actor).prefetch_related("terms")


def of_all() -> QuerySet[Agreement]:
    """Every organization's, for the operator's staff."""
    return Agreement.objects.select_related("organization").prefetch_related("terms")


def state_of(agreement: Agreement, now: datetime) -> str:
    """``coming``, ``active`` or ``over``."""
    if agreement.ends_at is not None and agreement.ends_at <= now:
        return "over"
    return "coming" if agreement.starts_at > now else "active"
