"""For balancers and people: does this process live, and can it work?"""

from __future__ import annotations

from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse

from portal.web.migrated import MIGRATED


def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """PostgreSQL answers and has every migration; which apps it waits for where it has not."""
    try:
        behind = MIGRATED.behind()
    except DatabaseError:
        return JsonResponse({"status": "waiting", "for": "PostgreSQL"}, status=503)
    if behind:
        return JsonResponse(
            {"status": "waiting", "for": "migrations", "behind": behind}, status=503
        )
    return JsonResponse({"status": "ok"})
