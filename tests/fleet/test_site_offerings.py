"""A site's SDK changes: its evidence lapses there, and nowhere else."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from portal.catalog.models import CatalogModel, Offering
from portal.deployments import quoting
from portal.deployments.capacity import Room
from portal.deployments.models import Placement
from portal.deployments.quoting import Wish
from portal.fleet import actions, site_offerings
from portal.fleet.drivers.contract import CardReport, SiteReport
from portal.fleet.models import Site, SiteOffering, SiteOfferingMove
from tenants import reasons, rls
from tests import factories
from tests.cast import Cast
from tests.factories import CHAT, NOON

pytestmark = pytest.mark.django_db


def tell(site: Site, **sdks: str) -> None:
    """A report as the worker records it."""
    token = uuid4()
    Site.objects.filter(pk=site.pk).update(lease_token=token)
    site.refresh_from_db()
    told = {chip.replace("_", "-"): version for chip, version in sdks.items()}
    cards = tuple(
        CardReport(id=card.ref, chip=card.chip.code, state="free", simulated=True)
        for card in site.cards.select_related("chip")
    )
    report = SiteReport(
        site=site.code, at_ms=0, generation=0, simulated=True, cards=cards, sdks=told
    )
    actions.record_report(site=site, report=report, token=token, now=NOON)
    site.refresh_from_db()


def stands(*sites: Site) -> dict[str, str]:
    """How the chat model stands at each site on RNGD."""
    offering = Offering.objects.get(version__model__slug=CHAT, chip__code="rngd")
    found = site_offerings.Standings(sites)
    return {site.code: found.of(offering, site) for site in sites}


def test_lapses_at_the_site_that_changed_until_it_is_shown_again(cast: Cast) -> None:
    factories.catalogue()
    here, there = factories.site(), factories.site("busan-1", region="busan")
    tell(here, rngd="1.0")
    tell(there, rngd="1.0")
    assert stands(here, there) == {"daegu-1": "proven", "busan-1": "proven"}
    with rls.tenant(cast.firm.pk):
        running = factories.placement(factories.endpoint(cast.project), here)

    tell(here, rngd="2.0")

    assert stands(here, there) == {"daegu-1": "reverify", "busan-1": "proven"}
    with rls.tenant(cast.firm.pk):
        wish = Wish("견적", CHAT, "", 1)
        assert quoting.quote(wish=wish, project=cast.project, now=NOON).choice.sites == ("busan-1",)
        assert Placement.objects.get(pk=running.pk).wanted  # what runs goes on
        wish = Wish("견적", CHAT, "daegu", 1)
        with pytest.raises(quoting.NoRoom) as refused:
            quoting.quote(wish=wish, project=cast.project, now=NOON)
    assert ("daegu-1", ("reverify",)) in [(one.site, one.reasons) for one in refused.value.rejected]

    verify(cast, here, works=True)

    assert stands(here) == {"daegu-1": "proven"}
    tell(here, rngd="2.0")
    assert stands(here) == {"daegu-1": "proven"}
    tell(here, rngd="3.0")
    assert stands(here) == {"daegu-1": "reverify"}


def verify(cast: Cast, site: Site, *, works: bool, because: str = "다시 돌려 보았습니다.") -> None:
    staff = cast.olivia.may
    offering = Offering.objects.get(version__model__slug=CHAT, chip__code="rngd")
    with rls.tenant(staff.organization.pk):
        site_offerings.verify(
            site=site, offering=offering, works=works, because=because, by=staff, now=NOON
        )


def test_stands_again_when_the_old_version_is_back() -> None:
    factories.catalogue()
    site = factories.site()
    tell(site, rngd="1.0")
    tell(site, rngd="2.0")
    tell(site)  # a report that tells nothing changes nothing
    assert stands(site) == {"daegu-1": "reverify"}
    moves = SiteOfferingMove.objects.count()

    tell(site, rngd="1.0", atom_9="7", atom_max="")

    assert stands(site) == {"daegu-1": "proven"}
    assert site.sdks == {"rngd": "1.0"}
    assert SiteOfferingMove.objects.count() == 2 * moves > 0


def test_says_what_failed_and_refuses_to_verify_what_stands(cast: Cast) -> None:
    factories.catalogue()
    site = factories.site()
    tell(site, rngd="1.0")
    with pytest.raises(site_offerings.NothingToVerify):
        verify(cast, site, works=True)
    tell(site, rngd="2.0")
    with pytest.raises(reasons.BadReason):
        verify(cast, site, works=True, because="\u200b")

    verify(cast, site, works=False)

    assert stands(site) == {"daegu-1": "unproven"}
    with pytest.raises(site_offerings.NothingToVerify):
        verify(cast, site, works=False)
    verify(cast, site, works=True)
    assert SiteOffering.objects.get(offering__version__model__slug=CHAT).sdk == "2.0"


@pytest.mark.parametrize(
    ("evidence", "simulated", "standing"),
    [
        ("measured", False, "proven"),
        ("simulated", True, "proven"),
        ("simulated", False, "unproven"),
        ("reverify", False, "reverify"),
        ("claimed", True, "unproven"),
        ("failing", True, "unproven"),
    ],
)
def test_knows_what_each_evidence_is_worth(evidence: str, simulated: bool, standing: str) -> None:
    found = site_offerings.Standings([])

    assert found.of(Offering(pk=1, evidence=evidence), Site(pk=1, simulated=simulated)) == standing


def test_takes_the_stronger_evidence_of_two_offerings() -> None:
    factories.catalogue()
    site = factories.site()
    model = CatalogModel.objects.get(slug=CHAT)
    weak = Offering.objects.get(version__model=model, chip__code="rngd")
    strong = copied(weak, public_id="off_strong", cards=2, evidence="simulated")
    Offering.objects.filter(pk=weak.pk).update(evidence="reverify")

    with rls.everyone(because="cards are shared"):
        found = Room([site], prices={}, now=NOON)
    (room,) = found.of([model])[CHAT]

    assert (room.offering, room.proven, room.reverify) == (strong.pk, True, False)
    (by_itself,) = found.for_offering(Offering.objects.get(pk=weak.pk))
    assert (by_itself.offering, by_itself.reverify) == (weak.pk, True)


def copied(offering: Offering, **changes: Any) -> Offering:
    fields = {
        "version": offering.version,
        "chip": offering.chip,
        "sdk": offering.sdk,
        "parallel": 1,
        "context_tokens": 2048,
    }
    return Offering.objects.create(**fields | changes)
