"""A customer's own model: registered, checked, ordered, running, withdrawn; nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, InternalError, connection, transaction

from portal.catalog import admitting, own_words
from portal.catalog.models import Offering, OwnModel, OwnModelMove, OwnModelState, Version
from portal.catalog.own_models import OWN_MODEL_ARROWS
from portal.deployments import quoting, runnable
from portal.deployments.actions import endpoints, orders, own_models, watches
from portal.deployments.actions.own_models import Registration
from portal.deployments.models import Endpoint, Placement
from portal.deployments.quoting import Wish
from portal.fleet.drivers import registry
from portal.fleet.models import Site
from portal.provisioning.reconcile import reconcile
from tenants import names, quotas, rls
from tenants.actors import Actor, NotAllowed
from tenants.models import AuditEvent
from tenants.roles import Role
from tests import factories
from tests.deployments.conftest import Shop
from tests.factories import CHAT, NOON
from tests.fakes.origin import WEIGHTS, Origin, digest_of, encoded
from tests.fakes.site import FakeSite


@pytest.fixture
def place(settings: Any) -> Iterator[Origin]:
    with Origin() as origin:
        settings.DURE_MODEL_ORIGINS = [origin.base]
        yield origin


def wish(place: Origin, raw: bytes = b"", **changes: Any) -> Registration:
    location, digest = place.put(raw or encoded())
    fields = {"name": "청구서 상담", "base": CHAT, "location": location, "digest": digest}
    return Registration(**fields | {"licence_confirmed": True} | changes)


def register(shop: Shop, place: Origin, raw: bytes = b"", **changes: Any) -> OwnModel:
    with rls.tenant(shop.firm.pk):
        return own_models.register(wish=wish(place, raw, **changes), by=shop.alice, now=NOON)


def checked(own: OwnModel, now: datetime = NOON) -> OwnModel:
    admitting.check(own.organization_id, own.pk, now=now)
    return now_is(own)


def now_is(own: OwnModel) -> OwnModel:
    with rls.tenant(own.organization_id):
        return OwnModel.objects.select_related("organization", "base__model").get(pk=own.pk)


def admitted(shop: Shop, place: Origin) -> OwnModel:
    own = checked(register(shop, place))
    assert own.state == "admitted", own.code
    return own


def order(shop: Shop, own: OwnModel, name: str = "상담", **changes: Any) -> Endpoint:
    asked = Wish(name, own.public_id, "daegu", 1, **changes)
    placed = orders.place(
        wish=asked,
        project=shop.project,
        idempotency_key=f"key-{name}-00001",
        by=shop.alice,
        now=NOON,
    )
    assert placed.endpoint is not None
    return placed.endpoint


def test_admits_what_is_built_like_its_base(shop: Shop, place: Origin) -> None:
    own = admitted(shop, place)

    assert (own.form, own.weights, own.artifact) == (
        "gguf",
        digest_of(WEIGHTS),
        "/hanbit/claims/weights.gguf",
    )
    assert (own.context_tokens, own.languages, own.bytes) == (2048, ["ko", "en"], len(WEIGHTS))
    with rls.tenant(shop.firm.pk):
        moves = OwnModelMove.objects.values_list("to_state", "because")
        assert list(moves) == [
            ("registered", "registered"),
            ("checking", "check"),
            ("admitted", "admitted"),
        ]
        verbs = AuditEvent.objects.filter(subject=own.public_id).values_list("verb", flat=True)
        assert sorted(verbs) == ["own_model.admit", "own_model.register"]


CONFIG = {"architecture": "llama", "hidden_size": 768}


@pytest.mark.parametrize(
    ("raw", "fault", "code", "step"),
    [
        (b"{}", "", "bad_manifest", "manifest"),
        (b" " * 1_048_577, "", "too_large", "fetch"),
        (b"", "redirect", "redirected", "fetch"),
        (encoded(context_tokens=1024), "", "context_too_short", "config"),
        (encoded(form="safetensors"), "", "no_chip", "config"),
    ],
)
def test_refuses_with_a_code_a_sentence_and_a_next_step(
    shop: Shop, place: Origin, raw: bytes, fault: str, code: str, step: str
) -> None:
    own = register(shop, place, raw)
    place.fault = fault

    own = checked(own)

    reason = own_words.reason_of(own)
    assert (own.state, own.code) == ("refused", code)
    assert reason is not None and reason.step == step
    assert all(own_words.sentences(own))


def test_refuses_another_architecture_and_names_the_difference(shop: Shop, place: Origin) -> None:
    base = Version.objects.get(model__slug=CHAT).config

    own = checked(register(shop, place, encoded(config=base | {"hidden_size": 768})))

    assert own.code == "config_differs"
    assert own.details == {"differences": [["hidden_size", "768", "576"]]}
    assert "hidden_size" in own_words.sentences(own)[0]


def test_every_code_has_words() -> None:
    """Those of the check and those of the fetching."""
    fetched = {"unreachable", "too_slow", "private_address", "redirected", "not_found", "too_large"}
    compared = {"digest_differs", "bad_manifest", "base_changed", "config_differs"}

    assert set(own_words.REASONS) == fetched | compared | {
        *("not_allowed", "context_too_short", "no_chip")
    }
    assert {one.step for one in own_words.REASONS.values()} < set(own_words.STEPS)


def test_checks_again_what_was_changed_at_its_origin(shop: Shop, place: Origin) -> None:
    own = register(shop, place)
    place.put(b"another file")
    own = checked(own)
    assert own.code == "digest_differs"

    place.put(encoded())
    with rls.tenant(shop.firm.pk):
        own_models.check_again(own=own, by=shop.alice, now=NOON)

    assert checked(own).state == "admitted"


def test_tries_a_silent_origin_again_and_then_gives_up(shop: Shop, place: Origin) -> None:
    own, now = register(shop, place), NOON
    place.fault = "busy"

    for pause in admitting.PAUSES:
        assert (checked(own, now).state, now_is(own).check_at) == ("registered", now + pause)
        assert not admitting.check(shop.firm.pk, own.pk, now=now)  # not due before
        now += pause

    assert (checked(own, now).state, now_is(own).code) == ("refused", "unreachable")
    assert len(place.asked) == admitting.MOST_ATTEMPTS


def test_another_worker_takes_over_when_one_has_died(shop: Shop, place: Origin) -> None:
    own, later = register(shop, place), NOON + admitting.LEASE + timedelta(seconds=1)
    with rls.tenant(shop.firm.pk):
        dead = admitting._take(own.pk, NOON)
        assert dead is not None and admitting._take(own.pk, NOON) is None
    assert admitting.nudge_due(now=NOON) == 0
    assert admitting.nudge_due(now=later) == 1

    assert checked(own, later).state == "admitted"
    with rls.tenant(shop.firm.pk):  # what the dead one says now is not heard
        assert not admitting._refuse(dead, admitting._Refused("not_found"), later)
    assert now_is(own).state == "admitted"


def test_refuses_a_wrong_registration(shop: Shop, place: Origin) -> None:
    good = wish(place)
    for changes, refusal in (
        ({"name": ""}, names.BadName),
        ({"name": "x" * 61}, names.BadName),
        ({"name": "a\u202eb"}, names.BadName),
        ({"name": CHAT}, own_models.NameTaken),
        ({"base": "exaone-4-0-32b"}, own_models.UnknownBase),
        ({"base": factories.EMBEDDING}, own_models.UnknownBase),
        ({"digest": "sha256:x"}, own_models.BadDigest),
        ({"digest": good.digest.upper()}, own_models.BadDigest),
        ({"location": "https://elsewhere.example/m.json"}, own_models.BadLocation),
        ({"licence_confirmed": False}, own_models.LicenceNotConfirmed),
    ):
        with rls.tenant(shop.firm.pk), pytest.raises(refusal):
            own_models.register(wish=replace(good, **changes), by=shop.alice, now=NOON)

    with rls.tenant(shop.firm.pk):
        assert not OwnModel.objects.exists()


def test_bounds_their_number_and_takes_each_once(
    shop: Shop, place: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = register(shop, place)
    with pytest.raises(own_models.NameTaken):
        register(shop, place, b"2")
    with pytest.raises(own_models.RegisteredAlready):
        register(shop, place, name="another")
    one = replace(quotas.QUOTAS["own_models"], usual=1)
    monkeypatch.setitem(quotas.QUOTAS, "own_models", one)
    with pytest.raises(own_models.TooManyOwnModels):
        register(shop, place, b"3", name="third")

    with rls.tenant(shop.firm.pk):
        own_models.withdraw(own=own, by=shop.alice, now=NOON)

    assert register(shop, place).state == "registered"


def test_only_those_register_who_may_change_endpoints(shop: Shop, place: Origin) -> None:
    carol = factories.member(factories.user("carol@example.com"), shop.firm, Role.BUDGET_OFFICER)

    with rls.tenant(shop.firm.pk), pytest.raises(NotAllowed):
        own_models.register(wish=wish(place), by=carol, now=NOON)


def test_runs_at_a_site_with_its_own_weights(
    shop: Shop, place: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Order, reconcile, report: what the site is told names the place and the digest."""
    own, site = admitted(shop, place), FakeSite()
    monkeypatch.setitem(registry.DRIVERS, "fake", lambda url, token: site)
    Site.objects.filter(code="daegu-1").update(driver="fake")
    endpoint = order(shop, own)

    with time_machine.travel(NOON, tick=False):
        assert reconcile("daegu-1", now=NOON)

    assert site.wanted is not None
    (told,) = site.wanted.placements
    assert told.artifact == f"{place.base}/hanbit/claims/weights.gguf"
    assert (told.model, told.model_digest) == (CHAT, digest_of(WEIGHTS))
    with rls.tenant(shop.firm.pk):
        placement = Placement.objects.get(endpoint=endpoint)
        assert (placement.state, placement.offering.version) == ("ready", own.base)
        assert (endpoint.runs, endpoint.model.slug) == ("청구서 상담", CHAT)


