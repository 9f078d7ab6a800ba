"""Whether the supplier can sign: asked hourly, kept in one row, told of before it ends."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from billing.etax import preparing
from billing.etax.contract import EtaxIssuer, Unavailable
from billing.models import EtaxCertificate
from tenants import notices, rls

SOON = timedelta(days=30)
LONGEST = 300


def current() -> EtaxCertificate | None:
    """What was last heard."""
    return EtaxCertificate.objects.filter(number=settings.DURE_SELLER_NUMBER).first()


def is_ending(certificate: EtaxCertificate, now: datetime) -> bool:
    """Whether it ends within 30 days, or has ended."""
    return certificate.expires_at is not None and certificate.expires_at - now < SOON


def look(*, issuer: EtaxIssuer, now: datetime) -> EtaxCertificate:
    """Ask, outside any transaction, and keep it. No answer changes nothing but the count."""
    try:
        found = issuer.certificate()
    except Unavailable:
        return _silent(now)
    with transaction.atomic():
        row, _ = EtaxCertificate.objects.select_for_update().get_or_create(
            number=settings.DURE_SELLER_NUMBER
        )
        was_well = not row.fault and not is_ending(row, now)
        row.expires_at = found.expires_at or row.expires_at
        row.fault, row.seen_at, row.failures = found.fault[:LONGEST], now, 0
        row.save()
        if was_well and (row.fault or is_ending(row, now)):
            _tell(row, now)
    return row


def _silent(now: datetime) -> EtaxCertificate:
    with transaction.atomic():
        row, _ = EtaxCertificate.objects.select_for_update().get_or_create(
            number=settings.DURE_SELLER_NUMBER
        )
        row.failures = min(row.failures + 1, 30_000)
        row.save(update_fields=["failures"])
    return row


def _tell(row: EtaxCertificate, now: datetime) -> None:
    with rls.everyone(because="the operator's staff are told"):
        staff = preparing.operator()
        to = notices.holders(staff, "operator.etax") if staff else []
    notices.tell(
        "etax.certificate",
        organization=staff,
        to=to,
        now=now,
        place=reverse("etax_documents"),
        day=row.expires_at.date().isoformat() if row.expires_at else "–",
        because=row.fault,
    )
