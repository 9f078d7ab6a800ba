"""The catalogue of bad input for portal, tenancy and API, case by case.

The numbers are those of the catalogue that the project keeps (cases 56–64 and 74–90); the table
in ``docs/security.md`` says which test answers the cases that need a story of their own.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse

from tenants import rls
from tenants.models import ApiKey, Membership, Organization, User
from tests import factories
from tests.api.callers import caller, send
from tests.cast import browser
from tests.web.conftest import World

LONG = "가" * 10_000


def project_named(world: World, name: str) -> tuple[int, str]:
    """Status, and the name that was kept (empty if none was)."""
    answer = send(caller(world, "alice"), "POST", "projects", {"name": name})
    return answer.status_code, answer.json().get("name", "")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        pytest.param(unicodedata.normalize("NFD", "진료"), "진료", id="57-decomposed-hangul"),
        pytest.param("a\u202eb", None, id="58-right-to-left-override"),
        pytest.param("a\u200bb", None, id="58-zero-width"),
        pytest.param("a\u2066b", None, id="58-isolate"),
        pytest.param("\ufeffa", None, id="58-byte-order-mark"),
        pytest.param("병동 🏥", "병동 🏥", id="59-emoji"),
        pytest.param("𠮷野", "𠮷野", id="59-four-bytes"),
        pytest.param(LONG, None, id="59-ten-thousand"),
        pytest.param("<img onerror=x>", "<img onerror=x>", id="60-html-is-text"),
        pytest.param("a\x00b", None, id="58-nul"),
        pytest.param("a\r\nb", "a b", id="64-line-break-is-a-blank"),
    ],
)
def test_names_are_kept_whole_or_refused(world: World, name: str, kept: str | None) -> None:
    status, found = project_named(world, name)

    if kept is None:
        assert status == 422
    else:
        assert (status, found) == (201, kept)


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>", "<b hx-get=/x>", "{{7*7}}", "{% now 'Y' %}", "'\"><x>"]
)
def test_case_60_a_name_is_shown_literally(world: World, name: str) -> None:
    project_named(world, name)

    page = browser(world.cast.alice).get(reverse("projects")).content.decode()

    from django.utils.html import escape

    assert escape(name) in page
    assert "<img src=x" not in page and "<b hx-get" not in page and ">49<" not in page


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@x", "＝1"])
def test_case_61_an_export_has_no_formula(world: World, name: str) -> None:
    User.objects.filter(pk=world.cast.alice.user.pk).update(name=name)
    client = browser(world.cast.alice)
    client.get(reverse("members"))  # is an event, with the name of who looked

    answer = client.get(reverse("audit_export"))

    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert name in text
    rows = csv.reader(io.StringIO(text))
    assert all(not cell.startswith(("=", "+", "@", "＝")) for row in rows for cell in row)


def test_case_62_a_name_is_no_program_on_the_invoice(world: World) -> None:
    """typst would read a file; here the text comes out as it was typed."""
    from pypdf import PdfReader

    name = '#read("secret") $x$ *b* //c'
    with rls.everyone(because="test"):
        Organization.objects.filter(pk=world.cast.firm.pk).update(name=name)
    answer = browser(world.cast.alice).post(reverse("invoice_interim"), follow=True)
    with rls.tenant(world.cast.firm.pk):
        from billing.models import Invoice

        newest = Invoice.objects.order_by("-pk")[0]

    pdf = browser(world.cast.alice).get(reverse("invoice_pdf", args=[newest.public_id]))

    assert answer.status_code == 200
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf.content)).pages)
    assert '#read("secret")' in text


IDS = ["project", "key", "endpoint", "invoice"]


@pytest.mark.parametrize("what", IDS)
@pytest.mark.parametrize("spelling", ["{id}", "{upper}", "{id}%00", "{id}%20", "1", "{id}/../{id}"])
def test_case_74_a_strangers_thing_is_not_there(world: World, what: str, spelling: str) -> None:
    ids = {
        "project": world.cast.project.public_id,
        "key": world.key.public_id,
        "endpoint": world.endpoint.public_id,
        "invoice": world.invoice.public_id,
    }
    asked = spelling.format(id=ids[what], upper=ids[what].upper())

    page = browser(world.cast.mallory).get(f"/{what}s/{asked}/")
    call = send(caller(world, "mallory"), "GET", f"{what}s/{asked}", If_None_Match="*")

    assert (page.status_code, call.status_code) == (404, 404)


@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("POST", "projects", "organization"),
        ("POST", "projects", "organization_id"),
        ("POST", "projects", "public_id"),
        ("POST", "keys", "made_by"),
        ("POST", "keys", "sha256"),
        ("PATCH", "keys/{key}", "project"),
        ("PATCH", "keys/{key}", "mode"),
        ("PATCH", "keys/{key}", "revoked_at"),
        ("PATCH", "keys/{key}", "role"),
        ("PATCH", "projects/{project}", "is_staff"),
        ("PATCH", "projects/{project}", "created_at"),
        ("PATCH", "budgets/{budget}", "spent_won"),
    ],
)
def test_case_75_no_field_comes_in_beside_the_known_ones(
    world: World, method: str, path: str, field: str
) -> None:
    path = path.format(
        key=world.key.public_id,
        project=world.cast.project.public_id,
        budget=world.budget.public_id,
    )

    answer = send(caller(world, "alice"), method, path, {field: "1"})

    assert answer.status_code == 422
    assert field in {one["field"] for one in answer.json()["errors"]}


@pytest.mark.parametrize("email", ["Alice@Example.com", "ALICE@EXAMPLE.COM", " alice@example.com "])
def test_case_79_one_address_is_one_account(world: World, email: str) -> None:
    """The same answer as for a new address, and no second account."""
    before = User.objects.count()

    answer = caller(world, "anonymous").post(
        reverse("account_signup"),
        {"email": email, "name": "x", "password1": "correct-horse-battery-9"},
    )

    assert answer.status_code == 302
    assert User.objects.count() == before


def test_case_79_a_plus_address_is_another_account(world: World) -> None:
    before = User.objects.count()

    caller(world, "anonymous").post(
        reverse("account_signup"),
        {"email": "alice+2@example.com", "name": "x", "password1": "correct-horse-battery-9"},
    )

    assert User.objects.count() == before + 1


@pytest.mark.parametrize(
    "place",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil",
        "javascript:alert(1)",
    ],
)
def test_case_81_signing_in_leads_nowhere_else(world: World, place: str) -> None:
    answer = caller(world, "anonymous").post(
        reverse("account_login"),
        {"login": "alice@example.com", "password": "correct-horse-battery", "next": place},
    )

    assert answer.status_code == 302
    assert answer["Location"].startswith("/") and not answer["Location"].startswith(("//", "/\\"))


def test_case_86_a_cursor_of_another_shows_ones_own_rows(world: World) -> None:
    for number in range(3):
        factories.project(world.cast.firm, f"p{number}")
        factories.project(world.cast.mallory.may.organization, f"q{number}")
    theirs = send(caller(world, "mallory"), "GET", "projects?limit=1").json()["next"]

    path = theirs.partition("/api/v1/")[2].replace("limit=1", "limit=200")
    answer = send(caller(world, "alice"), "GET", path)

    names = {one["name"] for one in answer.json().get("data", [])}
    assert not names & {"q0", "q1", "q2", "남의 프로젝트"}


@pytest.mark.parametrize("limit", [10**9, -1, 0, "x", "1e3", ""])
def test_case_90_a_page_has_a_bound(world: World, limit: Any) -> None:
    answer = send(caller(world, "alice"), "GET", f"projects?limit={limit}")

    assert answer.status_code == 200
    assert len(answer.json()["data"]) <= 200


@pytest.mark.django_db(transaction=True)
def test_case_77_of_two_owners_who_remove_each_other_one_stays() -> None:
    from django.db import connections

    from tenants.actions import members
    from tenants.actors import NotAllowed
    from tests.factories import NOON

    firm = factories.organization("둘", number="1248100998")
    owners = [factories.member(factories.user(f"o{n}@x.example"), firm) for n in range(2)]

    def remove_the_other(number: int) -> str:
        try:
            with rls.tenant(firm.pk):
                other = Membership.objects.get(user=owners[1 - number].user)
                members.remove(membership=other, by=owners[number], now=NOON)
        except (NotAllowed, Membership.DoesNotExist) as error:
            return type(error).__name__
        finally:
            connections.close_all()
        return "removed"

    with ThreadPoolExecutor(2) as pool:
        found = sorted(pool.map(remove_the_other, range(2)))

    with rls.tenant(firm.pk):
        assert Membership.objects.filter(role="owner").count() == 1
    assert found.count("removed") == 1
    connection.close()


def test_case_87_two_keys_of_one_name_are_two_keys(world: World) -> None:
    """Names of keys may repeat; what must not repeat has an Idempotency-Key (orders)."""
    body = {"name": "k", "project": world.cast.project.public_id}
    alice = caller(world, "alice")

    made = {send(alice, "POST", "keys", body).json()["id"] for _ in range(2)}

    assert len(made) == 2
    with rls.tenant(world.cast.firm.pk):
        assert ApiKey.objects.filter(name="k").count() == 2
