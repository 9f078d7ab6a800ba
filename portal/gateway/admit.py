"""From a key and a request to a grant and a hold: one round trip, all or nothing.

The key itself never leaves this module: what is sent to Valkey is its SHA-256. The first request
of a key costs a second round trip, because its worst case depends on the endpoint's template.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import TYPE_CHECKING

import msgspec
import structlog

from portal.admission import calls
from portal.admission.calls import AdmissionUnavailable, Admitted, Command, Refused
from portal.admission.grants import Grant, ModelGrant
from portal.gateway import errors, fields, idempotency, unserved
from portal.gateway.bodies import Asked
from portal.gateway.call import Call
from portal.gateway.errors import Problem
from portal.gateway.request import Request
from portal.lib import passes
from portal.lib.ids import ApiKeyParts, cell_of, mint_request_id, parse_api_key
from portal.lib.passes import Pass
from portal.routing.table import EndpointRoutes

if TYPE_CHECKING:
    from portal.gateway.gateway import Gateway

_PASS = b"Bearer " + passes.PREFIX.encode()
PAUSED = (
    "this endpoint is paused. Who may order endpoints can resume it, on its page or through the "
    "API; its name and address stay the same."
)
TRIES = 3  # when the grant or the endpoint changed between the two round trips

_log = structlog.get_logger()


def key_of(gateway: Gateway, request: Request) -> ApiKeyParts:
    """The well-formed key of a request, or a 401 that is the same for every reason."""
    found = request.header(b"authorization")
    if found is None or not found.startswith(b"Bearer ") or b"dure_" in request.query:
        raise errors.invalid_api_key()
    if request.known is not None and request.known[0] == found:
        return request.known[1]
    if found.startswith(_PASS):
        request.by_pass = _pass(found[7:], gateway.config.seal_keys)
        return request.by_pass.key
    parts = gateway.grants.known(hashlib.sha256(found[7:]).hexdigest())
    if parts is None:
        try:
            parts = parse_api_key(found[7:].decode("ascii"))
        except UnicodeDecodeError:
            parts = None
    if parts is None:
        raise errors.invalid_api_key()
    request.known = (found, parts)
    return parts


def _pass(text: bytes, seal_keys: str) -> Pass:
    """Of a job, whose worker has no key. 401 as for any other that is wrong."""
    try:
        return passes.read(text.decode("ascii"), seal_keys, now=time.time())
    except (UnicodeDecodeError, passes.NoPass):
        raise errors.invalid_api_key() from None


async def grant_of(gateway: Gateway, key: ApiKeyParts, until: float) -> Grant:
    """The key's grant as it is published, by a moment of the loop's clock. ``Problem`` 401 if it is
    not live, 503 if nobody can tell."""
    cell, now_ms = cell_of(key.org_code), time.time_ns() // 1_000_000
    seconds = max(0.001, until - asyncio.get_running_loop().time())
    try:
        found = await gateway.grants.fetch(cell, key.sha256, seconds, now_ms)
    except AdmissionUnavailable as error:
        _log.warning("admission.unavailable", because=str(error))
        raise errors.admission_unavailable("the counters do not answer.") from None
    if found is None:
        raise errors.invalid_api_key()
    return found


def check_use(gateway: Gateway, request: Request, grant: Grant) -> None:
    """Whether this key may call models at all, from this address, for whom the client names:
    clients may name organization and project as they do with OpenAI; then it must be the key's."""
    if not grant.inference:
        raise errors.insufficient_scope()
    if grant.addresses and request.by_pass is None:  # a job's were asked when it was created
        address = request.address(gateway.config.proxies)
        if not grant.allows_from(address):
            raise errors.address_not_allowed(address)
    organization, project = (
        request.headers.get(b"openai-organization"),
        request.headers.get(b"openai-project"),
    )
    if organization is not None and organization != grant.organization.encode():
        raise errors.other_organization("OpenAI-Organization")
    if project is not None and project != grant.project.encode():
        raise errors.other_organization("OpenAI-Project")


def _usable_copy(gateway: Gateway, request: Request, key: ApiKeyParts) -> Grant | None:
    """Our copy of the grant, if the key may be used so. It may be older than a wider one: before
    anybody is refused, the grant is asked for anew."""
    grant = gateway.grants.get(key.sha256)
    if grant is not None:
        try:
            check_use(gateway, request, grant)
        except Problem:
            return None
    return grant


class _Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is known before admission; ``until`` is a moment of the loop's clock."""

    key: ApiKeyParts
    cell: int
    epoch: int
    asked: Asked
    route: str
    request_id: str
    until: float
    again: idempotency.Key | None


async def admit(
    gateway: Gateway,
    request: Request,
    key: ApiKeyParts,
    asked: Asked,
    request_id: str,
    again: idempotency.Key | None = None,
) -> Call:
    """A hold for the worst case, or a ``Problem`` that says which rule refused."""
    cell = cell_of(key.org_code)
    epoch = gateway.table.epoch(cell)
    if epoch is None or gateway.journal.full:
        because = gateway.closed_because() or "the counters of this key are being checked."
        raise errors.admission_unavailable(because)
    until = asyncio.get_running_loop().time() + gateway.config.admission_seconds
    for turn in range(TRIES):
        grant = _usable_copy(gateway, request, key) if turn == 0 else None
        if grant is None:
            grant = await grant_of(gateway, key, until)
            check_use(gateway, request, grant)
        if not request.counted_for:
            if not gateway.shedding.enter(grant.organization):
                raise errors.too_many_of_yours(gateway.shedding.most_each)
            request.counted_for = grant.organization
        if asked.model not in grant.models:
            grant = await grant_of(gateway, key, until)
        model = _model(grant, asked)
        routes = gateway.table.routes(model.endpoint)
        if routes is None:
            await grant_of(gateway, key, until)  # a revoked key learns nothing
            problem = errors.no_eligible_site("no replica of this model is running yet.")
            raise unserved.noted(gateway, request, grant, model, problem)
        if routes.paused:
            await grant_of(gateway, key, until)
            raise _paused(routes)
        if asked.optional:
            fields.check_engines(asked.optional, routes.targets, grant.sites)
        _check_room(gateway, request, grant, model)
        wish = _Wish(
            key=key,
            cell=cell,
            epoch=epoch,
            asked=asked,
            route=request.path,
            request_id=request_id if turn == 0 else mint_request_id(),
            until=until,
            again=again,
        )
        call = await _hold(gateway, request, wish, grant, model, routes)
        if call is not None:
            if (
                request.by_pass is None and (cell, grant.key) not in gateway.seen
            ):  # once a second is told
                address = request.address(gateway.config.proxies)
                gateway.seen[cell, grant.key] = f"{call.admitted.at_ms} {address}"
            return call
    raise errors.admission_unavailable("the key is being changed.")


