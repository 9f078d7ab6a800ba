"""What makes an organization: the choices and numbers of a sign-up, checked. Pure.

Pages ask for them step by step and the API at once; both end here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants import homographs, names, numbers
from tenants.models import DataClass, Organization, OrganizationKind
from tenants.numbers import LegalForm


class Choice(models.TextChoices):
    """What people say that they are. A sole trader is a firm to the rest of the product; that it
    is one is read from its number."""

    SME = "sme", gettext_lazy("Small or medium firm")
    SOLE_TRADER = "sole_trader", gettext_lazy("Sole trader")
    HOSPITAL = "hospital", gettext_lazy("Hospital or clinic")
    PUBLIC = "public", gettext_lazy("Public institution")


KINDS = {
    Choice.SME: OrganizationKind.SME,
    Choice.SOLE_TRADER: OrganizationKind.SME,
    Choice.HOSPITAL: OrganizationKind.HOSPITAL,
    Choice.PUBLIC: OrganizationKind.PUBLIC,
}


def choice_of(organization: Organization) -> Choice:
    """What the organization chose, as far as its kind and number still say."""
    number = organization.business_number or ""
    if organization.kind == OrganizationKind.SME:
        individual = numbers.legal_form(number) is LegalForm.INDIVIDUAL
        return Choice.SOLE_TRADER if number and individual else Choice.SME
    return Choice(organization.kind)


def of(organization: Organization, **changes: str) -> Founding:
    """The organization's own words, with some of them changed."""
    own = Founding(
        kind=choice_of(organization),
        name=organization.name,
        business_number=organization.business_number or "",
        medical_number=organization.medical_number,
        corporate_number=organization.corporate_number,
    )
    return replace(own, **changes)  # type: ignore[arg-type]


class KindNotOpen(Exception):
    """Nobody signs up as the operator."""

    def __str__(self) -> str:
        return _("Choose firm, sole trader, hospital or public institution.")


class OtherKind(Exception):
    """The number belongs to another kind of organization than was chosen."""

    def __init__(self, number: str) -> None:
        super().__init__(number)
        self.meaning = numbers.meaning(number)

    def __str__(self) -> str:
        return _(
            "The middle digits say “%(meaning)s”. Check the number, or choose another kind."
        ) % {"meaning": self.meaning}


class MedicalNumberDue(numbers.BadMedicalNumber):
    def __str__(self) -> str:
        return _("A hospital or clinic gives the 8 digits of its medical institution.")


class NoDataClass(Exception):
    def __str__(self) -> str:
        return _("Choose open, sensitive, confidential or medical.")


@dataclass(frozen=True, slots=True)
class Founding:
    """``terms`` names the documents agreed to, read in ``language`` at ``agreed_at``."""

    kind: str
    name: str
    business_number: str
    medical_number: str = ""
    corporate_number: str = ""
    data_class: str = DataClass.OPEN
    terms: tuple[str, ...] = ()
    language: str = "ko"
    agreed_at: datetime | None = None

    def checked(self) -> Founding:
        """Everything in normal form. ``KindNotOpen``, ``BadName``, ``BadNumber``,
        ``OtherKind``, ``MedicalNumberDue``, ``NoDataClass``."""
        if self.data_class not in DataClass.values:
            raise NoDataClass
        return checked_numbers(self)


def checked_kind(kind: str) -> Choice:
    """``KindNotOpen`` for what is no choice."""
    if kind not in Choice.values:
        raise KindNotOpen
    return Choice(kind)


def checked_name(name: str) -> str:
    """Normal form, one alphabet. ``BadName``."""
    name = names.normalized(name, longest=80)
    homographs.check(name)
    return name


def checked_numbers(wish: Founding) -> Founding:
    """Kind, name and numbers in normal form. A hospital's code is dropped for other kinds."""
    choice = checked_kind(wish.kind)
    number = numbers.normalized(wish.business_number)
    if not _fits(choice, number):
        raise OtherKind(number)
    hospital = choice is Choice.HOSPITAL
    if hospital and not wish.medical_number.strip():
        raise MedicalNumberDue
    corporate = wish.corporate_number.strip()
    return replace(
        wish,
        name=checked_name(wish.name),
        business_number=number,
        medical_number=numbers.normalized_medical(wish.medical_number) if hospital else "",
        corporate_number=numbers.normalized_corporate(corporate) if corporate else "",
    )


def _fits(choice: Choice, number: str) -> bool:
    """Whether the middle digits may belong to the kind. A sole trader may call himself a firm."""
    individual = numbers.legal_form(number) is LegalForm.INDIVIDUAL
    state = number[3:5] == "83"
    return {
        Choice.SME: not state,
        Choice.SOLE_TRADER: individual,
        Choice.HOSPITAL: True,
        Choice.PUBLIC: not individual,
    }[choice]


def warnings(name: str, corporate_number: str) -> list[str]:
    """Doubts that refuse nothing; the operator sees them too."""
    found = [homographs.warning(name), numbers.corporate_warning(corporate_number)]
    return [one for one in found if one]
