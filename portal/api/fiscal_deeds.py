"""Operations that write into a line or a commitment of a fiscal year.

They may lower what requests can use, which the counters are told of, so these views open their
own short blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.fiscal import bindings, carryovers, commitments, lines, queries
from billing.fiscal.commitments import Paper
from billing.fiscal.lines import Entry
from billing.models import BudgetLine, Carryover, FiscalCommitment
from portal.api import fiscal_shapes as shapes
from portal.api.authentication import actor_of
from portal.api.fiscal import ALL, line_or_404, refused
from portal.api.shapes import Strict, body_of
from tenants import actors, rls
from tenants.actors import Actor
from tenants.models import Project


def entry_of(body: dict[str, Any]) -> Entry:
    return Entry(body.get("won", 0), body["on"], body.get("because", ""), body.get("document", ""))


def _at_line(
    request: Request,
    public_id: str,
    shape: type[Strict],
    deed: Callable[[BudgetLine, dict[str, Any], Actor, datetime], Any],
) -> Any:
    actor, now = actor_of(request), timezone.now()
    actor.require("budgets.change")
    body = body_of(shape, request)
    with actors.scope_for(actor):
        line = line_or_404(actor, public_id)
    try:
        return deed(line, body, actor, now)
    except ALL as error:
        raise refused(error) from error


def _at_commitment(
    request: Request,
    public_id: str,
    shape: type[Strict],
    deed: Callable[..., Any],
) -> Any:
    actor, now = actor_of(request), timezone.now()
    actor.require("budgets.change")
    body = body_of(shape, request)
    with actors.scope_for(actor):
        found = queries.commitment(actor, public_id)
        if found is None:
            raise Http404
    try:
        return deed(commitment=found, entry=entry_of(body), by=actor, now=now)
    except ALL as error:
        raise refused(error) from error


def _movement(row: Any, actor: Actor) -> Response:
    with actors.scope_for(actor):
        found = queries.entries(actor).get(pk=row.pk)
        return Response(shapes.MovementOut(found).data, status=201)


class AppropriationsView(APIView):
    @extend_schema(request=shapes.SignedEntryIn, responses={201: shapes.MovementOut})
    def post(self, request: Request, public_id: str) -> Response:
        """The budget of a line while its year is planned; a supplementary budget afterwards."""
        row = _at_line(
            request,
            public_id,
            shapes.SignedEntryIn,
            lambda line, body, by, now: lines.appropriate(
                line=line, entry=entry_of(body), by=by, now=now
            ),
        )
        return _movement(row, actor_of(request))


class AllotmentsView(APIView):
    @extend_schema(request=shapes.AllotmentIn, responses={201: shapes.MovementOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Allot to a quarter; it may be committed from the quarter's first day on."""
        row = _at_line(
            request,
            public_id,
            shapes.AllotmentIn,
            lambda line, body, by, now: lines.allot(
                line=line, entry=entry_of(body), quarter=body["quarter"], by=by, now=now
            ),
        )
        return _movement(row, actor_of(request))


