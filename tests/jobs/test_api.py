"""Files and batches, asked by the official client and by strangers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx2
import openai
import pytest
from django.test import Client

from portal.jobs import files, refusals, storage
from portal.jobs.models import Job, JobFile
from tenants import rls
from tenants.models import AuditEvent, Quota
from tenants.scopes import Scope
from tests import factories
from tests.api.callers import bearer, caller
from tests.api.conftest import World, _no_static_files, world, world_stands
from tests.factories import NOON
from tests.jobs.conftest import a_file, a_line

__all__ = ["_no_static_files", "world", "world_stands"]  # fixtures

FILE = a_file(a_line(1), a_line(2))


class Inside(httpx2.BaseTransport):
    """The official client's requests, answered in the test's own transaction."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = Client().generic(
            request.method,
            request.url.raw_path.decode(),
            request.read(),
            content_type=request.headers.get("content-type", "application/octet-stream"),
            headers=dict(request.headers),
        )
        headers = dict(answer.items())
        return httpx2.Response(answer.status_code, headers=headers, content=answer.getvalue())


@pytest.fixture
def client(world: World) -> openai.OpenAI:
    return openai.OpenAI(
        api_key=world.secret,
        base_url="http://testserver/v1",
        http_client=httpx2.Client(transport=Inside()),
        max_retries=0,
    )


def _file(client: openai.OpenAI, content: bytes = FILE) -> Any:
    return client.files.create(file=("../입력.jsonl", content), purpose="batch")


