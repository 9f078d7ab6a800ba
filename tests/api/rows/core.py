"""Operations of the main job."""

from __future__ import annotations

from tests.api.rows.row import (
    ALL,
    Row,
    a_key,
    a_limit,
    a_project,
    a_trial,
    an_order,
    at,
)

ROWS = [
    Row("api_organization", "GET", at("organization"), ALL),
    Row(
        "api_organization",
        "PATCH",
        at("organization"),
        "200 403 403 403 200 200 403 403",
        lambda world: {"region": "daegu"},
    ),
    Row("api_projects", "GET", at("projects"), ALL),
    Row("api_projects", "POST", at("projects"), "201 403 403 403 201 201 403 403", a_project),
    Row("api_project", "GET", at("projects/{project}"), "200 200 200 200 404 404 200 404"),
    Row(
        "api_project",
        "PATCH",
        at("projects/{project}"),
        "200 403 403 403 404 404 403 403",
        lambda world: {"cost_centre": "A-7"},
    ),
    Row("api_keys", "GET", at("keys"), "200 200 403 200 200 200 200 200"),
    Row("api_keys", "POST", at("keys"), "201 201 403 403 422 422 403 403", a_key),
    Row("api_key", "GET", at("keys/{key}"), "200 200 403 200 404 404 200 404"),
    Row("api_models", "GET", at("models"), ALL),
    Row("api_model", "GET", at("models/{model}"), ALL),
    Row("api_sites", "GET", at("sites"), ALL),
    Row("api_site", "GET", at("sites/{site}"), ALL),
    Row("api_endpoints", "GET", at("endpoints"), ALL),
    Row("api_endpoints", "POST", at("endpoints"), "201 201 403 403 422 422 201 422", an_order),
    Row("api_endpoint", "GET", at("endpoints/{endpoint}"), "200 200 200 200 404 200 200 404"),
    Row("api_endpoint", "GET", at("endpoints/{shared}"), ALL),
    Row(
        "api_endpoint_placement",
        "GET",
        at("endpoints/{endpoint}/placement"),
        "200 200 200 200 404 404 200 404",
    ),
    # the operator sees a customer's endpoint and may not stop it; nobody stops a shared one
    Row("api_endpoint", "DELETE", at("endpoints/{endpoint}"), "200 200 403 403 404 403 200 404"),
    Row("api_endpoint", "DELETE", at("endpoints/{shared}"), "403 403 403 403 403 200 403 403"),
    Row("api_orders", "GET", at("orders"), ALL),
    Row("api_usage", "GET", at("usage"), ALL),
    Row("api_budgets", "GET", at("budgets"), ALL),
    Row("api_budget", "PATCH", at("budgets/{budget}"), "200 403 200 403 404 404 403 403", a_limit),
    Row("api_invoices", "GET", at("invoices"), "200 403 200 200 200 200 200 200"),
    Row("api_invoice", "GET", at("invoices/{invoice}"), "200 403 200 200 404 404 200 404"),
    Row("api_invoice_pdf", "GET", at("invoices/{invoice}/pdf"), "200 403 200 200 404 404 200 404"),
    # one invoice takes all; those after it find nothing to bill
    Row("api_invoice_interim", "POST", at("invoices/interim"), "201 403 204 403 204 204 403 403"),
    Row(
        "api_key",
        "PATCH",
        at("keys/{key}"),
        "200 422 403 403 404 404 403 403",  # the key may read invoices, which bob may not
        lambda world: {"rpm_limit": 7},
    ),
    Row("api_key_limits", "GET", at("keys/{key}/limits"), "200 200 403 200 404 404 200 404"),
    Row("api_key_test", "POST", at("keys/{key}/test"), "200 200 403 200 404 404 200 404", a_trial),
    Row(
        "api_key_rotate",
        "POST",
        at("keys/{key}/rotate"),
        "201 422 403 403 404 404 403 403",
        lambda world: {"overlap_seconds": 3600},
    ),
    Row("api_key", "DELETE", at("keys/{key}"), "204 204 403 403 404 404 401 403"),
    Row("api_schema", "GET", at("openapi.json"), ALL),
]
