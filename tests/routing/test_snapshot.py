"""What a key may do, read out of the rows: models, sites, budgets, its end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from portal.admission.grants import Grant
from portal.deployments.actions import aliases
from portal.deployments.models import Endpoint
from portal.fleet.models import Site
from portal.routing import snapshot
from tenants import rls
from tenants.actions import keys
from tenants.models import ApiKey, ModelAlias, Organization, Project
from tests import factories
from tests.factories import CHAT, EMBEDDING, NOON
from tests.routing.conftest import Rows

pytestmark = pytest.mark.usefixtures("remembered")


def grant(rows: Rows, **changes: Any) -> Grant:
    """The grant of the key once its row (``key__…``) or project (``project__…``) is changed."""
    return found(rows, **changes)[0]


def found(rows: Rows, **changes: Any) -> tuple[Grant, bool]:
    with rls.everyone(because="test set-up"):
        for name, value in changes.items():
            model = {"key": ApiKey, "project": Project}[name.partition("__")[0]]
            row = {"key": rows.key, "project": rows.project}[name.partition("__")[0]]
            model.objects.filter(pk=row.pk).update(**{name.partition("__")[2]: value})
    return snapshot.take(now=NOON, demands=[]).grants[rows.key.sha256]


def test_grants_shared_models_and_the_projects_own(rows: Rows) -> None:
    one = grant(rows)

    assert set(one.models) == {CHAT, rows.own.public_id, "견적-상담"}
    shared = one.models[CHAT]
    assert (shared.price_in, shared.price_out) == (60_000_000, 180_000_000)
    assert shared.price_version == factories.token_tariff().public_id
    own = one.models["견적-상담"]
    assert (own.price_in, own.price_out, own.price_version) == (0, 0, "card")
    assert (one.rpm, one.concurrency, one.mode, one.data_class) == (60, 16, "live", "open")


@pytest.mark.parametrize(
    ("changes", "models"),
    [
        ({"key__mode": "test"}, {CHAT}),
        ({"key__allowed_models": [CHAT]}, {CHAT}),
        ({"key__allowed_models": ["견적-상담"]}, {"견적-상담"}),
        ({"key__allowed_models": ["unknown"]}, set()),
    ],
)
def test_narrows_models(rows: Rows, changes: dict[str, Any], models: set[str]) -> None:
    assert set(grant(rows, **changes).models) == models


def test_a_test_key_calls_shared_models_for_nothing_within_our_limits(rows: Rows) -> None:
    one = grant(rows, key__mode="test")

    free = one.models[CHAT]
    assert (free.price_in, free.price_cached, free.price_out) == (0, 0, 0)
    assert free.price_version == "test"
    assert (one.rpm, one.tpm, one.concurrency) == (10, 20_000, 2)


@pytest.mark.parametrize(
    ("mode", "limit", "told"),
    [
        ("live", 0, 0),
        ("live", 5_000, 5_000),
        ("live", 90_000, 90_000),
        ("test", 0, 20_000),
        ("test", 5_000, 5_000),
        ("test", 90_000, 20_000),
    ],
)
def test_tells_tokens_a_minute_and_bounds_what_is_free(
    rows: Rows, mode: str, limit: int, told: int
) -> None:
    assert grant(rows, key__mode=mode, key__tpm_limit=limit).tpm == told


def test_says_where_the_organization_is(rows: Rows) -> None:
    assert grant(rows).region == ""
    with rls.everyone(because="test set-up"):
        Organization.objects.filter(pk=rows.firm.pk).update(region="busan")

    one = grant(rows)

    assert (one.region, set(one.sites)) == ("busan", {"daegu-1", "busan-1"})


@pytest.mark.parametrize(
    ("data_class", "replay", "seconds"),
    [("open", True, 600), ("sensitive", True, 600), ("open", False, 0), ("medical", False, 0)],
)
def test_answers_are_kept_only_where_the_project_wants_it(
    rows: Rows, data_class: str, replay: bool, seconds: int
) -> None:
    one = grant(rows, project__data_class=data_class, project__replay=replay)

    assert one.replay_seconds == seconds


# ─── a project's own names ─────────────────────────────────────────────────────────────────────


def name_models(rows: Rows, **names: str) -> None:
    with rls.tenant(rows.firm.pk):
        for name, target in names.items():
            aliases.create(
                project=rows.project,
                name=name.replace("_", "-"),
                target=target,
                by=rows.cast.bob.may,
                now=NOON,
            )


def test_a_name_of_the_projects_is_the_same_grant(rows: Rows) -> None:
    name_models(rows, gpt_4o=CHAT, o1="견적-상담")

    models = grant(rows).models

    assert models["gpt-4o"] == models[CHAT] and models["gpt-4o"].model == CHAT
    assert models["o1"] == models["견적-상담"]


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"key__allowed_models": [CHAT]}, {CHAT, "gpt-4o"}),
        ({"key__allowed_models": ["견적-상담"]}, {"견적-상담", "o1"}),
        ({"key__allowed_models": ["gpt-4o"]}, set()),
        ({"key__mode": "test"}, {CHAT, "gpt-4o"}),
    ],
)
def test_a_name_is_allowed_if_its_model_is(
    rows: Rows, changes: dict[str, Any], names: set[str]
) -> None:
    name_models(rows, gpt_4o=CHAT, o1="견적-상담")

    assert set(grant(rows, **changes).models) == names


def test_a_name_whose_endpoint_stopped_is_nobodys(rows: Rows) -> None:
    name_models(rows, o1="견적-상담")
    with rls.everyone(because="test set-up"):
        Endpoint.objects.filter(pk=rows.own.pk).update(stopped_at=NOON)

    assert set(grant(rows).models) == {CHAT}


@pytest.mark.parametrize("allowed", [[], [EMBEDDING]])
def test_a_name_that_became_real_means_itself(rows: Rows, allowed: list[str]) -> None:
    factories.shared_endpoint(rows.cast.olivia.may.organization, EMBEDDING)
    name_models(rows, o1=EMBEDDING, o2=EMBEDDING)
    with rls.everyone(because="test set-up"):
        Endpoint.objects.filter(pk=rows.own.pk).update(name="o1")
        ModelAlias.objects.filter(name="o2").update(name=CHAT)

    models = grant(rows, key__allowed_models=allowed).models

    assert models.get("o1") == (None if allowed else models[rows.own.public_id])
    assert CHAT not in models if allowed else models[CHAT].model == CHAT


def test_a_name_is_known_in_its_own_project_only(rows: Rows) -> None:
    name_models(rows, o1=CHAT)
    other = factories.project(rows.firm, "zweites")
    key, _ = factories.api_key(other, rows.cast.alice.may)

    grants = snapshot.take(now=NOON, demands=[]).grants

    assert set(grants[key.sha256][0].models) == {CHAT}


@pytest.mark.parametrize("state", ["pending_registry", "unverifiable"])
def test_an_unconfirmed_organization_has_test_keys_only(rows: Rows, state: str) -> None:
    with rls.everyone(because="test set-up"):
        Organization.objects.filter(pk=rows.firm.pk).update(registration=state)

    live, test = grant(rows), grant(rows, key__mode="test")

    assert (live.models, live.confirmed) == ({}, False)
    assert (set(test.models), test.confirmed) == ({CHAT}, True)


@pytest.mark.parametrize("state", ["active", "suspended", "closed"])
def test_what_runs_goes_on_whatever_the_registry_says_later(rows: Rows, state: str) -> None:
    with rls.everyone(because="test set-up"):
        Organization.objects.filter(pk=rows.firm.pk).update(registration=state)

    assert CHAT in grant(rows).models


@pytest.mark.parametrize(
    ("changes", "sites"),
    [
        ({}, {"daegu-1", "busan-1"}),
        ({"key__allowed_sites": ["busan-1"]}, {"busan-1"}),
        ({"key__allowed_sites": ["unknown"]}, set()),
        ({"project__regions": ["daegu"]}, {"daegu-1"}),
        ({"project__regions": ["jeju"]}, set()),
        ({"project__regions": ["daegu"], "key__allowed_sites": ["busan-1"]}, set()),
        ({"project__data_class": "medical"}, {"daegu-1"}),
        ({"project__data_class": "medical", "project__regions": ["busan"]}, set()),
    ],
)
def test_narrows_sites(rows: Rows, changes: dict[str, Any], sites: set[str]) -> None:
    Site.objects.filter(code="busan-1").update(data_classes=["open", "sensitive"])

    assert set(grant(rows, **changes).sites) == sites


@pytest.mark.parametrize("change", ["revoked", "archived", "live"])
def test_ends_a_key(rows: Rows, change: str) -> None:
    if change == "revoked":
        with rls.tenant(rows.firm.pk):
            keys.revoke(key=rows.key, by=rows.cast.alice.may, now=NOON)
    changes = {"project__archived_at": NOON} if change == "archived" else {}

    assert found(rows, **changes)[1] is (change != "live")


def test_carries_the_keys_expiry(rows: Rows) -> None:
    end = NOON + timedelta(days=1)

    assert grant(rows, key__expires_at=end).expires_at_ms == int(end.timestamp() * 1000)
    assert grant(rows, key__expires_at=None).expires_at_ms == 0


def test_names_budgets_the_widest_first(rows: Rows) -> None:
    from billing import budgets

    assert grant(rows).budgets == (rows.firm.public_id,)
    with rls.tenant(rows.firm.pk):
        for scope, subject in (("key", rows.key), ("project", rows.project)):
            budgets.ensure(
                organization=rows.firm,
                scope=scope,
                subject=subject.public_id,
                limit_won=1,
                now=NOON,
            )

    assert grant(rows).budgets == (
        rows.firm.public_id,
        rows.project.public_id,
        rows.key.public_id,
    )


def test_grants_no_model_that_has_no_price(rows: Rows) -> None:
    operator = rows.cast.olivia.may.organization
    factories.shared_endpoint(operator, EMBEDDING)
    assert EMBEDDING in grant(rows).models

    early = snapshot.take(now=factories.BEGAN - timedelta(seconds=1), demands=[])

    assert EMBEDDING not in early.grants[rows.key.sha256][0].models


def test_gives_a_dedicated_endpoint_to_its_own_project_only(rows: Rows) -> None:
    other = factories.project(rows.firm, "zweites")
    key, _ = factories.api_key(other, rows.cast.alice.may)
    mallory = rows.cast.mallory.may
    project = factories.project(mallory.organization, "drittes")
    foreign, _ = factories.api_key(project, mallory)

    grants = snapshot.take(now=NOON, demands=[]).grants

    assert set(grants[key.sha256][0].models) == {CHAT}
    assert set(grants[foreign.sha256][0].models) == {CHAT}


@pytest.mark.parametrize("change", ["funding_hold", "operator_hold", "stopped_at"])
def test_leaves_out_what_does_not_run(rows: Rows, change: str) -> None:
    with rls.everyone(because="test set-up"):
        value = NOON if change == "stopped_at" else True
        Endpoint.objects.filter(pk=rows.own.pk).update(**{change: value})

    taken = snapshot.take(now=NOON, demands=[])

    assert set(taken.routes) == {rows.shared.public_id}
    assert set(taken.grants[rows.key.sha256][0].models) == {CHAT}


def test_says_that_an_endpoint_pauses_and_keeps_its_name(rows: Rows) -> None:
    with rls.everyone(because="test set-up"):
        Endpoint.objects.filter(pk=rows.own.pk).update(paused_at=NOON)

    taken = snapshot.take(now=NOON, demands=[])

    route = taken.routes[rows.own.public_id]
    assert (route.paused, route.targets) == (True, ())
    assert not taken.routes[rows.shared.public_id].paused
    assert rows.own.name in taken.grants[rows.key.sha256][0].models
