"""What the registry of businesses says of an organization, and which states lead where."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Registration(models.TextChoices):
    PENDING = "pending_registry", _("Being checked")
    ACTIVE = "active", _("Confirmed")
    SUSPENDED = "suspended", _("Business suspended")
    CLOSED = "closed", _("Business closed")
    UNVERIFIABLE = "unverifiable", _("Not confirmed")


# Nobody becomes pending again, and what was once known does not become unknown: a registry that
# forgets a business has a fault of its own.
REGISTRATION_ARROWS = frozenset(
    {
        (Registration.PENDING, Registration.ACTIVE),
        (Registration.PENDING, Registration.SUSPENDED),
        (Registration.PENDING, Registration.CLOSED),
        (Registration.PENDING, Registration.UNVERIFIABLE),
        (Registration.UNVERIFIABLE, Registration.ACTIVE),
        (Registration.UNVERIFIABLE, Registration.SUSPENDED),
        (Registration.UNVERIFIABLE, Registration.CLOSED),
        (Registration.ACTIVE, Registration.SUSPENDED),
        (Registration.ACTIVE, Registration.CLOSED),
        (Registration.SUSPENDED, Registration.ACTIVE),
        (Registration.SUSPENDED, Registration.CLOSED),
        (Registration.CLOSED, Registration.ACTIVE),
        (Registration.CLOSED, Registration.SUSPENDED),
    }
)

# The customer has not been confirmed by anybody yet: nothing that costs money.
UNCONFIRMED = frozenset({Registration.PENDING, Registration.UNVERIFIABLE})
