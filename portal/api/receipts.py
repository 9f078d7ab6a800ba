"""A request's receipt, for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.api.authentication import actor_of
from portal.deployments import receipts
from portal.usage.receipts import NoReceipt, said


class ReceiptOut(serializers.Serializer[Any]):
    receipt = serializers.CharField(help_text="A compact JWS (EdDSA). Keep this.")
    claims = serializers.DictField(help_text="What it says, for reading: docs/receipts.md.")


class Jose(BaseRenderer):
    """The receipt itself, and nothing around it."""

    media_type = "application/jose"
    format = "jose"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        if "receipt" in data:
            return str(data["receipt"]).encode()
        return json.dumps(data).encode()  # a problem, whose content type says so


class ReceiptView(APIView):
    renderer_classes = (JSONRenderer, Jose)

    @extend_schema(
        responses={
            (200, "application/json"): ReceiptOut,
            (200, "application/jose"): OpenApiTypes.STR,
        },
        description="The signed receipt of one answered request. It is signed when it is first "
        "asked for and the same for ever. `Accept: application/jose` gives the JWS alone. "
        "The keys that verify it stand at `/.well-known/dure-receipts.json`.",
    )
    def get(self, request: Request, request_id: str) -> Response:
        """One request's receipt."""
        actor = actor_of(request)
        try:
            found = receipts.of_request(request_id=request_id, by=actor, now=timezone.now())
        except NoReceipt as error:
            raise NotFound(str(error)) from error
        return Response({"receipt": found.jws, "claims": said(found)})