def test_costs_what_its_base_costs(shop: Shop, place: Origin) -> None:
    own = admitted(shop, place)
    with rls.tenant(shop.firm.pk):
        of_own, of_base = (
            quoting.quote(wish=Wish("x", name, "daegu", 1), project=shop.project, now=NOON)
            for name in (own.public_id, CHAT)
        )

    assert of_own == of_base


def test_takes_only_chips_whose_server_loads_its_form(shop: Shop, place: Origin) -> None:
    """The stronger offering of the same chip is passed over, if it loads another form."""
    own = admitted(shop, place)
    theirs = Offering.objects.get(version=own.base, chip__code="rngd")
    other = Offering.objects.get(pk=theirs.pk)
    other.pk, other.public_id, other.sdk = None, "off_x", "furiosa-llm 2026.4.0"
    other.save()

    with rls.tenant(shop.firm.pk):
        asked = Wish("x", own.public_id, "daegu", 1)
        assert quoting.quote(wish=asked, project=shop.project, now=NOON).offering == theirs.pk
        Offering.objects.filter(pk=theirs.pk).update(sdk="vllm 0.30")
        with pytest.raises(quoting.NotForSale):
            quoting.quote(wish=asked, project=shop.project, now=NOON)


@pytest.mark.parametrize("fault", ["refused", "elsewhere", "withdrawn", "not-allowed"])
def test_cannot_be_ordered(shop: Shop, place: Origin, settings: Any, fault: str) -> None:
    """Neither what was not admitted nor what is another organization's; the answer is the same."""
    own = register(shop, place, b"{}") if fault == "refused" else admitted(shop, place)
    project = shop.project
    match fault:
        case "refused":
            checked(own)
        case "elsewhere":
            project = factories.project(factories.organization("이웃상사", number="2208162517"))
        case "withdrawn":
            with rls.tenant(shop.firm.pk):
                own_models.withdraw(own=own, by=shop.alice, now=NOON)
        case "not-allowed":
            settings.DURE_MODEL_ORIGINS = []

    with rls.tenant(project.organization_id), pytest.raises(quoting.NotForSale):
        quoting.quote(wish=Wish("x", own.public_id, "daegu", 1), project=project, now=NOON)


