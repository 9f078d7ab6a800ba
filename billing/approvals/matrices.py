"""The matrix of an organization: the newest version, or what its kind begins with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from billing.approvals import defaults, words
from billing.approvals.checking import Fault, faults
from billing.approvals.matrix import Matrix, from_json, to_json
from billing.approvals.people import Members
from billing.models import ApprovalMatrix
from tenants import audit, reasons
from tenants.actors import Actor
from tenants.models import Organization


class WrongMatrix(Exception):
    """``found`` says what is wrong; nothing was written."""

    def __init__(self, found: list[Fault]) -> None:
        super().__init__(found)
        self.found = found

    @property
    def sentences(self) -> list[str]:
        return [words.fault(one) for one in self.found]

    def __str__(self) -> str:
        return " ".join(self.sentences)


class SameMatrix(Exception):
    def __str__(self) -> str:
        return _("These are the rules that hold already.")


class MatrixChangedMeanwhile(Exception):
    def __str__(self) -> str:
        return _("Somebody else has just changed the approval rules. Look at them again.")


@dataclass(frozen=True, slots=True)
class Holding:
    """The rules that hold, and their version; 0: nobody has written any yet."""

    version: int
    matrix: Matrix
    row: ApprovalMatrix | None = None


def holding(organization: Organization) -> Holding:
    """The rules by which a request that is made now is approved."""
    row = ApprovalMatrix.objects.filter(organization=organization).first()
    if row is None:
        return Holding(0, defaults.of(organization.kind))
    return Holding(row.version, from_json(row.rules), row)


def check(matrix: Matrix, *, by: Actor, now: datetime) -> None:
    """``WrongMatrix`` with all that is wrong."""
    if found := faults(matrix, Members(by.organization, now=now).staff()):
        raise WrongMatrix(found)


@transaction.atomic
def write(
    *, matrix: Matrix, because: str, version: int, by: Actor, now: datetime
) -> ApprovalMatrix:
    """A new version after ``version``, which the writer has read. Requests that wait keep the
    steps they began with. ``WrongMatrix``, ``SameMatrix``, ``MatrixChangedMeanwhile``,
    ``BadReason``."""
    by.require("approvals.change")
    because = reasons.normalized(because)
    check(matrix, by=by, now=now)
    before = holding(by.organization)
    if before.version != version:
        raise MatrixChangedMeanwhile
    if before.matrix == matrix:
        raise SameMatrix
    try:
        with transaction.atomic():
            made = ApprovalMatrix.objects.create(
                organization=by.organization,
                version=version + 1,
                rules=to_json(matrix),
                because=because,
                by=by.label[:120],
                by_ref=by.user.public_id if by.user else "",
                at=now,
            )
    except IntegrityError as error:
        raise MatrixChangedMeanwhile from error
    changes = {"version": made.version, "rules": made.rules}
    subject = by.organization.public_id
    audit.record(
        "approval.matrix", by=by, now=now, subject=subject, changes=changes, because=because
    )
    return made
