"""Every reason against a site, met in the database: its sentence in both languages, and each change
that is offered with it, really made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.utils import translation

from billing import budgets
from portal.catalog.models import Chip, Evidence, Offering, OwnModel, Version
from portal.deployments import quoting, why_words
from portal.deployments.actions import orders, project_sites, reservations, watches
from portal.deployments.fixes import Fix
from portal.deployments.models import Placement
from portal.deployments.placement import REASONS, WhyNot
from portal.deployments.quoting import Wish
from portal.deployments.reserving import ReservationWish
from portal.fleet.drivers.contract import PowerReport, SiteReport
from portal.fleet.models import AtSite, Card, Site, SiteOffering
from portal.lib import ids
from portal.lib.periods import Period
from tenants import rls
from tenants.actions import projects
from tenants.models import Project
from tests import factories
from tests.deployments.conftest import Shop
from tests.factories import CHAT, NOON

OWN, ORIGIN = "mdl_claims", "https://models.example.kr"
WISH = Wish("견적-상담", CHAT, "daegu", 1)


def _site(**fields: Any) -> Callable[[Shop], None]:
    def spoil(shop: Shop) -> None:
        Site.objects.filter(pk=shop.daegu.pk).update(**fields)

    return spoil


def _project(**fields: Any) -> Callable[[Shop], None]:
    def spoil(shop: Shop) -> None:
        with rls.tenant(shop.firm.pk):
            Project.objects.filter(pk=shop.project.pk).update(**fields)

    return spoil


def _medical(shop: Shop) -> None:
    _project(data_class="medical")(shop)
    _site(data_classes=["open"])(shop)


def _reverify(shop: Shop) -> None:
    SiteOffering.objects.create(
        site=shop.daegu,
        offering=Offering.objects.get(version__model__slug=CHAT, chip__code="rngd"),
        state=AtSite.REVERIFY,
        sdk="old",
        since=NOON,
    )


def _other_cards(shop: Shop) -> None:
    """Daegu has a chip that the model has no offering for, and that has no price."""
    Card.objects.filter(site=shop.daegu).update(chip=Chip.objects.get(code="rebel100"))


def _other_offering(evidence: str) -> Callable[[Shop], None]:
    def spoil(shop: Shop) -> None:
        _other_cards(shop)
        made = Offering.objects.get(version__model__slug=CHAT, chip__code="rngd")
        made.pk, made.public_id = None, ids.mint("off")
        made.chip, made.evidence = Chip.objects.get(code="rebel100"), evidence
        made.save(force_insert=True)

    return spoil


def _hot(shop: Shop) -> None:
    power = PowerReport(facility_watts=990.0, it_watts=900.0, inlet_celsius=22.0)
    report = SiteReport(site="daegu-1", at_ms=0, generation=1, simulated=True, power=power)
    _site(power_budget_watts=1000, report=msgspec.to_builtins(report))(shop)


def _own_model(shop: Shop) -> None:
    """Admitted; Daegu's pods would have to fetch it, and the operator has named nothing for it."""
    _site(driver="kubernetes")(shop)
    with rls.tenant(shop.firm.pk):
        OwnModel.objects.create(
            public_id=OWN,
            organization=shop.firm,
            name="청구서 상담",
            base=Version.objects.get(model__slug=CHAT, current=True),
            location=f"{ORIGIN}/claims/manifest.json",
            digest="sha256:" + "a" * 64,
            state="admitted",
            form="gguf",
            weights="sha256:" + "b" * 64,
            artifact="/claims/weights.gguf",
            bytes=1,
            registered_at=NOON,
            check_at=NOON,
        )


def _reserved(shop: Shop) -> None:
    """Another organization has both cards from tomorrow on."""
    firm = factories.organization("이웃상사", number="2208162517")
    budgets.publish(factories.budget(firm, 2_000_000), firm)
    wish = ReservationWish(
        name="야간 학습",
        chip="rngd",
        cards=2,
        period=Period(NOON + timedelta(days=1), NOON + timedelta(days=2)),
        region="daegu",
    )
    reservations.place(
        wish=wish,
        project=factories.project(firm),
        idempotency_key="reserve-1",
        by=factories.member(factories.user("mallory@example.com", "남궁훈"), firm),
        now=NOON,
    )


@dataclass(frozen=True)
class Case:
    """What is wrong, what is wished, at which site it shows, and which changes are offered."""

    spoil: Callable[[Shop], None]
    offered: frozenset[str]
    wish: Mapping[str, Any] = field(default_factory=dict)
    site: str = "daegu-1"


def case(spoil: Callable[[Shop], None], offered: str, site: str = "daegu-1", **wish: Any) -> Case:
    return Case(spoil, frozenset(offered.split()), wish, site)


