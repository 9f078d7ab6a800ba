"""The documents that customers agree to, by version. Texts are rows that nobody changes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.utils.translation import gettext as _

from tenants.models import Terms

DOCUMENTS = ("service", "privacy")


class TermsNotAccepted(Exception):
    """A document in force was not agreed to, or an older version of it was."""

    def __str__(self) -> str:
        return _("Agree to the terms in force: read them once more, a version may be new.")


def in_force(now: datetime) -> list[Terms]:
    """The newest version of each document that has begun, in the order they are shown."""
    newest = Terms.objects.filter(effective_at__lte=now).order_by("document", "-effective_at")
    found = {one.document: one for one in newest.distinct("document")}
    return [found[document] for document in DOCUMENTS if document in found]


def require_all(accepted: Iterable[str], *, now: datetime) -> list[Terms]:
    """The documents in force, if ``accepted`` names exactly them. ``TermsNotAccepted``."""
    current = in_force(now)
    if {one.public_id for one in current} != set(accepted):
        raise TermsNotAccepted
    return current
