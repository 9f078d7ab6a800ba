"""Operations on funding sources, and on credit that is paid for in advance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.funding import evidence, prepaid, queries, sources
from billing.funding.sources import COST_KINDS, LAST_PLACE, Terms
from billing.models import FundingKind
from portal.api.authentication import actor_of
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.shapes import Strict, body_of
from portal.lib.periods import seoul_date
from tenants.actors import Actor

_KINDS = [one.value for one in FundingKind if one is not FundingKind.PREPAID]
_MOST = 10**18  # larger numbers are typing errors; what fits is said by the source's own rule


class SourceOut(serializers.Serializer[Any]):
    """Days are inclusive. ``left_won`` is null where there is no end; ``own_share`` in parts of ten
    thousand."""

    id = serializers.CharField(source="public_id")
    kind = serializers.ChoiceField(choices=FundingKind.values)
    name = serializers.CharField()
    programme = serializers.CharField()
    provider_number = serializers.CharField()
    place = serializers.IntegerField(help_text="The lowest is drawn first.")
    cap_won = serializers.IntegerField(allow_null=True)
    drawn_won = serializers.IntegerField(source="drawn")
    left_won = serializers.IntegerField(source="left", allow_null=True)
    covers = serializers.ListField(child=serializers.CharField(), help_text="Empty: everything.")
    own_share = serializers.IntegerField()
    starts = serializers.DateField()
    last_day = serializers.DateField()
    usable_until = serializers.DateField()
    state = serializers.SerializerMethodField()
    added_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)

    def get_state(self, source: Any) -> str:
        return queries.state_of(source, seoul_date(timezone.now()))


class SourceMovementOut(serializers.Serializer[Any]):
    day = serializers.DateField()
    document = serializers.CharField(help_text="invoice or credit_note")
    number = serializers.CharField()
    cost = serializers.CharField(help_text="Position of the line, or vat.")
    won = serializers.IntegerField(help_text="Below zero: given back.")
    own_won = serializers.IntegerField(help_text="Own share that others paid.")


class SourceDetailOut(SourceOut):
    statement = serializers.SerializerMethodField()

    @extend_schema(responses=SourceMovementOut(many=True))
    def get_statement(self, source: Any) -> list[dict[str, Any]]:
        return [dict(one) for one in SourceMovementOut(queries.statement(source), many=True).data]


class SourceIn(Strict):
    kind = serializers.ChoiceField(choices=_KINDS)
    name = serializers.CharField(max_length=80)
    programme = serializers.CharField(max_length=120, default="", allow_blank=True)
    provider_number = serializers.CharField(max_length=40, default="", allow_blank=True)
    place = serializers.IntegerField(
        min_value=1, max_value=LAST_PLACE, required=False, help_text="Left out: the last."
    )
    cap_won = serializers.IntegerField(min_value=0, max_value=_MOST, allow_null=True, default=None)
    covers = serializers.ListField(
        child=serializers.ChoiceField(choices=COST_KINDS), default=list, max_length=len(COST_KINDS)
    )
    own_share = serializers.IntegerField(min_value=0, max_value=10_000, default=0)
    starts = serializers.DateField()
    last_day = serializers.DateField()
    usable_until = serializers.DateField()


class SourceMoveIn(Strict):
    to = serializers.ChoiceField(choices=["up", "down"])


class TopUpOut(serializers.Serializer[Any]):
    """``funding_source`` is what it has become."""

    id = serializers.CharField(source="public_id")
    won = serializers.IntegerField()
    asked_at = serializers.DateTimeField()
    withdrawn_at = serializers.DateTimeField(allow_null=True)
    funding_source = serializers.CharField(source="source.public_id", default=None, allow_null=True)


class TopUpIn(Strict):
    won = serializers.IntegerField(min_value=1, max_value=_MOST)


def _done[T](deed: Callable[[], T]) -> T:
    try:
        return deed()
    except sources.BadSource as error:
        raise Refused(str(error), code="bad_source") from error
    except prepaid.BadTopUp as error:
        raise Refused(str(error), code="bad_top_up", field="won") from error
    except (sources.SourceEnded, prepaid.TopUpOver) as error:
        raise Refused(str(error), code="over", status=409) from error


def _source(actor: Actor, public_id: str) -> Any:
    return get_object_or_404(queries.sources(actor), public_id=public_id)


class SourcesView(APIView):
    @extend_schema(responses=SourceOut(many=True))
    def get(self, request: Request) -> Response:
        """Funding sources with what each has left, the last added first."""
        actor = actor_of(request)
        actor.require("payments.read")
        return listed(request, queries.sources(actor), SourceOut)

    @extend_schema(request=SourceIn, responses={201: SourceOut})
    def post(self, request: Request) -> Response:
        """One more source. Its terms cannot be changed later."""
        actor = actor_of(request)
        actor.require("budgets.change")
        words = body_of(SourceIn, request)
        words["covers"] = tuple(words["covers"])
        words.setdefault("place", sources.next_place(actor))
        made = _done(lambda: sources.add(terms=Terms(**words), by=actor, now=timezone.now()))
        return Response(SourceOut(_source(actor, made.public_id)).data, status=201)


class SourceView(APIView):
    @extend_schema(responses=SourceDetailOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One source with all that it paid and got back."""
        actor = actor_of(request)
        actor.require("payments.read")
        return Response(SourceDetailOut(_source(actor, public_id)).data)


