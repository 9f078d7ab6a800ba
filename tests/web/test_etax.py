"""Pages of e-tax invoices beyond who may open them: what they show, bad input, the file."""

from __future__ import annotations

import csv
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.urls import reverse

from billing.etax import preparing, sweep
from billing.models import EtaxDocument, EtaxProfile
from tenants import rls
from tenants.models import AuditEvent
from tests.cast import browser
from tests.factories import NOON
from tests.fakes import etax as fakes
from tests.fakes.etax import Clock
from tests.web.conftest import World
from tests.web.rows.etax import a_document, fresh_id

DETAILS = {
    "representative": "김서연",
    "trade": "제조업",
    "item": "기계",
    "email": "tax@example.com",
}


def complete(world: World) -> EtaxDocument:
    """Alice enters the details; the document is made anew out of them."""
    row = a_document(world)
    answer = browser(world.cast.alice).post(reverse("etax_details"), DETAILS)
    assert answer.status_code == 302
    with rls.everyone(because="test"):
        EtaxProfile.objects.update(changed_at=NOON + timedelta(seconds=1))
    preparing.rebuild_due(now=NOON)
    return row


def shown(row: EtaxDocument) -> EtaxDocument:
    with rls.everyone(because="test"):
        return EtaxDocument.objects.get(pk=row.pk)


def test_the_invoice_shows_how_far_its_document_is(world: World, settings: Any) -> None:
    row = complete(world)
    page = reverse("invoice", args=[world.invoice.public_id])
    alice = browser(world.cast.alice)
    assert "몇 분 안에 발행합니다" in alice.get(page).content.decode()

    with fakes.issuer(Clock(NOON)) as service:
        sweep.sweep(issuer=fakes.client(service), now=NOON)

    text = alice.get(page).content.decode()
    assert shown(row).approval in text and len(shown(row).approval) == 24
    assert "발행됨" in text and "수정세금계산서로만" in text


def test_an_invoice_without_a_document_says_so(world: World) -> None:
    answer = browser(world.cast.alice).get(reverse("invoice", args=[world.invoice.public_id]))

    assert "아직 없습니다" in answer.content.decode()


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("representative", ""),
        ("representative", "가" * 101),
        ("representative", "a\u202eb"),
        ("representative", "a\x00b"),
        ("place", "12"),
        ("place", "12345"),
        ("email", "kein-at"),
    ],
)
def test_refuses_bad_details_at_their_field(world: World, field: str, text: str) -> None:
    answer = browser(world.cast.alice).post(reverse("etax_details"), DETAILS | {field: text})

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]


def test_who_only_reads_sees_the_details_without_a_form(world: World) -> None:
    complete(world)

    text = browser(world.cast.dan).get(reverse("etax_details")).content.decode()

    assert "김서연" in text and '<form class="form"' not in text


def test_the_work_list_shows_what_is_missing_and_what_to_do(world: World) -> None:
    row = a_document(world)
    olivia = browser(world.cast.olivia)

    listed = olivia.get(reverse("etax_documents")).content.decode()
    detail = olivia.get(reverse("etax_document", args=[row.public_id])).content.decode()

    assert row.key in listed
    assert "대표자가 없습니다" in detail and "다른 곳에서 발행으로 표시" in detail


@pytest.mark.parametrize(
    "query", ["?show=late", "?show=odd", "?text=%00", "?text=%25&show=all", "?page=x"]
)
def test_the_list_passes_over_what_makes_no_sense(world: World, query: str) -> None:
    a_document(world)

    answer = browser(world.cast.olivia).get(reverse("etax_documents") + query)

    assert answer.status_code == 200


def test_the_list_asks_as_often_for_one_as_for_many(
    world: World, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        fresh_id(world)
    olivia = browser(world.cast.olivia)

    with django_assert_max_num_queries(40):
        olivia.get(reverse("etax_documents") + "?show=all")


def test_the_file_is_a_table_without_formulas(world: World) -> None:
    row = a_document(world)
    with rls.everyone(because="test"):
        world.cast.firm.name = "=cmd|' /C calc'!A1"
        world.cast.firm.save(update_fields=["name"])

    answer = browser(world.cast.olivia).get(reverse("etax_csv") + "?show=all")

    text = answer.content.decode("utf-8-sig")
    (head, line) = list(csv.reader(StringIO(text)))
    found = dict(zip(head, line, strict=True))
    assert found["number"] == row.key and found["supply won"] == str(row.supply_won)
    assert found["name"].startswith("'=")
    with rls.everyone(because="test"):
        assert AuditEvent.objects.filter(verb="etax.export").count() == 1


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("etax_elsewhere", {"approval": "123", "because": "직접 발행했습니다"}),
        ("etax_elsewhere", {"approval": "2026121041000000" + "1" * 8, "because": ""}),
        ("etax_elsewhere", {"approval": "a\x00b", "because": "직접 발행했습니다"}),
        ("etax_waive", {"because": "번호가 없습니다"}),  # it has one
        ("etax_reissue", {"because": "다시 해 봅니다"}),  # it was not rejected
    ],
)
def test_a_deed_that_is_refused_says_why_and_changes_nothing(
    world: World, name: str, body: dict[str, str]
) -> None:
    row = a_document(world)
    olivia = browser(world.cast.olivia)

    answer = olivia.post(reverse(name, args=[row.public_id]), body, follow=True)

    assert [str(one.level_tag) for one in answer.context["messages"]] == ["error"]
    assert shown(row).state == "blocked"


def test_a_stranger_gets_404(world: World) -> None:
    row = a_document(world)
    mallory = browser(world.cast.mallory)

    assert mallory.get(reverse("invoice", args=[world.invoice.public_id])).status_code == 404
    assert mallory.get(reverse("etax_document", args=[row.public_id])).status_code == 403
    api = f"/api/v1/invoices/{world.invoice.public_id}/etax"
    assert mallory.get(api).status_code == 404


def test_the_operation_lists_the_documents_of_an_invoice(world: World) -> None:
    row = complete(world)

    answer = browser(world.cast.alice).get(f"/api/v1/invoices/{world.invoice.public_id}/etax")

    (one,) = answer.json()["data"]
    assert (one["number"], one["state"], one["total_won"]) == (row.key, "prepared", row.total_won)
    assert one["issue_by"] == "2026-12-10"


def test_an_operation_refuses_an_unknown_list_and_field(world: World) -> None:
    olivia, row = browser(world.cast.olivia), a_document(world)

    assert olivia.get("/api/v1/operator/etax?show=odd").status_code == 400
    assert olivia.get("/api/v1/operator/etax?odd=1").status_code == 400
    answer = olivia.post(
        f"/api/v1/operator/etax/{row.public_id}/elsewhere",
        {"approval_number": "1", "because": "직접 발행했습니다"},
        content_type="application/json",
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "approval_number"
