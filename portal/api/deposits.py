"""Operations of the operator's staff on the bank's statements, deposits, payments and refunds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import receivables, revenue
from billing.models import BankLine, BankStatement, LineState
from billing.payments import bank_files, deposits, queries, refunds, statements
from portal.api.authentication import actor_of
from portal.api.customers import ProposalOut
from portal.api.pages import listed
from portal.api.payments import PaymentOut
from portal.api.problems import Refused
from portal.api.shapes import Strict, body_of
from tenants import reasons
from tenants.actions import proposals


class StatementIn(Strict):
    file = serializers.FileField()


class BookIn(Strict):
    twins = serializers.BooleanField(
        default=False, help_text="Lines that say the same are deposits of their own."
    )


class PlaceIn(Strict):
    organization = serializers.CharField(max_length=24)
    invoice = serializers.CharField(max_length=24, default="", allow_blank=True)


class AsideIn(Strict):
    to = serializers.ChoiceField(choices=[LineState.PAYOUT.value, LineState.RETURNED.value])
    because = serializers.CharField(max_length=300)


class UndoIn(Strict):
    because = serializers.CharField(max_length=300)


class RefundIn(Strict):
    won = serializers.IntegerField(min_value=1)
    because = serializers.CharField(max_length=300)


class BookingOut(serializers.Serializer[Any]):
    lines = serializers.IntegerField()
    matched = serializers.IntegerField()
    repeated = serializers.IntegerField()
    total_won = serializers.IntegerField()
    at = serializers.DateTimeField()


class StatementOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    sha256 = serializers.CharField()
    handed_in_at = serializers.DateTimeField()
    booking = BookingOut(default=None, allow_null=True)


class DepositOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    at = serializers.DateTimeField()
    won = serializers.IntegerField()
    payer = serializers.CharField()
    memo = serializers.CharField()
    state = serializers.CharField()


class AgingOut(serializers.Serializer[Any]):
    organization = serializers.CharField(source="organization.public_id")
    name = serializers.CharField(source="organization.name")
    parts = serializers.ListField(
        child=serializers.IntegerField(),
        help_text="Won not due, due for 1 to 30, 31 to 60, 61 to 90, over 90 days.",
    )
    total = serializers.IntegerField()
    credit = serializers.IntegerField()


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except statements.Refused as error:
        raise Refused(str(error), code=error.rule, field="file") from error
    except reasons.BadReason as error:
        raise Refused(str(error), code="reason", field="because") from error
    except refunds.MoreThanCredit as error:
        raise Refused(str(error), code="more_than_credit", field="won") from error
    except (statements.AlreadyHandedIn, statements.AlreadyBooked) as error:
        raise Refused(str(error), code="already_done", status=409) from error
    except (deposits.LineMoved, deposits.RefundedMeanwhile) as error:
        raise Refused(str(error), code="moved", status=409) from error
    except proposals.AlreadyProposed as error:
        raise Refused(str(error), code="already_proposed", status=409) from error
    except deposits.NotACustomer as error:
        raise Refused(str(error), code="organization", field="organization") from error


class StatementsView(APIView):
    parser_classes = (MultiPartParser,)

    @extend_schema(responses=StatementOut(many=True))
    def get(self, request: Request) -> Response:
        """Files of the bank, the latest first."""
        return listed(request, queries.statements(actor_of(request)), StatementOut)

    @extend_schema(request={"multipart/form-data": StatementIn}, responses={201: StatementOut})
    def post(self, request: Request) -> Response:
        """Hand a file of the bank in (CSV). Nothing is booked yet."""
        actor = actor_of(request)
        actor.require("operator.payments")
        upload = body_of(StatementIn, request)["file"]
        with _refusals():
            statement = statements.hand_in(
                name=upload.name or "",
                raw=upload.read(bank_files.MOST_BYTES + 1),
                by=actor,
                now=timezone.now(),
            )
        return Response(StatementOut(statement).data, status=201)


class StatementBookingView(APIView):
    @extend_schema(request=BookIn, responses={201: BookingOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Book every new line, all or nothing."""
        actor = actor_of(request)
        actor.require("operator.payments")
        rows = BankStatement.objects.visible_to(actor)
        statement = get_object_or_404(rows, public_id=public_id)
        wish = body_of(BookIn, request)
        with _refusals():
            booking = statements.book(statement=statement, by=actor, now=timezone.now(), **wish)
        return Response(BookingOut(booking).data, status=201)


