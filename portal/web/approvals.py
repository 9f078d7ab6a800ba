"""Approvals: what waits for me, what I asked, what was decided; and deciding.

A link decides nothing: it leads to the page, whose button sends what its reader was looking at.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from billing.approvals import asking, deciding, kinds, moving, queries, turns, words
from billing.approvals.deciding import Seen, Word
from billing.approvals.kinds import KINDS, CannotBeDone
from billing.approvals.matrix import ORDER, RAISE, SITES, TRANSFER, Step
from billing.approvals.people import Members
from billing.models import (
    ApprovalDecision,
    ApprovalMove,
    ApprovalRequest,
    ApprovalState,
    ApprovalStep,
    ApprovalTerms,
)
from portal.deployments import approving
from portal.web import doors, states
from tenants import actors, inbox, reasons, rls
from tenants.actors import SESSION_ORGANIZATION, Actor
from tenants.models import User

REFUSALS = (
    asking.NotOpen,
    asking.NotYours,
    asking.AlreadyAsked,
    deciding.NotYourStep,
    deciding.AlreadyDecided,
    deciding.RequestExpired,
    reasons.BadReason,
    CannotBeDone,
)


@require_GET
@doors.page_for("approvals.read")
def index(request: HttpRequest) -> HttpResponse:
    """The inbox; without a choice in the address it opens what waits for the reader, if
    anything does."""
    actor, now = doors.actor(request), timezone.now()
    mine = len(turns.of(actor, now=now))
    show = doors.word(request.GET, "show")
    if show not in queries.SHOWS:
        show = "mine" if mine else "open"
    kind = doors.word(request.GET, "kind")
    kind = kind if kind in KINDS else ""
    page = doors.page_of(request, queries.shown(actor, show, kind, now=now))
    context = {
        "page": page,
        "rows": [(one, KINDS[one.kind].label, states.APPROVAL[one.state]) for one in page],
        "show": show,
        "kind": kind,
        "kinds": [(name, one.label) for name, one in KINDS.items()],
        "mine": mine,
        "query": f"{urlencode({'show': show, 'kind': kind})}&",
    }
    return render(request, "approvals/index.html", context)


def _find(actor: Actor, public_id: str) -> ApprovalRequest:
    return get_object_or_404(queries.requests(actor), public_id=public_id)


@require_GET
@doors.page_for("approvals.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """Terms, difference, chain, forecast; and the decision, for those whose turn it is."""
    actor = doors.actor(request)
    found = queries.requests(actor).filter(public_id=public_id).first()
    if found is None:
        return _where_it_is(request, public_id)
    return render(request, "approvals/detail.html", _context(found, actor))


def _where_it_is(request: HttpRequest, public_id: str) -> HttpResponse:
    """Whoever was told of it works in another organization now: go there with them. 404 for
    everybody else."""
    person = request.user
    assert isinstance(person, User)  # the door asked for a session
    place = reverse("approval", args=[public_id])
    told = inbox.of(person).filter(place=place).exclude(organization=None).first()
    if told is None or told.organization is None:
        raise Http404
    if told.organization == doors.actor(request).organization:
        raise Http404
    request.session[SESSION_ORGANIZATION] = told.organization.public_id
    return redirect(place)


def _context(found: ApprovalRequest, actor: Actor) -> dict[str, Any]:
    now = timezone.now()
    deed = approving.DEEDS.get(found.kind)
    current, fault = approving.terms_now(found, now) if found.is_open and deed else (None, "")
    members = Members(actor.organization, now=now)
    steps, said = moving.read(found)
    rounds = list(ApprovalTerms.objects.visible_to(actor).filter(request=found))
    asked = next(one for one in rounds if one.round == found.round)
    lines = kinds.lines(found.kind, asked.terms, current.terms if current else None)
    mine = actor.user is not None and found.requested_by_id == actor.user.pk
    changed = any(line.changed for line in lines)
    return {
        "found": found,
        "kind": KINDS[found.kind],
        "state": states.APPROVAL[found.state],
        "lines": lines,
        "changed": changed,
        "current": current,
        "not_now": fault,
        "steps": _steps(found, steps, said, members.names()),
        "turn": queries.turn_in(
            moving.assembled(found, steps, said), found, members, actor, now=now
        ),
        "forecast": queries.forecast(found, deed, actor, now=now) if found.is_open and deed else [],
        "moves": ApprovalMove.objects.visible_to(actor).filter(request=found),
        "rounds": _rounds(found, rounds),
        "result": _result(found, asked),
        "may_withdraw": _may_withdraw(found, actor, mine),
        "may_repeat": found.state == ApprovalState.FAILED
        and (mine or actor.can("approvals.decide")),
        "may_ask_again": mine
        and (
            found.state == ApprovalState.CHANGED
            or (found.state == ApprovalState.WAITING and changed)
        ),
    }


def _may_withdraw(found: ApprovalRequest, actor: Actor, mine: bool) -> bool:
    open_still = found.is_open and found.state != ApprovalState.APPROVED
    return open_still and (mine or actor.can("approvals.change"))


def _steps(
    found: ApprovalRequest,
    rows: Iterable[ApprovalStep],
    said: Iterable[ApprovalDecision],
    names: dict[str, str],
) -> list[dict[str, Any]]:
    """The chain of the running round: who may sign, who has, and for whom."""
    by_step: dict[int, list[ApprovalDecision]] = {}
    for one in said:
        by_step.setdefault(one.step_id, []).append(one)
    shown, open_seen = [], False
    for row in rows:
        decisions = by_step.get(row.pk, [])
        complete = sum(one.agrees for one in decisions) >= row.needed
        refused = any(not one.agrees for one in decisions)
        mark = "bad" if refused else "done" if complete else "waiting"
        if mark == "waiting" and not open_seen and found.state == ApprovalState.WAITING:
            mark, open_seen = "here", True
        step = Step(tuple(row.roles), tuple(row.members), row.needed)
        shown.append(
            {
                "position": row.position,
                "who": words.who(step, names),
                "mark": mark,
                "decisions": decisions,
            }
        )
    return shown


def _rounds(found: ApprovalRequest, rows: Iterable[ApprovalTerms]) -> list[dict[str, Any]]:
    """What former rounds asked for, against the one that runs."""
    return [
        {
            "number": before.round,
            "at": before.at,
            "lines": [
                one for one in kinds.lines(found.kind, before.terms, after.terms) if one.changed
            ],
        }
        for before, after in pairwise(rows)
    ]


def _result(found: ApprovalRequest, asked: ApprovalTerms) -> str:
    """The page of what came of it."""
    if not found.result:
        return ""
    if found.kind == ORDER:
        page = "reservation" if found.result.startswith("rsv_") else "endpoint"
        return reverse(page, args=[found.result])
    if found.kind == SITES:
        return reverse("project", args=[found.result])
    if found.kind == TRANSFER:
        return f"{reverse('fiscal_transfers')}?year={asked.terms['year']}"
    return f"{reverse('budget')}?budget={found.result}" if found.kind == RAISE else ""


def _number(request: HttpRequest, name: str) -> int:
    text = doors.word(request.POST, name)
    return int(text) if text.isdecimal() and len(text) < 6 else 0


@rls.own_transactions
@require_POST
@doors.page_for("approvals.decide")
def decide(request: HttpRequest, public_id: str) -> HttpResponse:
    """Yes or no to the step that the reader was looking at."""
    actor = doors.actor(request)
    with actors.scope_for(actor):
        found = _find(actor, public_id)
    word = doors.word(request.POST, "word")
    if word not in {"agree", "refuse"}:
        return _back(request, actor, public_id, _("Approve or refuse."), good=False)
    try:
        found = approving.decide(
            request=found,
            seen=Seen(_number(request, "round"), _number(request, "step")),
            word=Word(word == "agree", doors.word(request.POST, "because")),
            by=actor,
            now=timezone.now(),
        )
    except REFUSALS as error:
        return _back(request, actor, public_id, str(error), good=False)
    return _told(request, actor, found)


def _told(request: HttpRequest, actor: Actor, found: ApprovalRequest) -> HttpResponse:
    """What came of it, in a sentence."""
    said = {
        ApprovalState.WAITING: _("Approved by you. The next step waits now."),
        ApprovalState.DONE: _("Approved and carried out."),
        ApprovalState.REFUSED: _("Refused. Who asked for it is told."),
        ApprovalState.WITHDRAWN: _("Withdrawn."),
        ApprovalState.FAILED: _("Approved, but it could not be carried out. The page says why."),
        ApprovalState.CHANGED: _("Price or terms have changed meanwhile: nothing was approved."),
    }
    good = found.state not in {ApprovalState.FAILED, ApprovalState.CHANGED}
    text = said.get(ApprovalState(found.state), found.state_label)
    return _back(request, actor, found.public_id, text, good=good)


def _back(
    request: HttpRequest, actor: Actor, public_id: str, text: str, *, good: bool
) -> HttpResponse:
    with actors.scope_for(actor):
        (messages.success if good else messages.error)(request, text)
        return redirect("approval", public_id)


@rls.own_transactions
@require_POST
@doors.page_for("approvals.read")
def withdraw(request: HttpRequest, public_id: str) -> HttpResponse:
    """Take it back."""
    actor = doors.actor(request)
    with actors.scope_for(actor):
        found = _find(actor, public_id)
    try:
        found = approving.withdraw(request=found, by=actor, now=timezone.now())
    except REFUSALS as error:
        return _back(request, actor, public_id, str(error), good=False)
    return _told(request, actor, found)


@rls.own_transactions
@require_POST
@doors.page_for("approvals.read")
def again(request: HttpRequest, public_id: str) -> HttpResponse:
    """Ask again on the terms of now."""
    actor = doors.actor(request)
    with actors.scope_for(actor):
        found = _find(actor, public_id)
    try:
        found = approving.ask_again(request=found, by=actor, now=timezone.now())
    except REFUSALS as error:
        return _back(request, actor, public_id, str(error), good=False)
    if found.state == ApprovalState.WAITING:
        return _back(request, actor, public_id, _("Asked again. All sign anew."), good=True)
    return _told(request, actor, found)


@rls.own_transactions
@require_POST
@doors.page_for("approvals.read")
def repeat(request: HttpRequest, public_id: str) -> HttpResponse:
    """Try again what was approved and could not be carried out."""
    actor = doors.actor(request)
    with actors.scope_for(actor):
        found = _find(actor, public_id)
    try:
        found = approving.repeat(request=found, by=actor, now=timezone.now())
    except REFUSALS as error:
        return _back(request, actor, public_id, str(error), good=False)
    return _told(request, actor, found)
