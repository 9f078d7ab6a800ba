"""The made-up Stripe's doors: the API with its strictness, two pages, and the webhooks."""

from __future__ import annotations

import hashlib
import hmac
import html
import json
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qsl, urlsplit
from urllib.request import Request, urlopen

from deploy.local.stripe.books import CARDS, Books, Fault, Row, refuse

VERSION = "2026-10-28.endive"
KEY = "sk_test_simulated"
SECRET = "whsec_simulated"
PAUSES = (0, 1, 2, 5, 10, 30, 60)  # seconds before each try of a delivery
FAULTS = ("", "down", "busy", "hang", "cut", "garbage", "forbidden")

# Method, path, required and optional parameters.
_ROUTES: list[tuple[str, str, str, str, str]] = [
    ("POST", "/v1/customers", "customer", "", "name metadata"),
    (
        "POST",
        "/v1/checkout/sessions",
        "session",
        "mode currency customer success_url",
        "cancel_url metadata allowed_payment_method_types",
    ),
    ("GET", "/v1/checkout/sessions/{id}", "checkout.session", "", ""),
    ("POST", "/v1/payment_methods/{id}/attach", "attach", "customer", ""),
    ("POST", "/v1/payment_methods/{id}/detach", "detach", "", ""),
    (
        "POST",
        "/v1/payment_intents",
        "intent",
        "amount currency customer payment_method",
        "confirm off_session description metadata allowed_payment_method_types",
    ),
    ("GET", "/v1/payment_intents", "list:payment_intent", "", "customer created"),
    ("GET", "/v1/payment_intents/{id}", "payment_intent", "", ""),
    ("POST", "/v1/payment_intents/{id}/confirm", "confirm", "", "payment_method return_url"),
    ("POST", "/v1/payment_intents/{id}/cancel", "cancel", "", ""),
    ("POST", "/v1/refunds", "refund", "payment_intent amount", "metadata"),
    ("GET", "/v1/refunds", "list:refund", "", "payment_intent created"),
    ("GET", "/v1/refunds/{id}", "refund_row", "", ""),
    ("GET", "/v1/disputes/{id}", "dispute", "", ""),
    ("GET", "/v1/balance_transactions", "list:balance_transaction", "", "created"),
]
_EXPANDS = {"latest_charge", "source", "setup_intent", "payment_method"}
_LISTS = {"limit", "starting_after"}


def parameters(text: str) -> Row:
    """``metadata[a]=b&expand[0]=c`` as nested values."""
    found: Row = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        first, *rest = re.findall(r"[^\[\]]+", name)
        if not rest:
            found[first] = value
        else:
            found.setdefault(first, {})[rest[0]] = value
    for name in ("expand", "allowed_payment_method_types"):
        if isinstance(found.get(name), dict):
            found[name] = list(found[name].values())
    return found


