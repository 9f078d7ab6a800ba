"""Numbers and days as people and programs mistype them: every form's and every operation's field.

One pass over the fields themselves; what a field lets through is refused by the rules behind it.
Cases 65 and 66 of the catalogue of bad input.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from django import forms
from rest_framework import serializers

import portal.api
import portal.web
from portal.api.shapes import Strict
from portal.web import fiscal_forms

GIANT = "1" + "0" * 30
# What is a number somewhere and an amount of money nowhere.
MISTYPED = ["1e3", "１０００", "1_000", "٣", "0x10", "1,5", "NaN", "Infinity", "--1", "abc", GIANT]
FRACTIONS = ["0.5", "1.0", 0.5, 1e3, float("nan")]
NO_DAYS = ["2026-02-30", "2025-02-29", "2026-13-01", "0000-01-01", "99999-01-01", "x", "16.11.2026"]


def _below(found: type[Any]) -> Iterator[type[Any]]:
    for one in found.__subclasses__():
        yield one
        yield from _below(one)


def _modules() -> None:
    for package in (portal.api, portal.web):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


def _form_fields(*kinds: type[forms.Field]) -> list[Any]:
    _modules()
    return [
        pytest.param(field, id=f"{form.__module__.rpartition('.')[2]}.{form.__name__}.{name}")
        for form in sorted(set(_below(forms.Form)), key=lambda one: (one.__module__, one.__name__))
        if form.__module__.startswith("portal.web")
        for name, field in form.base_fields.items()
        if isinstance(field, kinds)
    ]


def _shape_fields(*kinds: type[Any]) -> list[Any]:
    _modules()
    return [
        pytest.param(
            shape, name, id=f"{shape.__module__.rpartition('.')[2]}.{shape.__name__}.{name}"
        )
        for shape in sorted(set(_below(Strict)), key=lambda one: (one.__module__, one.__name__))
        for name, field in shape().fields.items()
        if isinstance(field, kinds) and not field.read_only
    ]


def _takes_form(field: forms.Field, value: object) -> bool:
    try:
        field.clean(value)
    except forms.ValidationError:
        return False
    return True


def _takes_shape(shape: type[Strict], name: str, value: object) -> bool:
    """Whether nothing is said against this one field."""
    body = shape(data={name: value})
    body.is_valid()
    return name not in body.errors


NUMBERS = (forms.IntegerField, forms.DecimalField, fiscal_forms.WonField)


@pytest.mark.parametrize("field", _form_fields(*NUMBERS))
def test_a_form_takes_numbers_in_plain_digits_within_bounds(field: forms.Field) -> None:
    bad = [*MISTYPED, *([] if isinstance(field, forms.DecimalField) else ["0.5", "1.5"])]
    if getattr(field, "min_value", 0) is not None and not getattr(field, "negative", False):
        bad.append("-1")

    assert [one for one in bad if _takes_form(field, one)] == []


@pytest.mark.parametrize("field", _form_fields(forms.DateField))
def test_a_form_takes_days_of_the_calendar(field: forms.Field) -> None:
    assert [one for one in NO_DAYS if _takes_form(field, one)] == []
    assert _takes_form(field, "2028-02-29")


@pytest.mark.parametrize(
    ("shape", "name"), _shape_fields(serializers.IntegerField, serializers.DecimalField)
)
def test_an_operation_takes_numbers_in_plain_digits_within_bounds(
    shape: type[Strict], name: str
) -> None:
    field = shape().fields[name]
    whole = isinstance(field, serializers.IntegerField)
    bad: list[Any] = [*MISTYPED, int(GIANT), True, [], {}, *(FRACTIONS if whole else [])]
    if getattr(field, "min_value", 0) is not None and (field.min_value or 0) >= 0:
        bad += ["-1", -1]

    assert [one for one in bad if _takes_shape(shape, name, one)] == []


@pytest.mark.parametrize(("shape", "name"), _shape_fields(serializers.DateField))
def test_an_operation_takes_days_of_the_calendar(shape: type[Strict], name: str) -> None:
    assert [one for one in [*NO_DAYS, 20261116, True] if _takes_shape(shape, name, one)] == []
    assert _takes_shape(shape, name, "2028-02-29")
