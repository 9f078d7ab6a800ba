"""Pages of errors that need the id of the request."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.template import loader
from django.views.decorators.csrf import requires_csrf_token

from tenants import origins


@requires_csrf_token
def server_error(request: HttpRequest) -> HttpResponse:
    """500 without the database: its page needs no more than the id and the path."""
    context = {"request_id": origins.of(request).request_id, "place": request.path}
    return HttpResponseServerError(loader.render_to_string("500.html", context))
