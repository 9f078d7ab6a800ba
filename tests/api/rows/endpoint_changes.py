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
        "api_endpoint_changes",
        "POST",
        at("endpoints/{endpoint}/changes?estimate=true"),
        "200 200 403 403 404 404 200 404",
        lambda world: {"kind": "delete"},
    ),
    # orders are made by their own tests: a stranger's is as one that nobody has
    Row("api_order", "GET", at("orders/ord_unknown"), "404 404 404 404 404 404 404 404"),
    Row(
        "api_endpoint_pause",
        "POST",
        at("endpoints/{endpoint}/pause"),
        "200 200 403 403 404 404 200 404",
    ),
    Row(
        "api_endpoint_traffic",
        "GET",
        at("endpoints/{endpoint}/traffic"),
        "200 200 200 200 404 200 200 404",
    ),
    Row(
        "api_endpoint_logs",
        "GET",
        at("endpoints/{endpoint}/logs"),
        "200 200 200 200 404 200 200 404",
    ),
    Row(
        "api_endpoint_unserved",
        "GET",
        at("endpoints/{endpoint}/unserved"),
        "200 200 200 200 404 200 200 404",
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
    # it was never ordered and has no hours
    Row(
        "api_endpoint_schedule",
        "GET",
        at("endpoints/{endpoint}/schedule"),
        "404 404 404 404 404 404 404 404",
    ),
    Row(
        "api_endpoint_schedule",
        "PUT",
        at("endpoints/{endpoint}/schedule"),
        "409 409 403 403 404 404 409 404",
        lambda world: {"hours": {"mon": ["09:00-18:00"]}},
    ),
    Row(
        "api_endpoint_schedule",
        "DELETE",
        at("endpoints/{endpoint}/schedule"),
        "409 409 403 403 404 404 409 404",
    ),
    Row(
        "api_endpoint_scaling",
        "GET",
        at("endpoints/{endpoint}/scaling"),
        "409 409 409 409 404 404 409 404",
    ),
    Row(
        "api_endpoint_scaling",
        "PUT",
        at("endpoints/{endpoint}/scaling"),
        "409 409 403 403 404 404 409 404",
        lambda world: {"least": 1},
    ),
    Row(
        "api_endpoint_override",
        "POST",
        at("endpoints/{endpoint}/override"),
        "409 409 403 403 404 404 409 404",
        lambda world: {"replicas": 1, "hours": 1},
    ),
    Row(
        "api_endpoint_override",
        "DELETE",
        at("endpoints/{endpoint}/override"),
        "204 204 403 403 404 404 204 404",
    ),
]
