"""Operations on deputies and access reviews."""

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
from portal.api.people import refusals
from portal.api.problems import Refused
from portal.api.shapes import Strict
from portal.routing import revoking
from tenants import audit
from tenants.actions import deputies, reviews
from tenants.actors import Actor
from tenants.models import AccessLine, AccessReview, LineDecision, Membership


class DeputyIn(Strict):
    """Who is away (left out: oneself), and who stands in: an id ``mem_…`` or an address."""

    absent = serializers.CharField(max_length=254, required=False)
    deputy = serializers.CharField(max_length=254)
    starts_date = serializers.DateField()
    ends_date = serializers.DateField(help_text="On this day it is over.")


class DeputyOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    absent = serializers.CharField(source="absent.public_id")
    deputy = serializers.CharField(source="deputy.public_id")
    starts_date = serializers.DateField()
    ends_date = serializers.DateField()
    created_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)


class ReviewOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    quarter = serializers.CharField()
    opened_at = serializers.DateTimeField()
    due_date = serializers.DateField()
    signed_at = serializers.DateTimeField(allow_null=True)
    signed_by = serializers.CharField(allow_blank=True)


class AccessLineIn(Strict):
    decision = serializers.ChoiceField(choices=LineDecision.values)


class AccessLineOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    kind = serializers.CharField()
    subject = serializers.CharField()
    name = serializers.CharField(source="label")
    rights = serializers.JSONField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    decision = serializers.CharField(allow_blank=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    decided_by = serializers.CharField(allow_blank=True)


DEPUTY_REFUSED = (
    deputies.BadPeriod,
    deputies.OwnDeputy,
    deputies.SeesOtherProjects,
    deputies.AlreadyDeputy,
)


def _named(actor: Actor, field: str, text: str) -> Membership:
    found = deputies.find_member(text, by=actor)
    if found is None:
        raise Refused("There is no such member.", code="unknown_member", field=field)
    return found


class DeputiesView(APIView):
    @extend_schema(responses=DeputyOut(many=True))
    def get(self, request: Request) -> Response:
        """Deputies, the newest first; without ``members.read`` only one's own."""
        actor = actor_of(request)
        actor.require("organization.read")
        return listed(request, deputies.concerning(actor), DeputyOut)

    @extend_schema(request=DeputyIn, responses={201: DeputyOut})
    def post(self, request: Request) -> Response:
        """Let somebody act for a member who is away."""
        actor = actor_of(request)
        if actor.user is None:
            actor.require("members.change")
        body = DeputyIn(data=request.data)
        body.is_valid(raise_exception=True)
        sent = dict(body.validated_data)
        own = actor.user.email if actor.user else ""
        sent["absent"] = _named(actor, "absent", sent.get("absent", own))
        sent["deputy"] = _named(actor, "deputy", sent["deputy"])
        try:
            with refusals():
                made = deputies.name(by=actor, now=timezone.now(), **sent)
        except DEPUTY_REFUSED as error:
            raise Refused(str(error), code="deputy") from error
        return Response(DeputyOut(made).data, status=201)


class DeputyView(APIView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: str) -> Response:
        """End it now. Repeating it changes nothing."""
        actor = actor_of(request)
        actor.require("organization.read")
        found = get_object_or_404(deputies.concerning(actor), public_id=public_id)
        deputies.revoke(deputyship=found, by=actor, now=timezone.now())
        return Response(status=204)


class ReviewsView(APIView):
    @extend_schema(responses=ReviewOut(many=True))
    def get(self, request: Request) -> Response:
        """Access reviews, the newest first."""
        actor = actor_of(request)
        actor.require("access.read")
        return listed(request, AccessReview.objects.visible_to(actor), ReviewOut)

    @extend_schema(request=None, responses={201: ReviewOut})
    def post(self, request: Request) -> Response:
        """Open this quarter's review, or find it open."""
        actor = actor_of(request)
        actor.require("access.sign")
        made = reviews.open_now(by=actor, now=timezone.now())
        return Response(ReviewOut(made).data, status=201)


def _review(actor: Actor, public_id: str) -> AccessReview:
    return get_object_or_404(AccessReview.objects.visible_to(actor), public_id=public_id)


class ReviewView(APIView):
    @extend_schema(responses=ReviewOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One access review."""
        actor = actor_of(request)
        actor.require("access.read")
        return Response(ReviewOut(_review(actor, public_id)).data)


class ReviewLinesView(APIView):
    @extend_schema(responses=AccessLineOut(many=True))
    def get(self, request: Request, public_id: str) -> Response:
        """What each member and live key had when the review was opened, and what was decided."""
        actor = actor_of(request)
        actor.require("access.read")
        review = _review(actor, public_id)
        audit.seen("member.read", by=actor, now=timezone.now(), subject=review.public_id)
        return listed(
            request, AccessLine.objects.visible_to(actor).filter(review=review), AccessLineOut
        )


class ReviewLineView(APIView):
    @extend_schema(request=AccessLineIn, responses=AccessLineOut)
    def patch(self, request: Request, public_id: str) -> Response:
        """Confirm what a line has, or take it away."""
        actor, now = actor_of(request), timezone.now()
        actor.require("access.sign")
        line = get_object_or_404(AccessLine.objects.visible_to(actor), public_id=public_id)
        body = AccessLineIn(data=request.data)
        body.is_valid(raise_exception=True)
        decide = reviews.confirm
        if body.validated_data["decision"] == LineDecision.REMOVED:
            decide = revoking.remove_reviewed
        try:
            with refusals():
                line = decide(line=line, by=actor, now=now)
        except (reviews.ReviewSigned, reviews.LineDecided) as error:
            raise Refused(str(error), code="decided", status=409) from error
        return Response(AccessLineOut(line).data)


class ReviewSignatureView(APIView):
    @extend_schema(request=None, responses=ReviewOut)
    def post(self, request: Request, public_id: str) -> Response:
        """Sign and keep. Repeating it changes nothing."""
        actor = actor_of(request)
        actor.require("access.sign")
        review = _review(actor, public_id)
        try:
            review = reviews.sign(review=review, by=actor, now=timezone.now())
        except reviews.LinesOpen as error:
            raise Refused(str(error), code="lines_open", status=409) from error
        return Response(ReviewOut(review).data)
