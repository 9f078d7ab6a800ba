"""Operations that change an offering: what its engine is started from, and its figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.api.authentication import actor_of
from portal.api.offerings import OfferingOut
from portal.api.problems import Refused
from portal.api.shapes import Strict, body_of
from portal.catalog import editing
from portal.catalog.models import Offering
from tenants import reasons


class OfferingFormIn(Strict):
    """What is left out stays. ``digest``: of weights that nobody knew."""

    image = serializers.CharField(max_length=300, allow_blank=True, required=False)
    artifact = serializers.CharField(max_length=300, allow_blank=True, required=False)
    revision = serializers.CharField(max_length=80, allow_blank=True, required=False)
    settings = serializers.DictField(required=False)
    parallel = serializers.IntegerField(required=False)
    context_tokens = serializers.IntegerField(required=False)
    digest = serializers.CharField(max_length=71, required=False)
    because = serializers.CharField(max_length=300, trim_whitespace=False)


class OfferingFigureIn(Strict):
    """``value`` ``null``: the figure with this kind and these conditions is removed."""

    kind = serializers.CharField(max_length=24)
    value = serializers.DecimalField(max_digits=12, decimal_places=2, allow_null=True)
    conditions_ko = serializers.CharField(max_length=200)
    conditions_en = serializers.CharField(max_length=200)
    mark = serializers.CharField(max_length=16)
    source_name = serializers.CharField(max_length=120)
    source_url = serializers.CharField(max_length=300, allow_blank=True, default="")
    source_date = serializers.DateField(allow_null=True, default=None)
    because = serializers.CharField(max_length=300, trim_whitespace=False)


def _found(public_id: str) -> Offering:
    rows = Offering.objects.select_related("version__model", "chip")
    return get_object_or_404(rows, public_id=public_id)


class OfferingFormView(APIView):
    @extend_schema(request=OfferingFormIn, responses=OfferingOut)
    def post(self, request: Request, public_id: str) -> Response:
        """Another image, artifact or settings. Proven evidence goes to reverify; what runs goes
        on as it was placed."""
        actor = actor_of(request)
        actor.require("operator.change")
        offering, sent = _found(public_id), body_of(OfferingFormIn, request)
        because = sent.pop("because")
        form = replace(editing.form_of(offering), **sent)
        try:
            editing.edit(
                offering=offering, form=form, because=because, by=actor, now=timezone.now()
            )
        except editing.BadForm as error:
            raise Refused(str(error), code=error.field, field=error.field) from error
        except reasons.BadReason as error:
            raise Refused(str(error), code="because", field="because") from error
        return Response(OfferingOut(_found(public_id)).data)


class OfferingFiguresView(APIView):
    @extend_schema(request=OfferingFigureIn, responses=OfferingOut)
    def post(self, request: Request, public_id: str) -> Response:
        """Enter a figure with its conditions and source, or remove one."""
        actor = actor_of(request)
        actor.require("operator.change")
        offering, sent = _found(public_id), body_of(OfferingFigureIn, request)
        because = sent.pop("because")
        result: Any = editing.Result(**sent)
        try:
            editing.enter_figure(
                offering=offering, result=result, because=because, by=actor, now=timezone.now()
            )
        except editing.BadForm as error:
            raise Refused(str(error), code=error.field, field=error.field) from error
        except reasons.BadReason as error:
            raise Refused(str(error), code="because", field="because") from error
        return Response(OfferingOut(_found(public_id)).data)
