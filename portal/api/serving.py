"""Operations on models, sites, endpoints and orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import prefetch_related_objects
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import budgets
from billing.fiscal.refusals import Refusal
from portal.api import order_shapes, shapes
from portal.api.authentication import actor_of
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.tenancy import find_project
from portal.catalog.models import CatalogModel
from portal.deployments import explaining, freed, queries, quoting, why_words
from portal.deployments.actions import endpoints, freeing_orders, orders
from portal.deployments.models import Endpoint, Order, OrderKind, OrderState, Placement
from portal.fleet.models import Site
from tenants import actors, names, rls, standing

IDEMPOTENCY = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER, required=True)
IDEMPOTENCY_OPTIONAL = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)
ESTIMATE = OpenApiParameter("estimate", bool, description="true: only the price, nothing ordered")


class ModelsView(APIView):
    @extend_schema(responses=shapes.ModelOut(many=True))
    def get(self, request: Request) -> Response:
        """The catalogue."""
        actor_of(request).require("endpoints.read")
        return listed(request, CatalogModel.objects.all(), shapes.ModelOut)


class ModelView(APIView):
    @extend_schema(responses=shapes.ModelOut)
    def get(self, request: Request, slug: str) -> Response:
        """One model."""
        actor_of(request).require("endpoints.read")
        return Response(shapes.ModelOut(get_object_or_404(CatalogModel, slug=slug)).data)


def site_out(site: Site) -> dict[str, Any]:
    """What ``SiteOut`` shows of a site."""
    cards = [card for card in site.cards.all() if card.state != "gone"]
    now = timezone.now()
    return {
        "site": site,
        "code": site.state_at(now),
        "health": site.health_at(now),
        "cards": len(cards),
        "free": sum(card.state == "free" for card in cards),
    }


class SitesView(APIView):
    @extend_schema(responses=shapes.SiteOut(many=True))
    def get(self, request: Request) -> Response:
        """All sites with their live state."""
        actor_of(request).require("endpoints.read")
        sites = (
            Site.objects.asked().select_related("region").prefetch_related("cards").order_by("pk")
        )
        rows = [shapes.SiteOut(site_out(site)).data for site in sites]
        return Response({"data": rows, "next": None, "previous": None})


class SiteView(APIView):
    @extend_schema(responses=shapes.SiteOut)
    def get(self, request: Request, code: str) -> Response:
        """One site."""
        actor_of(request).require("endpoints.read")
        site = get_object_or_404(Site.objects.asked().select_related("region"), code=code)
        return Response(shapes.SiteOut(site_out(site)).data)


def shown(endpoint: Endpoint) -> dict[str, Any]:
    """As the API tells it; loaded with its placements."""
    endpoint.living = list(endpoint.placements.all())  # type: ignore[attr-defined]
    endpoint.status_code = queries.status_of(endpoint, endpoint.living).code  # type: ignore[attr-defined]
    return dict(shapes.EndpointOut(endpoint).data)


def _reasons(codes: Sequence[str], sentences: Sequence[str]) -> list[dict[str, str]]:
    pairs = zip(codes, sentences, strict=True)
    return [{"code": code, "sentence": sentence} for code, sentence in pairs]


def why_not(error: quoting.NoRoom) -> dict[str, Any]:
    """Each site with its reasons, and what to change: each change was tried and works."""
    return {
        "sites": [
            {
                "site": one.site.code,
                "chip": one.chip,
                "reasons": _reasons(one.codes, one.sentences),
                "cards_free": one.free,
                "cards_needed": one.needed,
            }
            for one in why_words.reasons(error.rejected)
        ],
        "fixes": [
            {"kind": one.kind, "value": one.value, "sentence": one.sentence}
            for one in why_words.advice(error.fixes)
        ],
    }


def idempotency_key(request: Request) -> str:
    """Of an order."""
    key = request.headers.get("Idempotency-Key", "")
    if not 8 <= len(key) <= 80:
        raise Refused(
            "Send an Idempotency-Key of 8 to 80 characters: a repeated call then orders once.",
            code="idempotency_key",
            status=400,
        )
    return key


def ended(request: Request, endpoint: Endpoint, kind: str) -> dict[str, Any]:
    """Pause or end it; as it is afterwards, with the public id of the order by which it is so.
    ``Refused`` for a key of another wish. Without a key a repeated call finds it done."""
    key = idempotency_key(request) if "Idempotency-Key" in request.headers else ""
    try:
        order = freeing_orders.ensure(
            kind=kind,
            endpoint=endpoint,
            idempotency_key=key,
            by=actor_of(request),
            now=timezone.now(),
        )
    except orders.IdempotencyMismatch as error:
        raise Refused(str(error), code="idempotency_mismatch") from error
    if order is None or order.endpoint is None:
        rows = queries.endpoints(actor_of(request))
        return shown(rows.get(pk=endpoint.pk)) | {"order": None}
    living = queries.living(Placement.objects.visible_to(actor_of(request)))
    prefetch_related_objects([order.endpoint], living)  # nothing where they are loaded
    return shown(order.endpoint) | {"order": order.public_id}


class EndpointsView(APIView):
    @extend_schema(responses=shapes.EndpointOut(many=True))
    def get(self, request: Request) -> Response:
        """Own and shared endpoints that are not stopped."""
        actor = actor_of(request)
        actor.require("endpoints.read")
        with actors.scope_for(actor):  # this view opens its own transactions, because POST does
            rows = queries.endpoints(actor).filter(stopped_at=None)[:200]
            data = [shown(one) for one in rows]
        return Response({"data": data, "next": None, "previous": None})

    @extend_schema(
        request=shapes.EndpointIn,
        parameters=[IDEMPOTENCY, ESTIMATE],
        responses={200: shapes.QuoteOut, 201: order_shapes.OrderOut, 202: order_shapes.OrderOut},
    )
    def post(self, request: Request) -> Response:
        """Order a dedicated endpoint. The same Idempotency-Key again gives the same order.
        202: the organization's rules want it signed first (state ``awaiting``)."""
        actor = actor_of(request)
        actor.require("orders.create")
        body = shapes.EndpointIn(data=request.data)
        body.is_valid(raise_exception=True)
        sent = dict(body.validated_data)
        with actors.scope_for(actor):
            project = find_project(actor, sent.pop("project"))
        wish = quoting.Wish(**sent)
        try:
            if request.query_params.get("estimate") == "true":
                with actors.scope_for(actor):
                    found = quoting.quote(wish=wish, project=project, now=timezone.now())
                    return Response(shapes.QuoteOut(found).data)
            return self._order(request, wish, project)
        except (orders.NameTaken, names.BadName) as error:
            raise Refused(str(error), code="name", field="name") from error
        except quoting.NoRoom as error:
            raise Refused(str(error), code="no_room", status=409, more=why_not(error)) from error
        except quoting.BadReplicas as error:
            raise Refused(str(error), code="replicas", field="replicas") from error
        except orders.TooManyEndpoints as error:
            raise Refused(str(error), code="quota", status=409) from error
        except standing.OrderingClosed as error:
            raise Refused(str(error), code="ordering_closed", status=409) from error
        except quoting.NotForSale as error:
            raise Refused(str(error), code="unknown_model", field="model") from error
        except orders.IdempotencyMismatch as error:
            raise Refused(str(error), code="idempotency_mismatch") from error
        except budgets.BudgetExceeded as error:
            raise Refused(str(error), code="budget_exceeded", status=409) from error
        except budgets.CountersUnavailable as error:
            raise Refused(str(error), code="counters_unavailable", status=503) from error
        except Refusal as error:
            raise Refused(str(error), code="budget_line", status=409) from error

    def _order(self, request: Request, wish: quoting.Wish, project: Any) -> Response:
        key = idempotency_key(request)
        actor = actor_of(request)
        order = orders.place(
            wish=wish, project=project, idempotency_key=key, by=actor, now=timezone.now()
        )
        with actors.scope_for(actor):
            waits = order.state == OrderState.AWAITING
            return Response(order_shapes.OrderOut(order).data, status=202 if waits else 201)


