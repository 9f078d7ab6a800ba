"""Operations on draft invoices and credit notes, as their organization sees them."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import documents, queries
from billing.closing import reviewing
from billing.models import CommentKind
from portal.api.authentication import actor_of
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.shapes import LineOut, Strict, body_of
from tenants import reasons

LANGUAGE = OpenApiParameter("language", str, enum=documents.LANGUAGES)


class CommentIn(Strict):
    kind = serializers.ChoiceField(choices=[CommentKind.COMMENT, CommentKind.OBJECTION])
    text = serializers.CharField(max_length=reviewing.LONGEST)


class CommentOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    kind = serializers.CharField()
    answers = serializers.CharField(source="answers.public_id", default=None)
    text = serializers.CharField()
    by = serializers.CharField()
    at = serializers.DateTimeField()


class DraftOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    month = serializers.CharField()
    state = serializers.CharField()
    held = serializers.BooleanField()
    supply_won = serializers.IntegerField()
    vat_won = serializers.IntegerField()
    untaxed_won = serializers.IntegerField()
    total_won = serializers.IntegerField()
    drafted_at = serializers.DateTimeField()
    review_until = serializers.DateTimeField(source="close.review_until")
    invoice = serializers.CharField(source="invoice.public_id", default=None)


class DraftDetailOut(DraftOut):
    lines = LineOut(many=True)
    comments = CommentOut(many=True)


class CreditLineOut(serializers.Serializer[Any]):
    month = serializers.CharField(source="usage_month")
    text_ko = serializers.CharField()
    text_en = serializers.CharField()
    amount_won = serializers.IntegerField()


class CreditNoteOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    number = serializers.CharField()
    invoice = serializers.CharField(source="invoice.public_id")
    issue_date = serializers.DateField()
    because = serializers.CharField()
    reason = serializers.CharField(help_text="price, return, cancellation, particulars, …")
    supply_won = serializers.IntegerField()
    vat_won = serializers.IntegerField()
    untaxed_won = serializers.IntegerField()
    total_won = serializers.IntegerField()


class CreditNoteDetailOut(CreditNoteOut):
    lines = CreditLineOut(many=True)


class DraftsView(APIView):
    @extend_schema(responses=DraftOut(many=True))
    def get(self, request: Request) -> Response:
        """Drafts of the organization's invoices, newest month first."""
        actor = actor_of(request)
        actor.require("invoices.read")
        return listed(request, queries.drafts(actor), DraftOut)


class DraftView(APIView):
    @extend_schema(operation_id="invoice_draft_retrieve", responses=DraftDetailOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One draft with its lines and what was said about it."""
        actor = actor_of(request)
        actor.require("invoices.read")
        draft = get_object_or_404(queries.drafts(actor), public_id=public_id)
        return Response(DraftDetailOut(draft).data)


class DraftCommentsView(APIView):
    @extend_schema(request=CommentIn, responses={201: CommentOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Comment on a draft, or object to it: it is then held until the operator answers."""
        actor = actor_of(request)
        actor.require("invoices.review")
        draft = get_object_or_404(queries.drafts(actor), public_id=public_id)
        sent = body_of(CommentIn, request)
        try:
            made = reviewing.say(
                draft=draft,
                text=sent["text"],
                objects=sent["kind"] == CommentKind.OBJECTION,
                by=actor,
                now=timezone.now(),
            )
        except reasons.BadReason as error:
            raise Refused(str(error), code="text", field="text") from error
        except (reviewing.ReviewOver, reviewing.TooMany) as error:
            raise Refused(str(error), code="review_over", status=409) from error
        return Response(CommentOut(made).data, status=201)


class CreditNotesView(APIView):
    @extend_schema(responses=CreditNoteOut(many=True))
    def get(self, request: Request) -> Response:
        """What was taken back of invoices, newest first."""
        actor = actor_of(request)
        actor.require("invoices.read")
        return listed(request, queries.credit_notes(actor), CreditNoteOut)


class CreditNoteView(APIView):
    @extend_schema(operation_id="credit_note_retrieve", responses=CreditNoteDetailOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One credit note with its lines."""
        actor = actor_of(request)
        actor.require("invoices.read")
        note = get_object_or_404(queries.credit_notes(actor), public_id=public_id)
        return Response(CreditNoteDetailOut(note).data)


class CreditNotePdfView(APIView):
    @extend_schema(parameters=[LANGUAGE], responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    def get(self, request: Request, public_id: str) -> HttpResponse:
        """The credit note as a PDF."""
        actor = actor_of(request)
        actor.require("invoices.read")
        note = get_object_or_404(queries.credit_notes(actor), public_id=public_id)
        language = wanted_language(request)
        pdf = documents.credit_pdf_of(note, now=timezone.now(), language=language)
        return HttpResponse(pdf, content_type="application/pdf")


def wanted_language(request: Request) -> str:
    """``?language=``; Korean if left out, 400 for any other."""
    language: str = request.query_params.get("language", documents.KOREAN)
    if language not in documents.LANGUAGES:
        raise Refused("Choose ko or en.", code="language", field="language", status=400)
    return language