class ReallotmentsView(APIView):
    @extend_schema(request=shapes.ReallotmentIn, responses={201: shapes.MovementOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Move an allotment to another quarter, or back to what is not allotted (0)."""
        row = _at_line(
            request,
            public_id,
            shapes.ReallotmentIn,
            lambda line, body, by, now: lines.reallot(
                line=line,
                entry=entry_of(body),
                source=body["from_quarter"],
                quarter=body["quarter"],
                by=by,
                now=now,
            ),
        )
        return _movement(row, actor_of(request))


def _commit(line: BudgetLine, body: dict[str, Any], by: Actor, now: datetime) -> FiscalCommitment:
    paper = Paper(body["subject"], body["counterparty"], body["document"])
    return commitments.record(line=line, paper=paper, entry=entry_of(body), by=by, now=now)


class LineCommitmentsView(APIView):
    @extend_schema(request=shapes.CommitmentIn, responses={201: shapes.CommitmentOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Record a commitment; it gets the year's next number."""
        made = _at_line(request, public_id, shapes.CommitmentIn, _commit)
        actor = actor_of(request)
        with actors.scope_for(actor):
            found = queries.commitments(actor, made.fiscal_year).get(pk=made.pk)
            return Response(shapes.CommitmentOut(found).data, status=201)


def _name(line: BudgetLine, body: dict[str, Any], by: Actor, now: datetime) -> Carryover:
    with actors.scope_for(by):
        return carryovers.name(line=line, by=by, now=now, **body)


class LineCarryoversView(APIView):
    @extend_schema(request=shapes.CarryIn, responses={201: shapes.CarryoverOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Name what may be carried over into the next year."""
        made = _at_line(request, public_id, shapes.CarryIn, _name)
        return Response(shapes.CarryoverOut(made).data, status=201)


def _bind(line: BudgetLine, body: dict[str, Any], by: Actor, now: datetime) -> Any:
    with actors.scope_for(by):
        rows = Project.objects.visible_to(by).filter(archived_at=None)
        project = get_object_or_404(rows, public_id=body["project"])
        return bindings.bind(project=project, line=line, by=by, now=now)


class LineProjectsView(APIView):
    @extend_schema(request=shapes.BindIn, responses={201: shapes.BindingOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Let the line pay for a project."""
        made = _at_line(request, public_id, shapes.BindIn, _bind)
        return Response(shapes.BindingOut(made).data, status=201)


class ReversalView(APIView):
    @extend_schema(request=shapes.FiscalReasonIn, responses={201: shapes.MovementOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Take an entry back by its opposite."""
        actor, now = actor_of(request), timezone.now()
        actor.require("budgets.change")
        body = body_of(shapes.FiscalReasonIn, request)
        with actors.scope_for(actor):
            found = get_object_or_404(queries.entries(actor), public_id=public_id)
        try:
            row = lines.reverse(movement=found, by=actor, now=now, **body)
        except ALL as error:
            raise refused(error) from error
        return _movement(row, actor)


class ChangesView(APIView):
    @extend_schema(request=shapes.SignedEntryIn, responses={201: shapes.MovementOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Make a commitment larger or smaller."""
        row = _at_commitment(request, public_id, shapes.SignedEntryIn, commitments.change)
        return _movement(row, actor_of(request))


class CancellationView(APIView):
    @extend_schema(request=shapes.CancellationIn, responses={201: shapes.MovementOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Cancel a commitment of which nothing is spent."""
        row = _at_commitment(request, public_id, shapes.CancellationIn, commitments.cancel)
        return _movement(row, actor_of(request))


class ExpendituresView(APIView):
    @extend_schema(request=shapes.EntryIn, responses={201: shapes.MovementOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Record an expenditure against a commitment."""
        row = _at_commitment(request, public_id, shapes.EntryIn, commitments.spend)
        return _movement(row, actor_of(request))


class RefundsView(APIView):
    @extend_schema(request=shapes.EntryIn, responses={201: shapes.MovementOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Record that something of an expenditure has come back."""
        row = _at_commitment(request, public_id, shapes.EntryIn, commitments.refund)
        return _movement(row, actor_of(request))


class ExcuseView(APIView):
    @extend_schema(request=shapes.ExcuseIn, responses={201: shapes.CarryoverOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Carry over by accident what of a commitment cannot be paid in its year."""
        actor, now = actor_of(request), timezone.now()
        actor.require("budgets.change")
        body = body_of(shapes.ExcuseIn, request)
        with actors.scope_for(actor):
            found = queries.commitment(actor, public_id)
            if found is None:
                raise Http404
            try:
                made = carryovers.excuse(commitment=found, by=actor, now=now, **body)
            except ALL as error:
                raise refused(error) from error
            return Response(shapes.CarryoverOut(made).data, status=201)


class WithdrawalView(APIView):
    @extend_schema(request=None, responses=shapes.CarryoverOut)
    def post(self, request: Request, public_id: str) -> Response:
        """What was named to be carried over is not."""
        actor, now = actor_of(request), timezone.now()
        actor.require("budgets.change")
        with actors.scope_for(actor):
            rows = Carryover.objects.visible_to(actor).select_related("fiscal_year", "line")
            found = get_object_or_404(rows, public_id=public_id)
            try:
                done = carryovers.withdraw(carryover=found, by=actor, now=now)
            except ALL as error:
                raise refused(error) from error
            return Response(shapes.CarryoverOut(done).data)


appropriations_view = rls.own_transactions(AppropriationsView.as_view())
allotments_view = rls.own_transactions(AllotmentsView.as_view())
reallotments_view = rls.own_transactions(ReallotmentsView.as_view())
line_commitments_view = rls.own_transactions(LineCommitmentsView.as_view())
line_carryovers_view = rls.own_transactions(LineCarryoversView.as_view())
line_projects_view = rls.own_transactions(LineProjectsView.as_view())
reversal_view = rls.own_transactions(ReversalView.as_view())
changes_view = rls.own_transactions(ChangesView.as_view())
cancellation_view = rls.own_transactions(CancellationView.as_view())
expenditures_view = rls.own_transactions(ExpendituresView.as_view())
refunds_view = rls.own_transactions(RefundsView.as_view())
excuse_view = rls.own_transactions(ExcuseView.as_view())
withdrawal_view = rls.own_transactions(WithdrawalView.as_view())
