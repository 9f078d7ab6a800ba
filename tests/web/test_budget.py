"""The budget board: what stands there, asking for more, bad input, and how much it asks for."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing import board, budgets, limits, raises
from billing.limits import BudgetWish
from billing.models import ApprovalRequest, Budget, BudgetRaise
from portal.admission.sync import Admission, connect
from portal.lib.money import MAX_BUDGET_WON, MICRO
from tenants import rls
from tests import factories
from tests.api.callers import caller, send
from tests.billing.signing import decided
from tests.cast import browser
from tests.factories import NOON
from tests.web.conftest import World


def text(client: Client, name: str = "budget", *path: object, **query: str) -> str:
    answer = client.get(reverse(name, args=path), query, headers={"accept-language": "en"})
    assert answer.status_code == 200
    content: str = answer.content.decode()
    return content


def use(world: World, won: int, days_ago: int = 0, **fields: Any) -> None:
    factories.ledger_entry(
        world.cast.project,
        at=NOON - timedelta(days=days_ago),
        settled_micro=won * MICRO,
        **fields,
    )


def make(world: World, **changes: Any) -> Budget:
    words = {
        "scope": "project",
        "subject": world.cast.project.public_id,
        "period": "year",
        "limit_won": 7_000_000,
    }
    wish = BudgetWish(**(words | changes))
    return limits.create(wish=wish, because="", by=world.cast.carol.may, now=NOON)


def test_shows_every_limit_and_one_day_by_day(world: World) -> None:
    yearly = make(world)
    for days in range(1, 12):
        use(world, 1_000_000, days)

    page = text(browser(world.cast.alice))
    other = text(browser(world.cast.alice), budget=yearly.public_id)

    for found in (page, other):
        assert world.cast.firm.name in found
        assert world.cast.project.name in found
        assert "All limits" in found
        assert "Each day to come counts like the same weekday of the last week" in found
    assert "₩7,000,000" in other
    assert "the limit is reached on" in other
    assert '<polyline class="line-now"' in other


def test_a_year_that_is_over_has_words_and_no_bar(world: World) -> None:
    old = make(world)
    with rls.everyone(because="test"):
        Budget.objects.filter(pk=old.pk).update(year=NOON.year - 1)

    page = text(browser(world.cast.alice))
    chosen = text(browser(world.cast.alice), budget=old.public_id)

    said = "Its period is over: nothing can be spent by it any more."
    assert (page.count(said), page.count('class="gauge')) == (1, 2)  # the organization's, twice
    assert (chosen.count(said), chosen.count('class="gauge')) == (2, 1)


def test_says_what_will_stand_where_nothing_is_used(world: World) -> None:
    page = text(browser(world.cast.mallory))

    assert "Nothing used in this period" in page


def test_says_that_the_counters_are_away_and_shows_the_ledger(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(world, 123_456)
    away = Admission(connect("redis://127.0.0.1:9/0", timeout_seconds=0.2))
    monkeypatch.setattr(budgets, "admission", lambda: away)

    page = text(browser(world.cast.alice))

    assert "The counters cannot be reached now" in page


def test_asks_approves_and_the_limit_holds(world: World) -> None:
    bob, carol = browser(world.cast.bob), browser(world.cast.carol)
    body = {"to_won": "300000000", "because": "12월 견적 집중"}
    bob.post(reverse("budget_ask", args=[world.budget.public_id]), body)
    with rls.tenant(world.cast.firm.pk):
        request = ApprovalRequest.objects.get(kind="budget.raise")
    board = text(carol)
    assert "박도현 asks to raise the limit" in board
    assert reverse("approval", args=[request.public_id]) in board

    word = {"word": "agree", "round": "1", "step": "1"}
    carol.post(reverse("approval_decide", args=[request.public_id]), word)

    page = text(bob)
    assert "₩300,000,000" in page
    assert "Nobody has asked for a higher limit." in page


WRONG = ["-1", "1.5", "1e9", "", "viel", "0x10", str(10**19), " ", "1_000", "∞", "NaN"]


@pytest.mark.parametrize("amount", WRONG)
@pytest.mark.parametrize("page", ["budget_change", "budget_ask"])
def test_refuses_amounts_that_are_none(world: World, page: str, amount: str) -> None:
    field = "limit_won" if page == "budget_change" else "to_won"

    answer = browser(world.cast.carol).post(
        reverse(page, args=[world.budget.public_id]), {field: amount, "because": "이유가 있음"}
    )

    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    with rls.tenant(world.cast.firm.pk):
        assert Budget.objects.get(pk=world.budget.pk).limit_won == world.budget.limit_won
        assert not BudgetRaise.objects.exists()


def test_refuses_a_limit_that_fits_nowhere_with_the_rule(world: World) -> None:
    answer = browser(world.cast.carol).post(
        reverse("budget_change", args=[world.budget.public_id]),
        {"limit_won": str(MAX_BUDGET_WON + 1)},
        headers={"accept-language": "en"},
    )

    assert "9,000,000,000" in str(answer.context["form"].errors["limit_won"])


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"subject": "prj_none"}, "subject"),
        ({"period": "week"}, "period"),
        ({"period": "running", "starts_on": "2026-13-01"}, "starts_on"),
        ({"period": "running", "starts_on": "2026-12-01", "ends_on": "2026-11-30"}, "ends_on"),
        ({"thresholds": "80, viel"}, "thresholds"),
        ({"thresholds": "80, 80"}, "thresholds"),
        ({"thresholds": "0, 180"}, "thresholds"),
        ({"limit_won": str(10**17)}, "limit_won"),
        ({"year": "1492"}, "year"),
        ({"period": "month"}, "__all__"),
    ],
)
def test_refuses_a_budget_that_is_none(world: World, words: dict[str, str], field: str) -> None:
    body = {
        "subject": world.cast.firm.public_id,
        "period": "year",
        "limit_won": "500000000",
        "hard": "on",
        "thresholds": "80, 100",
    }

    answer = browser(world.cast.carol).post(reverse("budget_new"), body | words)

    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    with rls.tenant(world.cast.firm.pk):
        assert Budget.objects.count() == 1


def test_makes_a_budget_for_a_project(world: World) -> None:
    body = {
        "subject": world.cast.project.public_id,
        "period": "running",
        "starts_on": "2026-11-01",
        "ends_on": "2027-03-01",
        "limit_won": "5000000",
        "thresholds": "50, 90%",
    }

    answer = browser(world.cast.carol).post(reverse("budget_new"), body)

    assert answer.status_code == 302
    with rls.tenant(world.cast.firm.pk):
        made = Budget.objects.get(scope="project")
    assert (made.hard, made.steps) == (False, (50, 90))
    assert str(made.ends_on) == "2027-03-01"


def test_the_file_has_every_budget_and_no_formulas(world: World) -> None:
    with rls.tenant(world.cast.firm.pk):
        world.cast.project.name = '=HYPERLINK("http://evil.example")'
        world.cast.project.save()
    make(world)

    answer = browser(world.cast.alice).get(reverse("budget_csv"))

    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["period"] for row in rows] == ["month", "year"]
    assert rows[1]["for"].startswith("'=")
    assert rows[1]["limit_won"] == "7000000"


def test_limited_members_see_the_budgets_of_their_projects(world: World) -> None:
    mine = make(world)
    limited = world.cast.bob.may.__class__(
        **{
            name: getattr(world.cast.bob.may, name)
            for name in ("organization", "verbs", "kind", "label", "role", "user")
        },
        projects=(world.cast.project.public_id,),
    )

    with rls.tenant(world.cast.firm.pk):
        found = board.find(limited)

    assert [one.pk for one in found.budgets] == [mine.pk]


# ─── what it costs ─────────────────────────────────────────────────────────────────────────────


def queries_of(client: Client, path: str) -> list[str]:
    client.get(path)  # what is asked once a process
    with CaptureQueriesContext(connection) as found:
        assert client.get(path).status_code == 200
    return [one["sql"] for one in found.captured_queries]


def test_asks_as_often_for_many_budgets_as_for_one(world: World) -> None:
    alice, path = browser(world.cast.alice), reverse("budget")
    before = queries_of(alice, path)
    for number in range(12):
        project = factories.project(world.cast.firm, f"일 {number}")
        made = make(world, subject=project.public_id)
        wish = raises.ask(
            budget=made,
            to_won=9_000_000,
            until_on=None,
            because="12월 견적 집중",
            by=world.cast.bob.may,
            now=NOON,
        )
        decided(wish, raises.DEED, world.cast.carol.may)
        budgets.publish(made, world.cast.firm)

    after = queries_of(alice, path)

    assert len(after) == len(before)
    assert len(after) <= 60


def test_reads_days_and_never_the_ledger(world: World) -> None:
    make(world)

    asked = queries_of(browser(world.cast.alice), reverse("budget"))

    assert not any("usage_ledgerentry" in one for one in asked)
    assert any("usage_dayspend" in one for one in asked)


# ─── operations ────────────────────────────────────────────────────────────────────────────────


def test_the_operation_says_the_same_as_the_page(world: World) -> None:
    for days in range(1, 10):
        use(world, 1000, days)

    told = send(caller(world, "alice"), "GET", f"budgets/{world.budget.public_id}").json()

    assert told["period"] == "month"
    assert [one["day"] for one in told["days"]][:2] == ["2026-11-01", "2026-11-02"]
    assert told["expected"][-1]["day"] == "2026-11-30"
    assert "weekdays" in told["method"]
    assert told["limit_now_won"] == "100000000.000000"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"limit_won": 1.5}, "limit_won"),
        ({"limit_won": "viel"}, "limit_won"),
        ({"thresholds": [0]}, "thresholds"),
        ({"thresholds": "80"}, "thresholds"),
        ({"ends_on": "2026-02-30"}, "ends_on"),
        ({"ends_on": "2027-01-01"}, "ends_on"),
        ({"spent_won": 5}, "spent_won"),
        ({"hard": "vielleicht"}, "hard"),
    ],
)
def test_the_operation_refuses_with_the_field(
    world: World, body: dict[str, Any], field: str
) -> None:
    answer = send(caller(world, "carol"), "PATCH", f"budgets/{world.budget.public_id}", body)

    assert answer.status_code == 422
    assert [one["field"].split(".")[0] for one in answer.json()["errors"]] == [field]


def test_the_operation_makes_soft_and_raises_in_one(world: World) -> None:
    answer = send(
        caller(world, "carol"),
        "PATCH",
        f"budgets/{world.budget.public_id}",
        {"limit_won": 123_000_000, "hard": False, "thresholds": [90]},
    )

    told = answer.json()
    assert (told["limit_won"], told["hard"], told["thresholds"]) == (123_000_000, False, [90])
