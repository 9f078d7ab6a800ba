"""Projects: changed, put away, taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError

from tenants import actors, names, rls
from tenants.actions import projects
from tenants.actions.projects import ProjectWish
from tenants.actors import NotAllowed
from tenants.models import AuditEvent, Project
from tenants.scopes import Scope
from tests import factories
from tests.cast import Cast
from tests.factories import NOON

WISH = ProjectWish("진료 기록", "medical", "A-7", ["daegu"])


def test_changes_what_was_asked_and_tells_both_values(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        projects.change(project=cast.project, wish=WISH, by=cast.alice.may, now=NOON)
        found = Project.objects.get(pk=cast.project.pk)
        changes = AuditEvent.objects.get(verb="project.change").changes

    assert (found.name, found.data_class, found.regions) == ("진료 기록", "medical", ["daegu"])
    assert changes["data_class"] == {"from": "open", "to": "medical"}
    assert changes["regions"] == {"from": [], "to": ["daegu"]}


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        (ProjectWish("둘째", "open"), projects.ProjectNameTaken),
        (ProjectWish("", "open"), names.BadName),
        (ProjectWish("x", "secret"), projects.UnknownDataClass),
        (ProjectWish("a\u202eb", "open"), names.BadName),
        (ProjectWish("x", "medical", replay=True), projects.ReplayForbidden),
        (ProjectWish("x", "confidential", replay=True), projects.ReplayForbidden),
    ],
)
def test_refuses_a_bad_change(cast: Cast, wish: ProjectWish, error: type[Exception]) -> None:
    factories.project(cast.firm, "둘째")
    with rls.tenant(cast.firm.pk), pytest.raises(error):
        projects.change(project=cast.project, wish=wish, by=cast.alice.may, now=NOON)


def test_an_archived_project_has_no_live_keys_and_gets_them_back(cast: Cast) -> None:
    _, secret = factories.api_key(cast.project, cast.alice.may, scopes=[Scope.CONTROL_READ])
    with rls.tenant(cast.firm.pk):
        projects.archive(project=cast.project, by=cast.alice.may, now=NOON)
    assert actors.of_key(secret, now=NOON) is None

    with rls.tenant(cast.firm.pk):
        projects.restore(project=cast.project, by=cast.alice.may, now=NOON)

    assert actors.of_key(secret, now=NOON) is not None


def test_archives_and_restores_once(cast: Cast) -> None:
    later = NOON + timedelta(hours=1)
    with rls.tenant(cast.firm.pk):
        projects.archive(project=cast.project, by=cast.alice.may, now=NOON)
        again = projects.archive(project=cast.project, by=cast.alice.may, now=later)
        assert again.archived_at == NOON
        projects.restore(project=cast.project, by=cast.alice.may, now=later)
        projects.restore(project=cast.project, by=cast.alice.may, now=later)

        told = AuditEvent.objects.filter(verb__startswith="project.")
        assert sorted(event.verb for event in told) == ["project.archive", "project.restore"]


def test_does_not_restore_beside_another_of_the_same_name(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        projects.archive(project=cast.project, by=cast.alice.may, now=NOON)
    factories.project(cast.firm, cast.project.name)

    with rls.tenant(cast.firm.pk), pytest.raises(projects.ProjectNameTaken):
        projects.restore(project=cast.project, by=cast.alice.may, now=NOON)


def test_does_not_change_what_is_put_away(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        projects.archive(project=cast.project, by=cast.alice.may, now=NOON)
        with pytest.raises(projects.ProjectEnded):
            projects.change(project=cast.project, wish=WISH, by=cast.alice.may, now=NOON)


@pytest.mark.parametrize("who", ["bob", "carol", "dan"])
@pytest.mark.parametrize("deed", [projects.archive, projects.restore])
def test_needs_the_right_to_change_projects(cast: Cast, who: str, deed: Any) -> None:
    with rls.tenant(cast.firm.pk), pytest.raises(NotAllowed):
        deed(project=cast.project, by=cast[who].may, now=NOON)


def test_never_touches_a_strangers_project(cast: Cast) -> None:
    with rls.tenant(cast.mallory.may.organization.pk), pytest.raises(Project.DoesNotExist):
        projects.archive(project=cast.project, by=cast.mallory.may, now=NOON)


def test_answers_are_kept_only_if_asked_for_and_the_log_says_so(cast: Cast) -> None:
    assert cast.project.replay is False
    wish = replace(projects.wish_of(cast.project), replay=True)
    with rls.tenant(cast.firm.pk):
        projects.change(project=cast.project, wish=wish, by=cast.alice.may, now=NOON)
        changes = AuditEvent.objects.get(verb="project.change").changes

        assert changes == {"replay": {"from": False, "to": True}}
        with pytest.raises(projects.ReplayForbidden):  # a stricter class is not had in silence
            stricter = replace(wish, data_class="medical")
            projects.change(project=cast.project, wish=stricter, by=cast.alice.may, now=NOON)
        with pytest.raises(projects.ReplayForbidden):
            projects.create(
                name="neu", data_class="medical", replay=True, by=cast.alice.may, now=NOON
            )


@pytest.mark.parametrize("data_class", ["medical", "confidential"])
def test_the_database_keeps_no_answers_of_such_data(cast: Cast, data_class: str) -> None:
    with rls.tenant(cast.firm.pk), pytest.raises(IntegrityError):
        Project.objects.filter(pk=cast.project.pk).update(replay=True, data_class=data_class)
