"""A made-up issuer of e-tax invoices for demonstration and tests. It speaks popbill's interface
(token of linkhub, ``/Taxinvoice``, ``/Taxinvoice/SELL/<number>``), is stricter than that one, and
can be wrong, slow, down or gone after it has accepted, on purpose. Nothing reaches a tax service.

A document is issued at once, sent after ``sends_after`` seconds and answered ``answers_after``
later. Buyers whose serial (digits 6 to 9) is 9911 are rejected by the made-up tax service (ERR002),
9912 (ERR006); those with 9913 are refused at issue. ``POST /control`` changes how it behaves.

DURE_ETAX_SECRET_KEY=<base64> python -m deploy.local.etax <port> [<folder>]
"""

from __future__ import annotations

import base64
import json
import os
import re
import select
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs, unquote, urlsplit

from billing.etax.popbill import signature
from deploy.local import etax_rules
from portal.lib.periods import SEOUL

LINK_ID, SERVICE, NUMBER = "DURE", "POPBILL_TEST", "5048600001"
MOST_BYTES = 1_048_576

# How it misbehaves with calls about documents, ``times`` times. "cut": it does what it was asked
# and goes away without a word; "silent": it does it and answers nothing for ``seconds``; "before":
# it goes away first; "late": as "cut", and the document is there only after ``seconds``.
FAULTS = (
    *("", "down", "hang", "trickle", "garbage", "huge", "redirect", "other", "strange"),
    *("cut", "silent", "before", "late", "limit"),
)
REJECTED = {
    "9911": ("ERR002", "공급받는자 사업자등록번호 오류 (모의)"),
    "9912": ("ERR006", "작성일자 오류 (모의)"),
}


@dataclass
class Kept:
    """One document as the issuer keeps it."""

    key: str
    body: dict[str, Any]
    approval: str
    issued_at: float
    sent_at: float | None = None
    withdrawn: bool = False
    known_from: float = 0.0
    rejected: str = ""


@dataclass
class Issuer:
    """Runs in threads on one port. ``kept`` has its documents by our number."""

    secret: str
    number: str = NUMBER
    port: int = 0
    folder: Path | None = None
    wrong: str = ""
    times: int = -1  # how often it is wrong; for ever below zero
    seconds: float = 3.0
    sends_after: float = 20.0
    answers_after: float = 20.0
    reject: str = ""  # a code with which the tax service rejects what is issued from now on
    certificate_days: int = 200
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    kept: dict[str, Kept] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        service, self.lock = self, threading.RLock()
        self._load()

        class Handler(_Handler):
            issuer = service

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    def now(self) -> float:
        return self.clock().timestamp()

    # ─── what is kept ──────────────────────────────────────────────────────────────────────────

    def _load(self) -> None:
        if self.folder is not None and (self.folder / "documents.json").exists():
            rows = json.loads((self.folder / "documents.json").read_text())
            self.kept = {row["key"]: Kept(**row) for row in rows}

    def _save(self) -> None:
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self.folder / "documents.json.new"
        new.write_text(json.dumps([asdict(one) for one in self.kept.values()]))
        new.replace(self.folder / "documents.json")

    def issue(self, body: dict[str, Any], *, known_from: float = 0.0) -> tuple[int, dict[str, Any]]:
        """Take a document, or say why not."""
        with self.lock:
            if refusal := etax_rules.refusal(body, self):
                return 400, refusal
            now = self.clock().astimezone(SEOUL)
            key = body["invoicerMgtKey"]
            approval = f"{now:%Y%m%d}{'99999999'}{len(self.kept) + 1:08d}"
            rejected = self.reject or REJECTED.get(body["invoiceeCorpNum"][5:9], ("",))[0]
            self.kept[key] = Kept(
                key, body, approval, self.now(), known_from=known_from, rejected=rejected
            )
            self._save()
            return 200, {"code": 1, "message": "발행 완료 (모의)", "ntsConfirmNum": approval}

    def find(self, key: str) -> Kept | None:
        one = self.kept.get(key)
        return one if one is not None and one.known_from <= self.now() else None

    def send(self, key: str) -> tuple[int, dict[str, Any]]:
        with self.lock:
            one = self.find(key)
            if one is None or self.state_of(one) != 300:
                return 400, {"code": -11000001, "message": "전송할 수 없는 상태입니다. (모의)"}
            one.sent_at = self.now()
            self._save()
            return 200, {"code": 1, "message": "전송 요청 완료 (모의)"}

    def withdraw(self, key: str) -> tuple[int, dict[str, Any]]:
        with self.lock:
            one = self.find(key)
            if one is None or self.state_of(one) != 300:
                return 400, {"code": -11000001, "message": "이미 전송되었습니다. (모의)"}
            one.withdrawn = True
            self._save()
            return 200, {"code": 1, "message": "발행 취소 완료 (모의)"}

    def state_of(self, one: Kept) -> int:
        """300 issued, 303 sent, 304 accepted, 305 rejected, 600 withdrawn."""
        if one.withdrawn:
            return 600
        sent = one.sent_at if one.sent_at is not None else one.issued_at + self.sends_after
        if self.now() < sent:
            return 300
        if self.now() < sent + self.answers_after:
            return 303
        return 305 if one.rejected else 304

    def info(self, one: Kept) -> dict[str, Any]:
        state = self.state_of(one)
        issued = datetime.fromtimestamp(one.issued_at, SEOUL)
        words = dict(REJECTED.values())
        said = {304: "SUC001", 305: one.rejected}.get(state, "")
        return {
            "itemKey": f"9{one.approval[-8:]}",
            "stateCode": state,
            "taxType": one.body["taxType"],
            "writeDate": one.body["writeDate"],
            "invoicerCorpNum": one.body["invoicerCorpNum"],
            "invoicerMgtKey": one.key,
            "invoiceeCorpNum": one.body["invoiceeCorpNum"],
            "invoiceeCorpName": one.body["invoiceeCorpName"],
            "supplyCostTotal": one.body["supplyCostTotal"],
            "taxTotal": one.body["taxTotal"],
            "modifyCode": one.body.get("modifyCode"),
            "issueDT": f"{issued:%Y%m%d%H%M%S}",
            "stateDT": f"{issued:%Y%m%d%H%M%S}",
            "ntsconfirmNum": one.approval,
            "ntssendErrCode": said or None,
            "stateMemo": words.get(one.rejected, "국세청 오류 (모의)") if state == 305 else None,
        }

    def certificate_ends(self) -> datetime:
        return self.clock().astimezone(SEOUL) + timedelta(days=self.certificate_days)

    def control(self, words: dict[str, Any]) -> dict[str, Any]:
        """Change how it behaves from now on."""
        settable = {"wrong", "times", "seconds", "sends_after", "answers_after", "reject"}
        for name in (settable | {"certificate_days"}) & set(words):
            setattr(self, name, words[name])
        return {"wrong": self.wrong, "times": self.times, "documents": len(self.kept)}


