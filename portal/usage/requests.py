"""Reading the ledger request by request: filters, pages by keyset, one request with its hold.

No count and no offset: a page costs the same at the first row and at the millionth. A cursor is
signed for one organization, so that a place which nobody gave out, or which another organization
was given, is refused; what may be seen is decided by ``visible_to`` alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.core.signing import BadSignature, Signer
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from portal.lib import ids
from portal.lib.periods import FIRST_YEAR, LAST_YEAR, Period, day_period, seoul_date
from portal.usage.models import LedgerEntry, OrphanedEvent
from tenants import actors
from tenants.actors import Actor

PAGE = 50
BATCH = 1_000
EXPORT_MOST = 100_000  # rows of one file; Excel takes a million, patience less
DAYS = 7  # shown where nobody chose
MOST_DAYS = 92

OUTCOMES = ("answered", "cut_short", "client_left", "site_failed")
ONLY = ("written_off", "late", "batch")
_EXACT = ("project", "key", "model", "site", "outcome")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadCursor(ValueError):
    """A place in the list that this organization was not given."""


class BadPeriod(ValueError):
    """Days that cannot be shown together."""

    def __str__(self) -> str:
        return _("Choose a first day before the last, at most %(most)d days apart.") % {
            "most": MOST_DAYS
        }


class BadRequestId(ValueError):
    """Not the id of a request."""

    def __str__(self) -> str:
        return _("A request id looks like 019a8b1e-…: copy it from the header x-request-id.")


@dataclass(frozen=True, slots=True)
class Filters:
    """What is looked for; empty parts do not narrow. Days are Korea's, the last one included."""

    since: date
    until: date
    project: str = ""
    key: str = ""
    model: str = ""
    site: str = ""
    outcome: str = ""
    only: str = ""  # one of ONLY
    request: UUID | None = None  # names its own time: days do not narrow it

    def __post_init__(self) -> None:
        apart = (self.until - self.since).days
        if not 0 <= apart < MOST_DAYS or not FIRST_YEAR < self.since.year < LAST_YEAR:
            raise BadPeriod

    @property
    def period(self) -> Period:
        return Period(day_period(self.since).start, day_period(self.until).end)

    def words(self) -> dict[str, str]:
        """As they stand in an address."""
        values = ((one.name, getattr(self, one.name)) for one in fields(self))
        return {name: str(value) for name, value in values if value}

    @property
    def narrows(self) -> bool:
        """Whether more than days was chosen."""
        return bool(self.words().keys() - {"since", "until"})


def last_days(now: datetime) -> tuple[date, date]:
    """The days that are shown where nobody chose."""
    today = seoul_date(now)
    return today - timedelta(days=DAYS - 1), today


def parse_id(text: str) -> UUID:
    """``BadRequestId`` unless it is a UUIDv7, whose time says in which part of the ledger it is."""
    try:
        found = UUID(text.strip())
        ids.request_id_time(str(found))
    except (ValueError, OverflowError) as error:
        raise BadRequestId(text) from error
    return found


@dataclass(frozen=True, slots=True)
class Page:
    """Some requests, newest first, and where the next older ones begin."""

    entries: list[LedgerEntry]
    older: str  # a cursor; empty at the end


def rows(actor: Actor, filters: Filters) -> QuerySet[LedgerEntry]:
    """Requests of the actor's organization and projects that fit, newest first."""
    found = LedgerEntry.objects.visible_to(actor).order_by("-admitted_at", "-request_id")
    if filters.request is not None:
        found = found.filter(_named(filters.request))
    else:
        period = filters.period
        found = found.admitted(period.start, period.end)
    narrow = {name: value for name in _EXACT if (value := getattr(filters, name))}
    if filters.only in {"late", "batch"}:
        narrow[filters.only] = True
    if filters.only == "written_off":
        narrow["written_off_micro__gt"] = 0
    return found.filter(**narrow)


def _named(request_id: UUID) -> Q:
    """By the whole primary key, which has the day."""
    return Q(day=ids.request_id_time(str(request_id)).date(), request_id=request_id)


def page(actor: Actor, filters: Filters, cursor: str = "", size: int = PAGE) -> Page:
    """One page below a cursor. ``BadCursor``."""
    return page_of(actor, rows(actor, filters), cursor, size)


def page_of(actor: Actor, found: QuerySet[LedgerEntry], cursor: str = "", size: int = PAGE) -> Page:
    """The same of any requests that the actor may see, newest first."""
    if cursor:
        found = found.filter(_below(actor, cursor))
    entries = list(found[: size + 1])
    older = cursor_of(actor, entries[size - 1]) if len(entries) > size else ""
    return Page(entries[:size], older)


def _signer(actor: Actor) -> Signer:
    return Signer(salt=f"requests of {actor.organization.public_id}")


def cursor_of(actor: Actor, entry: LedgerEntry) -> str:
    """The place of a request, as it stands in an address."""
    micros = (entry.admitted_at - _EPOCH) // timedelta(microseconds=1)
    return _signer(actor).sign(f"{micros}-{entry.request_id.hex}")


def _below(actor: Actor, cursor: str) -> Q:
    try:
        micros, _dash, request_id = _signer(actor).unsign(cursor).partition("-")
    except BadSignature as error:
        raise BadCursor(cursor) from error
    at = _EPOCH + timedelta(microseconds=int(micros))
    # The first part alone is what the index begins to read at.
    return Q(admitted_at__lte=at) & (Q(admitted_at__lt=at) | Q(request_id__lt=UUID(request_id)))


def export(actor: Actor, filters: Filters) -> Iterator[LedgerEntry | None]:
    """Every request that fits, each batch in a transaction of its own; at most ``EXPORT_MOST``.

    Where there are more, the last one is ``None``: a file that ends early says so.
    """
    cursor, left = "", EXPORT_MOST
    while True:
        with actors.scope_for(actor):
            found = page(actor, filters, cursor, min(BATCH, left))
        yield from found.entries
        cursor, left = found.older, left - len(found.entries)
        if not cursor:
            return
        if not left:
            yield None
            return


@dataclass(frozen=True, slots=True)
class Found:
    """One request: what was settled, and the hold that ran out before. At least one of both."""

    entry: LedgerEntry | None
    orphan: OrphanedEvent | None


def find(actor: Actor, request_id: UUID) -> Found | None:
    """``None`` for what the actor may not see. A hold names no project, so who is limited to some
    sees one only beside its settlement."""
    try:
        named = _named(request_id)
    except (ValueError, OverflowError):
        return None
    entry = LedgerEntry.objects.visible_to(actor).filter(named).first()
    if entry is None and actor.projects is not None:
        return None
    orphan = OrphanedEvent.objects.visible_to(actor).filter(request_id=request_id).first()
    return Found(entry, orphan) if entry or orphan else None
