"""What was made for one person is kept by nobody: neither browsers nor proxies on the way."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


class NoStore:
    """``Cache-Control: private, no-store`` on every answer that looked at a session or a key,
    unless its view says something else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        personal = (
            "cookie" in response.get("Vary", "").lower() or "Authorization" in request.headers
        )
        if personal and not response.has_header("Cache-Control"):
            response["Cache-Control"] = "private, no-store"
        return response
