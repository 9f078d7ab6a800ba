"""Operations of the operator's staff: customers, proposals, prices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import agreements, credit_notes, price_changes, tariffs
from billing.term_values import BadTerm
from portal.api.authentication import actor_of
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.shapes import Strict, body_of
from portal.routing import deciding
from tenants import customers, reasons
from tenants.actions import holds, notes, proposals, quotas
from tenants.models import OperatorNote, Organization, Proposal


class ReasonIn(Strict):
    because = serializers.CharField(max_length=300)


class NoteIn(Strict):
    text = serializers.CharField(max_length=2000)


class QuotaIn(Strict):
    name = serializers.CharField(max_length=32)
    most = serializers.IntegerField(min_value=0)
    because = serializers.CharField(max_length=300)


class TokenPriceIn(Strict):
    model = serializers.CharField(max_length=64)
    price_in = serializers.DecimalField(18, 6, min_value=0)
    price_cached = serializers.DecimalField(18, 6, min_value=0)
    price_out = serializers.DecimalField(18, 6, min_value=0)
    offering_class = serializers.CharField(
        max_length=24, default="", allow_blank=True, help_text="Code of a chip; empty: all."
    )
    starts_on = serializers.DateField()
    because = serializers.CharField(max_length=300)


class CardPriceIn(Strict):
    chip = serializers.CharField(max_length=32)
    won_per_hour = serializers.DecimalField(18, 6, min_value=0)
    starts_on = serializers.DateField()
    because = serializers.CharField(max_length=300)


class CustomerOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    kind = serializers.CharField()
    business_number = serializers.CharField(allow_null=True)
    suspended = serializers.BooleanField(source="held")
    created_at = serializers.DateTimeField()


class QuotaOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    most = serializers.IntegerField()
    usual = serializers.IntegerField()


class NoteOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    text = serializers.CharField()
    by = serializers.CharField()
    at = serializers.DateTimeField()


class ProposalOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    kind = serializers.CharField()
    subject = serializers.CharField()
    payload = serializers.JSONField()
    because = serializers.CharField()
    decision = serializers.CharField()
    proposed_by = serializers.CharField(source="proposed_by.public_id")
    proposed_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


class TokenPriceOut(serializers.Serializer[Any]):
    model = serializers.CharField()
    offering_class = serializers.CharField()
    price_in = serializers.DecimalField(18, 6)
    price_cached = serializers.DecimalField(18, 6)
    price_out = serializers.DecimalField(18, 6)
    starts_at = serializers.DateTimeField()


class CardPriceOut(serializers.Serializer[Any]):
    chip = serializers.CharField()
    won_per_hour = serializers.DecimalField(18, 6)
    starts_at = serializers.DateTimeField()


def _find(public_id: str) -> Organization:
    return get_object_or_404(customers.search(), public_id=public_id)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except reasons.BadReason as error:
        raise Refused(str(error), code="reason", field="because") from error
    except (quotas.UnknownQuota, price_changes.UnknownItem) as error:
        raise Refused(str(error), code="unknown", field="name") from error
    except quotas.QuotaOutOfRange as error:
        raise Refused(str(error), code="quota", field="most") from error
    except (price_changes.StartsTooEarly, price_changes.StartTaken) as error:
        raise Refused(str(error), code="starts_on", field="starts_on") from error
    except credit_notes.MoreThanLeft as error:
        raise Refused(str(error), code="more_than_left", status=409) from error
    except (price_changes.BadPrice, BadTerm) as error:
        raise Refused(str(error), code="price") from error
    except (agreements.BadLines, agreements.EndsTooEarly, agreements.NoListPrice) as error:
        raise Refused(str(error), code="agreement", status=409) from error
    except (
        agreements.Overlaps,
        holds.AlreadyHeld,
        holds.NotHeld,
        proposals.AlreadyProposed,
    ) as error:
        raise Refused(str(error), code="state", status=409) from error
    except (proposals.NeedsAnother, proposals.AlreadyDecided) as error:
        raise Refused(str(error), code="decision", status=409) from error


class CustomersView(APIView):
    @extend_schema(
        parameters=[
            OpenApiParameter("text", OpenApiTypes.STR),
            OpenApiParameter("state", OpenApiTypes.STR, enum=customers.STATES),
        ],
        responses=CustomerOut(many=True),
    )
    def get(self, request: Request) -> Response:
        """Customers by part of name, number or id, and by state."""
        actor_of(request).require("operator.read")
        text = request.query_params.get("text", "")[:80].replace("\x00", "")
        state = request.query_params.get("state", "all")
        if state not in customers.STATES:
            raise Refused("Unknown state.", code="state", field="state", status=400)
        rows = customers.search(text=text, state=state)
        return listed(request, rows, CustomerOut, filters=("text", "state"))


class CustomerView(APIView):
    @extend_schema(operation_id="customer_retrieve", responses=CustomerOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One customer."""
        actor_of(request).require("operator.read")
        return Response(CustomerOut(_find(public_id)).data)


