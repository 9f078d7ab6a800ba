"""Operations on prices: the list, what something would cost, agreements, and changing them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import agreements, estimates, price_changes, price_list, tariffs, terms
from billing.agreements import Line, Wish
from billing.estimates import BadEstimate, Schedule, Tokens
from billing.price_rules import MonthlyFromFirst, StartsTooEarly, UnknownItem
from billing.term_values import BadTerm
from portal.api.authentication import actor_of
from portal.api.customers import ProposalOut
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.shapes import Strict, body_of
from portal.catalog.models import CatalogModel
from portal.deployments import queries
from portal.lib.periods import Month
from tenants import customers, names, reasons
from tenants.actions import proposals
from tenants.actors import Actor

MOST = 10**12


def _won(**more: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=40, decimal_places=12, **more)


class FigureOut(serializers.Serializer[Any]):
    kind = serializers.CharField()
    won = _won()
    with_vat = _won()


class VersionOut(serializers.Serializer[Any]):
    """Figures in won for a million tokens, a card-hour or a GB-day."""

    id = serializers.CharField(source="public_id")
    starts_at = serializers.DateTimeField()
    figures = FigureOut(many=True)


class PriceOut(serializers.Serializer[Any]):
    """``now`` null: not for sale yet. ``announced``: what comes after it."""

    what = serializers.CharField()
    name = serializers.CharField()
    offering_class = serializers.CharField()
    now = VersionOut(allow_null=True)
    announced = VersionOut(many=True)


class TermOut(serializers.Serializer[Any]):
    kind = serializers.CharField()
    item = serializers.CharField()
    value = serializers.JSONField()
    words = serializers.CharField()
    starts_at = serializers.DateTimeField()


class PriceListOut(serializers.Serializer[Any]):
    prices = PriceOut(many=True)
    terms = TermOut(many=True)


class EstimateIn(Strict):
    """Of requests to a model (``model``), or of cards that run (``chip``)."""

    model = serializers.CharField(max_length=64, required=False)
    tokens_in = serializers.IntegerField(default=estimates.TYPICAL[0], min_value=0, max_value=MOST)
    tokens_cached = serializers.IntegerField(default=0, min_value=0, max_value=MOST)
    tokens_out = serializers.IntegerField(default=estimates.TYPICAL[2], min_value=0, max_value=MOST)
    max_tokens = serializers.IntegerField(required=False, min_value=0, max_value=MOST)
    requests = serializers.IntegerField(default=1, min_value=0, max_value=10**9)
    batch = serializers.BooleanField(default=False)
    chip = serializers.CharField(max_length=24, required=False)
    replicas = serializers.IntegerField(default=1, min_value=1, max_value=1000)
    cards = serializers.IntegerField(default=1, min_value=1, max_value=10)
    hours_a_day = serializers.IntegerField(default=24, min_value=1, max_value=24)
    days_a_week = serializers.IntegerField(default=7, min_value=1, max_value=7)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("model" in attrs) == ("chip" in attrs):
            raise serializers.ValidationError({"model": "Send either model or chip."})
        return attrs


class AmountOut(serializers.Serializer[Any]):
    """``exact`` without VAT; whole won are rounded up, VAT is cut off below one won."""

    exact = _won()
    with_vat = _won()
    supply_won = serializers.IntegerField()
    vat_won = serializers.IntegerField()
    total_won = serializers.IntegerField()


class ExtraLineOut(serializers.Serializer[Any]):
    kind = serializers.CharField(source="item.kind")
    micro_won = serializers.IntegerField(source="micro")
    text_ko = serializers.CharField()
    text_en = serializers.CharField()


class EstimateOut(serializers.Serializer[Any]):
    """``worst``: the most that is held for one request, or a month that never stops. ``month``
    has the ``lines`` of tiers, discounts, fees and minimums in it."""

    price_version = serializers.CharField()
    request = AmountOut(allow_null=True)
    hour = AmountOut(allow_null=True)
    worst = AmountOut()
    month = AmountOut()
    lines = ExtraLineOut(many=True)


class StoragePriceIn(Strict):
    storage = serializers.CharField(max_length=24, default=tariffs.DEFAULT_STORAGE)
    won_per_gb_day = serializers.DecimalField(18, 6, min_value=0)
    starts_on = serializers.DateField()
    because = serializers.CharField(max_length=300)


class StoragePriceOut(serializers.Serializer[Any]):
    storage = serializers.CharField()
    won_per_gb_day = serializers.DecimalField(18, 6)
    starts_at = serializers.DateTimeField()


class TermIn(Strict):
    kind = serializers.ChoiceField(choices=price_changes.LIST_TERMS)
    item = serializers.CharField(max_length=80)
    value = serializers.JSONField()
    starts_on = serializers.DateField()
    because = serializers.CharField(max_length=300)


class LineIn(Strict):
    kind = serializers.ChoiceField(choices=agreements.KINDS)
    item = serializers.CharField(max_length=80, allow_blank=True)
    value = serializers.JSONField()


class AgreementIn(Strict):
    """``ends_on`` is the first day after it; left out or null: until it is ended."""

    organization = serializers.CharField(max_length=24)
    reference = serializers.CharField(max_length=80)
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(allow_null=True, default=None)
    lines = LineIn(many=True, allow_empty=False)
    because = serializers.CharField(max_length=300)


class EndIn(Strict):
    ends_on = serializers.DateField()
    because = serializers.CharField(max_length=300)


class AgreedTermOut(serializers.Serializer[Any]):
    kind = serializers.CharField()
    item = serializers.CharField()
    value = serializers.JSONField()


class AgreementOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    organization = serializers.CharField(source="organization.public_id")
    reference = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True)
    terms = AgreedTermOut(many=True, source="terms.all")


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except reasons.BadReason as error:
        raise Refused(str(error), code="reason", field="because") from error
    except names.BadName as error:
        raise Refused(str(error), code="name", field="reference") from error
    except (StartsTooEarly, MonthlyFromFirst, price_changes.StartTaken) as error:
        raise Refused(str(error), code="starts_on", field="starts_on") from error
    except agreements.EndsTooEarly as error:
        raise Refused(str(error), code="ends_on", field="ends_on") from error
    except (UnknownItem, agreements.NoListPrice) as error:
        raise Refused(str(error), code="unknown", field="item") from error
    except (BadTerm, price_changes.BadPrice) as error:
        raise Refused(str(error), code="price", field="value") from error
    except agreements.BadLines as error:
        raise Refused(str(error), code="lines", field="lines") from error
    except (agreements.Overlaps, proposals.AlreadyProposed) as error:
        raise Refused(str(error), code="state", status=409) from error


class PriceListView(APIView):
    permission_classes = (AllowAny,)
    authentication_classes = ()

    @extend_schema(responses=PriceListOut)
    def get(self, request: Request) -> Response:
        """The price list, with what is announced. For everybody."""
        now = timezone.now()
        found = {"prices": price_list.rows(now), "terms": price_list.terms(now)}
        return Response(PriceListOut(found).data)


class EstimatesView(APIView):
    @extend_schema(request=EstimateIn, responses=EstimateOut)
    def post(self, request: Request) -> Response:
        """What requests or cards would cost your organization, and at most. Orders nothing."""
        actor = actor_of(request)
        actor.require("endpoints.read")
        sent = body_of(EstimateIn, request)
        try:
            found = _of_cards(sent, actor) if "chip" in sent else _of_tokens(sent, actor)
        except BadEstimate as error:
            raise Refused(
                "No more tokens come from the cache than go in.",
                code="tokens_cached",
                field="tokens_cached",
            ) from error
        return Response(EstimateOut(found).data)


def _of_tokens(sent: dict[str, Any], actor: Actor) -> dict[str, Any]:
    now, organization = timezone.now(), actor.organization
    name, month = sent["model"], Month.of(now)
    model = CatalogModel.objects.filter(slug=name).first()
    book = tariffs.Book("tokens", now, organization.pk)
    price = book.price(name, organization.pk, queries.class_of(name))
    if model is None or price is None:
        raise Refused("There is no such model with a price.", code="unknown", field="model")
    tokens = Tokens(sent["tokens_in"], sent["tokens_cached"], sent["tokens_out"])
    most = sent.get("max_tokens", model.default_max_tokens)
    one = estimates.request(price, tokens, max_tokens=most)
    whole = estimates.month_of_requests(
        price,
        tokens,
        sent["requests"],
        month=month,
        terms=terms.of(organization, month),
        batch=sent["batch"],
    )
    return {
        "price_version": one.version,
        "request": one.typical,
        "hour": None,
        "worst": one.worst,
        "month": whole.amount,
        "lines": whole.lines,
    }


def _of_cards(sent: dict[str, Any], actor: Actor) -> dict[str, Any]:
    now = timezone.now()
    month = Month.of(now)
    price = tariffs.card_tariff_at(sent["chip"], now, actor.organization.pk)
    if price is None:
        raise Refused("There is no such chip with a price.", code="unknown", field="chip")
    found = estimates.endpoint(
        price,
        cards=sent["replicas"] * sent["cards"],
        month=month,
        schedule=Schedule(sent["hours_a_day"], sent["days_a_week"]),
        terms=terms.of(actor.organization, month),
    )
    return {
        "price_version": found.version,
        "request": None,
        "hour": found.hour,
        "worst": found.worst,
        "month": found.month.amount,
        "lines": found.month.lines,
    }


class AgreementsView(APIView):
    @extend_schema(responses=AgreementOut(many=True))
    def get(self, request: Request) -> Response:
        """What your organization has agreed with the operator, newest first."""
        actor = actor_of(request)
        actor.require("invoices.read")
        rows = agreements.visible_to(actor).select_related("organization")
        return listed(request, rows, AgreementOut)


class StoragePricesView(APIView):
    @extend_schema(responses=StoragePriceOut(many=True))
    def get(self, request: Request) -> Response:
        """Prices of a GB-day, won without VAT."""
        actor_of(request).require("operator.read")
        data = StoragePriceOut(tariffs.storage_history(), many=True).data
        return Response({"data": data, "next": None, "previous": None})

    @extend_schema(request=StoragePriceIn, responses={202: ProposalOut})
    def post(self, request: Request) -> Response:
        """Propose a price from a day on; another person approves."""
        actor = actor_of(request)
        actor.require("operator.prices")
        sent = body_of(StoragePriceIn, request)
        with _refusals():
            made = price_changes.propose_storage(by=actor, now=timezone.now(), **sent)
        return Response(ProposalOut(made).data, status=202)


class PriceTermsView(APIView):
    @extend_schema(responses=TermOut(many=True))
    def get(self, request: Request) -> Response:
        """Tiers, discounts, fees and shortest times of the list, with those to come."""
        actor_of(request).require("operator.read")
        data = TermOut(price_list.terms(timezone.now()), many=True).data
        return Response({"data": data, "next": None, "previous": None})

    @extend_schema(request=TermIn, responses={202: ProposalOut})
    def post(self, request: Request) -> Response:
        """Propose a term from a day on; another person approves."""
        actor = actor_of(request)
        actor.require("operator.prices")
        sent = body_of(TermIn, request)
        if not isinstance(sent["value"], dict):
            raise Refused("The value is an object.", code="price", field="value")
        with _refusals():
            made = price_changes.propose_term(by=actor, now=timezone.now(), **sent)
        return Response(ProposalOut(made).data, status=202)


class OperatorAgreementsView(APIView):
    @extend_schema(responses=AgreementOut(many=True))
    def get(self, request: Request) -> Response:
        """Every organization's agreements, newest first."""
        actor_of(request).require("operator.read")
        return listed(request, agreements.of_all(), AgreementOut)

    @extend_schema(request=AgreementIn, responses={202: ProposalOut})
    def post(self, request: Request) -> Response:
        """Propose an agreement with a customer; another person approves."""
        actor = actor_of(request)
        actor.require("operator.prices")
        sent = body_of(AgreementIn, request)
        organization = get_object_or_404(customers.search(), public_id=sent["organization"])
        lines = [Line(one["kind"], one["item"], one["value"]) for one in sent["lines"]]
        wish = Wish(sent["reference"], sent["starts_on"], sent["ends_on"], lines)
        with _refusals():
            made = agreements.propose(
                organization=organization,
                wish=wish,
                because=sent["because"],
                by=actor,
                now=timezone.now(),
            )
        return Response(ProposalOut(made).data, status=202)


class AgreementEndView(APIView):
    @extend_schema(request=EndIn, responses={202: ProposalOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Propose that an agreement ends earlier; another person approves."""
        actor = actor_of(request)
        actor.require("operator.prices")
        agreement = get_object_or_404(agreements.of_all(), public_id=public_id)
        sent = body_of(EndIn, request)
        with _refusals():
            made = agreements.propose_end(agreement=agreement, by=actor, now=timezone.now(), **sent)
        return Response(ProposalOut(made).data, status=202)
