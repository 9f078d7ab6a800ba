"""The limits page: what holds for a key now, out of the counters; and the operation beside it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing import budgets
from billing.models import Budget
from portal.admission.grants import Grant
from portal.lib import ids
from portal.lib.ids import cell_of
from portal.routing import snapshot
from tenants import rls
from tenants.actions import keys, projects
from tenants.models import ApiKey, Membership
from tests import factories
from tests.admission import counters
from tests.admission.cell import month_in_seoul
from tests.api.callers import bearer, caller, send
from tests.cast import browser
from tests.factories import CHAT, NOON
from tests.minutes import begin_early
from tests.web.conftest import World

EPOCH = 7


@pytest.fixture
def alice(world: World) -> Client:
    return browser(world.cast.alice)


@pytest.fixture
def published(world: World) -> Iterator[Grant]:
    """The world's keys as the gateway knows them; all cells are open."""
    yield publish(world)


def publish(world: World, **changes: Any) -> Grant:
    """As the publisher does it; ``changes`` are of the world's key."""
    taken = snapshot.take(now=NOON, demands=[])
    admission = budgets.admission()
    for organization_code, budget in taken.budgets:
        del organization_code
        budgets.publish(budget, world.cast.firm)
    grants = dict(taken.grants)
    if changes:
        grant, revoked = grants[world.key.sha256]
        grants[world.key.sha256] = (msgspec.structs.replace(grant, **changes), revoked)
    admission.publish_grants((sha, *both) for sha, both in grants.items())
    admission.open_cells(EPOCH)
    return grants[world.key.sha256][0]


def hold(world: World, tokens: int = 100) -> str:
    """One open request of the world's key."""
    request_id = ids.mint_request_id(_server_ms())
    admission = budgets.admission()
    admission.admit(
        world.cast.firm.code,
        epoch=EPOCH,
        sha256=world.key.sha256,
        request_id=request_id,
        model=CHAT,
        tokens_in=0,
        tokens_out=tokens,
        grant_number=2**53 - 1,
        kind="chat",
    )
    return request_id


def _server_ms() -> int:
    """Valkey's clock, which stands still for nobody."""
    seconds, micro = budgets.admission().client.time()  # type: ignore[misc]
    return int(seconds) * 1000 + int(micro) // 1000


def text(client: Client, name: str = "limits", *path: str, **query: str) -> str:
    answer = client.get(reverse(name, args=path), query, headers={"accept-language": "en"})
    assert answer.status_code == 200
    return " ".join(re.sub(r"<(?!input|a |option)[^>]*>", " ", answer.content.decode()).split())


def call(world: World, client: Client | None = None) -> dict[str, Any]:
    path = f"keys/{world.key.public_id}/limits"
    found: dict[str, Any] = send(client or caller(world, "alice"), "GET", path).json()
    return found


def test_shows_what_is_used_of_what(world: World, alice: Client, published: Grant) -> None:
    hold(world)
    budgets.admission().release(world.cast.firm.code, hold(world, 200))

    page, told = text(alice), call(world)

    assert "Requests this minute 2 / 60" in page and "Open now 1 / 16" in page
    assert told["requests_a_minute"]["used"] == 2 and told["requests_a_minute"]["left"] == 58
    assert told["open_requests"] == {"limit": 16, "used": 1, "left": 15, "resets_at": None}
    assert told["state"] == "live" and told["refused_by"] is None
    (budget,) = told["budgets"]
    assert (budget["limit_won"], budget["held_won"]) == ("100000000.000000", "0.018000")
    assert budget["left_won"] == "99999999.982000"
    assert "₩0.018" in page and "₩100,000,000" in page


def test_names_the_rule_that_would_refuse_next(world: World, alice: Client) -> None:
    publish(world, concurrency=2, rpm=100)
    hold(world)

    page, told = text(alice), call(world)

    assert "Would refuse next: Requests at the same time · 50.0% used" in page
    assert (told["nearest"]["rule"], told["nearest"]["used"]) == ("concurrency", 1)


@pytest.mark.parametrize(
    ("changes", "rule", "words"),
    [
        ({"rpm": 1}, "rate", "The requests of this minute are used up."),
        ({"concurrency": 1}, "concurrency", "As many requests are open as may be."),
        ({"inference": False}, "scope", "it lacks this permission"),
        ({"confirmed": False}, "unconfirmed", "not confirmed yet"),
        ({"models": {}}, "models", "No model that the key may call"),
        ({"sites": ()}, "sites", "No site is left"),
        ({"budgets": ("org_x",)}, "budget_unknown", "has not been published yet"),
    ],
)
def test_says_why_the_next_request_is_refused(
    world: World, alice: Client, changes: dict[str, Any], rule: str, words: str
) -> None:
    publish(world)
    hold(world)
    publish(world, **changes)

    page, told = text(alice), call(world)

    assert "The next request is refused" in page and words in page
    assert told["refused_by"]["rule"] == rule and told["state"] == "live"