class SourceEndView(APIView):
    @extend_schema(request=None, responses=SourceOut)
    def post(self, request: Request, public_id: str) -> Response:
        """Draw from it no more. What is left of prepaid credit is credit again."""
        actor = actor_of(request)
        actor.require("budgets.change")
        source = _source(actor, public_id)
        sources.end(source=source, by=actor, now=timezone.now())
        return Response(SourceOut(_source(actor, public_id)).data)


class SourceMoveView(APIView):
    @extend_schema(request=SourceMoveIn, responses=SourceOut)
    def post(self, request: Request, public_id: str) -> Response:
        """One place earlier or later in the order."""
        actor = actor_of(request)
        actor.require("budgets.change")
        up = body_of(SourceMoveIn, request)["to"] == "up"
        source = _source(actor, public_id)
        _done(lambda: sources.move(source=source, up=up, by=actor, now=timezone.now()))
        return Response(SourceOut(_source(actor, public_id)).data)


class SourceEvidenceView(APIView):
    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def get(self, request: Request, public_id: str) -> HttpResponse:
        """Papers for the settlement as a ZIP with an index."""
        actor = actor_of(request)
        actor.require("payments.read")
        content = evidence.pack(_source(actor, public_id), now=timezone.now())
        return HttpResponse(content, content_type="application/zip")


class TopUpsView(APIView):
    @extend_schema(responses=TopUpOut(many=True))
    def get(self, request: Request) -> Response:
        """Wishes to pay in advance, the latest first."""
        actor = actor_of(request)
        actor.require("payments.read")
        return listed(request, queries.topups(actor), TopUpOut)

    @extend_schema(request=TopUpIn, responses={201: TopUpOut})
    def post(self, request: Request) -> Response:
        """Wish to pay in advance: a transfer of exactly this amount becomes prepaid credit. By
        card it is paid on the page, where the bank may ask the payer to confirm."""
        actor = actor_of(request)
        actor.require("payments.change")
        won = body_of(TopUpIn, request)["won"]
        wish = _done(lambda: prepaid.ask(won=won, by=actor, now=timezone.now()))
        return Response(TopUpOut(wish).data, status=201)


class TopUpWithdrawalView(APIView):
    @extend_schema(request=None, responses=TopUpOut)
    def post(self, request: Request, public_id: str) -> Response:
        """Wait for its payment no more."""
        actor = actor_of(request)
        actor.require("payments.change")
        wish = get_object_or_404(queries.topups(actor), public_id=public_id)
        _done(lambda: prepaid.withdraw(wish=wish, by=actor, now=timezone.now()))
        wish.refresh_from_db()
        return Response(TopUpOut(wish).data)
