"""The wall from every side that code can come from: pools, tasks, async, streams, raw SQL."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from portal.celery import app as celery_app
from portal.lib import ids
from tenants import rls
from tenants.checks import tenant_models
from tenants.models import ApiKey, Project
from tests import factories
from tests.cast import Cast
from tests.factories import NOON

FOREIGN = "남의 프로젝트"


def request_of(cast: Cast) -> HttpRequest:
    request = HttpRequest()
    request.path = "/home/"
    request.user = cast.alice.user
    request.session = {}  # type: ignore[assignment]
    return request


def through_the_middleware(request: HttpRequest, view: object) -> HttpResponse:
    response = rls.TenantTransaction(lambda _: HttpResponse()).process_view(
        request,
        view,  # type: ignore[arg-type]
        (),
        {},
    )
    assert response is not None
    return response


@pytest.mark.django_db
@pytest.mark.parametrize("model", tenant_models(), ids=lambda model: model._meta.db_table)
def test_without_a_tenant_every_table_is_empty(cast: Cast, model: type) -> None:
    with rls.everyone(because="the test counts"):
        before = model.objects.count()  # type: ignore[attr-defined]

    assert model.objects.count() == 0, before  # type: ignore[attr-defined]


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_goes_back_remembers_no_tenant(cast: Cast) -> None:
    """A pool of one: the next transaction on the same connection begins with nothing."""
    with rls.tenant(cast.firm.pk):
        assert Project.objects.count() == 1
    with rls.everyone(because="test"):
        assert Project.objects.count() == 2
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('app.org', true), current_user")
        assert cursor.fetchone() in {("", "dure_app"), (None, "dure_app")}
    with transaction.atomic():
        assert Project.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_killed_transaction_leaves_no_tenant_behind(cast: Cast) -> None:
    with pytest.raises(DatabaseError), rls.everyone(because="test"), connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")

    assert Project.objects.count() == 0


def test_an_unset_tenant_and_an_empty_one_are_the_same(cast: Cast) -> None:
    """After one SET LOCAL the setting reads as an empty text, which must not break the cast."""
    with rls.tenant(cast.firm.pk):
        pass
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.org', '', true)")

    assert Project.objects.count() == 0


def test_raw_sql_sees_what_the_models_see(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk), connection.cursor() as cursor:
        cursor.execute("SELECT name FROM tenants_project")
        assert FOREIGN not in {name for (name,) in cursor.fetchall()}
        cursor.execute("SELECT count(*) FROM tenants_apikey k, tenants_project p")
        assert cursor.fetchone() == (0,)


def test_bulk_operations_reach_no_other_tenant(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        assert Project.objects.update(cost_centre="x") == 1
        assert Project.objects.filter(name=FOREIGN).delete()[0] == 0
        with pytest.raises(DatabaseError), transaction.atomic():
            Project.objects.bulk_create(
                [
                    Project(
                        public_id=ids.mint("prj"),
                        organization=cast.mallory.may.organization,
                        name="eingeschlichen",
                        created_at=NOON,
                    )
                ]
            )
    with rls.tenant(cast.mallory.may.organization.pk):
        assert Project.objects.get().cost_centre == ""


def test_a_row_cannot_be_moved_to_another_tenant(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk), pytest.raises(DatabaseError), transaction.atomic():
        Project.objects.update(organization=cast.mallory.may.organization)


def test_the_role_cannot_be_kept_by_a_setting(cast: Cast) -> None:
    """The old way in: a setting that any statement could make lets nothing through now."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.everyone', 'on', true)")

        assert Project.objects.count() == 0


def test_a_view_gets_the_tenants_transaction(cast: Cast) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(",".join(Project.objects.values_list("name", flat=True)))

    body = through_the_middleware(request_of(cast), view).content.decode()

    assert body and FOREIGN not in body


@pytest.mark.django_db(transaction=True)
def test_a_stream_sees_nothing_once_the_view_is_over(cast: Cast) -> None:
    """Rows read while streaming need a block of their own; forgetting it shows nothing."""

    def rows() -> Iterator[bytes]:
        yield str(Project.objects.count()).encode()
        with rls.tenant(cast.firm.pk):
            yield str(Project.objects.count()).encode()

    def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(rows())

    response = through_the_middleware(request_of(cast), view)

    assert isinstance(response, StreamingHttpResponse)
    assert b"".join(response.streaming_content) == b"01"  # type: ignore[arg-type]


@pytest.mark.django_db(transaction=True)
def test_an_async_view_sees_only_its_own(cast: Cast) -> None:
    """Two at once, each in a thread of its own, never borrow the other's tenant."""

    @sync_to_async(thread_sensitive=False)
    def names(organization_id: int) -> set[str]:
        try:
            with rls.tenant(organization_id):
                return set(Project.objects.values_list("name", flat=True))
        finally:
            connection.close()

    async def both() -> list[set[str]]:
        other = cast.mallory.may.organization.pk
        return await asyncio.gather(*(names(one) for one in [cast.firm.pk, other] * 8))

    for index, found in enumerate(asyncio.run(both())):
        assert found == ({FOREIGN} if index % 2 else {cast.project.name})


@pytest.mark.django_db(transaction=True)
def test_a_new_thread_begins_with_nothing(cast: Cast) -> None:
    seen: list[int] = []

    def look() -> None:
        seen.append(Project.objects.count())
        connection.close()

    with rls.everyone(because="test"):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()

    assert seen == [0]


def test_a_task_begins_with_nothing(cast: Cast) -> None:
    @celery_app.task(name="tests.count_projects")
    def count_projects() -> int:
        return Project.objects.count()

    try:
        assert count_projects.apply().get() == 0
    finally:
        celery_app.tasks.pop("tests.count_projects", None)


def test_the_shell_begins_with_nothing(cast: Cast) -> None:
    """`make shell` is the programs' role too: no rows without saying for whom."""
    assert list(Project.objects.all()) == []
    with rls.tenant(cast.firm.pk):
        assert Project.objects.count() == 1


def test_a_key_is_found_before_its_tenant_is_known_and_nothing_else(cast: Cast) -> None:
    factories.api_key(cast.project, cast.alice.may)
    with rls.tenant(cast.firm.pk):
        sha = ApiKey.objects.get().sha256
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenants_organization_of_key(%s)", [sha])
        assert cursor.fetchone() == (cast.firm.pk,)
        cursor.execute("SELECT tenants_organization_of_key(%s)", ["0" * 64])
        assert cursor.fetchone() == (None,)
        cursor.execute("SELECT tenants_organization_of_key(NULL)")
        assert cursor.fetchone() == (None,)
        cursor.execute(
            "SELECT prosecdef, proowner::regrole::text, proacl::text FROM pg_proc "
            "WHERE proname = 'tenants_organization_of_key'"
        )
        definer, owner, rights = cursor.fetchone()
    assert (definer, owner) == (True, "dure_system")
    assert "=X/" not in rights.replace("dure_app=X", "").replace("dure_system=X", "")