CASES: dict[str, Case] = {
    "data_class": case(_medical, "region"),
    "project_region": case(_project(regions=["busan"]), "region project_region"),
    "other_region": case(lambda shop: None, "region", "busan-1", region="gwangju"),
    "other_chip": case(lambda shop: None, "chip", chip="atom-max"),
    "no_offering": case(_other_cards, "region"),
    "unproven": case(_other_offering(Evidence.CLAIMED), "region"),
    "reverify": case(_reverify, "region"),
    "no_image": case(_site(driver="kubernetes"), "region"),
    "no_engine": case(_site(driver="ray_serve"), "region"),
    "no_weights": case(_own_model, "region", model=OWN),
    "no_price": case(_other_offering(Evidence.SIMULATED), "region"),
    "waiting": case(_site(observed_at=None, health="waiting"), "region"),
    "silent": case(_site(observed_at=NOON - timedelta(minutes=1), trouble_since=NOON), "region"),
    "lost": case(_site(observed_at=NOON - timedelta(hours=1), health="lost"), "region"),
    "returned": case(_site(health="returned"), "region"),
    "drained": case(_site(condition="draining"), "region"),
    "power": case(_hot, "region"),
    "reserved": case(_reserved, "region"),
    "no_card_free": case(lambda shop: None, "replicas", replicas=3),
    "apart": case(lambda shop: None, "together replicas", replicas=2, apart=True),
}


def project_of(shop: Shop) -> Project:
    """As it is now: a case or a change may have written it."""
    with rls.tenant(shop.firm.pk):
        return Project.objects.select_related("organization").get(pk=shop.project.pk)


def ask(shop: Shop, wish: Wish) -> quoting.NoRoom | None:
    """Why there is no room; ``None`` where there is."""
    try:
        with rls.tenant(shop.firm.pk):
            quoting.quote(wish=wish, project=project_of(shop), now=NOON)
    except quoting.NoRoom as no_room:
        return no_room
    return None


def make_it(shop: Shop, wish: Wish, advice: why_words.Advice) -> Wish:
    """What a person does who follows the advice."""
    changes: dict[str, Any] = dict(advice.changes)
    if "replicas" in changes:
        changes["replicas"] = int(changes["replicas"])
    if "apart" in changes:
        changes["apart"] = changes["apart"] == "on"
    if advice.kind == "project_region":
        with rls.tenant(shop.firm.pk):
            project = project_of(shop)
            regions = [*project.regions, advice.value]
            asked = replace(projects.wish_of(project), regions=regions)
            done = project_sites.change(project=project, wish=asked, by=shop.alice, now=NOON)
        assert done.waiting is None
        changes["region"] = advice.value
    return replace(wish, **changes)


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_has_its_sentence_and_changes_that_work(
    shop: Shop, reason: WhyNot, settings: Any
) -> None:
    settings.DURE_MODEL_ORIGINS = [ORIGIN]
    one = CASES[reason]
    one.spoil(shop)
    wish = replace(WISH, **one.wish)

    found = ask(shop, wish)

    assert found is not None
    (against,) = [site for site in found.rejected if site.site == one.site]
    assert reason in against.reasons
    assert why_words.sentence(reason).endswith("니다.")
    with translation.override("en"):
        assert why_words.sentence(reason).isascii()
    advised = [one for one in why_words.advice(found.fixes) if one.kind != "watch"]
    assert {advice.kind for advice in advised} == one.offered
    for advice in advised:
        assert ask(shop, make_it(shop, wish, advice)) is None, advice
    changed = make_it(shop, wish, advised[0])
    placed = orders.place(
        wish=changed,
        project=project_of(shop),
        idempotency_key="why-not-1",
        by=shop.alice,
        now=NOON,
    )
    assert placed.state == "fulfilled"


def test_an_order_goes_to_a_site_where_nothing_is_wrong(shop: Shop) -> None:
    _site(health="degraded")(shop)

    with rls.tenant(shop.firm.pk):
        priced = quoting.quote(wish=replace(WISH, region=""), project=project_of(shop), now=NOON)

    assert priced.choice.sites == ("busan-1",)


def test_who_waits_is_told_when_the_card_is_free(shop: Shop) -> None:
    """The change that is offered with every reason that time may end."""
    Card.objects.filter(site=shop.daegu).update(state="used")
    first = orders.place(
        wish=replace(WISH, replicas=2),
        project=shop.project,
        idempotency_key="why-not-1",
        by=shop.alice,
        now=NOON,
    )
    wish = replace(WISH, name="둘째")
    found = ask(shop, wish)
    assert found is not None
    assert found.fixes[-1] == Fix("watch")
    with rls.tenant(shop.firm.pk):
        watches.watch(wish=wish, project=shop.project, by=shop.alice, now=NOON)
    assert watches.sweep(now=NOON) == 0

    with rls.everyone(because="test"):
        Placement.objects.filter(endpoint=first.endpoint).update(wanted=False, state="stopped")

    assert watches.sweep(now=NOON) == 1
    assert ask(shop, wish) is None
