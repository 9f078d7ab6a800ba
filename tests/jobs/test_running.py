"""Jobs run through a real gateway, over engines that answer well, badly, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing import budgets
from billing.models import Commitment
from portal.jobs import batches, files, running, sweeping
from portal.jobs.models import Job, JobFile, JobLine
from portal.jobs.refusals import HasEnded
from portal.jobs.sending import Sender
from portal.jobs.storage import storage
from portal.usage.events import RUN_AGAIN
from tenants import rls
from tenants.actions import keys
from tenants.models import ApiKey, Organization
from tests import factories
from tests.cast import Cast
from tests.factories import CHAT, EMBEDDING
from tests.fakes.upstream import Upstream
from tests.gateway.conftest import gateway, shared_gateway, shared_world, upstream, world
from tests.gateway.world import ORG_CODE, GatewayProcess, World, target, wait_until
from tests.jobs.conftest import a_file, a_line

__all__ = ["gateway", "shared_gateway", "shared_world", "upstream", "world"]  # fixtures


def now() -> datetime:
    return datetime.now(UTC)


class Desk:
    """A firm whose key the gateway knows, and its jobs."""

    def __init__(self, cast: Cast, world: World, gateway: GatewayProcess) -> None:
        self.cast, self.world, self.gateway = cast, world, gateway
        with rls.everyone(because="test set-up"):
            Organization.objects.filter(pk=cast.firm.pk).update(code=ORG_CODE)
            for one in (cast.firm, cast.alice.may.organization, cast.project.organization):
                one.refresh_from_db()
        factories.catalogue()
        self.key, world.key = factories.api_key(cast.project, cast.alice.may)
        self.budget = factories.budget(cast.firm, 1_000_000)
        budgets.publish(self.budget, cast.firm)
        self.publish()

    def publish(self) -> None:
        self.world.publish()
        wait_until(lambda: self.gateway.get("/ready")[1].get("table") == self.world.number)

    def serve(self, upstream: Upstream, mood: str = "ok") -> None:
        self.world.endpoint(CHAT, target("chat", upstream.url, mood))
        self.world.endpoint(EMBEDDING, target("vec", upstream.url, "ok"), kind="embedding")
        self.publish()

    def job(self, *lines: Any) -> Job:
        by, project = self.cast.alice.may, self.cast.project
        file = files.upload([a_file(*lines)], name="in", project=project, by=by, now=now())
        wish = batches.Wish(input_file=file, key=self.key)
        return batches.create(wish=wish, by=by, now=now())

    def slices(self, job: Job, until: str, clock: Callable[[], datetime] = now) -> Job:
        """Slices as a worker runs them, until the job is there."""

        def there() -> bool:
            running.run(job.organization_id, job.pk, clock=clock, seconds=2)
            return self.seen(job).state == until

        wait_until(there, 120)
        return self.seen(job)

    def seen(self, job: Job) -> Job:
        with rls.tenant(job.organization_id):
            return Job.objects.select_related("output_file", "error_file").get(pk=job.pk)

    def rows(self, job: Job) -> list[JobLine]:
        with rls.tenant(job.organization_id):
            return list(JobLine.objects.filter(job=job).order_by("number"))

    def commitments(self, job: Job) -> list[tuple[int, bool]]:
        with rls.tenant(job.organization_id):
            rows = Commitment.objects.filter(reference=job.public_id)
            return list(rows.values_list("amount_micro", "final"))

    def charges(self) -> list[int]:
        return [one.cost_micro for one in self.world.events()]


@pytest.fixture
def desk(
    cast: Cast, world: World, gateway: GatewayProcess, upstream: Upstream, settings: Any
) -> Desk:
    budgets.admission.cache_clear()
    settings.DURE_JOBS_GATEWAY_URL = gateway.url
    made = Desk(cast, world, gateway)
    made.serve(upstream)
    return made


def content(file: JobFile | None) -> list[dict[str, Any]]:
    assert file is not None
    return [json.loads(one) for one in b"".join(storage().read(file.public_id)).splitlines()]


def chat(number: int, **body: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"질문 {number}"}]
    return a_line(number, body={"model": CHAT, "messages": messages, **body})


def embedding(number: int) -> dict[str, Any]:
    body = {"model": EMBEDDING, "input": ["가", "나"]}
    return a_line(number, url="/v1/embeddings", body=body)


def test_answers_each_line_and_charges_it_once(desk: Desk, upstream: Upstream) -> None:
    job = desk.slices(desk.job(chat(1), chat(2), chat(3, wrong=1), chat(4)), "completed")

    events = desk.world.settled(3)
    assert (job.total, job.done, job.failed) == (4, 3, 1)
    assert job.spent_micro == sum(one.cost_micro for one in events) > 0
    assert job.spent_micro < job.estimate_micro
    assert all(one.batch and one.outcome == "answered" for one in events)
    ran = [one for one in desk.rows(job) if one.state == "done"]
    for event, row in zip(events, ran, strict=True):
        assert event.hold_micro <= row.worst_micro
    assert len(upstream.engine.heard) == 3
    answers, errors = content(job.output_file), content(job.error_file)
    assert [one["custom_id"] for one in answers] == ["line-1", "line-2", "line-4"]
    assert {one["response"]["request_id"] for one in answers} == {one.request_id for one in events}
    assert answers[0]["response"]["status_code"] == 200
    assert answers[0]["response"]["body"]["choices"]
    assert errors[0]["custom_id"] == "line-3"
    assert errors[0]["response"]["status_code"] == 400
    assert errors[0]["response"]["body"]["error"]["param"] == "wrong"
    assert desk.commitments(job) == [(0, True)]
    assert list(desk.world.client.scan_iter("*:answer:*")) == []
    assert all(row.result is None for row in desk.rows(job))
    with rls.tenant(job.organization_id):
        moves = [one.to_state for one in job.moves.all()]
    assert moves == ["validating", "in_progress", "finalizing", "completed"]


def test_runs_embeddings(desk: Desk) -> None:
    job = desk.slices(desk.job(embedding(1), embedding(2)), "completed")

    vectors = content(job.output_file)[1]["response"]["body"]["data"]
    assert [one["index"] for one in vectors] == [0, 1]
    assert [one.route for one in desk.world.settled(2)] == ["/v1/embeddings"] * 2


def _validated(desk: Desk, *lines: Any) -> Job:
    job = desk.job(*lines)
    running.run(job.organization_id, job.pk, clock=now, seconds=0)
    with rls.tenant(job.organization_id):
        return Job.objects.select_related("organization", "key").get(pk=job.pk)


def _killed_before_its_row(desk: Desk, job: Job) -> None:
    """A worker sends the first line, gets its answer, and is gone."""
    body = json.dumps(chat(1)["body"], ensure_ascii=False).encode()
    with Sender(job, most=1) as sender:
        assert sender.send(body, line=1, run=1, free=False).status == 200
    desk.world.settled(1)
    wait_until(lambda: len(list(desk.world.client.scan_iter("*:answer:*"))) == 1)


def test_fetches_the_answer_that_a_dead_worker_had(desk: Desk, upstream: Upstream) -> None:
    job = _validated(desk, chat(1), chat(2))
    _killed_before_its_row(desk, job)

    job = desk.slices(job, "completed")

    events = desk.world.settled(2)
    assert len(upstream.engine.heard) == 2
    assert (job.done, job.spent_micro) == (2, sum(one.cost_micro for one in events))
    assert list(desk.world.client.scan_iter("*:answer:*")) == []


def test_an_answer_that_is_lost_is_had_again_for_nothing(desk: Desk, upstream: Upstream) -> None:
    job = _validated(desk, chat(1), chat(2))
    _killed_before_its_row(desk, job)
    for name in desk.world.client.scan_iter("*:answer:*"):
        desk.world.client.delete(name)

    job = desk.slices(job, "completed")

    events = desk.world.settled(3)
    assert len(upstream.engine.heard) == 3
    assert sorted(one.cost_micro > 0 for one in events) == [False, True, True]
    assert [one.price_version for one in events if not one.cost_micro] == [RUN_AGAIN]
    assert (job.done, len(desk.rows(job)[0].request_ids)) == (2, 2)


def test_says_no_before_anything_runs_where_money_or_models_are_missing(
    desk: Desk, upstream: Upstream
) -> None:
    desk.budget.limit_won, desk.budget.number = 0, desk.budget.number + 1
    budgets.publish(desk.budget, desk.cast.firm)

    poor = desk.slices(desk.job(chat(1), chat(2)), "failed")
    waiting = desk.job(embedding(1))
    del desk.world.models[EMBEDDING]
    desk.publish()
    unknown = desk.slices(waiting, "failed")

    assert poor.errors[0]["code"] == "insufficient_quota"
    assert (unknown.errors[0]["code"], unknown.errors[0]["line"]) == ("model_not_found", 1)
    assert upstream.engine.heard == []
    assert desk.commitments(poor) == desk.commitments(unknown) == []


def test_ends_with_what_it_has_when_it_is_cancelled(desk: Desk) -> None:
    job = _validated(desk, chat(1), chat(2))
    assert desk.commitments(job) == [(job.estimate_micro, False)]

    batches.cancel(job=job, by=desk.cast.alice.may, now=now())
    job = desk.slices(job, "cancelled")

    assert (job.done, job.failed, job.output_file) == (0, 2, None)
    assert [one["error"]["code"] for one in content(job.error_file)] == ["batch_cancelled"] * 2
    assert desk.commitments(job) == [(0, True)]
    assert desk.charges() == []
    done = desk.slices(desk.job(chat(1)), "completed")
    with pytest.raises(HasEnded):
        batches.cancel(job=done, by=desk.cast.alice.may, now=now())


def test_gives_up_what_has_not_run_in_its_time(desk: Desk) -> None:
    job = _validated(desk, chat(1))

    job = desk.slices(job, "expired", clock=lambda: now() + timedelta(hours=25))

    assert [one["error"]["code"] for one in content(job.error_file)] == ["batch_expired"]


def test_stops_when_its_key_is_over(desk: Desk) -> None:
    job = _validated(desk, chat(1), chat(2))
    with rls.tenant(desk.cast.firm.pk):
        keys.revoke(key=ApiKey.objects.get(pk=desk.key.pk), by=desk.cast.alice.may, now=now())
    desk.world.change_grant(revoked=True)

    job = desk.slices(job, "cancelled")

    assert (job.done, job.failed) == (0, 2)
    assert desk.charges() == []


def test_waits_where_no_site_answers_and_goes_on_later(desk: Desk, upstream: Upstream) -> None:
    job = _validated(desk, chat(1))
    desk.serve(upstream, "busy")

    running.run(job.organization_id, job.pk, clock=now, seconds=2)
    seen, (row,) = desk.seen(job), desk.rows(job)
    desk.serve(upstream)

    assert (seen.state, seen.waits_because) == ("in_progress", "room")
    assert (row.state, row.tries, row.due_at) == ("waiting", 0, seen.due_at)
    assert desk.slices(job, "completed").waits_because == ""
    assert desk.world.settled(1)


def test_one_worker_at_a_time_and_a_dead_one_is_followed(desk: Desk) -> None:
    job = _validated(desk, chat(1))
    moment = now()
    with running.leased(job.organization_id, job.pk, now=moment) as mine:
        assert mine is not None
        with running.leased(job.organization_id, job.pk, now=moment) as other:
            assert other is None
        assert sweeping.nudge_due(now=moment) == 0
        later = moment + running.LEASE
        assert sweeping.nudge_due(now=later) == 1
        with running.leased(job.organization_id, job.pk, now=later) as heir:
            assert heir is not None