def test_stays_while_something_uses_it(shop: Shop, place: Origin) -> None:
    own = admitted(shop, place)
    endpoint = order(shop, own)
    with rls.tenant(shop.firm.pk):
        with pytest.raises(own_models.InUse, match="상담"):
            own_models.withdraw(own=own, by=shop.alice, now=NOON)

        endpoints.stop(endpoint=endpoint, by=shop.alice, now=NOON)
        own_models.withdraw(own=own, by=shop.alice, now=NOON)
        own_models.withdraw(own=own, by=shop.alice, now=NOON)

    assert now_is(own).state == "withdrawn"
    with rls.tenant(shop.firm.pk):
        assert Endpoint.objects.get(pk=endpoint.pk).runs == "청구서 상담"


def test_a_wish_for_it_waits_beside_one_for_its_base(shop: Shop, place: Origin) -> None:
    own = admitted(shop, place)
    with rls.tenant(shop.firm.pk):
        mine, theirs = (
            watches.watch(
                wish=Wish("–", name, "daegu", 3), project=shop.project, by=shop.alice, now=NOON
            )
            for name in (own.public_id, CHAT)
        )

        assert watches.wish_of(mine).model == own.public_id
        assert watches.wish_of(theirs).model == CHAT


def test_the_database_knows_each_arrow_and_no_other(shop: Shop, place: Origin) -> None:
    own = register(shop, place)
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = 'catalog_ownmodel_moved'")
        (source,) = cursor.fetchone()
    for before in OwnModelState.values:
        for after in OwnModelState.values:
            written = f"('{before}', '{after}')" in source
            assert written == ((before, after) in OWN_MODEL_ARROWS), (before, after)

    with rls.tenant(shop.firm.pk):
        row = OwnModel.objects.filter(pk=own.pk)
        for refused in (
            {"state": "refused", "code": "not_found"},
            {"location": "https://elsewhere.example/m.json"},
            {"digest": "sha256:0"},
        ):
            with pytest.raises((IntegrityError, InternalError)), transaction.atomic():
                row.update(**refused)


def test_another_organization_sees_nothing(shop: Shop, place: Origin) -> None:
    own = admitted(shop, place)
    other = factories.organization("이웃상사", number="2208162517")
    mallory: Actor = factories.member(factories.user("mallory@example.com"), other)

    with rls.tenant(other.pk):
        assert not OwnModel.objects.filter(pk=own.pk).exists()
        assert not OwnModelMove.objects.exists()
        assert runnable.orderable(other.pk) == []
    with rls.everyone(because="test"):
        assert not OwnModel.objects.visible_to(mallory).exists()
    with rls.tenant(other.pk), pytest.raises(IntegrityError), transaction.atomic():
        Endpoint.objects.create(
            public_id="ep_x",
            organization=other,
            project=factories.project(other),
            kind="dedicated",
            name="x",
            model=own.base.model,
            own_model_id=own.pk,
            created_at=NOON,
        )
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
