"""Operations on usage and invoices."""

from __future__ import annotations

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import documents
from billing import queries as money
from portal.api import shapes
from portal.api.authentication import actor_of
from portal.api.invoice_drafts import LANGUAGE, wanted_language
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.deployments import focus
from portal.deployments.actions import closing
from portal.lib.periods import Month
from portal.usage import queries
from tenants import actors, rls

MONTH = OpenApiParameter("month", str, description="such as 2026-11; this month if left out")
GROUP = OpenApiParameter("group", str, enum=queries.GROUPS)


class UsageView(APIView):
    @extend_schema(parameters=[MONTH, GROUP], responses=shapes.UsageOut(many=True))
    def get(self, request: Request) -> Response:
        """A month's use by model, endpoint, key, site or project."""
        actor = actor_of(request)
        actor.require("usage.read")
        month = wanted_month(request)
        try:
            rows = queries.by(actor, month.period, request.query_params.get("group", "model"))
        except queries.UnknownGroup as error:
            raise Refused(
                f"Group by one of {', '.join(queries.GROUPS)}.",
                code="group",
                field="group",
                status=400,
            ) from error
        return Response(
            {
                "month": str(month),
                "data": shapes.UsageOut(rows, many=True).data,
                "total": shapes.UsageOut(queries.totals(actor, month.period)).data,
            }
        )


def wanted_month(request: Request) -> Month:
    """``?month=``; this one if left out, 400 for what is none."""
    text = request.query_params.get("month")
    try:
        return Month.parse(text) if text else Month.of(timezone.now())
    except ValueError as error:
        raise Refused(str(error), code="month", field="month", status=400) from error


class FocusView(APIView):
    @extend_schema(
        operation_id="usage_focus",
        parameters=[MONTH, LANGUAGE],
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """What a month costs, in the form of FOCUS 1.2 (CSV): invoices, credit notes, and what is
        not billed yet. The rows of an invoice add up to its total."""
        actor, now = actor_of(request), timezone.now()
        actor.require("invoices.read")
        month, english = wanted_month(request), wanted_language(request) == documents.ENGLISH
        pieces = focus.pieces(actor, month, english=english, now=now)
        response = StreamingHttpResponse(pieces, content_type=focus.CONTENT_TYPE)
        response["Content-Disposition"] = f'attachment; filename="{focus.name(actor, month)}"'
        return response


focus_view = rls.own_transactions(FocusView.as_view())


class InvoicesView(APIView):
    @extend_schema(responses=shapes.InvoiceOut(many=True))
    def get(self, request: Request) -> Response:
        """Issued invoices, newest first."""
        actor = actor_of(request)
        actor.require("invoices.read")
        return listed(request, money.invoices(actor), shapes.InvoiceOut)


class InterimView(APIView):
    @extend_schema(request=None, responses={201: shapes.InvoiceDetailOut, 204: None})
    def post(self, request: Request) -> Response:
        """Bill up to now. 204 if there is nothing to bill."""
        actor = actor_of(request)
        actor.require("invoices.issue")
        invoice = closing.bill_up_to_now(by=actor, now=timezone.now())
        if invoice is None:
            return Response(status=204)
        with actors.scope_for(actor):
            return Response(shapes.InvoiceDetailOut(invoice).data, status=201)


interim_view = rls.own_transactions(InterimView.as_view())


class InvoiceView(APIView):
    @extend_schema(responses=shapes.InvoiceDetailOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One invoice with its lines."""
        actor = actor_of(request)
        actor.require("invoices.read")
        invoice = get_object_or_404(money.invoices(actor), public_id=public_id)
        return Response(shapes.InvoiceDetailOut(invoice).data)


class InvoicePdfView(APIView):
    @extend_schema(parameters=[LANGUAGE], responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    def get(self, request: Request, public_id: str) -> HttpResponse:
        """The invoice as a PDF, or its English copy."""
        actor = actor_of(request)
        actor.require("invoices.read")
        invoice = get_object_or_404(money.invoices(actor), public_id=public_id)
        language = wanted_language(request)
        pdf = documents.pdf_of(invoice, now=timezone.now(), language=language)
        return HttpResponse(pdf, content_type="application/pdf")
