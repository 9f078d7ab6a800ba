"""A place where customers' models lie, over loopback HTTP; and what a bad one does.

``files``: path → content. ``fault`` spoils every answer, or those at the path ``only``:
``redirect`` to another path, ``endless`` (bytes until nobody reads), ``slow`` (a byte, then
nothing), ``slow_head`` (a line of the head every now and then), ``busy`` (503), ``cut`` (no
answer), ``half`` (the connection ends in the middle).
``tls``: over TLS instead, by the name of localhost.
"""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

WEIGHTS = b"GGUF of a fine-tune"


def manifest(**changes: Any) -> dict[str, Any]:
    """Of ``WEIGHTS``, tuned from the catalogue's small chat model."""
    from portal.catalog.reference import CONFIGS, SMOLLM2

    file = {
        "path": "weights.gguf",
        "bytes": len(WEIGHTS),
        "sha256": hashlib.sha256(WEIGHTS).hexdigest(),
    }
    whole = {
        "manifest": 1,
        "form": "gguf",
        "files": [file],
        "config": CONFIGS[SMOLLM2],
        "context_tokens": 2048,
        "languages": ["ko", "en"],
        "modality": "text",
    }
    return whole | changes


def encoded(**changes: Any) -> bytes:
    return json.dumps(manifest(**changes)).encode()


def digest_of(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


@dataclass
class Origin:
    """Use it in a ``with``."""

    files: dict[str, bytes] = field(default_factory=dict)
    fault: str = ""
    only: str = ""
    tls: ssl.SSLContext | None = None
    asked: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)

    def put(self, raw: bytes, path: str = "/hanbit/claims/manifest.json") -> tuple[str, str]:
        """(location, digest) of a file that lies there now."""
        self.files[path] = raw
        return f"{self.base}{path}", digest_of(raw)

    def __enter__(self) -> Self:
        handler = type("Answers", (_Answers,), {"origin": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._ended = threading.Event()
        self.base = f"http://127.0.0.1:{self._server.server_port}"
        if self.tls is not None:
            self.base = f"https://localhost:{self._server.server_port}"
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()


class _Answers(BaseHTTPRequestHandler):
    origin: Origin

    def do_GET(self) -> None:
        self.origin.asked.append(self.path)
        self.origin.hosts.append(self.headers["Host"])
        body = self.origin.files.get(self.path)
        match self.origin.fault if self.origin.only in {"", self.path} else "":
            case "":
                self._send(404 if body is None else 200, body or b"")
            case "redirect":
                self.send_response(302)
                self.send_header("Location", "/elsewhere.json")
                self.end_headers()
            case "busy":
                self._send(503, b"")
            case "cut":
                self.close_connection = True
            case "half" if body is not None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2])
                self.close_connection = True
            case "slow_head":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                self._dribble(b"x-a: b\r\n")
            case "slow":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                self._dribble(b"{")
            case "endless":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                while not self.origin._ended.is_set():
                    self.wfile.write(b" " * 65_536)

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _dribble(self, piece: bytes) -> None:
        while not self.origin._ended.wait(0.05):
            self.wfile.write(piece)

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass
