"""Operations on quotas: what is used, asking for more, the operator's answers."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.api.authentication import actor_of
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.shapes import Strict, body_of
from portal.jobs import quota_use
from tenants import reasons
from tenants.actions import quota_raises
from tenants.actions.quotas import QuotaOutOfRange, UnknownQuota
from tenants.models import QuotaRaise, RaiseState

REFUSALS: tuple[tuple[type[Exception], str, int], ...] = (
    (UnknownQuota, "unknown_quota", 422),
    (QuotaOutOfRange, "out_of_range", 422),
    (quota_raises.NotMore, "not_more", 422),
    (reasons.BadReason, "because", 422),
    (quota_raises.AskedAlready, "asked_already", 409),
    (quota_raises.Decided, "decided", 409),
)
KINDS = tuple(kind for kind, _code, _status in REFUSALS)


def _refused(error: Exception) -> Refused:
    kinds = ((code, status) for kind, code, status in REFUSALS if isinstance(error, kind))
    code, status = next(kinds)
    return Refused(str(error), code=code, status=status)


class QuotaUseOut(serializers.Serializer[Any]):
    name = serializers.CharField(source="row.name")
    used = serializers.IntegerField(allow_null=True, help_text="null: counted for each by itself.")
    most = serializers.IntegerField(source="row.most")


class QuotaRaiseIn(Strict):
    name = serializers.CharField(max_length=32)
    to_most = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    because = serializers.CharField(max_length=300)


class QuotaDecisionIn(Strict):
    grant = serializers.BooleanField()
    most = serializers.IntegerField(
        min_value=0, max_value=2**31 - 1, required=False, help_text="As asked, if left out."
    )
    because = serializers.CharField(max_length=300, help_text="The customer reads it.")


class QuotaRaiseOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    organization = serializers.CharField(source="organization.public_id")
    name = serializers.CharField()
    from_most = serializers.IntegerField()
    to_most = serializers.IntegerField()
    because = serializers.CharField()
    state = serializers.ChoiceField(choices=RaiseState.choices)
    asked_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    decided_because = serializers.CharField()


class QuotaUseView(APIView):
    @extend_schema(responses=QuotaUseOut(many=True))
    def get(self, request: Request) -> Response:
        """What the organization uses of each quota."""
        actor = actor_of(request)
        actor.require("endpoints.read")
        found = quota_use.of(actor.organization, now=timezone.now())
        shown = QuotaUseOut(found.rows, many=True).data
        return Response({"data": shown, "next": None, "previous": None})


class QuotaRaisesView(APIView):
    @extend_schema(responses=QuotaRaiseOut(many=True))
    def get(self, request: Request) -> Response:
        """What was asked for, the newest first; the operator's staff see all customers'."""
        actor = actor_of(request)
        actor.require("endpoints.read")
        rows = QuotaRaise.objects.visible_to(actor).select_related("organization")
        return listed(request, rows, QuotaRaiseOut)

    @extend_schema(request=QuotaRaiseIn, responses={201: QuotaRaiseOut})
    def post(self, request: Request) -> Response:
        """Ask the operator for more."""
        actor = actor_of(request)
        actor.require("orders.create")
        sent = body_of(QuotaRaiseIn, request)
        try:
            made = quota_raises.ask(by=actor, now=timezone.now(), **sent)
        except KINDS as error:
            raise _refused(error) from error
        return Response(QuotaRaiseOut(made).data, status=201)


def _find(request: Request, public_id: str) -> QuotaRaise:
    rows = QuotaRaise.objects.visible_to(actor_of(request)).select_related("organization")
    found: QuotaRaise = get_object_or_404(rows, public_id=public_id)
    return found


class QuotaRaiseView(APIView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: str) -> Response:
        """No longer ask."""
        actor = actor_of(request)
        actor.require("orders.create")
        own = QuotaRaise.objects.visible_to(actor).filter(organization=actor.organization)
        asked = get_object_or_404(own, public_id=public_id)
        quota_raises.withdraw(asked=asked, by=actor, now=timezone.now())
        return Response(status=204)


class QuotaDecisionView(APIView):
    @extend_schema(request=QuotaDecisionIn, responses=QuotaRaiseOut)
    def post(self, request: Request, public_id: str) -> Response:
        """Grant or refuse it, with a reason. For the operator's staff."""
        actor = actor_of(request)
        actor.require("operator.quotas")
        asked, sent = _find(request, public_id), body_of(QuotaDecisionIn, request)
        most = sent.get("most", asked.to_most) if sent["grant"] else None
        try:
            quota_raises.decide(
                asked=asked, most=most, because=sent["because"], by=actor, now=timezone.now()
            )
        except KINDS as error:
            raise _refused(error) from error
        return Response(QuotaRaiseOut(_find(request, public_id)).data)
