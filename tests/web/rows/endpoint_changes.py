"""Changes of an endpoint that is there."""

from __future__ import annotations

from tests.web.rows.row import Row, endpoint_id

# the operator sees a customer's endpoint, and neither changes nor prices it
OWN = "sign-in found-one away away 403 403 404 404"
READ = "sign-in found-one 200 200 403 403 404 404"
ROWS = [
    Row(
        "endpoint_change_estimate",
        "GET",
        "sign-in found-one 200 200 403 403 404 404",
        endpoint_id,
    ),
    Row("endpoint_change", "POST", OWN, endpoint_id),
    Row("endpoint_pause", "POST", OWN, endpoint_id),
    Row("endpoint_roll_back", "POST", OWN, endpoint_id),
    Row("endpoint_hours", "GET", READ, endpoint_id),
    Row("endpoint_hours_estimate", "GET", READ, endpoint_id),
    Row("endpoint_hours_set", "POST", OWN, endpoint_id),
    Row("endpoint_scaling_set", "POST", OWN, endpoint_id),
    Row("endpoint_override", "POST", OWN, endpoint_id),
    Row("endpoint_hold", "POST", OWN, endpoint_id),
    Row("endpoint_go_on", "POST", OWN, endpoint_id),
]