class _Handler(BaseHTTPRequestHandler):
    issuer: ClassVar[Issuer]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        place, raw = urlsplit(self.path).path, self._body()
        if raw is None:
            self._say(413, {"code": -99999999, "message": "too large"})
        elif place == f"/{SERVICE}/Token":
            self._token(place, raw)
        elif not self._is_authorized():
            self._say(401, {"code": -10000000, "message": "인증 토큰이 올바르지 않습니다."})
        elif place == "/control":
            self._say(200, self.issuer.control(json.loads(raw)))
        else:
            self._about(lambda known_from: self._deed(place, raw, known_from))

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        if not self._is_authorized():
            self._say(401, {"code": -10000000, "message": "인증 토큰이 올바르지 않습니다."})
        elif place.path == "/Taxinvoice/CertCheck":
            self._about(lambda _: self._can_sign())
        elif place.path == "/Taxinvoice" and parse_qs(place.query).get("cfg") == ["CERT"]:
            ends = self.issuer.certificate_ends()
            self._about(lambda _: (200, {"certificateExpiration": f"{ends:%Y%m%d%H%M%S}"}))
        else:
            self._about(lambda _: self._state(place.path))

    # ─── what is asked ─────────────────────────────────────────────────────────────────────────

    def _token(self, place: str, raw: bytes) -> None:
        moment, words = self.headers.get("x-lh-date", ""), self.headers.get("Authorization", "")
        forwarded = self.headers.get("x-lh-forwarded", "")
        good = signature(self.issuer.secret, place, raw, moment, forwarded)
        asked = json.loads(raw)
        if words != f"LINKHUB {LINK_ID} {good}" or not self._is_now(moment):
            self._say(401, {"code": -99010000, "message": "서명이 올바르지 않습니다."})
        elif asked != {"access_id": self.issuer.number, "scope": ["member", "110"]}:
            self._say(400, {"code": -99010001, "message": "회원이 아닙니다."})
        else:
            token = base64.urlsafe_b64encode(os.urandom(24)).decode()
            self.issuer.tokens.add(token)
            self._say(200, {"session_token": token, "serviceID": SERVICE, "expiration": "…"})

    def _is_now(self, moment: str) -> bool:
        try:
            said = datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            return False
        return abs(said - self.issuer.clock()) < timedelta(minutes=10)

    def _is_authorized(self) -> bool:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        return scheme == "Bearer" and (
            token in self.issuer.tokens or (self.path == "/control" and token == self.issuer.secret)
        )

    def _deed(self, place: str, raw: bytes, known_from: float) -> tuple[int, dict[str, Any]]:
        deed = self.headers.get("X-HTTP-Method-Override", "")
        self.issuer.calls.append((deed, place))
        if place == "/Taxinvoice" and deed == "ISSUE":
            try:
                body = json.loads(raw)
            except ValueError:
                return 400, {"code": -99999999, "message": "JSON이 아닙니다."}
            return self.issuer.issue(body, known_from=known_from)
        deeds = {"NTS": self.issuer.send, "CANCELISSUE": self.issuer.withdraw}
        key = _key_of(place)
        if key is None or deed not in deeds:
            return 404, {"code": -99999998, "message": "없는 주소입니다."}
        return deeds[deed](key)

    def _state(self, place: str) -> tuple[int, dict[str, Any]]:
        key = _key_of(place)
        self.issuer.calls.append(("GET", place))
        if key is None:
            return 404, {"code": -99999998, "message": "없는 주소입니다."}
        one = self.issuer.find(key)
        if one is None:
            return 400, {"code": -11000005, "message": "문서번호가 존재하지 않습니다."}
        return 200, self.issuer.info(one)

    def _can_sign(self) -> tuple[int, dict[str, Any]]:
        if self.issuer.certificate_days < 0:
            return 400, {"code": -11002031, "message": "인증서가 만료되었습니다. (모의)"}
        return 200, {"code": 1, "message": "정상"}

    # ─── misbehaviour ──────────────────────────────────────────────────────────────────────────

    def _about(self, deed: Callable[[float], tuple[int, dict[str, Any]]]) -> None:
        """Do it and answer, or go wrong on the way."""
        issuer = self.issuer
        with issuer.lock:
            fault = issuer.wrong if issuer.times else ""
            if fault and issuer.times > 0:
                issuer.times -= 1
        if fault in {"cut", "late", "silent"}:
            deed(issuer.now() + issuer.seconds if fault == "late" else 0.0)
            if fault == "silent":  # until the caller has gone
                select.select([self.connection], [], [], issuer.seconds)
            self.close_connection = True
        elif fault == "before":
            self.close_connection = True
        elif not self._is_spoilt(fault):
            status, content = deed(0.0)
            if fault == "other" and "invoicerMgtKey" in content:
                content["invoicerMgtKey"] = "another"
            if fault == "strange" and "stateCode" in content:
                content["stateCode"] = 777
            self._say(status, content)

    def _is_spoilt(self, fault: str) -> bool:
        answers: dict[str, Callable[[], None]] = {
            "down": lambda: self._send(500, b"<html>500</html>"),
            "limit": lambda: self._say(429, {"code": -10000429, "message": "너무 많습니다."}),
            "garbage": lambda: self._send(200, b"<html>maintenance</html>"),
            "huge": lambda: self._send(200, b" " * 1_000_000),
            "redirect": lambda: self._send(302, b"", ("Location", "http://127.0.0.1:9/")),
            "trickle": self._trickle,
        }
        if fault == "hang":
            time.sleep(self.issuer.seconds)
            self.close_connection = True
            return True
        if fault in answers:
            answers[fault]()
        return fault in answers

    def _trickle(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        end = time.monotonic() + self.issuer.seconds
        try:
            while time.monotonic() < end:
                self.wfile.write(b" ")
                time.sleep(0.02)
        except OSError:
            pass  # the client had enough
        self.close_connection = True

    # ─── bytes ─────────────────────────────────────────────────────────────────────────────────

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
        """Silence: what is issued names customers."""


def _key_of(place: str) -> str | None:
    found = re.fullmatch(r"/Taxinvoice/SELL/([^/]+)", place)
    return unquote(found[1]) if found else None


def main(port: int, secret: str, folder: Path | None) -> None:
    """Serve until the process ends."""
    number = os.environ.get("DURE_SELLER_NUMBER", NUMBER)
    with Issuer(secret, number, port, folder) as issuer:
        issuer.thread.join()


if __name__ == "__main__":
    main(
        int(sys.argv[1]),
        os.environ["DURE_ETAX_SECRET_KEY"],
        Path(sys.argv[2]) if len(sys.argv) > 2 else None,
    )
