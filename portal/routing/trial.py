"""The exact answer that a key would get now, and why: asked of the same counters, not guessed.

A trial goes the gateway's way as far as a site: grant, address, model, limits, budgets, a hold
for a small request, an allowed site that is up. Then the hold is released; nothing is charged,
but the request counts in this minute's limit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from billing.budgets import admission
from portal.admission import keys as names
from portal.admission import problems
from portal.admission.calls import AdmissionUnavailable, Refused
from portal.admission.grants import Grant, ModelGrant
from portal.admission.problems import Problem
from portal.lib.ids import cell_of, mint_request_id
from portal.routing import table
from portal.routing.table import EndpointRoutes, SiteInfo, TableIndex
from tenants.models import ApiKey, Organization

TOKENS_IN, TOKENS_OUT = 100, 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the gateway would say. ``status`` 200 means: a site would be asked now."""

    status: int
    code: str
    message: str
    sites: tuple[str, ...] = ()
    worst_micro: int = 0
    left_micro: int | None = None
    rpm_left: int = 0


def of(*, key: ApiKey, organization: Organization, model: str, address: str) -> Outcome:
    """Try a request of 100 tokens in and out. ``address`` is empty where it does not matter."""
    try:
        return _tried(key, organization, model, address)
    except Problem as problem:
        return _refused(problem)
    except AdmissionUnavailable:
        return _refused(problems.admission_unavailable("the counters do not answer."))


def _refused(problem: Problem) -> Outcome:
    return Outcome(problem.status, problem.code, problem.message)


def _tried(key: ApiKey, organization: Organization, name: str, address: str) -> Outcome:
    grant = admission().grant(organization.code, key.sha256)
    if grant is None:
        raise problems.invalid_api_key()
    model = _model(grant, name, address)
    index, routes = _routes(model)
    cell = cell_of(organization.code)
    fence = index.fences.get(f"c{cell}")
    if fence is None:
        raise problems.admission_unavailable("the counters were restarted and are being checked.")
    request_id = mint_request_id()
    try:
        admitted = admission().admit(
            organization.code,
            epoch=fence[1],
            sha256=key.sha256,
            request_id=request_id,
            model=name,
            tokens_in=TOKENS_IN,
            tokens_out=TOKENS_OUT,
            grant_number=grant.number,
            kind=model.kind,
        )
    except Refused as refusal:
        raise problems.of_refusal(refusal, name) from None
    finally:
        admission().release(organization.code, request_id)
    return Outcome(
        200,
        "ok",
        "",
        sites=_sites(grant, index.sites, routes),
        worst_micro=admitted.hold_micro,
        left_micro=admitted.left_micro,
        rpm_left=admitted.rpm_left,
    )


def _model(grant: Grant, name: str, address: str) -> ModelGrant:
    if not grant.inference:
        raise problems.insufficient_scope()
    if address and not grant.allows_from(address):
        raise problems.address_not_allowed(address)
    model = grant.models.get(name)
    if model is None:
        if not grant.confirmed:
            raise problems.organization_not_confirmed()
        raise problems.model_not_found(name)
    return model


def _routes(model: ModelGrant) -> tuple[TableIndex, EndpointRoutes]:
    index = admission().text(names.ROUTE_INDEX)
    part = admission().read(names.ROUTE_PARTS, model.endpoint)
    if index is None or part is None:
        raise problems.no_eligible_site("no replica of this model is running yet.")
    return table.decode_index(index), table.decode_routes(part)


def _sites(grant: Grant, sites: Iterable[SiteInfo], routes: EndpointRoutes) -> tuple[str, ...]:
    """Allowed sites that would be asked; a ``Problem`` that names the rule if there are none."""
    out = {site.site for site in sites if site.state == "out"}
    allowed = {one.site for one in routes.targets if one.site in grant.sites}
    up = {one.site for one in routes.targets if one.state != "out" and one.weight} - out
    if not routes.targets:
        raise problems.no_eligible_site("no replica of this model is running yet.")
    if not allowed:
        raise problems.no_eligible_site(
            f"data of the class '{grant.data_class}' and the sites of this key allow none of the "
            "sites where this model runs."
        )
    if not allowed & up:
        raise problems.no_eligible_site("every site that this key allows is out of service.")
    return tuple(sorted(allowed & up))
