"""Why an endpoint runs where it runs."""

from __future__ import annotations

from typing import Any

import pytest

from portal.catalog.models import Offering
from portal.deployments import explaining
from portal.deployments.models import Endpoint, Revision
from portal.fleet.models import Site
from tenants import rls
from tenants.models import Project
from tests import factories
from tests.cast import Cast
from tests.factories import NOON

pytestmark = pytest.mark.django_db


def test_shows_its_replicas_and_what_speaks_against_one_more(cast: Cast) -> None:
    factories.catalogue()
    factories.card_tariff()
    here = factories.site("daegu-1", cards=1)
    factories.site("busan-1", region="busan", cards=0)
    factories.site("gwangju-1", region="gwangju", cards=2)
    with rls.tenant(cast.firm.pk):
        endpoint = factories.endpoint(cast.project)
        factories.placement(endpoint, here)
        revised(endpoint)
        assert explain(endpoint) == {
            "daegu-1": (1, ("no_card_free",)),
            "busan-1": (0, ("other_chip", "no_offering")),
            "gwangju-1": (0, ()),
        }

        Project.objects.update(regions=["daegu"])
        Site.objects.filter(code="gwangju-1").update(observed_at=None)
        endpoint.refresh_from_db()
        assert explain(endpoint)["gwangju-1"] == (0, ("project_region", "waiting"))


def revised(endpoint: Endpoint, **fields: Any) -> None:
    """Its wanted form: on RNGD, anywhere."""
    Revision.objects.create(
        organization=endpoint.organization,
        endpoint=endpoint,
        number=1,
        offering=Offering.objects.get(version__model=endpoint.model, chip__code="rngd"),
        replicas=1,
        because="Ordered.",
        created_at=NOON,
        created_by="김서연",
        **fields,
    )


def explain(endpoint: Endpoint) -> dict[str, tuple[int, tuple[str, ...]]]:
    found = explaining.explain(endpoint, now=NOON)
    return {one.site.code: (one.replicas, one.codes) for one in found}


def test_keeps_replicas_apart_in_words_too(cast: Cast) -> None:
    factories.catalogue()
    factories.card_tariff()
    here = factories.site("daegu-1", cards=5)
    with rls.tenant(cast.firm.pk):
        endpoint = factories.endpoint(cast.project)
        factories.placement(endpoint, here)
        revised(endpoint, apart=True)

        assert explain(endpoint) == {"daegu-1": (1, ("apart",))}
