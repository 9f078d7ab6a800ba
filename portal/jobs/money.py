"""Money of jobs: the worst case beforehand, set aside as orders set theirs aside, lowered as lines
are sent, and freed at the end.

A line that is sent holds its own money at the gateway. So what is set aside never covers a line
that is under way or has ended: it would be counted twice. Valkey is never called inside a
transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing import budgets
from billing.models import Commitment
from portal.admission.grants import ModelGrant
from portal.catalog.models import CatalogModel
from portal.jobs.models import Job
from portal.jobs.reading import Line
from portal.lib.money import ceil_micro, token_cost_micro
from portal.lib.periods import Month
from tenants import rls


@dataclass(frozen=True, slots=True)
class Bounds:
    """What decides how many tokens a request of a model may use, as the gateway reckons it."""

    template_tokens: int
    default_max_tokens: int


def bounds() -> dict[str, Bounds]:
    """By catalogue id."""
    return {
        one.slug: Bounds(one.template_tokens, one.default_max_tokens)
        for one in CatalogModel.objects.all()
    }


def worst_micro(line: Line, model: ModelGrant, of_model: Bounds) -> int:
    """No less than what the gateway will hold for the line, in micro-won: a body has no fewer
    bytes than its prompt."""
    tokens_in = line.body_bytes + of_model.template_tokens * (line.messages + 1)
    most = of_model.default_max_tokens if line.max_tokens is None else line.max_tokens
    scaled = token_cost_micro(tokens_in, model.price_in) + token_cost_micro(most, model.price_out)
    return ceil_micro(scaled)


def _subjects(job: Job, month: Month) -> list[str]:
    with rls.tenant(job.organization_id):
        return budgets.subjects_of(job.organization, job.project, month=month)


def reserve(job: Job, amount_micro: int, month: Month) -> None:
    """Hold it until ``keep``. ``budgets.BudgetExceeded``, ``CountersUnavailable``."""
    budgets.reserve(
        organization=job.organization,
        subjects=_subjects(job, month),
        reference=job.public_id,
        month=month,
        amount_micro=amount_micro,
    )


def free(job: Job, month: Month) -> None:
    """What was held and not kept."""
    budgets.unreserve(organization=job.organization, reference=job.public_id, month=month)


def keep(job: Job, amount_micro: int, month: Month) -> Commitment:
    """The row, in the transaction that begins the job; ``tell`` follows after the commit."""
    return budgets.record_commitment(
        organization=job.organization,
        project=job.project,
        reference=job.public_id,
        endpoint="",
        month=month,
        amount_micro=amount_micro,
    )


def tell(job: Job, row: Commitment) -> None:
    """Valkey's half."""
    budgets.tell(row, job.organization, _subjects(job, Month.parse(row.month)))


def set_aside(job: Job, amount_micro: int, *, now: datetime) -> None:
    """What the lines need that wait, from now on. A job that runs into another month begins anew
    there; if nothing is left for it, its lines are held one by one, and wait when they are
    refused."""
    month = Month.of(now)
    with rls.tenant(job.organization_id):
        rows = {one.month: one for one in Commitment.objects.filter(reference=job.public_id)}
    row = rows.pop(str(month), None)
    for old in rows.values():
        if not old.final:
            _lower(job, old, 0, final=True)
    if row is not None:
        if row.amount_micro != amount_micro:
            _lower(job, row, amount_micro, final=False)
        return
    if not amount_micro:
        return
    try:
        reserve(job, amount_micro, month)
    except (budgets.BudgetExceeded, budgets.CountersUnavailable):
        return
    with rls.tenant(job.organization_id):
        row = keep(job, amount_micro, month)
    tell(job, row)


def end(job: Job) -> None:
    """Nothing is set aside for it any more."""
    with rls.tenant(job.organization_id):
        rows = list(Commitment.objects.filter(reference=job.public_id, final=False))
    for row in rows:
        _lower(job, row, 0, final=True)


def _lower(job: Job, row: Commitment, amount_micro: int, *, final: bool) -> None:
    """What is spent stands in the ledger and not here: tokens are no card time."""
    with rls.tenant(job.organization_id):
        Commitment.objects.filter(pk=row.pk).update(amount_micro=amount_micro, final=final)
    row.amount_micro, row.final = amount_micro, final
    tell(job, row)
