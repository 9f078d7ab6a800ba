"""Receipts: what one request was, signed from its ledger entry when it is first asked for.

A receipt is kept as it was signed and never changes: whoever asks again gets the same bytes, also
after the key was changed. Data class and whether the chip was pretended are the entry's own
(version 2); entries of before do not keep them, so they are told as they stood at that moment
(``when_issued``, version 1). ``docs/receipts.md`` has the claims.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib import ids, jws, money
from portal.usage.models import LedgerEntry, Receipt
from tenants.actors import Actor

KIND = "dure-receipt+jwt"
NOTHING = "nothing"
SEALED_ANSWER = "the answer, sealed, for ten minutes at most"  # the project's choice: replay


class NoReceipt(Exception):
    """There is no such request of the actor's projects, or its entry is still on the way."""

    def __str__(self) -> str:
        return _(
            "There is no receipt of this request. If its answer has just come, it may take a "
            "second: ask again then. Requests that no site answered have none."
        )


@dataclass(frozen=True, slots=True)
class WhenIssued:
    """What an entry of before does not keep, as it stood when the receipt was first asked for.

    ``None``: it was not known any more.
    """

    data_class: str | None
    site_simulated: bool | None


@lru_cache(maxsize=1)
def _issuer_of(keys: str) -> jws.Issuer:
    return jws.Issuer(keys)


def issuer() -> jws.Issuer:
    """The keys of the settings."""
    return _issuer_of(settings.DURE_RECEIPT_KEYS)


def find(actor: Actor, request_id: str) -> Receipt | None:
    """The receipt that was signed before."""
    place = _place_of(request_id)
    return Receipt.objects.visible_to(actor).filter(**place).first() if place else None


def entry_of(actor: Actor, request_id: str) -> LedgerEntry:
    """``NoReceipt`` for a stranger's request, an unknown one, and one that is not booked yet."""
    place = _place_of(request_id)
    entry = LedgerEntry.objects.visible_to(actor).filter(**place).first() if place else None
    if entry is None:
        raise NoReceipt(request_id)
    return entry


def _place_of(request_id: str) -> dict[str, Any] | None:
    """The key of the ledger: a UUIDv7 in its one spelling says its day."""
    try:
        day, number = ids.request_id_time(request_id).date(), UUID(request_id)
    except (ValueError, OverflowError, OSError):
        return None
    return {"day": day, "request_id": number} if str(number) == request_id else None


@transaction.atomic
def issue(*, entry: LedgerEntry, when_issued: WhenIssued | None, now: datetime) -> Receipt:
    """Sign it, once: of two who ask at the same moment, the second gets what the first signed.

    No audit event: nothing changes but that the entry can now be shown to others, and a program
    may ask for each of a million requests. The row itself says when.
    """
    text = issuer().sign(claims_of(entry, when_issued, now), kind=KIND)
    place: dict[str, Any] = {"day": entry.day, "request_id": entry.request_id}
    signed = Receipt(
        **place,
        organization_id=entry.organization_id,
        project=entry.project,
        jws=text,
        issued_at=now,
    )
    Receipt.objects.bulk_create([signed], ignore_conflicts=True)
    return Receipt.objects.get(**place)


def claims_of(entry: LedgerEntry, when_issued: WhenIssued | None, now: datetime) -> dict[str, Any]:
    """What is signed; ``when_issued`` only for an entry that does not say it itself.

    Moments are UTC to the millisecond, amounts exact won as text.
    """
    known = entry.counted != "none"  # zero is not missing
    return {
        "version": 1 if when_issued else 2,
        "iss": settings.DURE_WEB_ORIGIN,
        "iat": int(now.timestamp()),
        "request_id": str(entry.request_id),
        "organization": entry.organization.public_id,
        "project": entry.project,
        "key": entry.key,
        "endpoint": entry.endpoint,
        "route": entry.route,
        "stream": entry.stream,
        "model": entry.model,
        "model_digest": entry.model_digest,
        "site": entry.site,
        "chip": entry.chip,
        "placement": entry.placement,
        "outcome": entry.outcome,
        "attempts": entry.attempts,
        "times": {
            "admitted": _moment(entry.admitted_at),
            "first_byte": _moment(entry.first_byte_at),
            "ended": _moment(entry.ended_at),
        },
        "tokens": {
            "counted": entry.counted,
            "in": entry.tokens_in if known else None,
            "cached": entry.tokens_cached if known else None,
            "out": entry.tokens_out if known else None,
        },
        "cost_krw": {
            "total": _won(entry.cost_micro),
            "settled": _won(entry.settled_micro),
            "written_off": _won(entry.written_off_micro),
        },
        "price": entry.price_version,
        # Of prompt and answer: the gateway has nowhere else to put them.
        "stored": SEALED_ANSWER if entry.replayable else NOTHING,
        **_circumstances(entry, when_issued),
    }


def _circumstances(entry: LedgerEntry, when_issued: WhenIssued | None) -> dict[str, Any]:
    if when_issued:
        return {"when_issued": asdict(when_issued)}
    return {"data_class": entry.data_class, "simulated": entry.simulated}


def _moment(at: datetime | None) -> str | None:
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _won(micro: int) -> str:
    return format(money.micro_to_won(micro), "f")


def read(text: str, verifier: jws.Verifier | None = None) -> dict[str, Any]:
    """The claims of a genuine receipt. ``jws.NotGenuine`` for anything else.

    Without a verifier, the keys of the settings decide.
    """
    return (verifier or issuer()).claims(text.strip(), kind=KIND)


def said(receipt: Receipt) -> dict[str, Any]:
    """The claims of a receipt that we kept, also when its key is no longer in the settings."""
    return jws.payload(receipt.jws)
