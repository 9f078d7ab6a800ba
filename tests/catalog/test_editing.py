"""An offering is edited with a reason, and what was shown has to be shown again."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from portal.catalog import editing, planned
from portal.catalog.models import Figure, Offering, OfferingMove
from tenants import rls
from tenants.models import AuditEvent
from tests.cast import Cast
from tests.catalog.test_evidence import BECAUSE, offering
from tests.factories import NOON

pytestmark = pytest.mark.django_db
IMAGE = "registry.example/server@sha256:" + "a" * 64


def edit(cast: Cast, one: Offering, **changes: Any) -> Offering:
    staff = cast.olivia.may
    form = replace(editing.form_of(one), **changes)
    with rls.tenant(staff.organization.pk):
        return editing.edit(offering=one, form=form, because=BECAUSE, by=staff, now=NOON)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("measured", "reverify"),
        ("simulated", "reverify"),
        ("claimed", "claimed"),
        ("failing", "failing"),
    ],
)
def test_an_edit_lets_proven_evidence_lapse(cast: Cast, before: str, after: str) -> None:
    one = offering(before)

    edited = edit(cast, one, image=IMAGE, artifact="furiosa-ai/Model-8B")

    assert (edited.image, edited.evidence) == (IMAGE, after)
    assert list(OfferingMove.objects.values_list("to_state", flat=True)) == [after] * (
        before != after
    )
    with rls.tenant(cast.olivia.may.organization.pk):
        event = AuditEvent.objects.get(verb="operator.offering")
    assert event.changes["image"] == {"from": "", "to": IMAGE}
    edit(cast, Offering.objects.select_related("version").get(pk=one.pk))  # the same form
    with rls.tenant(cast.olivia.may.organization.pk):
        assert AuditEvent.objects.filter(verb="operator.offering").count() == 1


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("image", "server:latest"),
        ("artifact", "--host=0.0.0.0"),
        ("revision", "-x"),
        ("parallel", 0),
        ("context_tokens", 10**9),
        ("settings", {"tensor_parallel": 2}),  # furiosa-llm has no such flag
        ("settings", {"chat_template": "../x"}),
        ("digest", "sha256:x"),
        ("digest", "sha256:" + "f" * 64),  # they are known already
    ],
)
def test_refuses_what_no_server_takes(cast: Cast, part: str, value: object) -> None:
    one = offering("measured")

    with pytest.raises(editing.BadForm) as refused:
        edit(cast, one, **{part: value})

    assert refused.value.field == part
    assert Offering.objects.get(pk=one.pk).evidence == "measured"


def test_enters_replaces_and_removes_a_figure(cast: Cast) -> None:
    one, staff = offering("measured"), cast.olivia.may
    result = editing.Result(
        kind="tokens_per_second",
        value=Decimal("31.50"),
        conditions_ko="카드 1장, 요청 1건",
        conditions_en="1 card, one request",
        source_name="두레 대구-1",
    )

    def enter(**changes: Any) -> None:
        with rls.tenant(staff.organization.pk):
            changed = replace(result, **changes)
            editing.enter_figure(offering=one, result=changed, because=BECAUSE, by=staff, now=NOON)

    enter()
    enter(value=Decimal(40))
    assert [row.value for row in Figure.objects.filter(offering=one)] == [Decimal(40)]
    for bad in ({"value": Decimal(-1)}, {"conditions_en": " "}, {"kind": "x"}, {"mark": "sure"}):
        with pytest.raises(editing.BadForm):
            enter(**bad)
    enter(value=None)

    assert not Figure.objects.filter(offering=one).exists()
    assert Offering.objects.get(pk=one.pk).evidence == "measured"  # a result is no part of the form


def test_loading_the_seed_again_keeps_what_was_entered(cast: Cast) -> None:
    offering("simulated", "embedded")
    planned.load()
    rows = Offering.objects.select_related("version").filter(chip__code="rngd")
    one = rows.get(version__model__slug="gpt-oss-20b")
    assert (one.artifact, one.mark) == ("openai/gpt-oss-20b", "vendor")
    edit(cast, one, artifact="/models/gpt-oss")

    planned.load()

    one.refresh_from_db()
    assert (one.artifact, one.mark, one.image) == ("/models/gpt-oss", "", "")
