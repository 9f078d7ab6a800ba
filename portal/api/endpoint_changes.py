"""Operations that change an endpoint: another size or form, rollouts, pause, resume."""

from __future__ import annotations

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import budgets
from billing.fiscal.refusals import Refusal
from portal.api import change_shapes, order_shapes, shapes
from portal.api.authentication import actor_of
from portal.api.problems import Refused
from portal.api.serving import (
    ESTIMATE,
    IDEMPOTENCY,
    IDEMPOTENCY_OPTIONAL,
    ended,
    idempotency_key,
    why_not,
)
from portal.deployments import freed, progress, queries, quoting, requoting
from portal.deployments.actions import changes, freeing_orders, orders, rolling, steering
from portal.deployments.models import FREEING, Endpoint, OrderKind, OrderState
from portal.deployments.requoting import Change
from tenants import actors, rls, standing

CODES: tuple[tuple[type[Exception], str, int], ...] = (
    (changes.NotNow, "not_now", 409),
    (requoting.NothingChanges, "nothing_changes", 409),
    (quoting.NotForSale, "never_ordered", 409),
    (orders.TooManyEndpoints, "quota", 409),
    (standing.OrderingClosed, "ordering_closed", 409),
    (orders.IdempotencyMismatch, "idempotency_mismatch", 422),
    (budgets.BudgetExceeded, "budget_exceeded", 409),
    (budgets.CountersUnavailable, "counters_unavailable", 503),
    (Refusal, "budget_line", 409),
)
ESTIMATES = PolymorphicProxySerializer(
    component_name="ChangeEstimate",
    serializers=[change_shapes.ChangeQuoteOut, change_shapes.FreedOut],
    resource_type_field_name=None,
)
STEER = {"hold": steering.hold, "go_on": steering.go_on}


def _own(request: Request, public_id: str) -> Endpoint:
    rows = queries.own_endpoints(actor_of(request))
    found: Endpoint = get_object_or_404(rows, public_id=public_id)
    return found


def _row(request: Request, public_id: str) -> Endpoint:
    """The same without its placements."""
    found: Endpoint = get_object_or_404(queries.own_rows(actor_of(request)), public_id=public_id)
    return found


class EndpointChangesView(APIView):
    @extend_schema(
        request=change_shapes.ChangeIn,
        parameters=[IDEMPOTENCY, ESTIMATE],
        responses={200: ESTIMATES, 201: order_shapes.OrderOut, 202: order_shapes.OrderOut},
    )
    def post(self, request: Request, public_id: str) -> Response:
        """Order another number of replicas, another form, that a paused endpoint runs again, a
        pause, or its end. The same Idempotency-Key again gives the same order. 202: it has to be
        signed first (state ``awaiting``)."""
        actor = actor_of(request)
        # what only frees needs no right to order
        frees = isinstance(request.data, dict) and request.data.get("kind") in FREEING
        actor.require("endpoints.change" if frees else "orders.create")
        with actors.scope_for(actor):  # this view opens its own transactions
            endpoint = _row(request, public_id)
        body = change_shapes.ChangeIn(data=request.data)
        body.is_valid(raise_exception=True)
        change = Change(**body.validated_data)
        try:
            if frees:
                return self._free(request, change.kind, endpoint)
            if request.query_params.get("estimate") == "true":
                return self._estimate(request, change, endpoint)
            return self._order(request, change, endpoint)
        except quoting.NoRoom as error:
            raise Refused(str(error), code="no_room", status=409, more=why_not(error)) from error
        except quoting.BadReplicas as error:
            raise Refused(str(error), code="replicas", field="replicas") from error
        except changes.NoStrategy as error:
            raise Refused(str(error), code="strategy", field="strategy") from error
        except tuple(kind for kind, _code, _status in CODES) as error:
            raise _refused(error) from error

    def _free(self, request: Request, kind: str, endpoint: Endpoint) -> Response:
        actor, now = actor_of(request), timezone.now()
        with actors.scope_for(actor):
            if request.query_params.get("estimate") == "true":
                return Response(change_shapes.FreedOut(freed.of(endpoint, kind, now)).data)
            order = freeing_orders.place(
                kind=kind,
                endpoint=endpoint,
                idempotency_key=idempotency_key(request),
                by=actor,
                now=now,
            )
            return Response(order_shapes.OrderOut(order).data, status=201)

    def _estimate(self, request: Request, change: Change, endpoint: Endpoint) -> Response:
        actor = actor_of(request)
        with actors.scope_for(actor):
            found, _project = changes.price(
                change=change, endpoint=endpoint, by=actor, now=timezone.now()
            )
            return Response(change_shapes.ChangeQuoteOut(found).data)

    def _order(self, request: Request, change: Change, endpoint: Endpoint) -> Response:
        actor = actor_of(request)
        order = changes.place(
            change=change,
            endpoint=endpoint,
            idempotency_key=idempotency_key(request),
            by=actor,
            now=timezone.now(),
        )
        with actors.scope_for(actor):
            waits = order.state == OrderState.AWAITING
            return Response(order_shapes.OrderOut(order).data, status=202 if waits else 201)