class SuspensionView(APIView):
    @extend_schema(request=ReasonIn, responses={202: ProposalOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Propose to suspend; another person approves."""
        actor = actor_of(request)
        actor.require("operator.suspend")
        organization, sent = _find(public_id), body_of(ReasonIn, request)
        with _refusals():
            made = deciding.propose_suspension(
                organization=organization, by=actor, now=timezone.now(), **sent
            )
        return Response(ProposalOut(made).data, status=202)

    @extend_schema(request=ReasonIn, responses=CustomerOut)
    def delete(self, request: Request, public_id: str) -> Response:
        """Lift the suspension, with a reason."""
        actor = actor_of(request)
        actor.require("operator.suspend")
        organization, sent = _find(public_id), body_of(ReasonIn, request)
        with _refusals():
            holds.lift(organization=organization, by=actor, now=timezone.now(), **sent)
        return Response(CustomerOut(_find(public_id)).data)


class QuotasView(APIView):
    @extend_schema(responses=QuotaOut(many=True))
    def get(self, request: Request, public_id: str) -> Response:
        """What the customer may have at most."""
        actor_of(request).require("operator.read")
        found = customers.summary(_find(public_id), now=timezone.now()).quotas
        return Response({"data": QuotaOut(found, many=True).data, "next": None, "previous": None})

    @extend_schema(request=QuotaIn, responses=QuotaOut(many=True))
    def put(self, request: Request, public_id: str) -> Response:
        """Another quota, with a reason."""
        actor = actor_of(request)
        actor.require("operator.quotas")
        organization, sent = _find(public_id), body_of(QuotaIn, request)
        with _refusals():
            quotas.change(organization=organization, by=actor, now=timezone.now(), **sent)
        return self.get(request, public_id)


class NotesView(APIView):
    @extend_schema(responses=NoteOut(many=True))
    def get(self, request: Request, public_id: str) -> Response:
        """What colleagues wrote down; the customer never sees it."""
        actor_of(request).require("operator.read")
        rows = OperatorNote.objects.filter(organization=_find(public_id))
        return listed(request, rows, NoteOut)

    @extend_schema(request=NoteIn, responses={201: NoteOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Write something down."""
        actor = actor_of(request)
        actor.require("operator.notes")
        organization, sent = _find(public_id), body_of(NoteIn, request)
        with _refusals():
            note = notes.write(organization=organization, by=actor, now=timezone.now(), **sent)
        return Response(NoteOut(note).data, status=201)


class ProposalsView(APIView):
    @extend_schema(responses=ProposalOut(many=True))
    def get(self, request: Request) -> Response:
        """What waits for a second person, and what became of others."""
        actor = actor_of(request)
        actor.require("operator.read")
        rows = Proposal.objects.visible_to(actor).select_related("proposed_by")
        return listed(request, rows, ProposalOut)


class _Decision(APIView):
    def find(self, request: Request, public_id: str) -> Proposal:
        actor_of(request).require("operator.read")
        rows = Proposal.objects.visible_to(actor_of(request)).select_related("proposed_by")
        return get_object_or_404(rows, public_id=public_id)


class ApprovalView(_Decision):
    @extend_schema(request=None, responses=ProposalOut)
    def post(self, request: Request, public_id: str) -> Response:
        """The second person's yes; it is carried out at once."""
        proposal = self.find(request, public_id)
        with _refusals():
            done = deciding.approve(proposal=proposal, by=actor_of(request), now=timezone.now())
        return Response(ProposalOut(done).data)


class RejectionView(_Decision):
    @extend_schema(request=ReasonIn, responses=ProposalOut)
    def post(self, request: Request, public_id: str) -> Response:
        """No, with a reason."""
        proposal, sent = self.find(request, public_id), body_of(ReasonIn, request)
        with _refusals():
            done = proposals.reject(
                proposal=proposal, by=actor_of(request), now=timezone.now(), **sent
            )
        return Response(ProposalOut(done).data)


class TokenPricesView(APIView):
    @extend_schema(responses=TokenPriceOut(many=True))
    def get(self, request: Request) -> Response:
        """Prices of a million tokens, won without VAT."""
        actor_of(request).require("operator.read")
        data = TokenPriceOut(tariffs.token_history(), many=True).data
        return Response({"data": data, "next": None, "previous": None})

    @extend_schema(request=TokenPriceIn, responses={202: ProposalOut})
    def post(self, request: Request) -> Response:
        """Propose a price from a day on; another person approves."""
        actor = actor_of(request)
        actor.require("operator.prices")
        sent = body_of(TokenPriceIn, request)
        with _refusals():
            made = price_changes.propose_tokens(by=actor, now=timezone.now(), **sent)
        return Response(ProposalOut(made).data, status=202)


class CardPricesView(APIView):
    @extend_schema(responses=CardPriceOut(many=True))
    def get(self, request: Request) -> Response:
        """Prices of a card-hour, won without VAT."""
        actor_of(request).require("operator.read")
        data = CardPriceOut(tariffs.card_history(), many=True).data
        return Response({"data": data, "next": None, "previous": None})

    @extend_schema(request=CardPriceIn, responses={202: ProposalOut})
    def post(self, request: Request) -> Response:
        """Propose a price from a day on; another person approves."""
        actor = actor_of(request)
        actor.require("operator.prices")
        sent = body_of(CardPriceIn, request)
        with _refusals():
            made = price_changes.propose_cards(by=actor, now=timezone.now(), **sent)
        return Response(ProposalOut(made).data, status=202)
