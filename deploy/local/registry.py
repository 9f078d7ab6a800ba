"""A made-up registry of businesses for demonstration and tests. It speaks the National Tax
Service's status API (data.go.kr, ``/nts-businessman/v1/status``), is as strict as that one, and
can be wrong, slow, down or a day behind on purpose.

Every well-formed number is an active business, unless its serial (digits 6 to 9) says otherwise:
9902 suspended, 9903 closed, 9904 unknown, 9905 left out of the answer. ``docs/registration.md``
has such numbers.

DURE_REGISTRY_KEY=<service key> python -m deploy.local.registry <port>
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs, urlsplit

MOST_NUMBERS, MOST_BYTES = 100, 16_384
ACTIVE, SUSPENDED, CLOSED, UNKNOWN = "01", "02", "03", ""
LEFT_OUT = "left out"
SERIALS = {"9902": SUSPENDED, "9903": CLOSED, "9904": UNKNOWN, "9905": LEFT_OUT}
WORDS = {ACTIVE: "계속사업자", SUSPENDED: "휴업자", CLOSED: "폐업자", UNKNOWN: ""}
UNREGISTERED = "국세청에 등록되지 않은 사업자등록번호입니다."

# How it misbehaves: what goes wrong with every answer until ``wrong`` is set to something else.
FAULTS = ("", "down", "hang", "trickle", "garbage", "huge", "redirect", "other", "twice", "strange")


@dataclass
class Registry:
    """Runs in threads on one port. ``history`` has what was reported of a number, by day."""

    key: str
    port: int = 0
    wrong: str = ""
    seconds: float = 3.0  # how long "hang" and "trickle" last
    days_behind: int = 0
    today: Callable[[], date] = date.today
    history: dict[str, list[tuple[date, str]]] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        registry = self

        class Handler(_Handler):
            service = registry

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/nts-businessman/v1"

    def __enter__(self) -> Self:
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    def report(self, number: str, state: str, *, on: date | None = None) -> None:
        """The business changes its state on a day."""
        self.history.setdefault(number, []).append((on or self.today(), state))
        self.history[number].sort(key=lambda told: told[0])

    def state_of(self, number: str) -> str:
        """What it knows today, or knew ``days_behind`` days ago."""
        known = self.today() - timedelta(days=self.days_behind)
        told = [state for day, state in self.history.get(number, []) if day <= known]
        return told[-1] if told else SERIALS.get(number[5:9], ACTIVE)

    def row(self, number: str) -> dict[str, str]:
        """One business, in the API's own fields."""
        state = self.state_of(number)
        ended = [day for day, told in self.history.get(number, []) if told == CLOSED]
        return {
            "b_no": number,
            "b_stt": WORDS[state],
            "b_stt_cd": state,
            "tax_type": UNREGISTERED if state == UNKNOWN else "부가가치세 일반과세자",
            "tax_type_cd": "" if state == UNKNOWN else "01",
            "end_dt": f"{ended[-1] if ended else self.today():%Y%m%d}" if state == CLOSED else "",
            "utcc_yn": "N",
            "tax_type_change_dt": "",
            "invoice_apply_dt": "",
            "rbf_tax_type": "해당없음",
            "rbf_tax_type_cd": "99",
        }

    def answer(self, numbers: list[str]) -> dict[str, Any]:
        """The whole answer, spoilt if it is to be."""
        self.asked.append(numbers)
        rows = [self.row(one) for one in numbers if self.state_of(one) != LEFT_OUT]
        if self.wrong == "other":  # answers about a number that nobody asked for
            rows = [row | {"b_no": "9999999999"} for row in rows]
        if self.wrong == "twice":
            rows += [row | {"b_stt_cd": CLOSED, "b_stt": WORDS[CLOSED]} for row in rows]
        if self.wrong == "strange":
            rows = [row | {"b_stt_cd": "77"} for row in rows]
        return {
            "request_cnt": len(numbers),
            "match_cnt": sum(row["b_stt_cd"] != UNKNOWN for row in rows),
            "status_code": "OK",
            "data": rows,
        }


class _Handler(BaseHTTPRequestHandler):
    service: ClassVar[Registry]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self._body()
        place = urlsplit(self.path)
        if self.service.wrong and self._misbehave():
            return
        if place.path != "/nts-businessman/v1/status":
            self._say(404, {"code": -10, "msg": "HTTP NOT FOUND"})
        elif parse_qs(place.query).get("serviceKey") != [self.service.key]:
            self._say(401, {"code": -4, "msg": "등록되지 않은 인증키 입니다."})
        elif body is None:
            self._say(413, {"status_code": "TOO_LARGE_REQUEST"})
        else:
            self._say(*self._status(body))

    def _status(self, body: bytes) -> tuple[int, dict[str, Any]]:
        if not self.headers.get("Content-Type", "").startswith("application/json"):
            return 400, {"status_code": "BAD_JSON_REQUEST"}
        try:
            numbers = json.loads(body)["b_no"]
        except (ValueError, KeyError, TypeError):
            return 400, {"status_code": "BAD_JSON_REQUEST"}
        if not isinstance(numbers, list) or not numbers:
            return 411, {"status_code": "REQUEST_DATA_MALFORMED"}
        if len(numbers) > MOST_NUMBERS:
            return 413, {"status_code": "TOO_LARGE_REQUEST"}
        if not all(isinstance(one, str) and re.fullmatch(r"[0-9]{10}", one) for one in numbers):
            return 411, {"status_code": "REQUEST_DATA_MALFORMED"}
        return 200, self.service.answer(numbers)

    def _misbehave(self) -> bool:
        """Whether the fault was the whole answer."""
        fault, seconds = self.service.wrong, self.service.seconds
        if fault == "down":
            self._say(500, {"code": -5, "msg": "HTTP 500 Internal Server Error"})
        elif fault == "hang":
            time.sleep(seconds)
        elif fault == "trickle":
            self._trickle(seconds)
        elif fault == "garbage":
            self._send(200, b"<html>maintenance</html>")
        elif fault == "huge":
            self._send(200, b" " * 1_000_000)
        elif fault == "redirect":
            self._send(302, b"", ("Location", "http://127.0.0.1:9/"))
        return fault in FAULTS[1:7]

    def _trickle(self, seconds: float) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                self.wfile.write(b" ")
                time.sleep(0.02)
        except OSError:
            pass  # the client had enough
        self.close_connection = True

    def _body(self) -> bytes | None:
        length = int(self.headers.get("Content-Length") or 0)
        return self.rfile.read(length) if length <= MOST_BYTES else None

    def _say(self, status: int, content: dict[str, Any]) -> None:
        self._send(status, json.dumps(content, ensure_ascii=False).encode())

    def _send(self, status: int, raw: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(raw)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(raw)
        except OSError:
            self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Silence: the address has the key."""


def main(port: int, key: str) -> None:
    """Serve until the process ends."""
    with Registry(key, port) as registry:
        registry.thread.join()


if __name__ == "__main__":
    main(int(sys.argv[1]), os.environ["DURE_REGISTRY_KEY"])
