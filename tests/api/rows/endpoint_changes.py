"""Operations that change an endpoint. The table's own was never ordered: that is the answer."""

from __future__ import annotations

from tests.api.rows.row import Row, at

ROWS = [
    Row(
        "api_endpoint_changes",
        "POST",
        at("endpoints/{endpoint}/changes?estimate=true"),
        "409 409 403 403 404 404 409 404",
        lambda world: {"kind": "resize", "replicas": 2},
    ),
    Row(
        "api_endpoint_pause",
        "POST",
        at("endpoints/{endpoint}/pause"),
        "200 200 403 403 404 404 200 404",
    ),
    # nothing is being replaced there: 404 for everybody who may ask
    Row(
        "api_endpoint_rollout",
        "GET",
        at("endpoints/{endpoint}/rollout"),
        "404 404 404 404 404 404 404 404",
    ),
    Row(
        "api_endpoint_rollout",
        "PATCH",
        at("endpoints/{endpoint}/rollout"),
        "409 409 403 403 404 404 409 404",
        lambda world: {"action": "hold"},
    ),
    Row(
        "api_endpoint_rollout",
        "DELETE",
        at("endpoints/{endpoint}/rollout"),
        "404 404 403 403 404 404 404 404",
    ),
]
