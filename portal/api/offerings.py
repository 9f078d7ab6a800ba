"""Operations on offerings: where a model can run, and the operator's evidence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.api.authentication import actor_of
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.shapes import ReasonOut, Strict, body_of
from portal.catalog import evidence
from portal.catalog.models import CatalogModel, Offering
from portal.deployments import compatibility
from portal.deployments.compatibility import Compatible
from portal.fleet import site_offerings
from portal.fleet.models import Site
from tenants import reasons

DIGEST = OpenApiParameter("digest", str, description="sha256:… of the weights themselves")
BASE = OpenApiParameter("base", str, description="sha256:… of what your weights were tuned from")


class OfferingFigureOut(serializers.Serializer[Any]):
    """``mark``: measured, vendor, second_hand, derived or unverified."""

    kind = serializers.CharField()
    value = serializers.DecimalField(max_digits=12, decimal_places=2)
    conditions_ko = serializers.CharField()
    conditions_en = serializers.CharField()
    mark = serializers.CharField()
    source_name = serializers.CharField()
    source_url = serializers.CharField()
    source_date = serializers.DateField(allow_null=True)


class OfferingOut(serializers.Serializer[Any]):
    """``evidence``: measured, simulated, claimed, reverify or failing; only the first two can be
    ordered. ``digest`` empty: the weights are announced only."""

    id = serializers.CharField(source="public_id")
    model = serializers.CharField(source="version.model.slug")
    digest = serializers.CharField(source="version.digest")
    chip = serializers.CharField(source="chip.code")
    cards = serializers.IntegerField()
    sdk = serializers.CharField()
    bundle = serializers.CharField()
    image = serializers.CharField(help_text="Of its server, by digest; empty: none is known.")
    artifact = serializers.CharField(help_text="What is loaded: a Hugging Face id or a path.")
    revision = serializers.CharField()
    settings = serializers.JSONField()
    fingerprint = serializers.CharField(help_text="Of all that decides what answers.")
    evidence = serializers.CharField()
    evidence_since = serializers.DateTimeField()
    parallel = serializers.IntegerField()
    context_tokens = serializers.IntegerField()
    note_ko = serializers.CharField()
    note_en = serializers.CharField()
    figures = OfferingFigureOut(many=True)


class OfferingSiteOut(serializers.Serializer[Any]):
    """No reasons: it takes an order for one replica now, from projects whose data may go there."""

    site = serializers.CharField()
    region = serializers.CharField()
    cards_free = serializers.IntegerField()
    reasons = ReasonOut(many=True)


class CompatibleOut(OfferingOut):
    """``by_base``: shown for the weights that these were tuned from, not for these."""

    by_base = serializers.BooleanField()
    orderable = serializers.BooleanField()
    sites = OfferingSiteOut(many=True)


class OfferingMoveIn(Strict):
    to = serializers.CharField(max_length=16)
    because = serializers.CharField(max_length=300, trim_whitespace=False)


class OfferingCheckIn(Strict):
    works = serializers.BooleanField()
    because = serializers.CharField(max_length=300, trim_whitespace=False)


def site_at(at: compatibility.AtSite) -> dict[str, Any]:
    """What ``OfferingSiteOut`` shows."""
    pairs = zip(at.codes, at.sentences, strict=True)
    return {
        "site": at.site.code,
        "region": at.site.region.code,
        "cards_free": at.free,
        "reasons": [{"code": code, "sentence": sentence} for code, sentence in pairs],
    }


def _answer(found: list[Compatible]) -> Response:
    rows = [
        {
            **OfferingOut(one.offering).data,
            "by_base": one.by_base,
            "orderable": one.orderable,
            "sites": [site_at(at) for at in one.sites],
        }
        for one in found
    ]
    return Response({"data": rows, "next": None, "previous": None})


class ModelOfferingsView(APIView):
    @extend_schema(responses=CompatibleOut(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """Where a model can run, and what speaks against each site now."""
        actor = actor_of(request)
        actor.require("endpoints.read")
        model, now = get_object_or_404(CatalogModel, slug=slug), timezone.now()
        return _answer(compatibility.of_model(model, organization=actor.organization.pk, now=now))


class OfferingsView(APIView):
    @extend_schema(parameters=[DIGEST, BASE], responses=CompatibleOut(many=True))
    def get(self, request: Request) -> Response:
        """Where exact weights, or those tuned from them, can run; empty: nobody knows them."""
        actor = actor_of(request)
        actor.require("endpoints.read")
        asked = dict(request.query_params.items())
        if set(asked) not in ({"digest"}, {"base"}):
            raise Refused("Send either digest or base.", code="unknown_parameter", status=400)
        (kind, value), now = asked.popitem(), timezone.now()
        find = compatibility.of_digest if kind == "digest" else compatibility.of_base
        try:
            return _answer(find(str(value), organization=actor.organization.pk, now=now))
        except compatibility.BadDigest as error:
            raise Refused(str(error), code="digest", field=kind) from error


def _found(public_id: str) -> Offering:
    rows = Offering.objects.select_related("version__model", "chip")
    return get_object_or_404(rows, public_id=public_id)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except reasons.BadReason as error:
        raise Refused(str(error), code="because", field="because") from error
    except (evidence.NoSuchMove, evidence.NoWeights) as error:
        raise Refused(str(error), code="no_such_move", field="to") from error
    except evidence.AlreadyMoved as error:
        raise Refused(str(error), code="already_moved", status=409) from error
    except site_offerings.NothingToVerify as error:
        raise Refused(str(error), code="nothing_to_verify", status=409) from error


class OperatorOfferingsView(APIView):
    @extend_schema(operation_id="operator_offerings_list", responses=OfferingOut(many=True))
    def get(self, request: Request) -> Response:
        """All offerings, the newest first."""
        actor_of(request).require("operator.read")
        rows = Offering.objects.select_related("version__model", "chip")
        return listed(request, rows.prefetch_related("figures"), OfferingOut)


class OperatorOfferingView(APIView):
    @extend_schema(operation_id="operator_offering_retrieve", responses=OfferingOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One offering."""
        actor_of(request).require("operator.read")
        return Response(OfferingOut(_found(public_id)).data)


class OfferingEvidenceView(APIView):
    @extend_schema(request=OfferingMoveIn, responses=OfferingOut)
    def post(self, request: Request, public_id: str) -> Response:
        """Other evidence, with a reason. Orders follow at once; what runs goes on."""
        actor = actor_of(request)
        actor.require("operator.change")
        offering, sent = _found(public_id), body_of(OfferingMoveIn, request)
        with _refusals():
            evidence.move(offering=offering, by=actor, now=timezone.now(), **sent)
        return Response(OfferingOut(offering).data)


class OfferingVerificationView(APIView):
    @extend_schema(request=OfferingCheckIn, responses=OfferingOut)
    def post(self, request: Request, public_id: str, code: str) -> Response:
        """It was run again at a site whose SDK had changed: it works there, or it does not."""
        actor = actor_of(request)
        actor.require("operator.change")
        offering, site = _found(public_id), get_object_or_404(Site.objects.all(), code=code)
        sent = body_of(OfferingCheckIn, request)
        with _refusals():
            site_offerings.verify(
                site=site, offering=offering, by=actor, now=timezone.now(), **sent
            )
        return Response(OfferingOut(offering).data)
