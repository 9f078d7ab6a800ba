"""From a key and a request to a grant and a hold: one round trip, all or nothing.

The key itself never leaves this module: what is sent to Valkey is its SHA-256. The first request
of a key costs a second round trip, because its worst case depends on the endpoint's template.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from portal.admission import calls
from portal.admission.calls import AdmissionUnavailable, Admitted, Refused
from portal.admission.grants import Grant, ModelGrant
from portal.gateway import errors
from portal.gateway.asgi import Scope, header, headers
from portal.gateway.bodies import Asked
from portal.gateway.call import Call
from portal.lib.ids import ApiKeyParts, cell_of, mint_request_id, parse_api_key
from portal.routing.table import EndpointRoutes

if TYPE_CHECKING:
    from portal.gateway.gateway import Gateway

TRIES = 3  # when the grant or the endpoint changed between the two round trips

_log = structlog.get_logger()


def key_of(scope: Scope) -> ApiKeyParts:
    """The well-formed key of a request, or a 401 that is the same for every reason."""
    found = headers(scope, b"authorization")
    query = scope.get("query_string", b"")
    if len(found) != 1 or not found[0].startswith(b"Bearer ") or b"dure_" in query:
        raise errors.invalid_api_key()
    try:
        parts = parse_api_key(found[0][7:].decode("ascii"))
    except UnicodeDecodeError:
        parts = None
    if parts is None:
        raise errors.invalid_api_key()
    return parts


async def grant_of(gateway: Gateway, key: ApiKeyParts, *, fresh: bool) -> Grant:
    """The key's grant. ``Problem`` 401 if it is not live, 503 if nobody can tell."""
    copy = None if fresh else gateway.grants.get(key.sha256)
    if copy is None:
        try:
            copy = await gateway.grants.fetch(
                cell_of(key.org_code),
                key.sha256,
                gateway.config.admission_seconds / 2,
                time.time_ns() // 1_000_000,
            )
        except AdmissionUnavailable as error:
            _log.warning("admission.unavailable", because=str(error))
            raise errors.admission_unavailable("the counters do not answer.") from None
    if copy is None:
        raise errors.invalid_api_key()
    return copy


def check_belonging(scope: Scope, grant: Grant) -> None:
    """Clients may name their organization and project as they do with OpenAI; then it must be
    the key's."""
    for name, own in ((b"openai-organization", grant.organization), (b"openai-project", grant.project)):
        named = header(scope, name)
        if named is not None and named != own.encode():
            raise errors.other_organization("-".join(p.capitalize() for p in name.decode().split("-")))


async def admit(gateway: Gateway, scope: Scope, key: ApiKeyParts, asked: Asked, route: str) -> Call:
    """A hold for the worst case, or a ``Problem`` that says which rule refused."""
    cell = cell_of(key.org_code)
    epoch = gateway.table.epoch(cell)
    if epoch is None:
        raise errors.admission_unavailable(gateway.closed_because())
    for turn in range(TRIES):
        grant = await grant_of(gateway, key, fresh=turn > 0)
        check_belonging(scope, grant)
        if asked.model not in grant.models:
            grant = await grant_of(gateway, key, fresh=True)
        model = _model(grant, asked)
        routes = gateway.table.routes(model.endpoint)
        if routes is None:
            await grant_of(gateway, key, fresh=True)  # a revoked key learns nothing
            raise errors.no_eligible_site("no replica of this model is running yet.")
        call = await _hold(gateway, key, cell, epoch, asked, grant, model, routes, route)
        if call is not None:
            return call
    raise errors.admission_unavailable("the key is being changed.")


def _model(grant: Grant, asked: Asked) -> ModelGrant:
    model = grant.models.get(asked.model)
    if model is None:
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
    key: ApiKeyParts,
    cell: int,
    epoch: int,
    asked: Asked,
    grant: Grant,
    model: ModelGrant,
    routes: EndpointRoutes,
    route: str,
) -> Call | None:
    """``None`` if the grant turned out to be another one: nothing is held then."""
    tokens_in, tokens_out = bounds(asked, routes)
    request_id = mint_request_id()
    command = calls.admit(
        cell,
        epoch=epoch,
        sha256=key.sha256,
        request_id=request_id,
        model=asked.model,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        grant_number=grant.number,
        kind=asked.kind,
    )
    admitted = await _ask(gateway, command, cell, request_id, asked.model)
    if admitted.grant is not None:
        grant = gateway.grants.put(key.sha256, admitted.grant)
        if grant.models.get(asked.model, model).endpoint != model.endpoint:
            gateway.settler.release(cell, request_id)
            return None
        model = grant.models.get(asked.model, model)
    if admitted.grant_number != grant.number:
        gateway.grants.forget(key.sha256)
        gateway.settler.release(cell, request_id)
        return None
    return Call(
        request_id=request_id,
        cell=cell,
        route=route,
        asked=asked,
        grant=grant,
        model=model,
        routes=routes,
        admitted=admitted,
        max_tokens=tokens_out,
    )


async def _ask(
    gateway: Gateway, command: calls.Command, cell: int, request_id: str, model: str
) -> Admitted:
    try:
        reply = await gateway.valkey.ask(command, gateway.config.admission_seconds)
        return calls.read_admitted(reply)
    except AdmissionUnavailable as error:
        gateway.settler.release(cell, request_id)  # it may yet be executed
        _log.warning("admission.unavailable", request_id=request_id, because=str(error))
        raise errors.admission_unavailable("the counters do not answer.") from None
    except Refused as refusal:
        if refusal.reason in ("closed", "clock_skew", "budget_unknown"):
            _log.error("admission.refused", request_id=request_id, because=refusal.reason)
        raise errors.of_refusal(refusal, model) from None
