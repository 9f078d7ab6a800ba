"""popbill as an issuer, over its HTTP interface.

Promises: a timeout on each whole call, a bound on each answer, no redirect followed, no key and no
customer's name in any message, and ``Unavailable`` for everything of which nothing is known. The
maker's SDK is not used because it has no timeout (``docs/adr/0010-etax-over-http.md``).

A token of linkhub's authentication server is signed for with the secret, kept for its time and
asked for anew once when it is refused.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx2
import msgspec

from billing.etax import shapes
from billing.etax.contract import Certificate, DuplicateKey, Known, Refused, Stage, Unavailable
from billing.etax.documents import Document
from portal.lib.trust import trusted

SECONDS = 15.0  # a whole call; shorter than the sweep's lease
MAX_ANSWER = 262_144
_AUTH_VERSION, _VERSION = "2.0", "1.0"
_SCOPES = ["member", "110"]  # 110 is e-tax invoices


@dataclass(frozen=True, slots=True)
class Account:
    """Where popbill is and who we are there. ``secret`` is base64, as popbill gives it out.

    ``service``: ``POPBILL``, or ``POPBILL_TEST`` for its test mode.
    """

    url: str
    auth_url: str
    service: str
    link_id: str
    secret: str
    number: str


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    raw: bytes


class PopbillIssuer:
    """One of these a sweep; it opens nothing before the first call."""

    def __init__(
        self,
        account: Account,
        *,
        seconds: float = SECONDS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.account = account
        self.seconds = seconds
        self.clock = clock
        self._token = ""

    def issue(self, document: Document) -> Known:
        body = msgspec.json.encode(shapes.of_document(document))
        try:
            said = self._deed("/Taxinvoice", "ISSUE", body)
        except Refused as refusal:
            # Its code for a number that is taken is not documented, so we look.
            if self.state(document.key) is not None:
                raise DuplicateKey(refusal.code, refusal.sentence) from refusal
            raise
        return Known(document.key, Stage.ISSUED, approval=said[2])

    def send(self, key: str) -> None:
        self._deed(_place(key), "NTS", b"")

    def state(self, key: str) -> Known | None:
        answer = self._call("GET", _place(key))
        if answer.status != 200:
            code, message, _ = shapes.said(answer.raw)
            if code == shapes.NOT_FOUND:
                return None
            raise Unavailable(f"The issuer answered {answer.status}, {code}: {message}")
        return shapes.known(answer.raw, key=key)

    def certificate(self) -> Certificate:
        checked = self._call("GET", "/Taxinvoice/CertCheck")
        code, message, _ = shapes.said(checked.raw)
        if shapes.is_about_signing(code):
            return Certificate(None, fault=f"{code}: {message}")
        if checked.status != 200 or code != "1":
            raise Unavailable(f"The issuer answered {checked.status}, {code}: {message}")
        answer = self._call("GET", "/Taxinvoice?cfg=CERT")
        if answer.status != 200:
            raise Unavailable(f"The issuer answered {answer.status}.")
        return shapes.certificate(answer.raw)

    def _deed(self, path: str, deed: str, body: bytes) -> tuple[str, str, str]:
        answer = self._call("POST", path, body, deed)
        code, message, approval = shapes.said(answer.raw)
        if answer.status == 200 and code == "1":
            return code, message, approval
        if answer.status < 500 and shapes.is_about_the_document(code):
            raise Refused(code, message)
        raise Unavailable(f"The issuer answered {answer.status}, {code}: {message}")

    # ─── bytes ─────────────────────────────────────────────────────────────────────────────────

    def _call(self, method: str, path: str, body: bytes = b"", deed: str = "") -> _Answer:
        """One call; once more with a new token where the old one is refused."""
        end = time.monotonic() + self.seconds
        answer = self._ask(method, path, body, deed, end)
        if answer.status == 401:
            self._token = ""
            answer = self._ask(method, path, body, deed, end)
        return answer

    def _ask(self, method: str, path: str, body: bytes, deed: str, end: float) -> _Answer:
        if not self._token:
            self._token = self._new_token(end)
        headers = {"Authorization": f"Bearer {self._token}", "x-pb-version": _VERSION}
        if method == "POST":
            headers["Content-Type"] = "application/json; charset=utf8"
        if deed:
            headers["X-HTTP-Method-Override"] = deed
        return self._send(method, self.account.url + path, body, headers, end)

    def _new_token(self, end: float) -> str:
        account = self.account
        body = msgspec.json.encode({"access_id": account.number, "scope": _SCOPES})
        moment = self.clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        path = f"/{account.service}/Token"
        signed = signature(account.secret, path, body, moment)
        headers = {
            "x-lh-date": moment,
            "x-lh-version": _AUTH_VERSION,
            "x-lh-forwarded": "*",
            "Content-Type": "application/json",
            "Authorization": f"LINKHUB {account.link_id} {signed}",
        }
        answer = self._send("POST", account.auth_url + path, body, headers, end)
        if answer.status != 200:
            raise Unavailable(f"The authentication server answered {answer.status}.")
        try:
            found: dict[str, Any] = msgspec.json.decode(answer.raw)
            return str(found["session_token"])
        except (msgspec.MsgspecError, KeyError, TypeError):
            raise Unavailable("The authentication server makes no sense.") from None

    def _send(
        self, method: str, url: str, body: bytes, headers: dict[str, str], end: float
    ) -> _Answer:
        left = max(0.1, end - time.monotonic())
        try:
            with (
                httpx2.Client(
                    timeout=left, follow_redirects=False, trust_env=False, verify=trusted()
                ) as client,
                client.stream(method, url, content=body, headers=headers) as answer,
            ):
                return _Answer(answer.status_code, _read(answer, end))
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Unavailable(type(error).__name__) from None


def signature(secret: str, path: str, body: bytes, moment: str, forwarded: str = "*") -> str:
    """linkhub's signature of a request for a token. ``secret`` is base64."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    text = "\n".join(["POST", digest, moment, forwarded, _AUTH_VERSION, path])
    signed = hmac.new(base64.b64decode(secret), text.encode(), hashlib.sha256).digest()
    return base64.b64encode(signed).decode()


def _place(key: str) -> str:
    return f"/Taxinvoice/SELL/{quote(key, safe='')}"


def _read(answer: httpx2.Response, end: float) -> bytes:
    """The body. A timeout of the client holds for each piece; a trickle ends here."""
    raw = b""
    for part in answer.iter_bytes():
        raw += part
        if len(raw) > MAX_ANSWER:
            raise Unavailable("The answer is too large.")
        if time.monotonic() > end:
            raise Unavailable("The answer takes too long.")
    return raw
