"""Operations on payments: a customer's own, and the card processor's messages."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import receivables
from billing.payments import events, queries
from billing.providers import chosen
from billing.providers.contract import Forged
from portal.api.authentication import actor_of
from portal.api.pages import listed
from portal.api.problems import Refused
from tenants import rls

MOST_BYTES = 262_144  # of a message; the processor's own are far smaller


class PaymentOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    way = serializers.CharField(source="source", help_text="bank or stripe")
    won = serializers.IntegerField()
    credit_won = serializers.IntegerField(source="free", help_text="Of it not used yet.")
    prepaid_won = serializers.IntegerField(
        source="ahead", help_text="Paid in advance and on no invoice; expired credit as well."
    )
    reversed_won = serializers.IntegerField(source="reversed")
    refunded_won = serializers.IntegerField(source="refunded")
    payer = serializers.CharField()
    method = serializers.CharField()
    received_at = serializers.DateTimeField()


class AllocationOut(serializers.Serializer[Any]):
    invoice = serializers.CharField(source="invoice.public_id")
    number = serializers.CharField(source="invoice.number")
    won = serializers.IntegerField(help_text="Below zero where it was taken off again.")
    at = serializers.DateTimeField()


class PaymentDetailOut(PaymentOut):
    allocations = serializers.SerializerMethodField()

    @extend_schema(responses=AllocationOut(many=True))
    def get_allocations(self, payment: Any) -> list[dict[str, Any]]:
        rows = AllocationOut(queries.allocations(payment), many=True).data
        return [dict(one) for one in rows]


class EntryOfAccountOut(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    kind = serializers.ChoiceField(choices=receivables.KINDS)
    reference = serializers.CharField()
    number = serializers.CharField()
    won = serializers.IntegerField(help_text="Above zero: more is owed.")
    balance = serializers.IntegerField(help_text="Owed afterwards; below zero: credit.")


class HowToPayOut(serializers.Serializer[Any]):
    bank = serializers.CharField()
    account = serializers.CharField()
    holder = serializers.CharField()
    reference = serializers.CharField(help_text="For the field that the receiver sees.")


class PaymentAccountOut(serializers.Serializer[Any]):
    open_won = serializers.IntegerField()
    credit_won = serializers.IntegerField()
    how_to_pay = HowToPayOut()
    entries = EntryOfAccountOut(many=True)


class PaymentsView(APIView):
    @extend_schema(responses=PaymentOut(many=True))
    def get(self, request: Request) -> Response:
        """Payments of the organization, the latest first."""
        actor = actor_of(request)
        actor.require("payments.read")
        return listed(request, queries.payments(actor), PaymentOut)


class PaymentView(APIView):
    @extend_schema(responses=PaymentDetailOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One payment, and which invoices it went to."""
        actor = actor_of(request)
        actor.require("payments.read")
        payment = get_object_or_404(queries.payments(actor), public_id=public_id)
        return Response(PaymentDetailOut(payment).data)


class PaymentAccountView(APIView):
    @extend_schema(responses=PaymentAccountOut)
    def get(self, request: Request) -> Response:
        """How to pay, what is open, and every document and payment in order."""
        actor = actor_of(request)
        actor.require("payments.read")
        organization = actor.organization
        found = {
            "open_won": sum(one.open for one in queries.open_invoices(actor)),
            "credit_won": receivables.credit_won(organization),
            "how_to_pay": queries.how_to_pay(organization),
            "entries": receivables.statement(organization),
        }
        return Response(PaymentAccountOut(found).data)


class CardEventsView(APIView):
    """Proven by its signature over the bytes as they came; no session and no key counts here."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(request=None, responses={200: None})
    def post(self, request: Request) -> Response:
        """A signed message of the card processor. It is kept and answered; the work comes later."""
        provider = chosen.card_provider()
        if provider is None:
            raise Refused("Cards are not taken here.", code="no_cards", status=404)
        plain = request._request
        if int(plain.headers.get("Content-Length") or 0) > MOST_BYTES:
            raise Refused("The message is too large.", code="too_large", status=413)
        try:
            told = provider.read(plain.body, plain.headers.get("Stripe-Signature", ""))
        except Forged as error:
            raise Refused("The signature is not right.", code="signature", status=400) from error
        events.keep(told, provider=provider.name, now=timezone.now())
        return Response(status=200)


card_events_view = rls.own_transactions(CardEventsView.as_view())