def _refused(error: Exception) -> Refused:
    code, status = next((code, status) for kind, code, status in CODES if isinstance(error, kind))
    return Refused(str(error), code=code, status=status)


changes_view = rls.own_transactions(EndpointChangesView.as_view())


class EndpointPauseView(APIView):
    @extend_schema(
        request=None, parameters=[IDEMPOTENCY_OPTIONAL], responses=shapes.EndpointEndedOut
    )
    def post(self, request: Request, public_id: str) -> Response:
        """Stop all replicas and the charging; name and address stay. Repeating it changes
        nothing. ``order``: its record, with its steps. To see first what it frees: kind ``pause``
        of its changes."""
        actor_of(request).require("endpoints.change")
        return Response(ended(request, _row(request, public_id), OrderKind.PAUSE))


class EndpointRolloutView(APIView):
    def _newest(self, endpoint: Endpoint) -> Response:
        rows = endpoint.rollouts.select_related("from_revision", "to_revision")
        found = rows.prefetch_related("steps").first()
        if found is None:
            raise Http404
        far = progress.of(found, endpoint.placements.all(), timezone.now())
        return Response(change_shapes.RolloutOut(progress.Watched(found, far)).data)

    @extend_schema(responses=change_shapes.RolloutOut)
    def get(self, request: Request, public_id: str) -> Response:
        """The newest replacement of replicas, with its steps so far; 404 without one."""
        actor_of(request).require("endpoints.read")
        return self._newest(_own(request, public_id))

    @extend_schema(request=change_shapes.SteerIn, responses=change_shapes.RolloutOut)
    def patch(self, request: Request, public_id: str) -> Response:
        """Hold what runs in steps (blue-green, canary) at this step, or let it go on now.
        Repeating it changes nothing. 409 ``nothing_to_steer``."""
        actor = actor_of(request)
        actor.require("endpoints.change")
        endpoint = _own(request, public_id)
        body = change_shapes.SteerIn(data=request.data)
        body.is_valid(raise_exception=True)
        steer = STEER[body.validated_data["action"]]
        try:
            steer(endpoint=endpoint, by=actor, now=timezone.now())
        except steering.NothingToSteer as error:
            raise Refused(str(error), code="nothing_to_steer", status=409) from error
        return self._newest(endpoint)

    @extend_schema(responses=change_shapes.RolloutOut)
    def delete(self, request: Request, public_id: str) -> Response:
        """Roll back what is running. Repeating it changes nothing."""
        actor = actor_of(request)
        actor.require("endpoints.change")
        endpoint = _own(request, public_id)
        rolling.roll_back(endpoint=endpoint, by=actor, now=timezone.now())
        return self._newest(endpoint)
