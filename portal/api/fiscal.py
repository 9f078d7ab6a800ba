"""Operations on fiscal years of public institutions: years, boards, lists, the close.

Amounts are whole won with VAT; days are business days in Korea.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import Http404, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.budgets import ChangedMeanwhile, CountersUnavailable
from billing.fiscal import closing, files, journal, lines, queries, transfers, years
from billing.fiscal.book import Broken
from billing.fiscal.refusals import Refusal, sentence
from billing.models import BudgetLine, FiscalYear
from portal.api import fiscal_shapes as shapes
from portal.api.authentication import actor_of
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.shapes import body_of
from portal.lib import sheets
from tenants import audit, names, reasons
from tenants.actors import Actor

ALL = (
    Broken,
    Refusal,
    reasons.BadReason,
    names.BadName,
    ChangedMeanwhile,
    CountersUnavailable,
)


def refused(error: Exception) -> Refused:
    """The rule and its numbers as a problem."""
    if isinstance(error, Broken):
        return Refused(sentence(error), code=str(error.rule), field="won")
    if isinstance(error, reasons.BadReason):
        return Refused(str(error), code="reason", field="because")
    if isinstance(error, CountersUnavailable):
        return Refused(str(error), code="counters_unavailable", status=503)
    if isinstance(error, ChangedMeanwhile):
        return Refused(str(error), code="changed_meanwhile", status=409)
    return Refused(str(error), code=type(error).__name__)


def year_or_404(actor: Actor, year: int) -> FiscalYear:
    found = queries.years(actor).filter(year=year).first()
    if found is None:
        raise Http404
    return found


def line_or_404(actor: Actor, public_id: str) -> BudgetLine:
    found = queries.all_lines(actor).filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found


def _year(year: FiscalYear, now: datetime) -> dict[str, Any]:
    return {
        "id": year.public_id,
        "year": year.year,
        "phase": journal.phase_of(year, now),
    }


class FiscalYearsView(APIView):
    @extend_schema(responses=shapes.YearOut(many=True))
    def get(self, request: Request) -> Response:
        """The organization's fiscal years, newest first."""
        actor = actor_of(request)
        actor.require("budgets.read")
        rows = [_year(one, timezone.now()) for one in queries.years(actor)]
        return Response(
            {"data": shapes.YearOut(rows, many=True).data, "next": None, "previous": None}
        )

    @extend_schema(request=shapes.YearIn, responses={201: shapes.YearOut})
    def post(self, request: Request) -> Response:
        """Plan a fiscal year."""
        actor, now = actor_of(request), timezone.now()
        actor.require("budgets.change")
        body = body_of(shapes.YearIn, request)
        try:
            made = years.plan(year=body["year"], by=actor, now=now)
        except ALL as error:
            raise refused(error) from error
        return Response(shapes.YearOut(_year(made, now)).data, status=201)


class FiscalBoardView(APIView):
    @extend_schema(responses=shapes.BoardOut)
    def get(self, request: Request, year: int) -> Response:
        """Columns of each line, and quarters. left = allotted − committed."""
        actor, now = actor_of(request), timezone.now()
        actor.require("budgets.read")
        found = year_or_404(actor, year)
        board = queries.board(actor, found, now=now)
        return Response(shapes.BoardOut({**_year(found, now), "board": board}).data)


class FiscalDecisionView(APIView):
    @extend_schema(request=None, responses=shapes.YearOut)
    def post(self, request: Request, year: int) -> Response:
        """The planned budget is decided."""
        actor, now = actor_of(request), timezone.now()
        actor.require("budgets.change")
        try:
            done = years.decide(
                year=year_or_404(actor, year), because=_("Decided."), by=actor, now=now
            )
        except ALL as error:
            raise refused(error) from error
        return Response(shapes.YearOut(_year(done, now)).data)


class FiscalLinesView(APIView):
    @extend_schema(request=shapes.BudgetLineIn, responses={201: shapes.BudgetLineOut})
    def post(self, request: Request, year: int) -> Response:
        """A line of the budget, without money yet."""
        actor, now = actor_of(request), timezone.now()
        actor.require("budgets.change")
        found = year_or_404(actor, year)
        try:
            made = lines.create(
                year=found, by=actor, now=now, **body_of(shapes.BudgetLineIn, request)
            )
        except ALL as error:
            raise refused(error) from error
        return Response(shapes.BudgetLineOut(made).data, status=201)


