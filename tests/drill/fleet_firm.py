"""Who calls and who runs the sites in the fleet's drill, and their deeds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from portal.catalog.models import CatalogModel
from portal.deployments.actions import changes, endpoints, orders, site_conditions
from portal.deployments.models import Endpoint, Placement, Rollout
from portal.deployments.quoting import Wish
from portal.deployments.requoting import Change
from portal.fleet.models import Site
from tenants import rls
from tenants.actors import Actor
from tenants.models import Project
from tests import factories
from tests.factories import CHAT

NAME = "견적-상담"
REPLICAS = 2  # of three sites, so that one that is lost can be replaced


@dataclass(frozen=True)
class Firm:
    """A customer with much money, and the operator's engineer."""

    project: Project
    alice: Actor
    olivia: Actor
    key: str


def now() -> datetime:
    return datetime.now(UTC)


def opened() -> Firm:
    """The catalogue, a firm and the operator; no sites yet."""
    factories.catalogue()
    operator = factories.organization("운영사", kind="operator", number=None)
    olivia = factories.member(factories.user("olivia@example.com", "최유진"), operator)
    firm = factories.organization()
    alice = factories.member(factories.user("alice@example.com", "김서연"), firm)
    project = factories.project(firm)
    factories.budget(firm, 9_000_000_000)
    _key, secret = factories.api_key(project, alice, rpm_limit=100_000, concurrency_limit=500)
    return Firm(project, alice, olivia, secret)


def enrol(urls: dict[str, str]) -> None:
    """Sites by their code; what cards they have they tell themselves."""
    for code, url in urls.items():
        factories.site(code, region=code[:-2], cards=0, seen_at=None, control_url=url)


def have_reported() -> bool:
    return not Site.objects.filter(observed_at=None).exists() and all(
        one.cards.exists() for one in Site.objects.all()
    )


def share(firm: Firm) -> None:
    """The operator's endpoint at every site."""
    with rls.tenant(firm.olivia.organization.pk):
        endpoints.ensure_shared(
            model=CatalogModel.objects.get(slug=CHAT),
            sites=list(Site.objects.order_by("pk")),
            operator=firm.olivia.organization,
            now=now(),
        )


def order(firm: Firm) -> None:
    """The firm's own, each replica at a site of its own."""
    wish = Wish(name=NAME, model=CHAT, region="", replicas=REPLICAS, chip="rngd", apart=True)
    orders.place(wish=wish, project=firm.project, idempotency_key="drill", by=firm.alice, now=now())


def move(firm: Firm, chip: str, strategy: str) -> None:
    """The same on other chips: a rollout begins."""
    with rls.tenant(firm.project.organization_id):
        endpoint = Endpoint.objects.select_related("project").get(name=NAME)
    changes.place(
        change=Change("move", REPLICAS, chip=chip, apart=True, strategy=strategy),
        endpoint=endpoint,
        idempotency_key=f"drill-{chip}-{strategy}",
        by=firm.alice,
        now=now(),
    )


def rollout_state() -> str:
    """Of the latest."""
    with rls.everyone(because="drill"):
        found = Rollout.objects.order_by("pk").last()
        return found.state if found else ""


def rollout_because() -> str:
    with rls.everyone(because="drill"):
        found = Rollout.objects.order_by("pk").last()
        return found.because if found else ""


def put(firm: Firm, code: str, to: str) -> None:
    with rls.tenant(firm.olivia.organization.pk):
        site = Site.objects.get(code=code)
        site_conditions.put(
            site=site, to=to, because="훈련으로 비웁니다.", by=firm.olivia, now=now()
        )


def is_empty(code: str) -> bool:
    with rls.everyone(because="drill"):
        return not Placement.objects.filter(site__code=code).living().exists()


def health(code: str) -> str:
    return Site.objects.get(code=code).health_at(now())
