"""Why a request is not admitted, in OpenAI's own words and shape, with what a person must know.

``{"error": {"message", "type", "param", "code"}}`` and, where they help, ``limit``, ``left``,
``retry_after``, ``who``. Clients of OpenAI read the first four; people read all. The gateway
answers with these, and the portal's "test this key" shows the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from portal.admission import chain
from portal.admission.calls import Refused

Header = tuple[bytes, bytes]

RAISED_BY = "the owner or a budget officer of your organization"
_SCOPES = {"org": "organization", "prj": "project", "key": "API key", "bln": "budget line"}
_BUDGETS = {  # how the budget is called, and when there is one again
    "month": ("this month's budget", "the next month begins in"),
    "year": ("this fiscal year's budget", "the next year begins in"),
    "running": ("the running budget", ""),
}
_KEY = re.compile(rb"(dure_(?:live|test)_)[0-9a-z_]+")
_NO_CLIENT_RETRY: Header = (b"x-should-retry", b"false")  # read by OpenAI's own clients


class Problem(Exception):
    """An answer that is an error."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        more: Mapping[str, object] | None = None,
        headers: tuple[Header, ...] = (),
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.kind = kind
        self.param = param
        self.more = more or {}
        self.headers = headers
        self._body = b""

    def body(self) -> bytes:
        """The JSON of the answer. A key that was sent as a model or a field is not said again:
        clients log what they are answered."""
        if not self._body:
            self._body = self._encoded()
        return self._body

    def _encoded(self) -> bytes:
        error = {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
            **self.more,
        }
        return _KEY.sub(rb"\1***", msgspec.json.encode({"error": error}))

    def event(self) -> bytes:
        """The same as an event of a stream that has begun."""
        return b"data: " + self.body() + b"\n\n"