def _check_room(gateway: Gateway, request: Request, grant: Grant, model: ModelGrant) -> None:
    try:
        gateway.waiting.check(
            model.endpoint, grant.organization, grant.sites, may_wait=request.by_pass is None
        )
    except Problem as problem:
        raise unserved.noted(gateway, request, grant, model, problem) from None


def _paused(routes: EndpointRoutes) -> Problem:
    now_ms = time.time_ns() // 1_000_000
    if routes.opens_at_ms > now_ms:
        return errors.closed(routes.opens_at_ms, now_ms)
    return errors.no_eligible_site(PAUSED)


def _model(grant: Grant, asked: Asked) -> ModelGrant:
    model = grant.models.get(asked.model)
    if model is None:
        if not grant.confirmed:
            raise errors.organization_not_confirmed()
        raise errors.model_not_found(asked.model)
    if model.kind != asked.kind:
        raise errors.wrong_kind(asked.model, asked.kind)
    return model


def bounds(asked: Asked, routes: EndpointRoutes) -> tuple[int, int]:
    """Upper bound of prompt tokens, and the most tokens that may come out.

    A prompt is never refused for its bound: only the engine knows its tokens, and its refusal is
    free. What the client asks for beyond the whole context is certain to be too much.
    """
    prompt = asked.prompt_bytes + routes.template_tokens * (asked.messages + 1)
    if asked.max_tokens is not None and asked.max_tokens >= routes.context_tokens:
        raise errors.invalid(
            f"This model has a context of {routes.context_tokens} tokens for prompt and answer "
            f"together; max_tokens is {asked.max_tokens}. Ask for fewer.",
            "max_tokens",
            "context_length_exceeded",
        )
    return prompt, routes.default_max_tokens if asked.max_tokens is None else asked.max_tokens


async def _hold(
    gateway: Gateway,
    request: Request,
    wish: _Wish,
    grant: Grant,
    model: ModelGrant,
    routes: EndpointRoutes,
) -> Call | None:
    """``None`` if the grant turned out to be another one: nothing is held then."""
    tokens_in, tokens_out = bounds(wish.asked, routes)
    command = calls.admit(
        wish.cell,
        epoch=wish.epoch,
        sha256=wish.key.sha256,
        request_id=wish.request_id,
        model=wish.asked.model,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        grant_number=grant.number,
        kind=wish.asked.kind,
        mark=wish.again.mark if wish.again is not None else None,
    )
    admitted = await _ask(gateway, command, wish)
    checked = (grant.inference, grant.addresses)
    if admitted.grant is not None:
        grant = gateway.grants.put(wish.key.sha256, admitted.grant)
    current = grant.models.get(wish.asked.model)
    if (
        admitted.grant_number != grant.number
        or current is None
        or current.endpoint != model.endpoint
    ):
        gateway.grants.forget(wish.key.sha256)
        gateway.settler.release(wish.cell, wish.request_id)
        return None
    if checked != (grant.inference, grant.addresses):
        try:
            check_use(gateway, request, grant)
        except Problem:
            gateway.settler.release(wish.cell, wish.request_id)
            raise
    return Call(
        request_id=wish.request_id,
        cell=wish.cell,
        route=wish.route,
        asked=wish.asked,
        grant=grant,
        model=current,
        routes=routes,
        admitted=admitted,
        max_tokens=tokens_out,
        sha256=wish.key.sha256,
        again=wish.again,
        batch=request.by_pass is not None,
        free=request.by_pass is not None and request.by_pass.free,
    )


async def _ask(gateway: Gateway, command: Command, wish: _Wish) -> Admitted:
    seconds = max(0.001, wish.until - asyncio.get_running_loop().time())
    try:
        return calls.read_admitted(await gateway.valkey.post(command, seconds))
    except asyncio.CancelledError:
        gateway.settler.release(wish.cell, wish.request_id)
        raise
    except AdmissionUnavailable as error:
        gateway.settler.release(wish.cell, wish.request_id)  # it may yet be executed
        _log.warning("admission.unavailable", request_id=wish.request_id, because=str(error))
        raise errors.admission_unavailable("the counters do not answer.") from None
    except Refused as refusal:
        if refusal.reason in ("key_unknown", "key_expired"):
            gateway.grants.forget(wish.key.sha256)
        if refusal.reason in ("closed", "clock_skew", "budget_unknown"):
            _log.error("admission.refused", request_id=wish.request_id, because=refusal.reason)
        if refusal.reason.startswith("idempotency_"):
            raise idempotency.problem_of(refusal, gateway.config.receipts) from None
        raise errors.of_refusal(refusal, wish.asked.model) from None
