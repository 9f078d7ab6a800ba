"""What a line of an invoice is made of, and the FOCUS file."""

from __future__ import annotations

from tests.api.rows.row import Row, at

LINE = "invoices/{invoice}/lines/1"
MAY_READ = "200 403 200 200 404 404 200 404"

ROWS = [
    Row("api_invoice_line", "GET", at(LINE), MAY_READ),
    Row("api_invoice_line_day", "GET", at(f"{LINE}/days/2026-11-16"), MAY_READ),
    Row("api_invoice_line_requests", "GET", at(f"{LINE}/days/2026-11-16/requests"), MAY_READ),
    Row("api_usage_focus", "GET", at("usage/focus"), "200 403 200 200 200 200 200 200"),
]