@dataclass
class Stripe:
    """``send`` carries a delivery (bytes, signature) and gives the status; by default to
    ``hook``. ``wrong`` names a fault for the next ``faults`` calls (-1: all)."""

    port: int = 0
    hook: str = ""
    key: str = KEY
    secret: str = SECRET
    wrong: str = ""
    faults: int = -1
    seconds: float = 3.0
    send: Callable[[bytes, str], int] | None = None
    calls: list[tuple[str, str, Row]] = field(default_factory=list)

    def __post_init__(self) -> None:
        stripe = self

        class Handler(_Handler):
            service = stripe

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.books = Books(self.url)
        self.kept: dict[str, tuple[str, int, Row]] = {}
        self.busy: set[str] = set()
        self.told: dict[str, int] = {}  # event → tries so far; gone once it was taken
        self.ended = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        if self.hook:
            threading.Thread(target=self._deliver_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()

    # ─── the API ───────────────────────────────────────────────────────────────────────────────

    def answer(self, method: str, path: str, wish: Row, key: str) -> tuple[int, Row, bool]:
        """(status, body, whether it is an answer of before)."""
        if not key:
            return (*self._try(method, path, wish), False)
        print_ = json.dumps([method, path, wish], sort_keys=True)
        with self.books.lock:
            if key in self.kept:
                before, status, body = self.kept[key]
                if before != print_:
                    raise Fault(400, "idempotency_error", "", "The key came with other parameters.")
                return status, body, True
            if key in self.busy:
                raise Fault(409, "idempotency_error", "idempotency_key_in_use", "Under way.")
            self.busy.add(key)
        try:
            status, body = self._try(method, path, wish)
            if status not in {400, 404}:  # a request that never began is not kept
                self.kept[key] = (print_, status, body)
        finally:
            self.busy.discard(key)
        return status, body, False

    def _try(self, method: str, path: str, wish: Row) -> tuple[int, Row]:
        with self.books.lock:
            self.calls.append((method, path, wish))
            try:
                return 200, self._do(method, path, dict(wish))
            except Fault as fault:
                return fault.status, _shown(fault.body)

    def _do(self, method: str, path: str, wish: Row) -> Row:
        name, key, required, optional = _route(method, path)
        expand = wish.pop("expand", [])
        lists = _LISTS if name.startswith("list:") else set()
        for one in wish:
            if one not in {*required, *optional, *lists}:
                raise refuse("parameter_unknown", f"Received unknown parameter: {one}", one)
        for one in required:
            if not wish.get(one):
                raise refuse("parameter_missing", f"Missing required param: {one}.", one)
        if name.startswith("list:"):
            return self._list(name.removeprefix("list:"), wish, expand, path)
        return self._expanded(self._one(name, key, wish), expand)

    def _one(self, name: str, key: str, wish: Row) -> Row:
        books = self.books
        deeds: dict[str, Callable[[], Row]] = {
            "customer": lambda: books.customer(wish),
            "session": lambda: books.session(wish),
            "attach": lambda: books.attach(key, wish["customer"]),
            "detach": lambda: books.detach(key),
            "intent": lambda: books.intent(wish),
            "confirm": lambda: books.confirm(key, wish),
            "cancel": lambda: books.cancel(key),
            "refund": lambda: books.refund(wish),
            "refund_row": lambda: books.get("refund", key),
        }
        return deeds[name]() if name in deeds else books.get(name, key)

    def _list(self, kind: str, wish: Row, expand: Sequence[str], path: str) -> Row:
        rows = self.books.all(kind)
        for name in ("customer", "payment_intent"):
            if name in wish:
                rows = [row for row in rows if row.get(name) == wish[name]]
        since = int((wish.get("created") or {}).get("gte", 0))
        rows = [row for row in rows if row["created"] >= since]
        if after := wish.get("starting_after"):
            places = [row["id"] for row in rows]
            if after not in places:
                raise refuse("resource_missing", "No such object.", "starting_after")
            rows = rows[places.index(after) + 1 :]
        limit = int(wish.get("limit", 10))
        inner = [one.removeprefix("data.") for one in expand]
        found = [self._expanded(row, inner) for row in rows[:limit]]
        return {"object": "list", "data": found, "has_more": len(rows) > limit, "url": path}

    def _expanded(self, row: Row, expand: Sequence[str]) -> Row:
        shown: Row = _shown(row)
        for path in expand:
            here = shown
            for name in path.split("."):
                if name not in _EXPANDS or name not in here:
                    raise refuse("", f"This property cannot be expanded ({path}).", "expand")
                if isinstance(here[name], str) and here[name] in self.books.rows:
                    here[name] = _shown(self.books.rows[here[name]])
                if not isinstance(here[name], dict):
                    break
                here = here[name]
        return shown

    # ─── webhooks ──────────────────────────────────────────────────────────────────────────────

    def signed(self, event: Row, *, at: float | None = None) -> tuple[bytes, str]:
        """The event as it is sent, and its signature of this moment."""
        raw = json.dumps(_shown(event)).encode()
        moment = int(time.time() if at is None else at)
        digest = hmac.new(self.secret.encode(), f"{moment}.".encode() + raw, hashlib.sha256)
        return raw, f"t={moment},v1={digest.hexdigest()}"

    def _deliver_forever(self) -> None:
        due: dict[str, float] = {}
        while not self.ended.wait(0.2):
            with self.books.lock:
                waiting = [one for one in self.books.events if self.told.get(one["id"], 0) >= 0]
            for event in waiting:
                tries = self.told.get(event["id"], 0)
                if tries >= len(PAUSES) or time.monotonic() < due.get(event["id"], 0):
                    continue
                taken = self._carry(*self.signed(event)) in range(200, 300)
                self.told[event["id"]] = -1 if taken else tries + 1
                due[event["id"]] = time.monotonic() + PAUSES[min(tries + 1, len(PAUSES) - 1)]

    def _carry(self, raw: bytes, signature: str) -> int:
        if self.send is not None:
            return self.send(raw, signature)
        headers = {"Content-Type": "application/json", "Stripe-Signature": signature}
        try:
            with urlopen(Request(self.hook, raw, headers), timeout=10) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code
        except (URLError, OSError):
            return 0


def _route(method: str, path: str) -> tuple[str, str, set[str], set[str]]:
    for one_method, pattern, name, required, optional in _ROUTES:
        found = re.fullmatch(pattern.replace("{id}", r"(?P<id>[\w-]+)"), path)
        if found and method == one_method:
            key = found.groupdict().get("id", "")
            return name, key, set(required.split()), set(optional.split())
    text = f"Unrecognized request URL ({method}: {path})."
    raise Fault(404, "invalid_request_error", "", text)


def _shown(value: Any) -> Any:
    """A copy without what nobody sees."""
    if isinstance(value, dict):
        return {name: _shown(one) for name, one in value.items() if not name.startswith("_")}
    return [_shown(one) for one in value] if isinstance(value, list) else value


class _Handler(BaseHTTPRequestHandler):
    service: ClassVar[Stripe]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.startswith("/pages/"):
            return self._page()
        return self._api("GET", "")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode() if length else ""
        if self.path.startswith("/pages/"):
            return self._done(parameters(body))
        return self._api("POST", body)

    def _api(self, method: str, body: str) -> None:
        place, service = urlsplit(self.path), self.service
        fault = service.wrong if service.faults else ""
        if fault and service.faults > 0:
            service.faults -= 1
        if fault and fault != "cut":
            return self._misbehave(fault)
        try:
            self._check()
            wish = parameters(place.query if method == "GET" else body)
            key = self.headers.get("Idempotency-Key", "") if method == "POST" else ""
            status, found, again = service.answer(method, place.path, wish, key)
        except Fault as error:
            status, found, again = error.status, error.body, False
        if fault == "cut":  # it is done, and nobody hears of it
            self.close_connection = True
            self.connection.close()
            return None
        headers = {"Idempotent-Replayed": "true"} if again else {}
        return self._send(status, json.dumps(found).encode(), "application/json", **headers)

    def _check(self) -> None:
        if self.headers.get("Authorization") != f"Bearer {self.service.key}":
            raise Fault(401, "invalid_request_error", "", "Invalid API Key provided.")
        if self.headers.get("Stripe-Version") != VERSION:
            raise Fault(400, "invalid_request_error", "", f"This fake is {VERSION}.")

    def _misbehave(self, fault: str) -> None:
        if fault == "hang":
            self.service.ended.wait(self.service.seconds)
        status = {"busy": 429, "forbidden": 401, "garbage": 200}.get(fault, 500)
        error = {"error": {"type": "api_error", "message": fault}}
        raw = b"<html>" if fault == "garbage" else json.dumps(error).encode()
        self._send(status, raw, "application/json")

    def _page(self) -> None:
        """The processor's own pages, as bare as they can be."""
        kind, key = urlsplit(self.path).path.split("/")[2:4]
        choices = CARDS if kind == "checkout" else {"yes": "", "no": ""}
        buttons = "".join(
            f'<p><button name="choice" value="{one}">{html.escape(one)}</button></p>'
            for one in choices
        )
        title = "Add a card" if kind == "checkout" else "Your bank asks: is it you?"
        text = f"""<!doctype html><meta charset="utf-8"><title>{title}</title>
<h1>{title}</h1><p><strong>모의 결제 Simulated: no card, no money.</strong></p>
<form method="post" action="/pages/{kind}/{html.escape(key)}">{buttons}</form>"""
        self._send(200, text.encode(), "text/html; charset=utf-8")

    def _done(self, form: Row) -> None:
        kind, key = urlsplit(self.path).path.split("/")[2:4]
        books, choice = self.service.books, str(form.get("choice", ""))
        try:
            if kind == "checkout":
                back = books.type_in(key, choice)
            else:
                back = books.answer_bank(key, yes=choice == "yes")
        except Fault as fault:
            return self._send(fault.status, json.dumps(fault.body).encode(), "application/json")
        return self._send(303, b"", "text/plain", Location=back)

    def _send(self, status: int, raw: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        try:
            self.wfile.write(raw)
        except OSError:
            self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Silence."""