def test_serves_the_official_client(client: openai.OpenAI, world: World) -> None:
    sent = _file(client)
    batch = client.batches.create(
        input_file_id=sent.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"what": "a test"},
    )

    assert (sent.filename, sent.bytes, sent.purpose) == ("입력.jsonl", len(FILE), "batch")
    assert client.files.content(sent.id).read() == FILE
    assert client.files.retrieve(sent.id) == sent
    assert [one.id for one in client.files.list(purpose="batch")] == [sent.id]
    assert (batch.status, batch.input_file_id, batch.errors) == ("validating", sent.id, None)
    assert batch.request_counts is not None
    assert (batch.request_counts.total, batch.metadata) == (2, {"what": "a test"})
    assert batch.expires_at == batch.created_at + 86_400
    assert client.batches.retrieve(batch.id) == batch
    assert [one.id for one in client.batches.list(limit=1)] == [batch.id]
    with pytest.raises(openai.ConflictError):
        client.files.delete(sent.id)  # it is still to be read
    assert client.batches.cancel(batch.id).status == "cancelled"
    assert client.files.delete(sent.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.content(sent.id)
    with rls.tenant(world.cast.firm.pk):
        events = AuditEvent.objects.filter(verb__startswith="job").order_by("pk")
        verbs = list(events.values_list("verb", flat=True))
    assert verbs == [
        "job_file.upload",
        "job.create",
        "job_file.read",
        "job.cancel",
        "job_file.delete",
    ]


def test_turns_pages(client: openai.OpenAI) -> None:
    made = [_file(client, a_file(a_line(number))).id for number in range(3)]

    page = client.files.list(limit=2)

    assert [one.id for one in page.data] == made[:0:-1]
    assert [one.id for one in page] == made[::-1]
    assert [one.id for one in client.files.list(limit=2, order="asc")] == made


def test_names_the_lines_that_are_wrong_and_keeps_nothing(
    client: openai.OpenAI, settings: Any
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        _file(client, a_file(a_line(1), b"{", a_line(3, method="PUT")))

    error: Any = refused.value.body
    assert (error["code"], error["param"]) == ("invalid_file", "file")
    assert [(one["line"], one["code"]) for one in error["lines"]] == [
        (2, "invalid_json_line"),
        (3, "invalid_method"),
    ]
    assert [one for one in settings.DURE_JOBS_DIR.rglob("*") if one.is_file()] == []


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no file": ({"input_file_id": "file_x"}, "input_file_id"),
    "no text": ({"input_file_id": 7}, "input_file_id"),
    "another window": ({"completion_window": "1h"}, "completion_window"),
    "another address": ({"endpoint": "/v1/embeddings"}, "endpoint"),
    "an unknown address": ({"endpoint": "/v1/files"}, "endpoint"),
    "an unknown field": ({"priority": 1}, "priority"),
    "large metadata": ({"metadata": {"a": "x" * 513}}, "metadata"),
}


def test_says_which_field_is_wrong(client: openai.OpenAI, subtests: pytest.Subtests) -> None:
    good = {"input_file_id": _file(client).id, "endpoint": "/v1/chat/completions"}
    good["completion_window"] = "24h"

    for case, (change, param) in BAD.items():
        with subtests.test(case):
            with pytest.raises(openai.APIStatusError) as refused:
                client.post("/batches", body=good | change, cast_to=object)
            assert refused.value.param == param
    with pytest.raises(openai.APIStatusError) as refused:
        client.files.create(file=("a", FILE), purpose="fine-tune")
    assert refused.value.param == "purpose"


def test_the_same_batch_twice_is_one(client: openai.OpenAI) -> None:
    first, second = _file(client).id, _file(client).id

    def create(file: str) -> str:
        made = client.batches.create(
            input_file_id=file,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            extra_headers={"Idempotency-Key": "one"},
        )
        return made.id

    assert create(first) == create(first)
    assert len(client.batches.list().data) == 1
    with pytest.raises(openai.UnprocessableEntityError):
        create(second)


def test_strangers_find_nothing_and_people_have_pages(
    client: openai.OpenAI, world: World, subtests: pytest.Subtests
) -> None:
    file = _file(client).id
    batch = client.batches.create(
        input_file_id=file, endpoint="/v1/chat/completions", completion_window="24h"
    ).id
    _, reader = factories.api_key(
        world.cast.project, world.cast.alice.may, "reader", scopes=[Scope.CONTROL_READ]
    )
    things = [
        ("get", f"files/{file}"),
        ("get", f"files/{file}/content"),
        ("delete", f"files/{file}"),
        ("get", f"batches/{batch}"),
        ("post", f"batches/{batch}/cancel"),
    ]
    callers = {
        "foreign-key": (caller(world, "foreign-key"), 404),
        "alice": (caller(world, "alice"), 401),
        "dead-key": (caller(world, "dead-key"), 401),
        "reader": (bearer(reader), 403),
    }

    for who, (browser, status) in callers.items():
        for method, path in things:
            with subtests.test(who, method=method, path=path):
                answer = getattr(browser, method)(f"/v1/{path}")
                assert answer.status_code == status
                assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    foreign = caller(world, "foreign-key")
    assert foreign.get("/v1/files").json()["data"] == []
    assert foreign.get("/v1/batches").json()["data"] == []


def test_keeps_to_the_bounds_of_size_and_of_storage(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    by, project = world.cast.alice.may, world.cast.project
    with monkeypatch.context() as patch:
        patch.setattr(files, "MOST_BYTES", len(FILE) - 1)
        with pytest.raises(refusals.FileTooLarge):
            files.upload([FILE], name="a", project=project, by=by, now=NOON)
    with rls.everyone(because="test set-up"):
        Quota.objects.create(
            organization=world.cast.firm, name="job_megabytes", most=0, set_at=NOON
        )
    with pytest.raises(refusals.NoRoom):
        files.upload([FILE], name="a", project=project, by=by, now=NOON)
    assert not JobFile.objects.exists()


def test_deletes_what_is_too_old_but_not_under_a_job(client: openai.OpenAI, world: World) -> None:
    kept, old = _file(client).id, _file(client).id
    client.batches.create(
        input_file_id=kept, endpoint="/v1/chat/completions", completion_window="24h"
    )

    gone = files.sweep(now=NOON + timedelta(days=31))

    with rls.tenant(world.cast.firm.pk):
        there = list(JobFile.objects.there().values_list("public_id", flat=True))
        assert Job.objects.open().count() == 1
    assert (gone, there) == (1, [kept])
    with pytest.raises(storage.FileLost):
        list(storage.storage().read(old))
    with storage.storage().writing("file_stray"):
        pass  # its process died here
    assert files.sweep_strays(now=NOON) == 0
    assert files.sweep_strays(now=NOON + timedelta(days=365)) == 1
    assert len(list(storage.storage().read(kept))) == 1
