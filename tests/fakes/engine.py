"""A small engine for embedded sites: answers ``/health`` at once, dies with its parent.

Called as the real one: ``engine.py chat|embedding PORT``, settings as one JSON line on standard
input. Names of models decide how it behaves: ``mute`` never answers, ``mortal`` ends by itself
after its first health check, ``chatty`` prints its credential.
"""

from __future__ import annotations

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import msgspec

from portal.mdc.engine import Settings, die_with


def main(kind: str, port: int) -> None:
    settings = msgspec.json.decode(sys.stdin.readline(), type=Settings)
    die_with(settings.parent)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    print(f"fake {kind} engine for {settings.model}", flush=True)
    if settings.model == "chatty":
        print(f"my secret is {settings.credential}", flush=True)
    if settings.model == "mute":
        signal.pause()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            if settings.model == "mortal":
                os._exit(3)

        def log_message(self, *_: object) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Answers).serve_forever()


main(sys.argv[1], int(sys.argv[2]))
