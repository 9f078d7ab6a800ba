"""Grants of all keys, remembered from look to look: only what rests on something new is made again.

A grant is made of its key's row, of its project's and its organization's, and of what many share:
endpoints, prices, sites, the chain of budgets, names of the project's own.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

import msgspec

from billing import tariffs
from billing.chains import Chains
from billing.invoices import CARD_PAID, TEST_FREE
from billing.resolution import Version
from portal.admission.grants import Grant, ModelGrant
from portal.deployments import queries
from portal.deployments.models import EndpointKind
from portal.fleet.models import Site
from portal.lib.money import token_price_to_micro
from portal.routing.remembered import Rows
from portal.routing.routes import Named
from tenants import registrations
from tenants.models import (
    NEVER_KEPT,
    ApiKey,
    KeyMode,
    ModelAlias,
    OperatorHold,
    Organization,
    PaymentHold,
    Project,
)
from tenants.scopes import Scope

# Test keys cost nothing, so their limits are ours and not the customer's.
TEST_REQUESTS_A_MINUTE, TEST_TOKENS_A_MINUTE, TEST_AT_ONCE = 10, 20_000, 2
REPLAY_SECONDS = 600  # as long as the record that refuses a second run under the same key

Granted = tuple[Grant, bool]  # with whether the key is over
_Sites = tuple[tuple[str, str, tuple[str, ...]], ...]  # code, region, data classes
_Priced = tuple[tuple[Named, Version], ...]  # shared endpoints that are for sale
_Aliases = tuple[tuple[str, str], ...]  # name → target


class _Shared(NamedTuple):
    """What a grant rests on besides the three rows."""

    held: bool
    budgets: tuple[str, ...]
    sites: tuple[str, ...]
    shared: _Priced
    own: tuple[Named, ...]
    aliases: _Aliases


class _Basis(NamedTuple):
    """All that a grant rests on."""

    key: ApiKey
    project: Project
    organization: Organization
    rest: _Shared

    def is_that_of(self, other: _Basis) -> bool:
        return (
            self.key is other.key
            and self.project is other.project
            and self.organization is other.organization
            and self.rest == other.rest
        )


class Grants:
    """Of one publisher; empty at its start. ``look`` is called inside a transaction that sees all
    tenants' rows."""

    def __init__(self) -> None:
        self._keys, self._projects = Rows[ApiKey](), Rows[Project]()
        self._made: dict[str, tuple[_Basis, Granted]] = {}
        self._sites: _Sites = ()
        self._allowed: dict[tuple[object, ...], tuple[str, ...]] = {}
        self._priced: dict[int | None, _Priced] = {}

    def look(
        self,
        *,
        number: int,
        now: datetime,
        sites: list[Site],
        endpoints: list[Named],
        organizations: dict[int, Organization],
        chains: Chains,
        turn: int | None,
    ) -> dict[str, Granted]:
        """sha256 → grant. One that says what it said is the same object as before, with the number
        of the look that found it changed."""
        self._look_at_sites(sites)
        projects = self._projects.look(Project.objects.all(), turn)
        held, aliases = _held(), _aliases()
        own: dict[int, list[Named]] = defaultdict(list)
        for endpoint in endpoints:
            if endpoint.kind != EndpointKind.SHARED and endpoint.project is not None:
                own[endpoint.project].append(endpoint)
        of_project = {pk: tuple(found) for pk, found in own.items()}
        priced = self._look_at_prices(endpoints, now)
        listed = priced[None]
        found = {}
        for key in self._keys.look(ApiKey.objects.all(), turn).values():
            project = projects[key.project_id]
            organization = organizations[key.organization_id]
            rest = _Shared(
                key.organization_id in held,
                chains.of(organization, project.public_id, key.public_id),
                self._allowing(key, project),
                priced.get(key.organization_id, listed),
                of_project.get(key.project_id, ()),
                aliases.get(key.project_id, ()),
            )
            found[key.sha256] = self._granted(_Basis(key, project, organization, rest), number)
        self._made = found
        return {sha: granted for sha, (_, granted) in found.items()}

    def _granted(self, basis: _Basis, number: int) -> tuple[_Basis, Granted]:
        before = self._made.get(basis.key.sha256)
        if before is not None and basis.is_that_of(before[0]):
            return before
        granted = _grant(basis, number), _is_over(basis)
        if before is not None:
            told, ended = before[1]
            same = msgspec.structs.replace(granted[0], number=told.number)
            if (same, granted[1]) == (told, ended):
                granted = before[1]
        return basis, granted

    def _look_at_sites(self, sites: list[Site]) -> None:
        found = tuple((one.code, one.region.code, tuple(one.data_classes)) for one in sites)
        if found != self._sites:
            self._sites = found
            self._allowed.clear()

    def _allowing(self, key: ApiKey, project: Project) -> tuple[str, ...]:
        """Sites that key, regions and data class allow, all by name: an empty list allows none.
        Thousands of keys allow the same."""
        asked = (tuple(key.allowed_sites), tuple(project.regions), project.data_class)
        if asked not in self._allowed:
            self._allowed[asked] = tuple(
                code
                for code, region, classes in self._sites
                if (not key.allowed_sites or code in key.allowed_sites)
                and (not project.regions or region in project.regions)
                and project.data_class in classes
            )
        return self._allowed[asked]

    def _look_at_prices(self, endpoints: list[Named], now: datetime) -> dict[int | None, _Priced]:
        """What tokens of the shared models cost: by organization as agreed with it, else as
        listed. A model without a price is not servable."""
        book, classes = tariffs.Book("tokens", now), queries.offering_classes()
        shared = [one for one in endpoints if one.kind == EndpointKind.SHARED]
        found: dict[int | None, _Priced] = {}
        for organization in (None, *book.agreed):
            prices = (
                (one, book.price(one.model, organization, classes.get(one.pk, "")))
                for one in shared
            )
            priced = tuple((one, price) for one, price in prices if price is not None)
            before = self._priced.get(organization)
            found[organization] = before if before == priced and before is not None else priced
        self._priced = found
        return found


