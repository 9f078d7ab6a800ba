"""What the pages do beyond who may open them: deeds, bad input, queries."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.test import RequestFactory
from django.urls import reverse
from django.views import defaults

from billing.models import Invoice
from portal.deployments import quoting
from portal.deployments.models import Order
from tenants import rls
from tenants.models import ApiKey
from tests import factories
from tests.cast import browser
from tests.factories import CHAT, NOON
from tests.web.conftest import World
from tests.web.rows.row import a_key, an_order


def test_shows_a_new_key_once(world: World) -> None:
    alice = browser(world.cast.alice)
    body = a_key(world) | {"mode": "test"}

    made = alice.post(reverse("key_new"), body)

    secret = made.context["secret"]
    assert secret.encode() in made.content
    assert "no-store" in made["Cache-Control"]
    assert secret.encode() not in alice.get(reverse("keys")).content


BAD_KEYS = [
    ("name", ""),
    ("name", "a\u202eb"),
    ("project", "prj_unknown"),
    ("project", "a\x00b"),
    ("mode", "both"),
    ("rpm_limit", "0"),
    ("rpm_limit", "viele"),
    ("scopes", "everything"),
    ("scopes", ""),
    ("addresses", "10.0.0.0/33"),
    ("addresses", "10.0.0.1/8"),
    ("models", "gpt-9"),
    ("sites", "seoul-9"),
    ("limit_won", "-1"),
    ("days", "400"),
]


def test_refuses_a_bad_key_form_at_its_field(world: World, subtests: pytest.Subtests) -> None:
    body = a_key(world)
    alice = browser(world.cast.alice)

    for field, value in BAD_KEYS:
        with subtests.test(field, value=value):
            answer = alice.post(reverse("key_new"), body | {field: value})
            assert answer.status_code == 422
            assert list(answer.context["form"].errors) == [field]


def test_revokes_a_key(world: World) -> None:
    browser(world.cast.bob).post(reverse("key_revoke", args=[world.key.public_id]))

    with rls.tenant(world.cast.firm.pk):
        assert ApiKey.objects.get(pk=world.key.pk).revoked_at == NOON


def test_orders_once_when_the_form_is_sent_twice(world: World) -> None:
    alice, body = browser(world.cast.alice), an_order(world)

    first = alice.post(reverse("endpoint_new"), body)
    second = alice.post(reverse("endpoint_new"), body)

    assert first["Location"] == second["Location"]
    with rls.tenant(world.cast.firm.pk):
        assert Order.objects.count() == 1


BAD_ORDERS = [
    ("name", "견적-상담"),
    ("name", CHAT),
    ("name", " "),
    ("replicas", "9"),
    ("replicas", "0"),
    ("region", "jeju"),
    ("region", "a\x00b"),
    ("project", "a\x00b"),
    ("model", "gpt"),
]


def test_refuses_a_bad_order_at_its_field(world: World, subtests: pytest.Subtests) -> None:
    alice = browser(world.cast.alice)

    for field, value in BAD_ORDERS:
        with subtests.test(field, value=value):
            answer = alice.post(reverse("endpoint_new"), an_order(world) | {field: value})
            assert answer.status_code == 422
            assert list(answer.context["form"].errors) == [field]

    with rls.tenant(world.cast.firm.pk):
        assert not Order.objects.exists()


MONTHS = ["2026-11", "2026-13", "0000-01", "0001-01", "9999-12", "x", "2026-1", "%00", "٢٠٢٦-11"]
PAGES = ["1", "99999999999999999999", "-1", "x", "%00"]
ADDRESSES = {
    "endpoint_estimate": [
        "",
        "model=x",
        "replicas=99999999999999999999",
        "replicas=-1",
        "replicas=two",
        "project=prj_unknown",
        "project=a%00b",
        "model=a%00b",
        "region=a%00b",
        "region=jeju",
    ],
    "usage": [f"month={month}&group=nonsense" for month in MONTHS],
    "usage_csv": [f"month={month}&group=site" for month in MONTHS],
    "models": ["q=smol", "q=%00", "kind=chat", "kind=x", "q=%25"],
    **{
        name: [f"page={page}" for page in PAGES]
        for name in ("keys", "endpoints", "members", "audit", "invoices")
    },
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_answers_any_address(world: World, name: str, subtests: pytest.Subtests) -> None:
    alice = browser(world.cast.alice)
    for query in ADDRESSES[name]:
        with subtests.test(query):
            assert alice.get(f"{reverse(name)}?{query}").status_code == 200


@pytest.mark.parametrize("replicas", ["two", "0", "99999999999999999999"])
def test_says_how_many_replicas_are_possible(world: World, replicas: str) -> None:
    url = f"{reverse('endpoint_estimate')}?replicas={replicas}"

    answer = browser(world.cast.alice).get(url)

    assert answer.context["no_quote"] == str(quoting.BadReplicas())


def test_harmless_csv_cells(world: World) -> None:
    factories.ledger_entry(world.cast.project, at=NOON, key="=1+1")

    text = browser(world.cast.alice).get(reverse("usage_csv") + "?group=key").content.decode()

    assert "'=1+1" in text
    assert text.startswith("\ufeff")


def test_stops_only_after_the_name_was_typed(world: World) -> None:
    alice = browser(world.cast.alice)
    url = reverse("endpoint_stop", args=[world.endpoint.public_id])

    alice.post(url, {"name": "something else"})
    with rls.tenant(world.cast.firm.pk):
        world.endpoint.refresh_from_db()
        assert world.endpoint.stopped_at is None
    alice.post(url, {"name": world.endpoint.name})

    with rls.tenant(world.cast.firm.pk):
        world.endpoint.refresh_from_db()
        assert world.endpoint.stopped_at == NOON


def test_keeps_a_strangers_endpoint_running(world: World) -> None:
    """The operator sees it, and still may not stop what a customer pays for."""
    url = reverse("endpoint_stop", args=[world.endpoint.public_id])

    browser(world.cast.olivia).post(url, {"name": world.endpoint.name})

    with rls.tenant(world.cast.firm.pk):
        world.endpoint.refresh_from_db()
        assert world.endpoint.stopped_at is None


def test_says_that_a_site_is_silent_when_logs_are_asked_for(world: World) -> None:
    url = reverse("endpoint_logs", args=[world.endpoint.public_id])

    answer = browser(world.cast.alice).get(url)

    assert [block.silent for block, _state in answer.context["blocks"]] == [True]


def test_refuses_a_limit_below_what_is_used(world: World) -> None:
    body = {"limit_won": "-1", "because": ""}

    answer = browser(world.cast.carol).post(
        reverse("budget_change", args=[world.budget.public_id]), body
    )

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["limit_won"]


def test_bills_up_to_now_and_then_nothing(world: World) -> None:
    carol = browser(world.cast.carol)

    first = carol.post(reverse("invoice_interim"))
    second = carol.post(reverse("invoice_interim"))

    assert first["Location"] != second["Location"] == reverse("invoices")
    with rls.tenant(world.cast.firm.pk):
        assert Invoice.objects.count() == 2


@pytest.mark.parametrize(
    ("back", "place"),
    [
        ("http://testserver/keys/", "http://testserver/keys/"),
        ("http://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_returns_only_to_our_own_pages(world: World, back: str, place: str) -> None:
    answer = browser(world.cast.alice).post(
        reverse("display_settings"), {"mode": "contrast", "text": "huge"}, headers={"referer": back}
    )

    assert answer["Location"] == place
    assert answer.cookies["dure_mode"].value == "contrast"
    assert "dure_text" not in answer.cookies


def test_shows_the_outbox_of_the_embedded_stack_only(
    world: World, settings: object, tmp_path: Path
) -> None:
    settings.DURE_EMBEDDED, settings.DURE_OUTBOX_DIR = True, str(tmp_path)  # type: ignore[attr-defined]
    mail = "Subject: code\nFrom: a@b\nTo: alice@example.com\n\n123456\n" + "-" * 79 + "\n"
    (tmp_path / "one.log").write_text(mail)

    shown = browser(world.cast.alice).get(reverse("outbox")).content.decode()

    assert "123456" in shown


PAGES_WITH_LISTS = ["keys", "endpoints", "members", "audit", "invoices", "sites", "models"]


@pytest.mark.parametrize("name", PAGES_WITH_LISTS)
def test_asks_as_often_for_many_rows_as_for_few(world: World, name: str) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    alice = browser(world.cast.alice)
    alice.get(reverse(name))
    with CaptureQueriesContext(connection) as few:
        alice.get(reverse(name))
    for number in range(8):
        factories.api_key(world.cast.project, world.cast.alice.may, f"k{number}")
        factories.site(f"busan-{number}", region="busan", seen_at=NOON)
        made = factories.endpoint(world.cast.project, f"e{number}")
        factories.placement(made, world.site)
        factories.member(factories.user(f"m{number}@example.com"), world.cast.firm, "developer")

    with CaptureQueriesContext(connection) as many:
        alice.get(reverse(name))

    assert len(many) == len(few)


def test_marks_sites_that_went_silent(world: World) -> None:
    then = NOON - timedelta(minutes=1)
    factories.site("busan-1", region="busan", seen_at=then, trouble_since=then)
    factories.site("jeju-1", region="jeju", seen_at=None)

    rows = browser(world.cast.alice).get(reverse("sites")).context["rows"]

    assert [str(row.state["mark"]) for row in rows] == ["ok", "bad", "wait"]


def test_errors_stand_in_the_look_of_the_product(world: World, subtests: pytest.Subtests) -> None:
    """Also those that Django renders without a request, when little else works."""
    missing = browser(world.cast.alice).get("/nothing/here/")
    refused = browser(world.cast.alice).get(reverse("operator"))
    request = RequestFactory().get("/")
    answers = {
        404: missing,
        403: refused,
        400: defaults.bad_request(request, ValueError()),
        500: defaults.server_error(request),
    }

    for status, answer in answers.items():
        with subtests.test(status=status):
            assert answer.status_code == status
            assert b"dure/css/base" in answer.content
            assert reverse("home" if status in (403,) else "landing").encode() in answer.content