def test_shows_the_tokens_of_this_minute(world: World, alice: Client) -> None:
    publish(world, tpm=1000)
    begin_early()
    cell, now = cell_of(world.cast.firm.code), _server_ms()
    month = month_in_seoul(now)
    use = (now // 60_000, 0, 1000, 0)
    counters.set_use(budgets.admission().client, cell, world.key.public_id, month, use)

    page, told = text(alice), call(world)

    assert "Tokens this minute 1,000 / 1,000" in page and "tokens of this minute are used" in page
    assert told["tokens_a_minute"]["left"] == 0 and told["refused_by"]["rule"] == "tokens"


def test_says_that_there_is_no_limit_of_tokens(world: World, alice: Client) -> None:
    publish(world)

    assert "Tokens this minute 0 / no such limit" in text(alice)
    assert call(world)["tokens_a_minute"]["limit"] is None


def test_a_spent_budget_says_who_can_raise_it(world: World, alice: Client) -> None:
    publish(world)
    budgets.admission().close_cells()
    budgets.admission().restore(
        world.cast.firm.code,
        subject=world.cast.firm.public_id,
        month=datetime.fromtimestamp(_server_ms() / 1000, UTC).strftime("%Y-%m"),
        spent_micro=100_000_000 * 10**6,
        committed_micro=0,
    )
    budgets.admission().open_cells(EPOCH)

    page, told = text(alice), call(world)

    assert "The budget “Whole organization” is used up." in page
    assert "Can be raised by: Owner, Budget officer." in page
    assert told["refused_by"]["budget"] == world.cast.firm.public_id
    assert told["budgets_raised_by"] == ["owner", "budget_officer"]
    assert told["budgets"][0]["left_won"] == "0.000000"


# ─── states ────────────────────────────────────────────────────────────────────────────────────


def test_says_that_the_gateway_does_not_know_the_key_yet(world: World, alice: Client) -> None:
    budgets.admission().open_cells(EPOCH)

    page, told = text(alice), call(world)

    assert "does not know the key yet" in page and "Requests this minute – / 60" in page
    assert (told["state"], told["open_requests"]["used"]) == ("unpublished", None)


def test_says_that_the_counters_are_being_checked(
    world: World, alice: Client, published: Grant
) -> None:
    budgets.admission().close_cells()

    assert "being checked" in text(alice)
    assert call(world)["state"] == "closed"


def test_says_that_the_counters_do_not_answer(
    world: World, alice: Client, settings: Any, published: Grant
) -> None:
    settings.VALKEY_URL = "redis://127.0.0.1:9"
    budgets.admission.cache_clear()
    try:
        page, told = text(alice), call(world)
    finally:
        budgets.admission.cache_clear()

    assert "no request is admitted at all" in page and "Requests this minute – / 60" in page
    assert 'type="search" maxlength="60" value="">' in page
    assert "₩100,000,000" in page  # the limit that was set; nobody knows what is used
    assert (told["state"], told["at"], told["requests_a_minute"]["limit"]) == ("away", None, 60)
    assert told["budgets"][0]["limit_won"] == "100000000.000000"
    assert told["budgets"][0]["spent_won"] is None


def test_a_test_keys_bounds_are_unknown_before_they_are_published(
    world: World, alice: Client
) -> None:
    with rls.everyone(because="test set-up"):
        ApiKey.objects.filter(pk=world.key.pk).update(mode="test")

    assert "Requests this minute – / –" in text(alice)
    publish(world)
    assert "Tokens this minute 0 / 20,000" in text(alice)


@pytest.mark.parametrize("over", ["revoked", "expired", "ended"])
def test_a_key_that_is_over_is_shown_as_such(
    world: World, alice: Client, published: Grant, over: str
) -> None:
    with rls.tenant(world.cast.firm.pk):
        if over == "revoked":
            keys.revoke(key=world.key, by=world.cast.alice.may, now=NOON)
        elif over == "expired":
            ApiKey.objects.filter(pk=world.key.pk).update(expires_at=NOON)
        else:
            projects.archive(project=world.cast.project, by=world.cast.alice.may, now=NOON)

    page = text(alice, key=world.key.public_id)

    renewed = reverse("limits_of_key", args=[world.key.public_id])
    assert "No request of this key is admitted any more" in page
    assert (
        renewed not in alice.get(reverse("limits"), {"key": world.key.public_id}).content.decode()
    )
    assert call(world)["state"] == over
    assert "No live key" in text(alice)


def test_a_key_of_a_suspended_organization_has_ended(world: World, alice: Client) -> None:
    grant = publish(world)
    newer = msgspec.structs.replace(grant, number=grant.number + 1)
    budgets.admission().publish_grants([(world.key.sha256, newer, True)])

    assert "Project or organization ended" in text(alice)
    assert call(world)["state"] == "ended"


# ─── the list, the part that renews itself ─────────────────────────────────────────────────────


def test_one_part_renews_itself(world: World, alice: Client, published: Grant) -> None:
    whole = alice.get(reverse("limits")).content.decode()
    place = reverse("limits_of_key", args=[world.key.public_id])
    part = alice.get(place).content.decode()

    assert f'data-hx-get="{place}" data-hx-trigger="every 5s"' in whole
    assert "<html" not in part and world.key.name in part and 'id="keys"' not in part


def test_finds_keys_and_keeps_the_chosen_one(world: World, alice: Client) -> None:
    other = factories.project(world.cast.firm, "급여")
    found, _ = factories.api_key(other, world.cast.alice.may, "정산&봇")

    page = text(alice, text="급여", key=world.key.public_id)

    assert f"?key={found.public_id}&amp;text=%EA%B8%89%EC%97%AC" in page
    assert f'name="key" value="{world.key.public_id}"' in page
    assert f"?key={world.key.public_id}&" not in page
    assert "No key fits" in text(alice, text="x%_")


def test_asks_valkey_once_and_postgresql_as_often_for_many_keys(
    world: World, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(world)
    client: Any = budgets.admission().client
    asked, calls, ask = [], Counter[str](), client.execute_command

    def counting(*command: Any, **options: Any) -> Any:
        calls[str(command[0])] += 1
        return ask(*command, **options)

    monkeypatch.setattr(client, "execute_command", counting)
    text(alice)  # the first page of a session keeps that it is in use
    for more in (0, 60):
        for number in range(more):
            factories.api_key(world.cast.project, world.cast.alice.may, f"k{number}")
        calls.clear()
        with CaptureQueriesContext(connection) as queries:
            text(alice, key=world.key.public_id)
        asked.append(sum(" FROM " in one["sql"] for one in queries))
        assert calls == {"FCALL": 1}

    print(f"queries of the limits page: {asked}")
    assert asked[0] == asked[1] <= 16


def test_pages_keep_the_words(world: World, alice: Client) -> None:
    for number in range(60):
        factories.api_key(world.cast.project, world.cast.alice.may, f"bot {number}")

    first, second = text(alice, text="bot"), text(alice, text="bot", page="2")

    assert "1 / 2" in first and "2 / 2" in second
    assert "?text=bot&amp;page=2" in first and "text=bot&amp;page=2" in second


# ─── who sees what ─────────────────────────────────────────────────────────────────────────────


def test_strangers_find_no_key(world: World) -> None:
    mallory = browser(world.cast.mallory)

    assert mallory.get(reverse("limits"), {"key": world.key.public_id}).status_code == 404
    assert world.key.name not in text(mallory)


def test_who_may_not_see_a_budget_sees_that_it_counts(world: World, published: Grant) -> None:
    with rls.everyone(because="test set-up"):
        mine = Membership.objects.filter(user=world.cast.bob.user)
        mine.update(all_projects=False, projects=[world.cast.project.public_id])
    _, reader = factories.api_key(
        world.cast.project, world.cast.alice.may, "leser", scopes=["control_read"]
    )
    hold(world)

    page = text(browser(world.cast.bob), key=world.key.public_id)
    told = call(world, bearer(reader))

    assert "do not let you see its amounts" in page and "₩100,000,000" not in page
    assert told["budgets"][0]["limit_won"] is None
    assert told["budgets"][0]["subject"] == world.cast.firm.public_id


def test_a_hidden_budget_tells_no_amounts_by_the_rule_either(world: World) -> None:
    with rls.everyone(because="test set-up"):
        Budget.objects.filter(subject=world.cast.firm.public_id).update(limit_won=0)
        world.budget.refresh_from_db()
    _, reader = factories.api_key(
        world.cast.project, world.cast.alice.may, "leser", scopes=["control_read"]
    )
    publish(world)

    told = call(world, bearer(reader))["refused_by"]

    assert (told["rule"], told["used"], told["limit"]) == ("budget", None, None)


def test_names_models_by_all_their_names(world: World, alice: Client) -> None:
    from tests.web.rows.aliases import an_alias

    alias = an_alias(world)
    publish(world)

    page, told = text(alice), call(world)

    assert {"model": CHAT, "names": sorted([alias.name, CHAT])} in told["models"]
    assert alias.name in page and f"→ {CHAT}" in page
    assert told["sites"] == [world.site.code] and world.site.name_en in page
    assert (told["region"], told["replay_seconds"]) == ("", 0)
