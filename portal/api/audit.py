"""Operations on the audit log."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.api.authentication import actor_of
from portal.api.problems import Refused
from portal.api.shapes import Strict
from tenants import actors, audit, audit_log, rls
from tenants.audit_files import attachment
from tenants.audit_log import Filters
from tenants.models import AuditEvent, EventGroup

MOST = 200


class QueryIn(Strict):
    """What may stand in the address."""

    group = serializers.ChoiceField(choices=EventGroup.values, required=False)
    actor = serializers.CharField(max_length=60, required=False)
    verb = serializers.CharField(max_length=60, required=False)
    subject = serializers.CharField(max_length=120, required=False)
    since = serializers.DateField(required=False)
    until = serializers.DateField(required=False)
    cursor = serializers.CharField(max_length=40, required=False)
    limit = serializers.IntegerField(min_value=1, required=False, default=50)
    format = serializers.ChoiceField(choices=["csv", "jsonl"], required=False, default="jsonl")


class EventOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    at = serializers.DateTimeField()
    group = serializers.CharField()
    verb = serializers.CharField()
    actor = serializers.CharField()
    actor_name = serializers.CharField(allow_blank=True)
    on_behalf = serializers.CharField(allow_blank=True)
    subject = serializers.CharField()
    changes = serializers.JSONField()
    because = serializers.CharField(allow_blank=True)
    address = serializers.CharField(allow_blank=True)
    request_id = serializers.CharField(allow_blank=True)


class ChainOut(serializers.Serializer[Any]):
    """How far the log is sealed; ``hash`` names everything up to there."""

    number = serializers.IntegerField()
    total = serializers.IntegerField()
    hash = serializers.CharField(allow_blank=True)
    sealed_at = serializers.DateTimeField(allow_null=True)
    verified_at = serializers.DateTimeField(allow_null=True)
    faults = serializers.IntegerField()


class RetentionIn(Strict):
    access_months = serializers.IntegerField()
    rights_months = serializers.IntegerField()
    other_months = serializers.IntegerField()


class RetentionOut(serializers.Serializer[Any]):
    access_months = serializers.IntegerField()
    rights_months = serializers.IntegerField()
    other_months = serializers.IntegerField()


QUERY = [
    OpenApiParameter(name, OpenApiTypes.STR)
    for name in ("group", "actor", "verb", "subject", "since", "until", "cursor", "limit")
]


def _asked(request: Request) -> tuple[Filters, dict[str, Any]]:
    query = QueryIn(data=request.query_params.dict())
    query.is_valid(raise_exception=True)
    sent = dict(query.validated_data)
    rest = {name: sent.pop(name, "") for name in ("cursor", "limit", "format")}
    return Filters(**sent), rest


class AuditView(APIView):
    @extend_schema(parameters=QUERY, responses=EventOut(many=True))
    def get(self, request: Request) -> Response:
        """Events, newest first. ``next`` is the cursor of the older ones."""
        actor = actor_of(request)
        actor.require("audit.read")
        filters, rest = _asked(request)
        try:
            size = min(rest["limit"], MOST)
            page = audit_log.page(actor, filters, rest["cursor"], size)
        except audit_log.BadCursor as error:
            raise Refused("Unknown cursor.", code="cursor", field="cursor", status=400) from error
        subject = actor.organization.public_id
        audit.seen("audit.read", by=actor, now=timezone.now(), subject=subject)
        data = [audit_log.as_words(event, page.names) for event in page.events]
        return Response({"data": data, "next": page.older or None, "previous": None})


class AuditEventView(APIView):
    @extend_schema(responses=EventOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One event."""
        actor = actor_of(request)
        actor.require("audit.read")
        event = get_object_or_404(AuditEvent.objects.visible_to(actor), public_id=public_id)
        return Response(audit_log.as_words(event, audit_log.names_of(actor, [event])))


class AuditExportView(APIView):
    @extend_schema(parameters=QUERY, responses={(200, "application/x-ndjson"): OpenApiTypes.STR})
    def get(self, request: Request) -> HttpResponseBase:
        """Everything that fits, as lines of JSON or CSV (``format=csv``)."""
        actor, now = actor_of(request), timezone.now()
        actor.require("audit.export")
        filters, rest = _asked(request)
        with actors.scope_for(actor):
            audit_log.note_export(filters, rest["format"], by=actor, now=now)
        name = f"audit-{timezone.localdate(now)}"
        return attachment(audit_log.export(actor, filters), rest["format"], name)


audit_export_view = rls.own_transactions(AuditExportView.as_view())


class AuditChainView(APIView):
    @extend_schema(responses=ChainOut)
    def get(self, request: Request) -> Response:
        """How far the log is sealed and when it was verified."""
        actor = actor_of(request)
        actor.require("audit.read")
        chain = audit_log.chain_of(actor)
        empty = {"number": 0, "total": 0, "hash": "", "faults": 0}
        found = chain or empty | {"sealed_at": None, "verified_at": None}
        return Response(ChainOut(found).data)


class AuditRetentionView(APIView):
    @extend_schema(responses=RetentionOut)
    def get(self, request: Request) -> Response:
        """For how many months events are kept."""
        actor = actor_of(request)
        actor.require("audit.read")
        return Response(RetentionOut(audit_log.retention_of(actor)).data)

    @extend_schema(request=RetentionIn, responses=RetentionOut)
    def put(self, request: Request) -> Response:
        """Keep them for longer or shorter; never shorter than the law."""
        actor = actor_of(request)
        actor.require("audit.change")
        body = RetentionIn(data=request.data)
        body.is_valid(raise_exception=True)
        try:
            kept = audit_log.change_retention(by=actor, now=timezone.now(), **body.validated_data)
        except audit_log.MonthsOutOfRange as error:
            field = f"{error.group}_months"
            raise Refused(str(error), code="months", field=field) from error
        return Response(RetentionOut(kept).data)