class DepositsView(APIView):
    @extend_schema(responses=DepositOut(many=True))
    def get(self, request: Request) -> Response:
        """Deposits that wait for somebody."""
        return listed(request, queries.waiting(actor_of(request)), DepositOut)


def _line(request: Request, public_id: str) -> BankLine:
    actor = actor_of(request)
    actor.require("operator.payments")
    return get_object_or_404(BankLine.objects.visible_to(actor), public_id=public_id)


class PlacingView(APIView):
    @extend_schema(request=PlaceIn, responses={201: PaymentOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Say whose deposit it is, and for which invoice first."""
        actor, line = actor_of(request), _line(request, public_id)
        wish = body_of(PlaceIn, request)
        organization = get_object_or_404(queries.customers(actor), public_id=wish["organization"])
        invoice = queries.invoice_of(actor, organization, wish["invoice"])
        if wish["invoice"] and invoice is None:
            raise Refused("No such open invoice.", code="invoice", field="invoice")
        with _refusals():
            payment = deposits.place(
                line=line, organization=organization, invoice=invoice, by=actor, now=timezone.now()
            )
        found = queries.everybodys_payments(actor).get(pk=payment.pk)
        return Response(PaymentOut(found).data, status=201)


class SettingAsideView(APIView):
    @extend_schema(request=AsideIn, responses={204: None})
    def post(self, request: Request, public_id: str) -> Response:
        """It is no customer's: the card processor's payout, or sent back."""
        actor, line = actor_of(request), _line(request, public_id)
        wish = body_of(AsideIn, request)
        with _refusals():
            deposits.set_aside(
                line=line,
                to=LineState(wish["to"]),
                because=wish["because"],
                by=actor,
                now=timezone.now(),
            )
        return Response(status=204)


class UndoingView(APIView):
    @extend_schema(request=UndoIn, responses={204: None})
    def post(self, request: Request, public_id: str) -> Response:
        """Back into the queue; a payment is reversed."""
        actor, line = actor_of(request), _line(request, public_id)
        wish = body_of(UndoIn, request)
        with _refusals():
            deposits.undo(line=line, because=wish["because"], by=actor, now=timezone.now())
        return Response(status=204)


class ReceivablesView(APIView):
    @extend_schema(responses=AgingOut(many=True))
    def get(self, request: Request) -> Response:
        """Who owes how much, by the days since it was due."""
        actor_of(request).require("operator.read")
        rows = receivables.aging(now=timezone.now())
        data = AgingOut(rows, many=True).data
        return Response({"data": data, "next": None, "previous": None})


class MonthRevenueOut(serializers.Serializer[Any]):
    """Billed, taken back and open: of the month that is billed; received: in the month."""

    month = serializers.CharField()
    invoices = serializers.IntegerField()
    supply_won = serializers.IntegerField()
    credited_won = serializers.IntegerField()
    net_won = serializers.IntegerField()
    vat_won = serializers.IntegerField()
    total_won = serializers.IntegerField()
    received_won = serializers.IntegerField()
    open_won = serializers.IntegerField()


class RevenueView(APIView):
    @extend_schema(responses=MonthRevenueOut(many=True))
    def get(self, request: Request) -> Response:
        """Revenue of the last twelve months, the newest first."""
        rows = revenue.by_month(actor_of(request), now=timezone.now())
        data = MonthRevenueOut(rows, many=True).data
        return Response({"data": data, "next": None, "previous": None})


class IncomingView(APIView):
    @extend_schema(responses=PaymentOut(many=True))
    def get(self, request: Request) -> Response:
        """Payments of all customers, the latest first."""
        return listed(request, queries.everybodys_payments(actor_of(request)), PaymentOut)


class RefundsView(APIView):
    @extend_schema(request=RefundIn, responses={202: ProposalOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Propose to pay credit back; a second person decides."""
        actor = actor_of(request)
        actor.require("operator.payments")
        payment = get_object_or_404(queries.everybodys_payments(actor), public_id=public_id)
        wish = body_of(RefundIn, request)
        with _refusals():
            made = refunds.propose(payment=payment, by=actor, now=timezone.now(), **wish)
        return Response(ProposalOut(made).data, status=202)