def retry_after(seconds: float) -> tuple[Header, ...]:
    """Whole seconds, rounded up."""
    return ((b"retry-after", b"%d" % max(1, -int(-seconds // 1))),)


def invalid(message: str, param: str | None = None, code: str = "invalid_value") -> Problem:
    """The request itself is wrong; ``param`` names where."""
    return Problem(400, code, message, param=param)


def invalid_api_key() -> Problem:
    """One body for every reason: unknown, malformed, revoked, expired, sent twice."""
    return Problem(
        401,
        "invalid_api_key",
        "The API key is missing or not valid. Send it once, as 'Authorization: Bearer dure_…'.",
        headers=((b"www-authenticate", b"Bearer"),),
    )


def insufficient_scope() -> Problem:
    """The key is good, but not for calling models."""
    return Problem(
        403,
        "insufficient_scope",
        "This API key may not call models: it lacks the scope 'inference'. Use another key.",
    )


def organization_not_confirmed() -> Problem:
    """The key is good, but its organization has not been confirmed by registry or operator."""
    return Problem(
        403,
        "organization_not_confirmed",
        "This organization is not confirmed yet, so live keys may not call models. Use a test key "
        "meanwhile; the portal's page 'Registration' says what is missing.",
    )


def address_not_allowed(address: str) -> Problem:
    """The key is good, but not from here."""
    return Problem(
        403,
        "address_not_allowed",
        f"This API key may not be used from the address {address}. An administrator of your "
        "organization can change the addresses that it allows.",
        more={"address": address},
    )


def model_not_found(model: str) -> Problem:
    """Unknown and not allowed are the same answer."""
    return Problem(
        404,
        "model_not_found",
        f"The model '{model[:128]}' does not exist or you do not have access to it.",
        param="model",
    )


def wrong_kind(model: str, wanted: str) -> Problem:
    """The model is there, but not for this route."""
    return Problem(
        400,
        "wrong_kind_of_model",
        f"The model '{model[:128]}' is no {wanted} model.",
        param="model",
    )


def admission_unavailable(because: str) -> Problem:
    """Nobody is let in unmetered. ``because`` is for the reader, without inner names."""
    return Problem(
        503,
        "admission_unavailable",
        f"Requests cannot be admitted at the moment: {because} Try again shortly.",
        kind="server_error",
        more={"retry_after": 1},
        headers=retry_after(1),
    )


def no_eligible_site(rule: str) -> Problem:
    """Every site that the rule leaves over is out, or there is none."""
    return Problem(
        503,
        "no_eligible_site",
        f"No site may answer this request at the moment: {rule}",
        kind="server_error",
        more={"rule": rule, "retry_after": 5},
        headers=retry_after(5),
    )


def of_refusal(refusal: Refused, model: str) -> Problem:
    """Admission's reasons as answers."""
    match refusal.reason:
        case "key_unknown" | "key_expired":
            return invalid_api_key()
        case "model_unknown":
            return model_not_found(model)
        case "wrong_kind":
            return wrong_kind(model, "suitable")
        case "rate" | "concurrency":
            return _too_many(refusal)
        case "tokens":
            return _too_many_tokens(refusal)
        case "budget_exceeded":
            return _no_budget(refusal)
        case "budget_unknown":
            return admission_unavailable("a budget of this key has not been published yet.")
        case "too_large":
            return invalid("The worst case of this request costs more than can be held.", None)
        case "clock_skew":
            return admission_unavailable("a clock of ours is wrong; we have been told.")
        case _:
            return admission_unavailable("the counters are being checked.")


def _too_many(refusal: Refused) -> Problem:
    seconds = max(1, -(-refusal.retry_ms // 1000))
    if refusal.reason == "rate":
        sentence = f"This API key may send {refusal.limit} requests a minute"
    else:
        sentence = f"This API key may have {refusal.limit} requests open at once"
    return Problem(
        429,
        "rate_limit_exceeded",
        f"{sentence}. Try again in {seconds} s, or ask an administrator for a higher limit.",
        kind="requests",
        more={
            "rule": refusal.reason,
            "limit": refusal.limit,
            "left": refusal.left,
            "retry_after": seconds,
        },
        headers=(
            *retry_after(seconds),
            (b"retry-after-ms", b"%d" % max(1, refusal.retry_ms)),
            (b"x-ratelimit-limit-requests", b"%d" % refusal.limit),
            (b"x-ratelimit-remaining-requests", b"0"),
            (b"x-ratelimit-reset-requests", b"%ds" % seconds),
        ),
    )


def _too_many_tokens(refusal: Refused) -> Problem:
    """In OpenAI's words. A request that is too large by itself fits into no minute: clients are
    told not to repeat it."""
    limits = f"Limit {refusal.limit}, used {refusal.limit - refusal.left}"
    asked = f"requested {refusal.detail} (the most that prompt and answer may have)"
    seconds = max(1, -(-refusal.retry_ms // 1000))
    wait: tuple[Header, ...] = (
        *retry_after(seconds),
        (b"retry-after-ms", b"%d" % max(1, refusal.retry_ms)),
        (b"x-ratelimit-reset-tokens", b"%ds" % seconds),
    )
    if refusal.retry_ms == 0:
        sentence = (
            f"Request too large for this API key on tokens per min (TPM): {limits}, {asked}. "
            "Shorten the prompt, ask for fewer with max_tokens, or ask an administrator for a "
            "higher limit."
        )
        wait = (_NO_CLIENT_RETRY,)
    else:
        sentence = (
            f"Rate limit reached for this API key on tokens per min (TPM): {limits}, {asked}. "
            f"Try again in {seconds} s, or ask an administrator for a higher limit."
        )
    return Problem(
        429,
        "rate_limit_exceeded",
        sentence,
        kind="tokens",
        more={
            "rule": "tokens",
            "limit": refusal.limit,
            "left": refusal.left,
            **({"retry_after": seconds} if refusal.retry_ms else {}),
        },
        headers=(
            *wait,
            (b"x-ratelimit-limit-tokens", b"%d" % refusal.limit),
            (b"x-ratelimit-remaining-tokens", b"%d" % refusal.left),
        ),
    )


def _no_budget(refusal: Refused) -> Problem:
    words = chain.subject_of(refusal.name).split("_")
    scope = _SCOPES.get(words[0], "organization")
    if len(words) > 2:  # a budget line's id says its code
        scope = f"{scope} {words[1]}"
    kind = chain.kind_of(refusal.name)
    which, again = _BUDGETS[kind]
    seconds = max(1, -(-refusal.retry_ms // 1000)) if again else 0
    left = max(0, refusal.left)  # below what was used before the limit fell nothing is left
    return Problem(
        429,
        "insufficient_quota",
        f"The worst case of this request does not fit into {which} of the {scope}: "
        f"{won(left)} won of {won(refusal.limit)} won are left. It can be raised by "
        f"{RAISED_BY}{again and f'; {again} {seconds} s'}.",
        kind="insufficient_quota",
        more={
            "budget": chain.subject_of(refusal.name),
            "period": kind,
            "limit": won(refusal.limit),
            "left": won(left),
            **({"retry_after": seconds} if again else {}),
            "who": RAISED_BY,
        },
        headers=(*(retry_after(seconds) if again else ()), _NO_CLIENT_RETRY),
    )


def won(micro: int) -> str:
    """Exact won without an exponent and without trailing zeros: ``0.0012``."""
    digits = f"{abs(micro):07d}"
    part = digits[-6:].rstrip("0")
    text = f"{digits[:-6]}.{part}" if part else digits[:-6]
    return f"-{text}" if micro < 0 else text
