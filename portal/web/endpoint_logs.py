"""Logs of an endpoint's engines: on its page, and as a file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from portal.deployments import engine_logs, queries
from portal.deployments.engine_logs import EngineLog
from portal.deployments.models import Placement
from portal.web import doors, states
from tenants import actors, rls

SHOWN = 60  # lines of one replica on the page


def _replicas(request: HttpRequest, public_id: str) -> tuple[str, list[Placement]]:
    """The endpoint's name, and replicas of the reader's organization."""
    actor = doors.actor(request)
    with actors.scope_for(actor):
        endpoint = get_object_or_404(queries.endpoints(actor), public_id=public_id)
        return endpoint.name, engine_logs.replicas_of(endpoint, actor)


@rls.own_transactions
@require_GET
@doors.page_for("endpoints.read")
def logs(request: HttpRequest, public_id: str) -> HttpResponse:
    """Asked of the sites now; renewed while an engine loads. A silent site says so."""
    _name, replicas = _replicas(request, public_id)
    blocks = engine_logs.read(replicas, most=SHOWN)
    with actors.scope_for(doors.actor(request)):
        context = {
            "public_id": public_id,
            "blocks": [(one, states.PLACEMENT[one.placement.state]) for one in blocks],
            "loading": engine_logs.loading(replicas),
        }
        return render(request, "endpoints/logs.html", context)


@rls.own_transactions
@require_GET
@doors.page_for("endpoints.read")
def download(request: HttpRequest, public_id: str) -> HttpResponse:
    """Everything that there is, as text."""
    _name, replicas = _replicas(request, public_id)
    found = engine_logs.read(replicas)
    answer = HttpResponse("\n".join(_text(found)), content_type="text/plain; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{public_id}.log"'
    return answer


def _text(found: list[EngineLog]) -> Iterator[str]:
    """Times in UTC, as engines write them."""
    for one in found:
        placement = one.placement
        yield f"# {placement.public_id} {placement.site.code} {placement.state}"
        if placement.because:
            yield f"# {placement.because}"
        for step in one.steps:
            yield f"# {step.code}: {step.sentence}"
        for line in one.lines:
            yield f"{_at(line.at_ms)} {line.text}"
        yield ""


def _at(at_ms: int) -> str:
    moment = datetime.fromtimestamp(at_ms / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds") if at_ms > 0 else "-"
