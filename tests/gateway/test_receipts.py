"""Each answer names its receipt; what reached no site names none."""

from __future__ import annotations

import json

from portal.gateway.config import from_environment
from tests.gateway.conftest import Start
from tests.gateway.world import GatewayProcess, World

ORIGIN = "https://portal.example"


def test_names_the_receipt_of_every_answer(start: Start, world: World) -> None:
    gateway = start(DURE_WEB_ORIGIN=f"{ORIGIN}/")
    headers = {"content-type": "application/json", "authorization": f"Bearer {world.key}"}
    messages = [{"role": "user", "content": "안녕?"}]

    for number, stream in enumerate((False, True), 1):
        body = {"model": "smollm2", "messages": messages, "stream": stream}
        content = json.dumps(body).encode()
        status, found, _ = gateway.send("POST", "/v1/chat/completions", content, headers)
        assert status == 200
        event = world.settled(number)[-1]
        assert found["x-dure-receipt"] == f"{ORIGIN}/api/v1/receipts/{event.request_id}"
    status, found, _ = gateway.post("/v1/embeddings", {"model": "e5", "input": "가"})
    assert found["x-dure-receipt"].endswith(found["x-request-id"])


def test_names_none_where_no_site_answered(gateway: GatewayProcess, world: World) -> None:
    refused = [
        gateway.chat("unknown"),
        gateway.chat("smollm2", temperature="hot"),
        gateway.post("/v1/chat/completions", b"{"),
        gateway.post("/v1/chat/completions", {}, authorization="Bearer nothing"),
        gateway.post("/v1/nowhere", {}),
    ]

    for status, headers, _ in refused:
        assert status >= 400
        assert "x-dure-receipt" not in headers
        assert headers["x-request-id"]


def test_takes_the_portals_own_default_for_its_address() -> None:
    wanted = {"VALKEY_URL": "redis://x", "DURE_SEAL_KEYS": "x", "DURE_JOURNAL_DIR": "/x"}

    assert from_environment(wanted).receipts == b"http://127.0.0.1:8000/api/v1/receipts/"
