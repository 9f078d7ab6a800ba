"""``ETag`` and ``If-Match`` (RFC 9110, 13.1.1): who changes what they saw changes nothing newer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from portal.api.problems import Refused

PASSING = ("used_at", "used_from")  # change by themselves and are nobody's to set


def tag_of(body: Mapping[str, Any]) -> str:
    """A strong validator of what is shown."""
    kept = {name: value for name, value in body.items() if name not in PASSING}
    text = json.dumps(kept, sort_keys=True, default=str)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def shown(body: Mapping[str, Any], status: int = 200) -> Response:
    """An answer with its ``ETag``."""
    return Response(body, status=status, headers={"ETag": tag_of(body)})


def require_current(request: Request, body: Mapping[str, Any]) -> None:
    """412 if the caller saw something older. ``body`` is what the locked row shows now."""
    asked = request.headers.get("If-Match")
    if asked is None or asked.strip() == "*":
        return
    if tag_of(body) not in {one.strip() for one in asked.split(",")}:
        raise Refused(
            "It was changed since you read it. Read it again, then repeat your change.",
            code="stale",
            status=412,
        )
