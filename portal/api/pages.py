"""Cursor pages: stable while rows are added, and no count over a large table."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from portal.api.problems import Refused


class Pages(CursorPagination):
    """``{"data": […], "next": url or null, "previous": url or null}``; ``?limit=`` up to 200."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200
    ordering = "-pk"

    def decode_cursor(self, request: Request) -> Cursor | None:
        """A cursor that nobody gave out is refused (404), also where it looks like one."""
        cursor = super().decode_cursor(request)
        if (
            cursor is not None
            and cursor.position is not None
            and not str(cursor.position).isdecimal()
        ):
            raise NotFound(self.invalid_cursor_message)
        return cursor

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {"data": data, "next": self.get_next_link(), "previous": self.get_previous_link()}
        )


def listed(
    request: Request,
    rows: QuerySet[Any],
    shape: type[Serializer[Any]],
    *,
    filters: Collection[str] = (),
) -> Response:
    """One page of ``rows``. ``filters`` are the parameters that the view has used; one that
    nobody reads is refused by name, so that a misspelt filter never looks like a full list."""
    known = {"limit", "cursor", *filters}
    if unknown := sorted(set(request.query_params) - known):
        raise Refused(
            f"Unknown parameter: {', '.join(unknown)[:200]}. Known: {', '.join(sorted(known))}.",
            code="unknown_parameter",
            status=400,
        )
    pages = Pages()
    page = pages.paginate_queryset(rows, request)
    return pages.get_paginated_response(shape(page, many=True).data)
