"""What an organization's e-tax invoices say of it: kept by its budget officer."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from billing.etax.documents import TaxKind
from billing.models import DraftState, EtaxProfile, InvoiceDraft
from tenants import audit, mail_addresses, reasons
from tenants.actors import Actor
from tenants.models import Organization

VERB = "etax.change"
_LONGEST = 100


class BadDetail(ValueError):
    """``field`` names what to change; the sentence says how."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


@dataclass(frozen=True, slots=True)
class Details:
    """As they are typed. ``trade`` is 업태, ``item`` 종목, ``place`` 종사업장번호 (4 digits)."""

    representative: str = ""
    trade: str = ""
    item: str = ""
    place: str = ""
    contact: str = ""
    email: str = ""


def of(organization: Organization) -> EtaxProfile | None:
    """What is kept of an organization, inside its transaction."""
    return EtaxProfile.objects.filter(organization=organization).first()


def bears_no_tax(organization: Organization) -> bool:
    """Whether supplies to it bear no VAT (영세율, 면세), by the operator's word. Asked when an
    invoice is made: the invoice keeps its rule."""
    rows = EtaxProfile.objects.filter(organization=organization)
    return rows.exclude(tax=TaxKind.TAXABLE).exists()


def details_of(profile: EtaxProfile | None) -> Details:
    """In the form that is typed; empty where nothing is kept."""
    if profile is None:
        return Details()
    return Details(**{one.name: getattr(profile, one.name) for one in fields(Details)})


@transaction.atomic
def change(*, organization: Organization, details: Details, by: Actor, now: datetime) -> None:
    """Keep what the next e-tax invoices say. ``BadDetail`` for what cannot stand on one."""
    by.require(VERB)
    found = {name: _checked(name, text) for name, text in asdict(details).items()}
    if not found["representative"]:
        raise BadDetail("representative", _("An e-tax invoice names the representative."))
    before = details_of(of(organization))
    EtaxProfile.objects.update_or_create(
        organization=organization, defaults={**found, "changed_at": now}
    )
    changed = [name for name, value in asdict(before).items() if value != found[name]]
    audit.record(
        "etax.details",
        by=by,
        now=now,
        subject=organization.public_id,
        changes={"fields": changed},
        organization=organization,
    )


@transaction.atomic
def tax_as(
    *, organization: Organization, tax: TaxKind, because: str, by: Actor, now: datetime
) -> None:
    """How supplies to this customer are taxed, from the next document on; a draft that was not
    issued yet is made again. The operator's word."""
    by.require("operator.etax")
    reason = reasons.normalized(because)
    profile, _made = EtaxProfile.objects.get_or_create(
        organization=organization, defaults={"changed_at": now}
    )
    before = profile.tax
    EtaxProfile.objects.filter(pk=profile.pk).update(tax=tax, changed_at=now)
    drafts = InvoiceDraft.objects.filter(organization=organization, state=DraftState.DRAFTED)
    drafts.update(state=DraftState.STALE)
    audit.record(
        "etax.tax_kind",
        by=by,
        now=now,
        subject=organization.public_id,
        changes={"tax": {"from": before, "to": tax}},
        organization=organization,
        because=reason,
    )


def _checked(name: str, text: str) -> str:
    plain = " ".join(unicodedata.normalize("NFC", text).split())
    if any(unicodedata.category(one).startswith("C") for one in plain):
        raise BadDetail(name, _("The text has an invisible character. Type it again."))
    if len(plain) > _LONGEST:
        raise BadDetail(
            name,
            _("The text has %(count)d characters; %(longest)d are possible. Shorten it.")
            % {"count": len(plain), "longest": _LONGEST},
        )
    if name == "place" and plain and not re.fullmatch(r"[0-9]{4}", plain, re.ASCII):
        raise BadDetail(name, _("The number of a place of business has four digits."))
    if name == "email" and plain:
        try:
            return mail_addresses.normalized(plain)
        except mail_addresses.BadAddress as error:
            raise BadDetail(name, str(error)) from error
    return plain