def _held() -> set[int]:
    return {
        organization
        for kind in (OperatorHold, PaymentHold)
        for organization in kind.objects.filter(lifted_at=None).values_list(
            "organization_id", flat=True
        )
    }


def _aliases() -> dict[int, _Aliases]:
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    rows = ModelAlias.objects.order_by("pk").values_list("project", "name", "target")
    for project, name, target in rows:
        found[project].append((name, target))
    return {project: tuple(names) for project, names in found.items()}


def _is_over(basis: _Basis) -> bool:
    # Expiry stands in the grant: Valkey's clock ends it, also with the publisher dead.
    ended = basis.key.revoked_at is not None or basis.project.archived_at is not None
    return ended or basis.organization.closed_at is not None or basis.rest.held


def _grant(basis: _Basis, number: int) -> Grant:
    key, project, organization, rest = basis
    test = key.mode == KeyMode.TEST
    return Grant(
        number=number,
        organization=organization.public_id,
        org_code=organization.code,
        project=project.public_id,
        key=key.public_id,
        mode="test" if test else "live",
        models=_models(basis),
        sites=rest.sites,
        data_class=project.data_class,
        rpm=min(key.rpm_limit, TEST_REQUESTS_A_MINUTE) if test else key.rpm_limit,
        tpm=_test_tokens(key.tpm_limit) if test else key.tpm_limit,
        concurrency=min(key.concurrency_limit, TEST_AT_ONCE) if test else key.concurrency_limit,
        budgets=rest.budgets,
        inference=Scope.INFERENCE in key.scopes,
        addresses=tuple(key.allowed_addresses),
        expires_at_ms=int(key.expires_at.timestamp() * 1000) if key.expires_at else 0,
        confirmed=test or not registrations.is_unconfirmed(organization),
        region=organization.region,
        replay_seconds=_replay_seconds(project),
    )


def _models(basis: _Basis) -> dict[str, ModelGrant]:
    """Names that the key may call: shared models, its project's own endpoints, and the
    project's names for both. Test keys call the shared ones for nothing; live keys of an
    unconfirmed organization call none."""
    key, rest = basis.key, basis.rest
    found: dict[str, ModelGrant] = {}
    test = key.mode == KeyMode.TEST
    if not test and registrations.is_unconfirmed(basis.organization):
        return found
    for endpoint, price in rest.shared:
        found[endpoint.model] = _free_grant(endpoint) if test else _model_grant(endpoint, price)
    if not test:
        for endpoint in rest.own:
            granted = _paid_by_cards(endpoint)
            found[endpoint.public_id] = found[endpoint.name] = granted
    real = {*found, *(endpoint.name for endpoint in rest.own)}
    if key.allowed_models:
        found = {name: one for name, one in found.items() if name in key.allowed_models}
    for name, target in rest.aliases:
        # allowed if its target is; a name that is real means itself, allowed or not
        if name not in real and target in found:
            found[name] = found[target]
    return found


def _test_tokens(limit: int) -> int:
    return min(limit or TEST_TOKENS_A_MINUTE, TEST_TOKENS_A_MINUTE)


def _replay_seconds(project: Project) -> int:
    kept = project.replay and project.data_class not in NEVER_KEPT
    return REPLAY_SECONDS if kept else 0


@lru_cache(maxsize=65_536)
def _paid_by_cards(endpoint: Named) -> ModelGrant:
    """Tokens of a dedicated endpoint cost nothing: its cards are paid by the hour."""
    return _model_grant(endpoint, None)


def _model_grant(endpoint: Named, price: Version | None) -> ModelGrant:
    return ModelGrant(
        endpoint=endpoint.public_id,
        model=endpoint.model,
        kind="embedding" if endpoint.model_kind == "embedding" else "chat",
        price_in=_scaled(price, "token_in"),
        price_cached=_scaled(price, "token_cached"),
        price_out=_scaled(price, "token_out"),
        price_version=price.public_id if price else CARD_PAID,
    )


def _scaled(price: Version | None, kind: str) -> int:
    return token_price_to_micro(price.price_of(kind)) if price else 0


def _free_grant(endpoint: Named) -> ModelGrant:
    """A shared model for test keys. The ledger keeps the request; no invoice has it."""
    return ModelGrant(
        endpoint=endpoint.public_id,
        model=endpoint.model,
        kind="embedding" if endpoint.model_kind == "embedding" else "chat",
        price_in=0,
        price_cached=0,
        price_out=0,
        price_version=TEST_FREE,
    )
