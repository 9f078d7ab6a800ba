"""New sites for a project: more regions may see its data, so others may have to agree first.

Narrowing holds at once; widening waits. Everything else of a change is done at once too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from billing.approvals import asking, carrying
from billing.approvals.kinds import CannotBeDone, Deed, Now, TermsChanged
from billing.approvals.matrix import SITES
from billing.models import ApprovalRequest
from tenants import actors
from tenants.actions import projects
from tenants.actions.projects import ProjectWish
from tenants.actors import Actor
from tenants.models import Project


@dataclass(frozen=True, slots=True)
class Changed:
    """The project as it is now, and what waits for approval, if anything does."""

    project: Project
    waiting: ApprovalRequest | None = None


def _is_wider(after: Sequence[str], before: Sequence[str]) -> bool:
    """Whether a region comes in that was not there. No region named: any."""
    return bool(before) and (not after or not set(after) <= set(before))


@transaction.atomic
def change(*, project: Project, wish: ProjectWish, by: Actor, now: datetime) -> Changed:
    """As ``projects.change``; new regions wait where the rules say so, by the data class that
    the project will have. ``asking.AlreadyAsked``."""
    if not _is_wider(wish.regions, project.regions) or project.archived_at is not None:
        return Changed(projects.change(project=project, wish=wish, by=by, now=now))
    kept = [one for one in project.regions if one in wish.regions] or list(project.regions)
    narrowed = projects.change(project=project, wish=replace(wish, regions=kept), by=by, now=now)
    waiting = asking.ask(
        wish=asking.Wish(
            kind=SITES,
            subject=narrowed.public_id,
            title=narrowed.name,
            terms=_terms(narrowed, wish.regions),
            amount_won=0,
            project=narrowed,
        ),
        by=by,
        now=now,
    )
    if waiting is None:
        return Changed(projects.change(project=narrowed, wish=wish, by=by, now=now))
    return Changed(narrowed, waiting)


def _terms(project: Project, regions: Sequence[str]) -> dict[str, Any]:
    return {
        "regions_before": sorted(project.regions),
        "regions": sorted(regions),
        "data_class": project.data_class,
    }


def _find(request: ApprovalRequest, rows: QuerySet[Project] | None = None) -> Project:
    found = Project.objects.all() if rows is None else rows
    return found.get(organization=request.organization, public_id=request.subject)


def _asked(request: ApprovalRequest) -> list[str]:
    regions: list[str] = request.terms.get(round=request.round).terms["regions"]
    return regions


def terms_now(request: ApprovalRequest, now: datetime) -> Now:
    """The same regions seen from the project of now."""
    return Now(_terms(_find(request), _asked(request)), 0)


def done(request: ApprovalRequest) -> str:
    """The project has these regions."""
    project = _find(request)
    return project.public_id if sorted(project.regions) == _asked(request) else ""


def carry_out(request: ApprovalRequest, by: Actor, now: datetime) -> str:
    """Let the data go there. ``CannotBeDone`` if the project has ended, or is another than the
    one that was signed for."""
    system = actors.system(request.organization, request.public_id)
    with actors.scope_for(system), transaction.atomic():
        approved = carrying.to_do(request, system).terms
        project = _find(request, Project.objects.select_for_update())
        if done(request):
            return project.public_id
        if _terms(project, _asked(request)) != approved:
            raise TermsChanged
        wish = replace(projects.wish_of(project), regions=_asked(request))
        try:
            projects.change(project=project, wish=wish, by=system, now=now)
        except (projects.ProjectEnded, projects.ProjectNameTaken) as error:
            raise CannotBeDone(str(error)) from error
    return project.public_id


DEED = Deed(terms_now=terms_now, carry_out=carry_out, done=done)
