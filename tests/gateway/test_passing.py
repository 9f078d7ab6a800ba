"""Files and batches pass through to the portal, as bytes, within bounds; and only these."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.world import GatewayProcess, World, wait_until

LARGE = 3_000_000


@dataclass
class Portal:
    """What it heard: method, path, headers, length of the body."""

    url: str = ""
    heard: list[tuple[str, str, dict[str, str], int]] = field(default_factory=list)


def _answers(portal: Portal) -> type[BaseHTTPRequestHandler]:
    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def _body(self) -> int:
            if self.headers.get("transfer-encoding") != "chunked":
                return len(self.rfile.read(int(self.headers.get("content-length", 0))))
            size = 0
            while length := int(self.rfile.readline(), 16):
                size += len(self.rfile.read(length))
                self.rfile.readline()
            self.rfile.readline()
            return size

        def _serve(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            portal.heard.append((self.command, self.path, headers, self._body()))
            large = "/content" in self.path
            content = b"x" * LARGE if large else b'{"object": "list"}'
            self.send_response(413 if "413" in self.path else 200)
            self.send_header("content-type", "application/json")
            self.send_header("set-cookie", "secret=1")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _serve

    return Answers


@pytest.fixture(scope="module")
def portal() -> Iterator[Portal]:
    found = Portal()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _answers(found))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def passing(
    shared_world: World, portal: Portal, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    folder: Path = tmp_path_factory.mktemp("passing")
    made = GatewayProcess(shared_world, folder, DURE_PORTAL_URL=portal.url).start()
    yield made
    made.stop()


def ask(
    gateway: GatewayProcess, method: str, path: str, content: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    given = {"authorization": f"Bearer {gateway.world.key}", **headers}
    return gateway.send(method, path, content, given)


def test_passes_both_ways_as_bytes(passing: GatewayProcess, portal: Portal) -> None:
    portal.heard.clear()

    sent = ask(passing, "POST", "/v1/files", b"y" * LARGE, Cookie="a=b")
    fetched = ask(passing, "GET", "/v1/files/file_1/content?x=1")
    ended = ask(passing, "DELETE", "/v1/files/file_1")

    assert [one[0] for one in (sent, fetched, ended)] == [200, 200, 200]
    assert (sent[2], len(fetched[2])) == (b'{"object": "list"}', LARGE)
    assert "set-cookie" not in sent[1]
    assert sent[1]["x-request-id"]
    assert [(one[0], one[1], one[3]) for one in portal.heard] == [
        ("POST", "/v1/files", LARGE),
        ("GET", "/v1/files/file_1/content?x=1", 0),
        ("DELETE", "/v1/files/file_1", 0),
    ]
    headers = portal.heard[0][2]
    assert headers["authorization"] == f"Bearer {passing.world.key}"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert "cookie" not in headers


@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [
        ("GET", "/v1/files/a/b/c", None, 404),
        ("GET", "/v1/files/../api/v1/organization", None, 404),
        ("GET", "/v1/files/%2e%2e/x", None, 404),
        ("GET", "/v1/filesystem", None, 404),
        ("PUT", "/v1/files", None, 405),
        ("GET", "/v1/files", "nothing", 401),
        ("GET", "/v1/files?key=dure_live_x", None, 401),
    ],
)
def test_passes_nothing_else(
    passing: GatewayProcess, portal: Portal, method: str, path: str, key: str | None, status: int
) -> None:
    portal.heard.clear()
    headers = {"authorization": f"Bearer {key}"} if key else {}

    assert ask(passing, method, path, **headers)[0] == status
    assert portal.heard == []


def test_refuses_a_body_that_is_too_large_before_it_comes(passing: GatewayProcess) -> None:
    with socket.create_connection(("127.0.0.1", passing.port), timeout=10) as wire:
        wire.sendall(
            b"POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\n"
            b"content-length: 300000000\r\n\r\n" % passing.world.key.encode()
        )
        assert b" 413 " in wire.recv(4096).split(b"\r\n")[0]


def test_says_that_the_portal_is_away_and_serves_models(gateway: GatewayProcess) -> None:
    status, headers, content = ask(gateway, "GET", "/v1/batches")  # nobody listens there

    assert (status, b"portal_unavailable" in content) == (503, True)
    assert headers["retry-after"] == "5"
    assert gateway.chat("smollm2")[0] == 200


def test_a_client_that_leaves_in_its_upload_leaves_nothing_open(
    passing: GatewayProcess, portal: Portal
) -> None:
    portal.heard.clear()
    with socket.create_connection(("127.0.0.1", passing.port), timeout=10) as wire:
        wire.sendall(
            b"POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\n"
            b"content-length: 1000000\r\n\r\n0123456789" % passing.world.key.encode()
        )
    wait_until(lambda: ask(passing, "GET", "/v1/batches")[0] == 200)

    assert passing.get("/health")[0] == 200
    assert not any(size == 1_000_000 for *_, size in portal.heard)
