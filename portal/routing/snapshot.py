"""What PostgreSQL says now, as the gateway shall know it: routes, sites, grants, limits.

Read in one transaction, so that a table and the grants beside it belong together.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from django.db import connection

from billing import budgets as budgets_of
from billing import published, tariffs
from billing.chains import Chains
from billing.invoices import CARD_PAID, TEST_FREE
from billing.models import Budget
from billing.published import Limit
from billing.resolution import Version
from portal.admission import chain
from portal.admission.grants import Grant, ModelGrant
from portal.deployments import queries
from portal.deployments.models import Drill, EndpointKind
from portal.fleet.models import Site
from portal.lib.money import token_price_to_micro
from portal.routing.demand import Demand, TargetDemand
from portal.routing.routes import Named, Routes
from portal.routing.table import EndpointRoutes, SiteInfo, TargetState
from tenants import registrations, rls
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
ENDED_LATELY = timedelta(days=1)
REPLAY_SECONDS = 600  # as long as the record that refuses a second run under the same key


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent look. ``number`` grows with each look; older ones are refused."""

    number: int
    routes: dict[str, EndpointRoutes]
    sites: tuple[SiteInfo, ...]
    grants: dict[str, tuple[Grant, bool]]  # sha256 → (grant, revoked)
    budgets: tuple[tuple[str, Budget], ...]  # (organization code, budget)
    gateways: int = 1  # that told their demand lately
    limits: tuple[tuple[str, Limit], ...] = ()  # (organization code, what admission is told)
    more: tuple[tuple[str, str, tuple[str, ...]], ...] = ()  # (code, subject, other budgets)
    ended: tuple[tuple[str, Budget], ...] = ()  # (code, budget) that count no more, of late


def take(*, now: datetime, demands: list[Demand], known: Routes | None = None) -> Snapshot:
    """Read everything; routes as far as they are not ``known`` from the look before. The number
    comes first: what changes meanwhile gets a later one."""
    with rls.everyone(because="publisher: the gateway serves all organizations"):
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval('publication_number')")
            (number,) = cursor.fetchone()
        sites = list(Site.objects.defer("report").select_related("region"))
        states = {one.code: _site_state(one, now) for one in sites}
        known = known or Routes()
        routes = known.look(
            number=number,
            sites=states,
            samples=_samples(demands),
            withdrawn=frozenset(Drill.objects.at(now).values_list("endpoint", "site")),
        )
        organizations = {one.pk: one for one in Organization.objects.all()}
        budgets = list(Budget.objects.current())
        codes = {pk: one.code for pk, one in organizations.items()}
        chains = Chains(budgets, now=now)
        return Snapshot(
            number=number,
            routes=routes,
            sites=tuple(
                SiteInfo(one.code, one.region.code, states[one.code], one.simulated)
                for one in sites
            ),
            grants=_Grants(number, now, sites, known.named(), organizations, chains).all(),
            budgets=tuple((codes[one.organization_id], one) for one in budgets),
            gateways=max(1, len(demands)),
            limits=_limits(budgets, codes, now),
            more=_more(budgets, organizations, now),
            ended=tuple(
                (codes[one.organization_id], one)
                for one in Budget.objects.filter(closed_at__gt=now - ENDED_LATELY)
            ),
        )


def _limits(
    budgets: list[Budget], codes: dict[int, str], now: datetime
) -> tuple[tuple[str, Limit], ...]:
    raises = budgets_of.raises_of(budgets, now=now)
    of = {one.subject: codes[one.organization_id] for one in budgets}
    told = published.limits(budgets, raises, now=now)
    return tuple((of[chain.subject_of(one.name)], one) for one in told)


