"""How amounts, times and marks look. Formatting only: no queries, no rules."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language_info

from billing.rating import MB_SECONDS_PER_GB_DAY
from portal.lib.periods import SEOUL
from portal.web import site_reasons
from tenants import numbers

register = template.Library()

UNKNOWN = "–"


def _grouped(value: Decimal | int, decimals: int) -> str:
    text = f"{abs(value):,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


@register.filter
def won(value: Decimal | int | None) -> str:
    """``₩1,234,567``; unknown is a dash, zero is ``₩0``."""
    if value is None:
        return UNKNOWN
    sign = "−" if value < 0 else ""
    return f"{sign}₩{_grouped(Decimal(value).quantize(Decimal(1)), 0)}"


@register.filter
def small_won(value: Decimal | int | None) -> str:
    """Won with up to six decimals: what one request costs is far below a won."""
    if value is None:
        return UNKNOWN
    sign = "−" if value < 0 else ""
    return f"{sign}₩{_grouped(Decimal(value), 6)}"


@register.filter
def micro_won(value: int | None) -> str:
    """Micro-won as won: whole from 100 won on, exact below."""
    if value is None:
        return UNKNOWN
    exact = Decimal(value) / 1_000_000
    return won(exact) if abs(exact) >= 100 else small_won(exact)


@register.filter
def exact_won(value: Decimal | None) -> str:
    """Won with all twelve decimals that a few tokens may need."""
    return UNKNOWN if value is None else f"₩{_grouped(value, 12)}"


@register.filter
def number(value: int | None) -> str:
    """``12,660``."""
    return UNKNOWN if value is None else f"{value:,}"


@register.filter
def percent(value: float | Decimal | None) -> str:
    """A share as ``59.9%``."""
    return UNKNOWN if value is None else f"{Decimal(value) * 100:.1f}%"


@register.filter
def seconds(value: float | None) -> str:
    """``0.41``."""
    return UNKNOWN if value is None else f"{value:.2f}"


@register.filter
def hours(value: int | None) -> str:
    """Seconds as hours, to a hundredth: ``144``, ``0.01``."""
    return UNKNOWN if value is None else _grouped(Decimal(value) / 3600, 2)


@register.filter
def gb_days(value: int | None) -> str:
    """Megabyte-seconds as GB-days, to a hundredth."""
    return UNKNOWN if value is None else _grouped(Decimal(value) / MB_SECONDS_PER_GB_DAY, 2)


@register.filter
def business_number(value: str | None) -> str:
    """``123-45-67891``; nothing where there is none."""
    return numbers.shown(value) or UNKNOWN


@register.filter
def reason(because: str) -> str:
    """Why a replica is in its state, as its site or a worker told it."""
    return site_reasons.words(because)


@register.filter
def languages(codes: list[str]) -> str:
    """ISO 639 codes as names in the reader's language; a code that nobody has named stays."""
    return ", ".join(_language(code) for code in codes)


def _language(code: str) -> str:
    try:
        return str(get_language_info(code)["name_translated"])
    except KeyError:
        return code


@register.filter
def kst(value: datetime | None) -> SafeString | str:
    """A moment in Korea, with its machine-readable form."""
    if value is None:
        return UNKNOWN
    local = value.astimezone(SEOUL)
    return format_html(
        '<time datetime="{}">{}</time>', local.isoformat(), f"{local:%Y-%m-%d %H:%M}"
    )


@register.filter
def kst_second(value: datetime) -> SafeString:
    """The same to the second, where many things happen in a minute."""
    local = value.astimezone(SEOUL)
    return format_html(
        '<time datetime="{}">{}</time>', local.isoformat(), f"{local:%Y-%m-%d %H:%M:%S}"
    )


@register.filter
def clock(value: datetime | None) -> SafeString | str:
    """Hours, minutes and seconds in Korea."""
    if value is None:
        return UNKNOWN
    local = value.astimezone(SEOUL)
    return format_html('<time datetime="{}">{}</time>', local.isoformat(), f"{local:%H:%M:%S}")


@register.simple_tag
@cache
def icon(name: str) -> SafeString:
    """An icon beside a word; it says nothing by itself."""
    return format_html(
        '<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><use href="{}#i-{}"/></svg>',
        static("dure/icons.svg"),
        name,
    )


@register.simple_tag
@cache
def mark(name: str) -> SafeString:
    """The shape of a state."""
    return format_html(
        '<svg viewBox="0 0 16 16" aria-hidden="true"><use href="{}#m-{}"/></svg>',
        static("dure/icons.svg"),
        name,
    )


@register.filter
def get(mapping: dict[str, Any], key: str) -> Any:
    """One value of a mapping."""
    return mapping.get(key)