endpoints_view = rls.own_transactions(EndpointsView.as_view())


class EndpointView(APIView):
    def _find(self, request: Request, public_id: str) -> Endpoint:
        rows = queries.endpoints(actor_of(request))
        found: Endpoint = get_object_or_404(rows, public_id=public_id)
        return found

    @extend_schema(responses=shapes.EndpointOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One endpoint with its replicas."""
        actor_of(request).require("endpoints.read")
        return Response(shown(self._find(request, public_id)))

    @extend_schema(parameters=[IDEMPOTENCY_OPTIONAL], responses=shapes.EndpointEndedOut)
    def delete(self, request: Request, public_id: str) -> Response:
        """Stop it for good. Repeating it changes nothing. ``order``: its record, with its steps.
        To see first what it frees: kind ``delete`` of its changes."""
        actor = actor_of(request)
        actor.require("endpoints.change")
        endpoint = get_object_or_404(queries.endpoint_rows(actor), public_id=public_id)
        try:
            return Response(ended(request, endpoint, OrderKind.DELETE))
        except endpoints.NotYours as error:
            raise Refused(str(error), code="not_yours", status=403) from error


class OrdersView(APIView):
    @extend_schema(responses=order_shapes.OrderOut(many=True))
    def get(self, request: Request) -> Response:
        """Orders, newest first."""
        actor = actor_of(request)
        actor.require("endpoints.read")
        rows = Order.objects.visible_to(actor).select_related("endpoint")
        return listed(request, rows, order_shapes.OrderOut)


class OrderView(APIView):
    @extend_schema(responses=order_shapes.OrderStepsOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One order: how it moved, and of a pause or delete the sites that still stop."""
        actor = actor_of(request)
        actor.require("endpoints.read")
        rows = Order.objects.visible_to(actor).select_related("endpoint")
        order = get_object_or_404(rows, public_id=public_id)
        order.stopping = freed.stopping(order)  # type: ignore[attr-defined]
        return Response(order_shapes.OrderStepsOut(order).data)


class EndpointPlacementView(APIView):
    @extend_schema(responses=shapes.PlacementOut(many=True))
    def get(self, request: Request, public_id: str) -> Response:
        """Why an endpoint of your own runs where it runs; by the rules and prices of now."""
        actor = actor_of(request)
        actor.require("endpoints.read")
        endpoint = get_object_or_404(queries.own_endpoints(actor), public_id=public_id)
        rows = [
            {
                "site": one.site.code,
                "chip": one.chip,
                "replicas": one.replicas,
                "cards_free": one.free,
                "cards_needed": one.needed,
                "reasons": _reasons(one.codes, one.sentences),
            }
            for one in explaining.explain(endpoint, now=timezone.now())
        ]
        return Response({"data": rows, "next": None, "previous": None})
