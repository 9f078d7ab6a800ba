"""The way to an organization as people walk it, and the registration page afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from deploy.local.registry import Registry
from tenants import retention, rls
from tenants.actions import checks
from tenants.models import ApiKey, Consent, Evidence, Organization, Project, Signup
from tenants.registry.nts import TaxServiceRegistry
from tests import factories
from tests.cast import browser
from tests.factories import NOON
from tests.fakes.registry import CLOSED, KEY, UNKNOWN
from tests.fakes.registry import registry as fake
from tests.web.conftest import World

NUMBER = "124-81-00998"
AGREED = {"service-2026-11-01": "on", "privacy-2026-11-01": "on"}


def walk(client: Client, **changes: str) -> str:
    """All four steps; where the last one leads."""
    words = {"kind": "sme", "name": "새 회사", "business_number": NUMBER, "data_class": "sensitive"}
    words |= changes
    numbers = {name: words[name] for name in words if name not in {"kind", "data_class"}}
    client.post(reverse("signup_kind"), {"kind": words["kind"]})
    client.post(reverse("signup_numbers"), numbers)
    client.post(reverse("signup_terms"), AGREED)
    answer = client.post(reverse("signup_project"), {"data_class": words["data_class"]})
    return str(answer.get("Location", answer.status_code))


def made() -> Organization:
    with rls.everyone(because="test"):
        return Organization.objects.get(business_number="1248100998")


@pytest.fixture
def service() -> Iterator[Registry]:
    with fake() as running:
        yield running


def ask(service: Registry, after: timedelta = timedelta(0)) -> None:
    checks.sweep(registry=TaxServiceRegistry(service.url, KEY), now=NOON + after)


def test_walks_from_the_kind_to_the_registration(world: World) -> None:
    client = browser(world.cast.nobody)

    assert walk(client) == reverse("registration")

    found = made()
    with rls.tenant(found.pk):
        assert Project.objects.get().data_class == "sensitive"
        assert Consent.objects.count() == 2
    with rls.user(world.cast.nobody.user.pk):
        assert not Signup.objects.exists()
    page = client.get(reverse("registration"))
    assert "확인 중" in page.content.decode()


@pytest.mark.parametrize(
    ("done", "place"),
    [
        ([], "signup_kind"),
        (["kind"], "signup_numbers"),
        (["kind", "numbers"], "signup_terms"),
        (["kind", "numbers", "terms"], "signup_project"),
    ],
)
def test_comes_back_to_where_one_stopped(world: World, done: list[str], place: str) -> None:
    """Also from another browser: what was filled in is kept with the person."""
    words = {
        "kind": {"kind": "sme"},
        "numbers": {"name": "새 회사", "business_number": NUMBER},
        "terms": AGREED,
    }
    for step in done:
        browser(world.cast.nobody).post(reverse(f"signup_{step}"), words[step])

    answer = browser(world.cast.nobody).get(reverse("organization_new"))

    assert answer["Location"] == reverse(place)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"business_number": "123-45-67890"}, "business_number"),  # check digit
        ({"business_number": "12345"}, "business_number"),
        ({"business_number": "1234567891"}, "business_number"),  # alice's
        ({"business_number": "123-83-12340"}, "business_number"),  # of a state body
        ({"name": "a\u200bb"}, "name"),
        ({"name": "Nаver"}, "name"),
        ({"corporate_number": "123"}, "corporate_number"),
        ({"name": "가" * 81}, "name"),
    ],
)
def test_says_at_the_field_what_is_wrong(world: World, changes: dict[str, str], field: str) -> None:
    client = browser(world.cast.nobody)
    client.post(reverse("signup_kind"), {"kind": "sme"})

    body = {"name": "새 회사", "business_number": NUMBER} | changes
    answer = client.post(reverse("signup_numbers"), body)

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]


def test_asks_a_hospital_for_its_code_and_nobody_else(world: World) -> None:
    client = browser(world.cast.nobody)
    client.post(reverse("signup_kind"), {"kind": "hospital"})
    hospital = client.get(reverse("signup_numbers")).content.decode()
    missing = client.post(reverse("signup_numbers"), {"name": "새 병원", "business_number": NUMBER})
    client.post(reverse("signup_kind"), {"kind": "sole_trader"})
    trader = client.get(reverse("signup_numbers")).content.decode()

    assert "medical_number" in hospital and "medical_number" not in trader
    assert "corporate_number" in hospital and "corporate_number" not in trader
    assert list(missing.context["form"].errors) == ["medical_number"]


def test_nothing_is_agreed_to_by_half(world: World) -> None:
    client = browser(world.cast.nobody)
    client.post(reverse("signup_kind"), {"kind": "sme"})
    client.post(reverse("signup_numbers"), {"name": "새 회사", "business_number": NUMBER})

    answer = client.post(reverse("signup_terms"), {"service-2026-11-01": "on"})

    assert answer.status_code == 422
    place = client.post(reverse("signup_project"), {"data_class": "open"})["Location"]
    assert place == reverse("organization_new")


def test_a_second_press_makes_no_second_organization(world: World) -> None:
    client = browser(world.cast.nobody)
    walk(client)

    again = client.post(reverse("signup_project"), {"data_class": "open"})

    assert again["Location"] == reverse("organization_new")
    assert made()


def test_another_step_cannot_set_what_is_not_asked(world: World) -> None:
    """Fields of the row that no form has: state, vouching, kind of the operator."""
    client = browser(world.cast.nobody)
    extra = {"registration": "active", "vouched_at": "2026-11-16", "kind": "operator"}
    client.post(reverse("signup_kind"), {"kind": "sme"})
    body = {"name": "새 회사", "business_number": NUMBER} | extra
    client.post(reverse("signup_numbers"), body)
    client.post(reverse("signup_terms"), AGREED | extra)
    client.post(reverse("signup_project"), {"data_class": "open"} | extra)

    found = made()
    assert (found.registration, found.vouched_at, found.kind) == ("pending_registry", None, "sme")


def test_tries_the_test_model_before_anybody_has_confirmed(world: World) -> None:
    client = browser(world.cast.nobody)
    walk(client)
    key = {"name": "시험", "mode": "test", "scopes": ["inference"]}
    with rls.tenant(made().pk):
        key["project"] = Project.objects.get().public_id

    answer = client.post(reverse("key_new"), key | {"rpm_limit": "60", "concurrency_limit": "16"})

    assert answer.status_code == 200, answer.context["form"].errors
    with rls.tenant(made().pk):
        assert ApiKey.objects.get().mode == "test"


def test_a_closed_business_reads_and_pays_but_orders_nothing(
    world: World, service: Registry
) -> None:
    client = browser(world.cast.nobody)
    walk(client)
    service.report("1248100998", CLOSED)
    ask(service)
    with rls.tenant(made().pk):
        project = Project.objects.get().public_id

    order = client.post(
        reverse("endpoint_new"),
        {
            "name": "주문",
            "project": project,
            "model": factories.CHAT,
            "region": "daegu",
            "replicas": "1",
            "idempotency_key": "k",
        },
    )

    assert order.status_code == 422
    assert "폐업" in order.content.decode()
    for page in ("home", "invoices", "usage", "budget", "registration"):
        answer = client.get(reverse(page))
        assert answer.status_code == 200
        assert "폐업으로 등록되어 있습니다" in answer.content.decode(), page


def test_the_page_says_when_the_registry_does_not_answer(world: World, service: Registry) -> None:
    client = browser(world.cast.nobody)
    walk(client)
    service.wrong = "down"
    ask(service)

    page = client.get(reverse("registration")).content.decode()

    assert "국세청이 지금 응답하지 않습니다" in page
    assert "hx-get" in page


def test_a_document_goes_to_the_operator_and_back(world: World, service: Registry) -> None:
    client, olivia = browser(world.cast.nobody), browser(world.cast.olivia)
    walk(client)
    service.report("1248100998", UNKNOWN)
    ask(service)
    picture = factories.picture()
    upload = SimpleUploadedFile("<b>등록증</b>.png", picture, "image/png")

    sent = client.post(reverse("evidence_new"), {"kind": "business", "file": upload})
    queue = olivia.get(reverse("verifications")).content.decode()
    with rls.tenant(made().pk):
        document = Evidence.objects.get()
    review = reverse("verification", kwargs={"public_id": made().public_id})
    seen = olivia.get(review).content.decode()
    file = olivia.get(reverse("verification_evidence", kwargs={"public_id": document.public_id}))
    olivia.post(review + "ask/", {"message": "뒷면도 내세요."})
    asked = client.get(reverse("registration")).content.decode()
    olivia.post(review + "approve/", {"because": "등록증과 같습니다."})
    confirmed = client.get(reverse("registration")).content.decode()

    assert sent["Location"] == reverse("registration")
    assert made().name in queue and "등록증" in seen
    assert file["Content-Type"] == "image/png" and file["Content-Disposition"].startswith("attach")
    assert file["X-Content-Type-Options"] == "nosniff"
    assert "<b>등록증" not in seen + asked and "뒷면도 내세요." in asked
    assert "등록증과 같습니다." in confirmed and made().registration == "active"


def test_a_large_file_is_refused_with_a_sentence(world: World) -> None:
    client = browser(world.cast.nobody)
    walk(client)
    upload = SimpleUploadedFile("a.pdf", b"%PDF-" + b"0" * (10 * 1024 * 1024 + 1))

    answer = client.post(reverse("evidence_new"), {"kind": "business", "file": upload})

    assert answer.status_code in {413, 422}
    with rls.tenant(made().pk):
        assert not Evidence.objects.exists()


def test_a_new_version_of_the_terms_opens_their_step_again(world: World) -> None:
    client = browser(world.cast.nobody)
    client.post(reverse("signup_kind"), {"kind": "sme"})
    client.post(reverse("signup_numbers"), {"name": "새 회사", "business_number": NUMBER})
    client.post(reverse("signup_terms"), AGREED)
    factories.terms_version("service", NOON - timedelta(minutes=1))

    with time_machine.travel(NOON, tick=False):
        answer = client.get(reverse("organization_new"))

    assert answer["Location"] == reverse("signup_terms")


def test_an_unfinished_sign_up_is_forgotten_after_90_days(world: World) -> None:
    browser(world.cast.nobody).post(reverse("signup_kind"), {"kind": "sme"})

    kept = retention.sweep(NOON + timedelta(days=89))["tenants.Signup.saved_at"]
    gone = retention.sweep(NOON + timedelta(days=91))["tenants.Signup.saved_at"]

    assert (kept, gone) == (0, 1)
