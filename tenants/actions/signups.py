"""The way to an organization, step by step: what a person has filled in is kept at each."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from tenants import founding, terms
from tenants.actions import organizations
from tenants.founding import Founding
from tenants.models import Signup, User

STEPS = ("kind", "numbers", "terms", "project")


class StepTooEarly(Exception):
    """An earlier step is still open. ``step`` names it."""

    def __init__(self, step: str) -> None:
        super().__init__(step)
        self.step = step

    def __str__(self) -> str:
        return _("A step before this one is still open.")


def found(user: User) -> Signup | None:
    """What the person has filled in, if anything."""
    return Signup.objects.filter(user=user).first()


def open_step(signup: Signup | None, *, now: datetime) -> str:
    """The first step that is not done. A new version of the terms opens their step again."""
    if signup is None or not signup.choice:
        return "kind"
    if not signup.business_number:
        return "numbers"
    if set(signup.terms) != {one.public_id for one in terms.in_force(now)}:
        return "terms"
    return "project"


def _locked(user: User, step: str, now: datetime) -> Signup:
    """The person's row, if all steps before ``step`` are done."""
    signup = Signup.objects.select_for_update().filter(user=user).first()
    first = open_step(signup, now=now)
    if signup is None or STEPS.index(first) < STEPS.index(step):
        raise StepTooEarly(first)
    return signup


@transaction.atomic
def save_kind(*, user: User, kind: str, now: datetime) -> Signup:
    """What the organization is. Another one than before opens the numbers. ``KindNotOpen``."""
    choice = founding.checked_kind(kind)
    signup, _made = Signup.objects.get_or_create(user=user, defaults={"saved_at": now})
    if signup.choice != choice:
        signup.choice, signup.business_number = choice, ""
    signup.saved_at = now
    signup.save(update_fields=["choice", "business_number", "saved_at"])
    return signup


@transaction.atomic
def save_numbers(
    *,
    user: User,
    name: str,
    business_number: str,
    medical_number: str = "",
    corporate_number: str = "",
    now: datetime,
) -> Signup:
    """Name and numbers. What ``founding.checked_numbers`` refuses, and ``NumberTaken``."""
    signup = _locked(user, "numbers", now)
    wish = founding.checked_numbers(
        Founding(signup.choice, name, business_number, medical_number, corporate_number)
    )
    organizations.refuse_taken(wish.business_number)
    signup.name = wish.name
    signup.business_number = wish.business_number
    signup.medical_number = wish.medical_number
    signup.corporate_number = wish.corporate_number
    signup.saved_at = now
    signup.save()
    return signup


@transaction.atomic
def agree(*, user: User, accepted: list[str], language: str, now: datetime) -> Signup:
    """Consent to the documents in force, dated now. ``TermsNotAccepted``."""
    signup = _locked(user, "terms", now)
    terms.require_all(accepted, now=now)
    if set(signup.terms) != set(accepted):
        signup.terms, signup.terms_at, signup.terms_language = accepted, now, language[:8]
    signup.saved_at = now
    signup.save()
    return signup


def finished(*, user: User, data_class: str, now: datetime) -> Founding:
    """Everything filled in, for the founding. Holds the person's row, so that a second press of
    the button waits for the first and then finds nothing. ``StepTooEarly``."""
    signup = _locked(user, "project", now)
    return Founding(
        kind=signup.choice,
        name=signup.name,
        business_number=signup.business_number,
        medical_number=signup.medical_number,
        corporate_number=signup.corporate_number,
        data_class=data_class,
        terms=tuple(signup.terms),
        language=signup.terms_language,
        agreed_at=signup.terms_at,
    )