def _more(
    budgets: list[Budget], organizations: dict[int, Organization], now: datetime
) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Of each subject, the budgets that count it besides the one of its own name."""
    by_organization: dict[int, list[Budget]] = defaultdict(list)
    for one in budgets:
        by_organization[one.organization_id].append(one)
    found = []
    for pk, rows in by_organization.items():
        more = Chains(rows, now=now).more({pk: organizations[pk].public_id})
        found += [(organizations[pk].code, subject, names) for subject, names in more.items()]
    return tuple(found)


def _site_state(site: Site, now: datetime) -> TargetState:
    return "healthy" if site.serves_at(now) else "out"


def _samples(demands: list[Demand]) -> dict[str, list[TargetDemand]]:
    found: dict[str, list[TargetDemand]] = defaultdict(list)
    for demand in demands:
        for target in demand.targets:
            found[target.target].append(target)
    return found


class _Grants:
    """Grants of all keys, with what they share read once."""

    def __init__(
        self,
        number: int,
        now: datetime,
        sites: list[Site],
        endpoints: list[Named],
        organizations: dict[int, Organization],
        chains: Chains,
    ) -> None:
        self.number = number
        self.now = now
        self.sites = sites
        self.organizations = organizations
        self.chains = chains
        self.prices = tariffs.Book("tokens", now)
        self.held = {
            organization
            for kind in (OperatorHold, PaymentHold)
            for organization in kind.objects.filter(lifted_at=None).values_list(
                "organization_id", flat=True
            )
        }
        self.aliases: dict[int, list[tuple[str, str]]] = defaultdict(list)
        for project, name, target in ModelAlias.objects.values_list("project", "name", "target"):
            self.aliases[project].append((name, target))
        self.shared: list[Named] = []
        self.dedicated: dict[int, list[Named]] = defaultdict(list)
        self.classes = queries.offering_classes()
        self.allowed: dict[tuple[object, ...], tuple[str, ...]] = {}
        for endpoint in endpoints:
            if endpoint.kind == EndpointKind.SHARED:
                self.shared.append(endpoint)
            elif endpoint.project is not None:
                self.dedicated[endpoint.project].append(endpoint)

    def all(self) -> dict[str, tuple[Grant, bool]]:
        projects = Project.objects.in_bulk()
        found = {}
        for key in ApiKey.objects.order_by("pk"):
            key.project = projects[key.project_id]
            found[key.sha256] = (self._grant(key), self._is_over(key))
        return found

    def _is_over(self, key: ApiKey) -> bool:
        # Expiry stands in the grant: Valkey's clock ends it, also with the publisher dead.
        ended = key.revoked_at is not None or key.project.archived_at is not None
        closed = self.organizations[key.organization_id].closed_at is not None
        return ended or closed or key.organization_id in self.held

    def _grant(self, key: ApiKey) -> Grant:
        organization = self.organizations[key.organization_id]
        test = key.mode == KeyMode.TEST
        return Grant(
            number=self.number,
            organization=organization.public_id,
            org_code=organization.code,
            project=key.project.public_id,
            key=key.public_id,
            mode="test" if test else "live",
            models=self._models(key),
            sites=self._sites(key),
            data_class=key.project.data_class,
            rpm=min(key.rpm_limit, TEST_REQUESTS_A_MINUTE) if test else key.rpm_limit,
            tpm=_test_tokens(key.tpm_limit) if test else key.tpm_limit,
            concurrency=min(key.concurrency_limit, TEST_AT_ONCE) if test else key.concurrency_limit,
            budgets=self.chains.of(organization, key.project.public_id, key.public_id),
            inference=Scope.INFERENCE in key.scopes,
            addresses=tuple(key.allowed_addresses),
            expires_at_ms=int(key.expires_at.timestamp() * 1000) if key.expires_at else 0,
            confirmed=test or not registrations.is_unconfirmed(organization),
            region=organization.region,
            replay_seconds=_replay_seconds(key.project),
        )

    def _price(self, endpoint: Named, organization: int) -> Version | None:
        """What its tokens cost the organization: as agreed with it, else as listed."""
        return self.prices.price(endpoint.model, organization, self.classes.get(endpoint.pk, ""))

    def _sites(self, key: ApiKey) -> tuple[str, ...]:
        """Sites that key, regions and data class allow, all by name: an empty list allows none.
        Thousands of keys allow the same."""
        project = key.project
        asked = (tuple(key.allowed_sites), tuple(project.regions), project.data_class)
        if asked not in self.allowed:
            self.allowed[asked] = tuple(
                site.code
                for site in self.sites
                if (not key.allowed_sites or site.code in key.allowed_sites)
                and (not project.regions or site.region.code in project.regions)
                and project.data_class in site.data_classes
            )
        return self.allowed[asked]

    def _models(self, key: ApiKey) -> dict[str, ModelGrant]:
        """Names that the key may call: shared models, its project's own endpoints, and the
        project's names for both. Test keys call the shared ones for nothing; live keys of an
        unconfirmed organization call none."""
        found: dict[str, ModelGrant] = {}
        test = key.mode == KeyMode.TEST
        if not test and registrations.is_unconfirmed(self.organizations[key.organization_id]):
            return found
        for endpoint in self.shared:
            price = self._price(endpoint, key.organization_id)
            if price is not None:  # a model without a price is not servable
                name = endpoint.model
                found[name] = _free_grant(endpoint) if test else _model_grant(endpoint, price)
        if not test:
            for endpoint in self.dedicated[key.project_id]:
                granted = _paid_by_cards(endpoint)
                found[endpoint.public_id] = found[endpoint.name] = granted
        real = {*found, *(endpoint.name for endpoint in self.dedicated[key.project_id])}
        if key.allowed_models:
            found = {name: one for name, one in found.items() if name in key.allowed_models}
        for name, target in self.aliases[key.project_id]:
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
