"""The budget of a line follows its journal: nobody raises, softens or ends it for itself."""

from __future__ import annotations

import pytest
from django.urls import reverse

from billing.fiscal import bindings
from billing.models import Budget
from tenants import rls
from tests.cast import browser
from tests.factories import NOON
from tests.web.conftest import World
from tests.web.fiscal_world import fiscal_of

WHY = "사유를 적습니다"
DEEDS = {
    "budget_change": {"limit_won": "900000000", "because": WHY},
    "budget_settings": {"thresholds": "80, 100", "because": WHY},  # without ``hard``: soft
    "budget_end": {"because": WHY},
    "budget_ask": {"to_won": "900000000", "because": WHY},
}


@pytest.mark.parametrize("deed", DEEDS)
def test_is_not_changed_apart_from_its_line(world: World, deed: str) -> None:
    line, carol = fiscal_of(world).line, world.cast.carol
    with rls.tenant(world.cast.firm.pk):
        bindings.bind(project=world.cast.project, line=line, by=carol.may, now=NOON)
        before = Budget.objects.get(subject=line.public_id)
    client = browser(carol)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"

    answer = client.post(reverse(deed, args=[before.public_id]), DEEDS[deed])
    board = client.get(f"{reverse('budget')}?budget={before.public_id}").content.decode()

    assert answer.status_code == 422
    assert "This limit follows its budget line" in answer.content.decode()
    with rls.tenant(world.cast.firm.pk):
        after = Budget.objects.get(subject=line.public_id)
    assert (after.limit_won, after.hard, after.closed_at) == (before.limit_won, True, None)
    assert "201-02 공공운영비" in board and reverse("fiscal_line", args=[line.public_id]) in board
