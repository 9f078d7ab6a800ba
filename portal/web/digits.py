"""Numbers as people type them into forms: plain digits, or a mistake (``portal.lib.digits``)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django import forms

from portal.lib.digits import is_digits, is_exact, is_whole


def _require(rule: Callable[[str], bool], value: Any, field: forms.Field) -> str:
    text = str("" if value is None else value).strip()
    if text and not rule(text):
        raise forms.ValidationError(field.error_messages["invalid"], code="invalid")
    return text


class WholeField(forms.IntegerField):
    """A whole number. One that is too large is told the field's bound, if it has one."""

    def to_python(self, value: Any) -> int | None:
        rule = is_whole if self.max_value is None else is_digits
        found: int | None = super().to_python(_require(rule, value, self))
        return found


class ExactField(forms.DecimalField):
    """A number with decimals, exactly as it was typed."""

    def to_python(self, value: Any) -> Decimal | None:  # type: ignore[override]  # as Django itself
        found: Decimal | None = super().to_python(_require(is_exact, value, self))
        return found
