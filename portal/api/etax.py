"""Operations on e-tax invoices: a customer's own, and the operator's work list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import queries as money
from billing.etax import deeds, profiles, queries
from billing.etax.profiles import BadDetail, Details
from billing.etax.queries import Filters
from billing.models import EtaxDocument
from portal.api.authentication import actor_of
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.shapes import Strict, body_of
from portal.lib.periods import seoul_date
from tenants import reasons


class DetailsIn(Strict):
    representative = serializers.CharField(max_length=100)
    trade = serializers.CharField(max_length=100, default="", allow_blank=True)
    item = serializers.CharField(max_length=100, default="", allow_blank=True)
    place = serializers.CharField(
        max_length=4, default="", allow_blank=True, help_text="종사업장번호: four digits."
    )
    contact = serializers.CharField(max_length=100, default="", allow_blank=True)
    email = serializers.CharField(max_length=100, default="", allow_blank=True)


class DetailsOut(serializers.Serializer[Any]):
    representative = serializers.CharField()
    trade = serializers.CharField()
    item = serializers.CharField()
    place = serializers.CharField()
    contact = serializers.CharField()
    email = serializers.CharField()


class EtaxOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    number = serializers.CharField(source="key", help_text="Our document number at the issuer.")
    invoice = serializers.CharField(source="invoice.public_id")
    state = serializers.CharField()
    state_since = serializers.DateTimeField()
    next_step = serializers.SerializerMethodField()
    amendment_code = serializers.CharField(source="code", help_text="Empty, or 01 to 06.")
    type_code = serializers.CharField()
    tax = serializers.CharField()
    write_date = serializers.DateField()
    issue_by = serializers.DateField(source="due_date")
    send_by = serializers.DateField(allow_null=True)
    issued_at = serializers.DateTimeField(allow_null=True)
    approval_number = serializers.CharField(
        source="approval", help_text="Of the tax service, 24 characters."
    )
    supply_won = serializers.IntegerField()
    vat_won = serializers.IntegerField()
    total_won = serializers.IntegerField()

    def get_next_step(self, row: EtaxDocument) -> str:
        return queries.next_step(row)


class DeskEtaxOut(EtaxOut):
    organization = serializers.CharField(source="organization.public_id")
    faults = serializers.SerializerMethodField()
    tries = serializers.IntegerField()
    next_at = serializers.DateTimeField(allow_null=True)

    def get_faults(self, row: EtaxDocument) -> list[str]:
        return queries.faults_of(row)


class BecauseIn(Strict):
    because = serializers.CharField(max_length=300)


class ElsewhereIn(BecauseIn):
    approval_number = serializers.CharField(max_length=40)


class DetailsView(APIView):
    @extend_schema(operation_id="tax_details_retrieve", responses=DetailsOut)
    def get(self, request: Request) -> Response:
        """What the organization's e-tax invoices say of it."""
        actor = actor_of(request)
        actor.require("invoices.read")
        return Response(DetailsOut(profiles.details_of(profiles.of(actor.organization))).data)

    @extend_schema(operation_id="tax_details_update", request=DetailsIn, responses=DetailsOut)
    def put(self, request: Request) -> Response:
        """Keep other details; the next e-tax invoices say them."""
        actor = actor_of(request)
        actor.require(profiles.VERB)
        found = Details(**body_of(DetailsIn, request))
        try:
            profiles.change(
                organization=actor.organization, details=found, by=actor, now=timezone.now()
            )
        except BadDetail as error:
            raise Refused(str(error), code="detail", field=error.field) from error
        kept = profiles.details_of(profiles.of(actor.organization))
        return Response(DetailsOut(asdict(kept)).data)


class OfInvoiceView(APIView):
    @extend_schema(operation_id="invoice_etax_list", responses=EtaxOut(many=True))
    def get(self, request: Request, public_id: str) -> Response:
        """The invoice's e-tax invoice and its amendments."""
        actor = actor_of(request)
        actor.require("invoices.read")
        invoice = get_object_or_404(money.invoices(actor), public_id=public_id)
        rows = queries.of_invoice(actor, invoice).select_related("invoice", "original")
        return listed(request, rows, EtaxOut)


# ─── the operator ──────────────────────────────────────────────────────────────────────────────


class DocumentsView(APIView):
    @extend_schema(
        parameters=[
            OpenApiParameter("show", str, enum=queries.SHOWS),
            OpenApiParameter("text", str, description="part of a number or name"),
        ],
        operation_id="operator_etax_list",
        responses=DeskEtaxOut(many=True),
    )
    def get(self, request: Request) -> Response:
        """E-tax invoices of all customers."""
        actor_of(request).require(deeds.VERB)
        show = request.query_params.get("show", "todo")
        if show not in queries.SHOWS:
            raise Refused("Unknown list.", code="show", field="show", status=400)
        text = request.query_params.get("text", "")[:80].replace("\x00", "")
        rows = queries.work_list(Filters(show, text), today=seoul_date(timezone.now()))
        return listed(request, rows, DeskEtaxOut, filters=("show", "text"))


def _find(public_id: str) -> EtaxDocument:
    return get_object_or_404(queries.of_everybody(), public_id=public_id)


class DocumentView(APIView):
    @extend_schema(operation_id="operator_etax_retrieve", responses=DeskEtaxOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One e-tax invoice."""
        actor_of(request).require(deeds.VERB)
        return Response(DeskEtaxOut(_find(public_id)).data)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except reasons.BadReason as error:
        raise Refused(str(error), code="reason", field="because") from error
    except deeds.BadApproval as error:
        raise Refused(str(error), code="approval_number", field="approval_number") from error
    except deeds.NotNow as error:
        raise Refused(str(error), code="state", status=409) from error


class _Deed(APIView):
    def do(
        self, request: Request, public_id: str, deed: Callable[..., EtaxDocument], **words: str
    ) -> Response:
        actor = actor_of(request)
        with _refusals():
            made = deed(document=_find(public_id), by=actor, now=timezone.now(), **words)
        return Response(DeskEtaxOut(_find(made.public_id)).data)


class RetryView(_Deed):
    @extend_schema(request=None, responses=DeskEtaxOut)
    def post(self, request: Request, public_id: str) -> Response:
        """Look again at once, under the same number."""
        actor_of(request).require(deeds.VERB)
        return self.do(request, public_id, deeds.retry)


class ReissueView(_Deed):
    @extend_schema(request=BecauseIn, responses=DeskEtaxOut)
    def post(self, request: Request, public_id: str) -> Response:
        """Make a rejected one again, under the next number."""
        actor_of(request).require(deeds.VERB)
        return self.do(request, public_id, deeds.reissue, **body_of(BecauseIn, request))


class ElsewhereView(_Deed):
    @extend_schema(request=ElsewhereIn, responses=DeskEtaxOut)
    def post(self, request: Request, public_id: str) -> Response:
        """It was issued by hand under this number of the tax service."""
        actor_of(request).require(deeds.VERB)
        sent = body_of(ElsewhereIn, request)
        return self.do(
            request,
            public_id,
            deeds.settle_elsewhere,
            approval=sent["approval_number"],
            because=sent["because"],
        )


class WaiveView(_Deed):
    @extend_schema(request=BecauseIn, responses=DeskEtaxOut)
    def post(self, request: Request, public_id: str) -> Response:
        """None is due: the buyer has no business number."""
        actor_of(request).require(deeds.VERB)
        return self.do(request, public_id, deeds.waive, **body_of(BecauseIn, request))
