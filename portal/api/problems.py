"""Errors as ``application/problem+json`` (RFC 9457): what, where, what to do."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from tenants import origins
from tenants.actors import NotAllowed


class Refused(exceptions.APIException):
    """A domain rule said no. ``field`` names what to change, if it is one field; ``more`` are
    members of the problem of its own."""

    status_code = 422

    def __init__(
        self,
        sentence: str,
        *,
        code: str,
        field: str = "",
        status: int = 422,
        more: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(sentence, code)
        self.more = more or {}
        self.status_code = status
        self.field = field
        self.code = code


def problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook. Unknown exceptions stay unknown: the server answers 500."""
    if isinstance(error, NotAllowed):
        error = exceptions.PermissionDenied(f"Your role or key does not have {error.verb}.")
    elif isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    response = exception_handler(error, context)
    if response is None or not isinstance(error, exceptions.APIException):
        return response
    body: dict[str, Any] = {
        "type": "about:blank",
        "status": response.status_code,
        "title": error.default_code if not isinstance(error, Refused) else error.code,
    }
    if isinstance(error, exceptions.ValidationError):
        body["title"] = "invalid"
        body["detail"] = "Some fields are not right."
        body["errors"] = _fields(error.detail)
        response.status_code = body["status"] = 422
    else:
        body["detail"] = str(error.detail)
        if isinstance(error, Refused) and error.field:
            body["errors"] = [{"field": error.field, "message": str(error.detail)}]
        if isinstance(error, Refused):
            body |= error.more
    if (request := context.get("request")) is not None:
        body["request_id"] = origins.of(request).request_id  # what a support request names
    response.data = body
    response.content_type = "application/problem+json"
    return response


def _fields(detail: Any, path: str = "") -> list[dict[str, str]]:
    if isinstance(detail, dict):
        found = []
        for name, inner in detail.items():
            found += _fields(inner, f"{path}.{name}" if path else str(name))
        return found
    if isinstance(detail, list):
        return [one for inner in detail for one in _fields(inner, path)]
    return [{"field": path, "message": str(detail)}]
