"""The API's documentation as a plain page made from its own schema: no script, nothing foreign."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET
from drf_spectacular.generators import SchemaGenerator


@require_GET
def documentation(request: HttpRequest) -> HttpResponse:
    """Every operation with its parameters, body and answers."""
    generator: Any = SchemaGenerator
    schema = generator().get_schema(request=None, public=True)
    return render(request, "api/docs.html", {"groups": _groups(schema)})


def _groups(schema: dict[str, Any]) -> list[dict[str, Any]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            name = path.removeprefix("/api/v1/").split("/")[0]
            groups.setdefault(name, []).append(
                {
                    "method": method.upper(),
                    "path": path,
                    "text": operation.get("description", ""),
                    "parameters": operation.get("parameters", []),
                    "fields": _fields(schema, operation),
                    "answers": sorted(operation.get("responses", {})),
                }
            )
    return [{"name": name, "operations": found} for name, found in groups.items()]


def _fields(schema: dict[str, Any], operation: dict[str, Any]) -> list[dict[str, Any]]:
    content = operation.get("requestBody", {}).get("content", {})
    reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    body = schema["components"]["schemas"].get(reference.rsplit("/", 1)[-1], {})
    required = set(body.get("required", []))
    return [
        {"name": name, "type": shape.get("type", ""), "required": name in required}
        for name, shape in body.get("properties", {}).items()
    ]
