"""Which line pays for which project."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from billing.fiscal import enforcement, journal
from billing.fiscal.calendar import Phase
from billing.fiscal.refusals import BoundAlready, NoLine, YearOver
from billing.models import BudgetLine, FiscalMovement, ProjectLine
from tenants import audit
from tenants.actors import Actor
from tenants.models import Organization, Project


@transaction.atomic
def bind(*, project: Project, line: BudgetLine, by: Actor, now: datetime) -> ProjectLine:
    """From now on the line pays for the project, for its year. The same again changes nothing;
    another line only until the first one was used: ``BoundAlready``. ``YearOver``: the last line
    of a project holds until the next one, so a dead one would stop it."""
    by.require("budgets.change")
    year = journal.lock(line.fiscal_year)
    found = ProjectLine.objects.filter(project=project, fiscal_year=year).first()
    if found is not None and found.line_id == line.pk:
        return found
    if journal.phase_of(year, now) not in (Phase.PLANNED, Phase.OPEN):
        raise YearOver(year.year)
    if found is not None:
        if _is_used(found, project):
            raise BoundAlready
        enforcement.end(found.line, project, now=now)
        found.delete()
    enforcement.begin(line, project, year=year, now=now)
    made = ProjectLine.objects.create(
        organization_id=year.organization_id,
        project=project,
        fiscal_year=year,
        line=line,
        bound_at=now,
    )
    audit.record(
        "fiscal.bind",
        by=by,
        now=now,
        subject=project.public_id,
        changes={"line": line.public_id, "year": year.year},
    )
    return made


def _is_used(binding: ProjectLine, project: Project) -> bool:
    rows = FiscalMovement.objects.filter(line_id=binding.line_id, project=project.public_id)
    return rows.exists()


def line_of(project: Project, *, year: int) -> BudgetLine | None:
    """The line that pays for a project in a year; ``None`` for projects that never had one.
    ``NoLine`` if it had one in another year: nothing runs on without a new budget."""
    rows = ProjectLine.objects.filter(project=project).select_related("line", "fiscal_year")
    found = {one.fiscal_year.year: one.line for one in rows}
    if not found:
        return None
    if year not in found:
        raise NoLine(project.name, year)
    return found[year]


def unbound(organization: Organization, *, year: int) -> list[Project]:
    """Projects in use that no line of the year pays for."""
    bound = ProjectLine.objects.filter(fiscal_year__year=year).values("project")
    rows = Project.objects.filter(organization=organization, archived_at=None)
    return list(rows.exclude(pk__in=bound).order_by("name"))
