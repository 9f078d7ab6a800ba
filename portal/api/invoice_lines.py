"""What a line of an invoice is made of: its days, a day's keys, replicas or volumes, requests."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from billing import drilldown, queries
from billing.models import InvoiceLine
from portal.api.authentication import actor_of
from portal.api.problems import Refused
from portal.api.shapes import LineOut, Strict
from portal.usage import requests
from tenants.actors import Actor

MOST = 200


class PageIn(Strict):
    """What may stand in the address."""

    cursor = serializers.CharField(max_length=200, required=False, default="")
    limit = serializers.IntegerField(min_value=1, required=False, default=requests.PAGE)


class KeyPageIn(PageIn):
    key = serializers.CharField(max_length=24, required=False, default="")


def _won() -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=None, decimal_places=None, help_text="Exact.")


class LineDayOut(serializers.Serializer[Any]):
    """``of_day`` is all of the item on the day: another invoice may have a part of it."""

    day = serializers.DateField()
    quantity = serializers.IntegerField()
    of_day = serializers.IntegerField()
    won = _won()


class LineDetailOut(LineOut):
    """``days`` is empty where a line is not about use, such as a fee."""

    position = serializers.IntegerField()
    kind = serializers.CharField()
    subject = serializers.CharField()
    price_version = serializers.CharField()
    days = LineDayOut(many=True)


class PartOut(serializers.Serializer[Any]):
    """A key, replica or volume with its share of the day, or a request with its own."""

    id = serializers.CharField(source="name")
    quantity = serializers.IntegerField()
    won = _won()
    requests = serializers.IntegerField(allow_null=True)


CURSOR = OpenApiParameter("cursor", str)
LIMIT = OpenApiParameter("limit", int)
KEY = OpenApiParameter("key", str, description="of this key only")


class LineView(APIView):
    @extend_schema(operation_id="invoice_line_retrieve", responses=LineDetailOut)
    def get(self, request: Request, public_id: str, position: int) -> Response:
        """One line with its days. Their quantities add up to the line's; what was used first was
        billed first."""
        line = _line(_reader(request), public_id, position)
        item = drilldown.item_of(line)
        days = drilldown.days(line) if drilldown.is_explained(line) else []
        own = {"position": line.position, "kind": item.kind, "subject": item.subject}
        of_days = {"price_version": item.price_version, "days": LineDayOut(days, many=True).data}
        return Response(LineOut(line).data | own | of_days)


class LineDayView(APIView):
    @extend_schema(
        operation_id="invoice_line_day_list",
        parameters=[CURSOR, LIMIT],
        responses=PartOut(many=True),
    )
    def get(self, request: Request, public_id: str, position: int, day: str) -> Response:
        """All of the item's use on a day by key, replica or volume, the most first."""
        actor = _reader(request)
        line = _line(actor, public_id, position)
        found = drilldown.parts(actor, line, _day(line, day))
        sent = _asked(PageIn, request)
        start = _place(sent["cursor"])
        end = start + min(sent["limit"], MOST)
        return Response(
            {
                "data": PartOut(found[start:end], many=True).data,
                "next": _address(request, str(end)) if end < len(found) else None,
                "previous": None,
                "quantity": sum(one.quantity for one in found),
            }
        )


class LineRequestsView(APIView):
    @extend_schema(
        operation_id="invoice_line_request_list",
        parameters=[KEY, CURSOR, LIMIT],
        responses=PartOut(many=True),
    )
    def get(self, request: Request, public_id: str, position: int, day: str) -> Response:
        """The requests of a day, newest first, each with its share of the item."""
        actor = _reader(request)
        actor.require("usage.read")
        line = _line(actor, public_id, position)
        item, sent = drilldown.item_of(line), _asked(KeyPageIn, request)
        if item.kind not in drilldown.OF_REQUESTS:
            raise Refused("This line is not made of requests.", code="line", status=409)
        rows = drilldown.entries(actor, item, _day(line, day))
        if sent["key"]:
            rows = rows.filter(key=sent["key"])
        try:
            page = requests.page_of(actor, rows, sent["cursor"], min(sent["limit"], MOST))
        except requests.BadCursor as error:
            raise Refused("Unknown cursor.", code="cursor", field="cursor", status=400) from error
        found = [drilldown.of_entry(line, one) for one in page.entries]
        return Response(
            {
                "data": PartOut(found, many=True).data,
                "next": _address(request, page.older) if page.older else None,
                "previous": None,
            }
        )


def _reader(request: Request) -> Actor:
    actor = actor_of(request)
    actor.require("invoices.read")
    return actor


def _line(actor: Actor, public_id: str, position: int) -> InvoiceLine:
    invoice = get_object_or_404(queries.invoices(actor), public_id=public_id)
    rows = drilldown.lines(actor, invoice).select_related("invoice")
    return get_object_or_404(rows, position=position)


def _day(line: InvoiceLine, text: str) -> date:
    """A day that the line bills; 404 for any other."""
    days = drilldown.days(line) if drilldown.is_explained(line) else []
    found = next((one.day for one in days if str(one.day) == text), None)
    if found is None:
        raise Http404
    return found


def _asked(shape: type[Strict], request: Request) -> dict[str, Any]:
    query = shape(data=request.query_params.dict())
    query.is_valid(raise_exception=True)
    return dict(query.validated_data)


def _place(cursor: str) -> int:
    if cursor and not (cursor.isascii() and cursor.isdecimal()):
        raise Refused("Unknown cursor.", code="cursor", field="cursor", status=400)
    return int(cursor or 0)


def _address(request: Request, cursor: str) -> str:
    return str(replace_query_param(request.build_absolute_uri(), "cursor", cursor))
