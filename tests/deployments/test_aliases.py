"""A project's own names for models: what may be one, what it may stand for, how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from portal.deployments import quoting
from portal.deployments.actions import aliases, orders
from portal.deployments.models import Endpoint
from tenants import rls
from tenants.actions import projects
from tenants.actors import NotAllowed
from tenants.models import AuditEvent, ModelAlias, Project, Quota
from tests import factories
from tests.cast import Cast
from tests.factories import CHAT, EMBEDDING, NOON


@pytest.fixture
def own(cast: Cast) -> Endpoint:
    factories.catalogue()
    return factories.endpoint(cast.project, "견적-상담")


def given(cast: Cast, name: str = "gpt-4o-mini", target: str = CHAT, **how: Any) -> ModelAlias:
    wish = {"project": cast.project, "by": cast.bob.may, "now": NOON} | how
    with rls.tenant(cast.firm.pk):
        return aliases.create(name=name, target=target, **wish)


@pytest.mark.parametrize(
    "name",
    ["gpt-4o-mini", "o1", "a", "ft:gpt-4o:acme::7p4l", "meta-llama/Llama-3.1-8B", "x" * 64, " o1 "],
)
def test_a_name_is_what_clients_send(cast: Cast, own: Endpoint, name: str) -> None:
    alias = given(cast, name)

    assert (alias.name, alias.target) == (name.strip(), CHAT)


@pytest.mark.parametrize(
    "name",
    ["", "-a", "a-", ".", "a b", "견적", "x" * 65, "a\nb", "ɡpt-4o", "a\x00", "a?b", "ep_", "a,b"],
)
def test_refuses_what_is_no_name(cast: Cast, own: Endpoint, name: str) -> None:
    with pytest.raises(aliases.BadAlias):
        given(cast, name)


@pytest.mark.parametrize("name", [CHAT, CHAT.upper(), EMBEDDING, "ep_x1", "EP_x", "quote"])
def test_a_name_that_is_real_means_itself(cast: Cast, own: Endpoint, name: str) -> None:
    other = factories.project(cast.firm, "다른 일")
    factories.endpoint(other, "Quote")

    with pytest.raises(aliases.NameIsReal):
        given(cast, name)


def test_a_name_stands_for_one_thing_in_a_project(cast: Cast, own: Endpoint) -> None:
    given(cast, "gpt-4o")

    with pytest.raises(aliases.AliasTaken):
        given(cast, "GPT-4o")
    given(cast, "gpt-4o", project=factories.project(cast.firm, "다른 일"))


@pytest.mark.parametrize("target", [CHAT, "견적-상담"])
def test_stands_for_a_model_or_an_endpoint_of_the_project(
    cast: Cast, own: Endpoint, target: str
) -> None:
    assert given(cast, target=target).target == target


@pytest.mark.parametrize("target", ["", "gpt-9", "o1", "fremd", "alt", "x" * 100])
def test_stands_for_nothing_else(cast: Cast, own: Endpoint, target: str) -> None:
    factories.endpoint(factories.project(cast.firm, "다른 일"), "fremd")
    factories.endpoint(cast.project, "alt", stopped_at=NOON)
    given(cast, "o1")

    with pytest.raises(aliases.UnknownTarget):
        given(cast, "o2", target)


def test_a_project_has_no_more_than_its_organization_may(cast: Cast, own: Endpoint) -> None:
    with rls.everyone(because="test set-up"):
        Quota.objects.create(
            organization=cast.firm, name="aliases", most=1, because="x", set_by="x", set_at=NOON
        )
    given(cast, "o1")

    with pytest.raises(aliases.TooManyAliases):
        given(cast, "o2")


def test_an_archived_project_gets_no_names(cast: Cast, own: Endpoint) -> None:
    alias = given(cast)
    with rls.tenant(cast.firm.pk):
        projects.archive(project=cast.project, by=cast.alice.may, now=NOON)

    with pytest.raises(projects.ProjectEnded):
        given(cast, "o1")
    with rls.tenant(cast.firm.pk), pytest.raises(projects.ProjectEnded):
        aliases.change(alias=alias, target=EMBEDDING, by=cast.bob.may, now=NOON)


def test_only_who_may_change_endpoints_names_models(cast: Cast, own: Endpoint) -> None:
    alias = given(cast)

    with pytest.raises(NotAllowed):
        given(cast, "o1", by=cast.carol.may)
    with rls.tenant(cast.firm.pk):
        for deed in (
            lambda: aliases.change(alias=alias, target=CHAT, by=cast.dan.may, now=NOON),
            lambda: aliases.delete(alias=alias, by=cast.dan.may, now=NOON),
        ):
            with pytest.raises(NotAllowed):
                deed()


def test_names_come_change_and_go_with_a_word_in_the_log(cast: Cast, own: Endpoint) -> None:
    alias = given(cast)
    with rls.tenant(cast.firm.pk):
        aliases.change(alias=alias, target=CHAT, by=cast.bob.may, now=NOON)  # says nothing
        alias = aliases.change(alias=alias, target="견적-상담", by=cast.bob.may, now=NOON)
        aliases.delete(alias=alias, by=cast.bob.may, now=NOON)
        aliases.delete(alias=alias, by=cast.bob.may, now=NOON)  # changes nothing

        assert not ModelAlias.objects.exists()
        events = AuditEvent.objects.filter(subject=alias.public_id).order_by("pk")
        told = [(one.verb, one.changes["target"]) for one in events]
    assert told == [
        ("alias.create", CHAT),
        ("alias.change", {"from": CHAT, "to": "견적-상담"}),
        ("alias.delete", "견적-상담"),
    ]


def test_no_endpoint_takes_a_name_away(cast: Cast, own: Endpoint) -> None:
    factories.site()
    factories.budget(cast.firm)
    given(cast, "GPT-4o")

    with pytest.raises(orders.NameIsAlias):
        orders.place(
            wish=quoting.Wish("gpt-4o", CHAT, "daegu", 1),
            project=cast.project,
            idempotency_key="once-and-no-more",
            by=cast.bob.may,
            now=NOON,
        )


def test_strangers_see_no_names(cast: Cast, own: Endpoint) -> None:
    alias = given(cast)

    with rls.tenant(cast.mallory.may.organization.pk):
        assert not ModelAlias.objects.exists()
        with pytest.raises(Project.DoesNotExist):
            aliases.change(alias=alias, target=CHAT, by=cast.mallory.may, now=NOON)
        with pytest.raises(Project.DoesNotExist):
            aliases.create(
                project=cast.project, name="o1", target=CHAT, by=cast.mallory.may, now=NOON
            )
