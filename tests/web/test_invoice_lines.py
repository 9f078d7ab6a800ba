"""The page of an invoice's line, for the officer who asks what it is made of."""

from __future__ import annotations

from django.urls import reverse

from tests.cast import browser
from tests.web.conftest import World


def page(world: World, **query: str) -> str:
    address = reverse("invoice_line", args=[world.invoice.public_id, 1])
    answer = browser(world.cast.carol).get(address, query, headers={"accept-language": "en"})
    assert answer.status_code == 200
    content: str = answer.content.decode()
    return content


def test_goes_from_the_invoice_to_its_lines_days_keys_and_requests(world: World) -> None:
    invoice = reverse("invoice", args=[world.invoice.public_id])
    line = reverse("invoice_line", args=[world.invoice.public_id, 1])
    assert f'href="{line}"' in browser(world.cast.carol).get(invoice).content.decode()

    shown = page(world)
    assert 'href="?day=2026-11-16#day"' in shown
    assert "2,000,000" in shown

    shown = page(world, day="2026-11-16")
    assert "/requests/?since=2026-11-16&amp;until=2026-11-16&amp;key=key_x&amp;model=" in shown


def test_shows_no_day_that_the_line_does_not_have(world: World) -> None:
    for day in ("2026-11-17", "yesterday", "\x00"):
        assert 'id="day"' not in page(world, day=day)


def test_knows_no_other_line(world: World) -> None:
    address = reverse("invoice_line", args=[world.invoice.public_id, 99])

    assert browser(world.cast.carol).get(address).status_code == 404
