"""Money that is held while rows are written, and given back if they are not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from billing import budgets
from portal.lib.periods import Month, Year
from tenants.models import Organization


@contextmanager
def held(
    *,
    organization: Organization,
    subjects: list[str],
    reference: str,
    month: Month | Year,
    amount_micro: int,
) -> Iterator[None]:
    """As ``budgets.reserve``, for the block; whatever goes wrong in it, nothing is held afterwards.
    The block opens its own transactions. A process that dies in it leaves a hold that the sweep of
    commitments takes back."""
    budgets.reserve(
        organization=organization,
        subjects=subjects,
        reference=reference,
        month=month,
        amount_micro=amount_micro,
    )
    try:
        yield
    except BaseException:
        budgets.unreserve(organization=organization, reference=reference, month=month)
        raise
