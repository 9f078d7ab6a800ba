"""Tenants never meet: the database itself lets no other tenant's rows through."""

import pytest
from django.db import DatabaseError, connection, transaction

from portal.lib import ids
from tenants import rls
from tenants.models import ApiKey, AuditEvent, Membership, Organization, Project
from tests import factories
from tests.cast import Cast
from tests.factories import NOON


def test_shows_nothing_without_a_tenant(cast: Cast) -> None:
    assert Project.objects.count() == 0
    assert Organization.objects.count() == 0
    assert Membership.objects.count() == 0


def test_shows_only_the_tenants_own_rows(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        assert {project.organization_id for project in Project.objects.all()} == {cast.firm.pk}
        assert list(Organization.objects.all()) == [cast.firm]


def test_shows_a_person_their_own_memberships(cast: Cast) -> None:
    with rls.user(cast.bob.user.pk):
        assert [one.role for one in Membership.objects.all()] == ["developer"]
        assert list(Organization.objects.all()) == [cast.firm]


def test_restores_the_outer_tenant_after_an_inner_block(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        with rls.everyone(because="test"):
            assert Project.objects.count() == 2
        assert Project.objects.count() == 1


def test_restores_the_outer_tenant_after_an_error_inside(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        with pytest.raises(ZeroDivisionError), rls.everyone(because="test"):
            raise ZeroDivisionError
        assert Project.objects.count() == 1


def test_refuses_to_write_into_another_tenant(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk), pytest.raises(DatabaseError), transaction.atomic():
        Project.objects.create(
            public_id=ids.mint("prj"),
            organization=cast.mallory.may.organization,
            name="eingeschlichen",
            created_at=NOON,
        )


def test_refuses_a_row_that_points_into_another_tenant(cast: Cast) -> None:
    with rls.everyone(because="even the platform cannot"):
        foreign = Project.objects.get(organization=cast.mallory.may.organization)
        ApiKey.objects.create(
            public_id=ids.mint("key"),
            organization=cast.firm,
            project=foreign,
            name="fremd",
            public_part="x",
            sha256="0" * 64,
            created_by="x",
            created_at=NOON,
        )
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        ApiKey.objects.filter(public_part="x").delete()


def test_keeps_audit_events_for_ever(cast: Cast) -> None:
    factories.api_key(cast.project, cast.alice.may)
    with rls.tenant(cast.firm.pk):
        assert AuditEvent.objects.count() == 1
        with pytest.raises(DatabaseError), transaction.atomic():
            AuditEvent.objects.update(verb="nothing")
        with pytest.raises(DatabaseError), transaction.atomic():
            AuditEvent.objects.all().delete()


def test_rolls_back_what_a_failing_page_wrote(cast: Cast) -> None:
    from django.http import HttpRequest, HttpResponse

    from tenants.rls import TenantTransaction

    def view(request: HttpRequest) -> HttpResponse:
        Project.objects.create(
            public_id=ids.mint("prj"), organization=cast.firm, name="halb", created_at=NOON
        )
        return HttpResponse(status=500)

    request = HttpRequest()
    request.path = "/home/"
    request.user = cast.alice.user
    request.session = {}  # type: ignore[assignment]
    response = TenantTransaction(lambda _: HttpResponse()).process_view(request, view, (), {})

    assert response is not None and response.status_code == 500
    with rls.tenant(cast.firm.pk):
        assert not Project.objects.filter(name="halb").exists()
