"""The pages and operations of the audit log, and what attackers try with them."""

from __future__ import annotations

import csv
import io
import json

import pytest
from django.urls import reverse

from tenants import audit, rls
from tenants.models import AuditEvent
from tests.api.callers import caller, send
from tests.cast import browser
from tests.factories import NOON
from tests.web.conftest import World


def record(world: World, verb: str = "thing.deed", **more: object) -> None:
    with rls.tenant(world.cast.firm.pk):
        audit.record(verb, by=world.cast.alice.may, now=NOON, subject="prj_x", **more)  # type: ignore[arg-type]


def test_shows_who_did_what_with_names(world: World) -> None:
    record(world, because="감사 대비")

    page = browser(world.cast.dan).get(reverse("audit")).content.decode()

    assert "thing.deed" in page and "김서연" in page and "감사 대비" in page


def test_says_that_nothing_fits(world: World) -> None:
    page = browser(world.cast.dan).get(reverse("audit"), {"verb": "zzz"}).content.decode()

    assert "zzz" in page and f'href="{reverse("audit")}"' in page


@pytest.mark.parametrize(
    "query", [{"group": "x"}, {"since": "gestern"}, {"actor": "a\x00b"}, {"until": "2026-13-01"}]
)
def test_leaves_out_a_filter_without_sense(world: World, query: dict[str, str]) -> None:
    assert browser(world.cast.dan).get(reverse("audit"), query).status_code == 200


@pytest.mark.parametrize("cursor", ["x", "1-1;--", "9" * 30])
def test_refuses_a_forged_cursor(world: World, cursor: str) -> None:
    page = browser(world.cast.dan).get(reverse("audit"), {"cursor": cursor})
    call = send(caller(world, "dan"), "GET", f"audit?cursor={cursor}")

    assert page.status_code == 400
    assert call.status_code in {400, 422}


def test_shows_one_event_with_before_and_after(world: World) -> None:
    record(world, changes={"role": {"from": "owner", "to": "auditor"}})
    with rls.tenant(world.cast.firm.pk):
        event = AuditEvent.objects.order_by("-id")[0]

    page = browser(world.cast.dan).get(reverse("audit_event", args=[event.public_id]))

    assert "owner" in page.content.decode() and "auditor" in page.content.decode()


def test_exports_without_formulas_and_notes_that_it_did(world: World) -> None:
    record(world, because="=HYPERLINK(1)")
    dan = browser(world.cast.dan)

    answer = dan.get(reverse("audit_export"), {"actor": "김서연"})

    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert any(row["because"] == "'=HYPERLINK(1)" for row in rows)
    with rls.tenant(world.cast.firm.pk):
        event = AuditEvent.objects.get(verb="audit.export")
    assert event.changes == {"format": "csv", "narrowed_by": ["actor"]}  # and no name


def test_exports_lines_of_json_over_batches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from tenants import audit_log

    monkeypatch.setattr(audit_log, "BATCH", 2)
    for number in range(5):
        record(world, f"thing.{number}")

    answer = send(caller(world, "dan"), "GET", "audit/export?verb=thing.")

    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert [json.loads(line)["verb"] for line in lines] == [f"thing.{n}" for n in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    "query", ["ordering=password", "limit=0", "limit=x", "group=secret", "verb__regex=.*"]
)
def test_refuses_queries_that_it_does_not_know(world: World, query: str) -> None:
    assert send(caller(world, "dan"), "GET", f"audit?{query}").status_code == 422


def test_caps_a_page(world: World) -> None:
    answer = send(caller(world, "dan"), "GET", "audit?limit=1000000000")

    assert answer.status_code == 200


def test_looking_at_the_log_and_at_members_is_an_event(world: World) -> None:
    dan = browser(world.cast.dan)
    for _ in range(2):
        dan.get(reverse("audit"))
        dan.get(reverse("members"))

    with rls.tenant(world.cast.firm.pk):
        seen = AuditEvent.objects.filter(actor=world.cast.dan.user.public_id)
        assert sorted(event.verb for event in seen) == ["audit.read", "member.read"]


def test_refuses_a_retention_below_the_law_at_its_field(world: World) -> None:
    body = {"access_months": "23", "rights_months": "36", "other_months": "12"}

    answer = browser(world.cast.alice).post(reverse("audit_retention"), body)

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["access_months"]
