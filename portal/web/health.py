"""For balancers and people: does this process live, and can it work?"""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse


def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """PostgreSQL answers and is migrated."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM django_migrations WHERE app = 'billing'")
            (migrated,) = cursor.fetchone()
    except DatabaseError:
        return JsonResponse({"status": "waiting", "for": "PostgreSQL"}, status=503)
    if not migrated:
        return JsonResponse({"status": "waiting", "for": "migrations"}, status=503)
    return JsonResponse({"status": "ok"})