LINE = OpenApiParameter("line", str, description="Id of a line.")


class FiscalMovementsView(APIView):
    @extend_schema(parameters=[LINE], responses=shapes.MovementOut(many=True))
    def get(self, request: Request, year: int) -> Response:
        """The journal, newest first."""
        actor = actor_of(request)
        actor.require("budgets.read")
        rows = queries.movements(
            actor, year_or_404(actor, year), line=request.query_params.get("line", "")[:24]
        )
        return listed(request, rows, shapes.MovementOut, filters=["line"])


class FiscalCommitmentsView(APIView):
    @extend_schema(parameters=[LINE], responses=shapes.CommitmentOut(many=True))
    def get(self, request: Request, year: int) -> Response:
        """The register of commitments, newest first."""
        actor = actor_of(request)
        actor.require("budgets.read")
        rows = queries.commitments(
            actor, year_or_404(actor, year), line=request.query_params.get("line", "")[:24]
        )
        return listed(request, rows, shapes.CommitmentOut, filters=["line"])


class FiscalTransfersView(APIView):
    @extend_schema(responses=shapes.TransferOut(many=True))
    def get(self, request: Request, year: int) -> Response:
        """Transfers between lines, newest first."""
        actor = actor_of(request)
        actor.require("budgets.read")
        rows = transfers.shown(actor, year_or_404(actor, year))
        return listed(request, rows, shapes.TransferOut)

    @extend_schema(request=shapes.TransferIn, responses={201: shapes.TransferOut})
    def post(self, request: Request, year: int) -> Response:
        """Ask for one; others sign it by ``approval``."""
        actor, now = actor_of(request), timezone.now()
        actor.require("budgets.change")
        found = year_or_404(actor, year)
        body = body_of(shapes.TransferIn, request)
        known = {one.public_id: one for one in queries.lines(actor, found)}
        if body["from_line"] not in known or body["into_line"] not in known:
            raise Refused(_("There is no such line in this year."), code="line", field="from_line")
        try:
            made = transfers.ask(
                source=known[body["from_line"]],
                target=known[body["into_line"]],
                won=body["won"],
                because=body["because"],
                by=actor,
                now=now,
            )
        except ALL as error:
            raise refused(error) from error
        asked = transfers.shown(actor, found).get(pk=made.pk)
        return Response(shapes.TransferOut(asked).data, status=201)


class FiscalCloseView(APIView):
    @extend_schema(responses=shapes.RehearsalOut)
    def get(self, request: Request, year: int) -> Response:
        """A rehearsal: what closing the year now would do. Nothing is changed."""
        actor = actor_of(request)
        actor.require("budgets.read")
        found = year_or_404(actor, year)
        plan = closing.rehearse_for(actor, found, now=timezone.now())
        return Response(shapes.RehearsalOut(plan).data)

    @extend_schema(request=shapes.FiscalReasonIn, responses=shapes.RehearsalOut)
    def post(self, request: Request, year: int) -> Response:
        """Close the year for good, once it is over."""
        actor = actor_of(request)
        actor.require("budgets.change")
        found, body = year_or_404(actor, year), body_of(shapes.FiscalReasonIn, request)
        try:
            plan = closing.close_year(year=found, by=actor, now=timezone.now(), **body)
        except ALL as error:
            raise refused(error) from error
        return Response(shapes.RehearsalOut(plan).data)


class FiscalBooksView(APIView):
    @extend_schema(responses={(200, sheets.CONTENT_TYPE): OpenApiTypes.BINARY})
    def get(self, request: Request, year: int) -> HttpResponse:
        """The year as a workbook: board, register of commitments, journal."""
        actor, now = actor_of(request), timezone.now()
        actor.require("budgets.read")
        found = year_or_404(actor, year)
        audit.record("fiscal.export", by=actor, now=now, subject=found.public_id)
        content = sheets.workbook(*files.books(actor, found, now=now))
        return HttpResponse(content, content_type=sheets.CONTENT_TYPE)
