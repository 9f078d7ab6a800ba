"""What came of lines is written once, whoever brings it; a lease is its owner's to give back."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta

import pytest

from portal.jobs import batches, files, recording, running, states
from portal.jobs.models import Job, JobLine, JobState
from portal.jobs.outcomes import Again, Done, KeyEnded
from tenants import rls
from tenants.models import ApiKey
from tests import factories
from tests.cast import Cast
from tests.factories import NOON
from tests.jobs.conftest import a_file, a_line

GOOD = Done(200, b"{}", "req_1", 7)
LATER = Again(5, run=2, free=True, tries=1, request_id="req_2")


@pytest.fixture
def job(cast: Cast, valkey_url: str) -> Job:
    """Two lines that wait, as those of another job of the same firm do."""
    factories.catalogue()
    key, _secret = factories.api_key(cast.project, cast.alice.may)
    a_job(cast, key)
    return a_job(cast, key)


def a_job(cast: Cast, key: ApiKey) -> Job:
    by, project = cast.alice.may, cast.project
    lines = a_file(a_line(1), a_line(2))
    file = files.upload([lines], name="in", project=project, by=by, now=NOON)
    made = batches.create(wish=batches.Wish(input_file=file, key=key), by=by, now=NOON)
    with rls.tenant(made.organization_id):
        for number in (1, 2):
            JobLine.objects.create(
                organization=made.organization,
                job=made,
                number=number,
                custom_id=f"line-{number}",
                offset=0,
                length=1,
                worst_micro=10,
                due_at=NOON,
            )
    return made


def row(job: Job, number: int = 1) -> JobLine:
    with rls.tenant(job.organization_id):
        return JobLine.objects.get(job=job, number=number)


def seen(job: Job) -> Job:
    with rls.tenant(job.organization_id):
        return Job.objects.get(pk=job.pk)


def counts_of_the_other(job: Job) -> tuple[int, int, int, set[str]]:
    with rls.tenant(job.organization_id):
        other = Job.objects.exclude(pk=job.pk).get()
        lines = {one.state for one in other.rows.all()}
    return other.done, other.failed, other.spent_micro, lines


def test_a_line_that_two_workers_bring_counts_once(job: Job) -> None:
    first, second = row(job), row(job)

    recording.record(job, [(first, GOOD)], now=NOON)
    recording.record(job, [(second, Done(502, b"", "req_2", 9))], now=NOON)

    found, line = seen(job), row(job)
    assert (found.done, found.failed, found.spent_micro) == (1, 0, 7)
    assert (line.state, line.status, line.cost_micro) == ("done", 200, 7)
    assert line.request_ids == ["req_1"]
    assert recording.opened(line) == b"{}"
    assert row(job, 2).state == "waiting"
    assert counts_of_the_other(job) == (0, 0, 0, {"waiting"})


def test_a_line_that_failed_counts_as_failed_and_keeps_why(job: Job) -> None:
    recording.record(job, [(row(job), Done(400, b"no", "", 0))], now=NOON)

    found, line = seen(job), row(job)
    assert (found.done, found.failed, found.spent_micro) == (0, 1, 0)
    assert (line.state, recording.opened(line)) == ("failed", b"no")


def test_a_line_that_has_ended_is_not_sent_again(job: Job) -> None:
    late = row(job)
    recording.record(job, [(row(job), GOOD)], now=NOON)

    recording.record(job, [(late, LATER)], now=NOON)

    line = row(job)
    assert (line.state, line.run, line.free, line.request_ids) == ("done", 1, False, ["req_1"])


def test_the_next_run_of_a_line_is_written_down_before_it_begins(job: Job) -> None:
    recording.record(job, [(row(job), LATER)], now=NOON)
    recording.record(job, [(row(job), Again(0, 3, True, 2))], now=NOON)

    line = row(job)
    assert (line.run, line.free, line.tries, line.due_at) == (3, True, 2, NOON)
    assert line.request_ids == ["req_2"]  # of a run that nobody numbered there is nothing to keep


def test_waits_as_long_as_the_slowest_of_its_lines_and_says_why(job: Job) -> None:
    shorter = Again(5, 1, False, 0, everybody=True, because="room")
    longer = Again(60, 1, False, 0, everybody=True, because="budget")

    both = [(row(job), longer), (row(job, 2), shorter)]
    assert recording.record(job, both, now=NOON) == NOON + timedelta(seconds=60)
    alone = Again(900, 1, False, 0)
    assert recording.record(job, [(row(job), alone)], now=NOON) is None
    assert seen(job).waits_because == "room"
    assert recording.record(job, [(row(job), GOOD), (row(job, 2), KeyEnded())], now=NOON) is None

    assert seen(job).waits_because == ""


def test_what_lines_may_cost_is_the_sum_of_those_that_wait(job: Job) -> None:
    with rls.tenant(job.organization_id):
        assert recording.waiting_micro(job) == 20

    recording.record(job, [(row(job), GOOD)], now=NOON)

    with rls.tenant(job.organization_id):
        assert recording.waiting_micro(job) == 10


def test_who_was_thought_dead_takes_no_lease_from_its_heir(job: Job) -> None:
    later = NOON + running.LEASE
    with ExitStack() as heir:
        with running.leased(job.organization_id, job.pk, now=NOON) as mine:
            assert mine is not None
            assert heir.enter_context(running.leased(job.organization_id, job.pk, now=later))
            with rls.tenant(job.organization_id):
                assert Job.objects.exclude(pk=job.pk).get().lease_until is None

        assert seen(job).lease_until == later + running.LEASE  # mine ended, and it is not mine
        with running.leased(job.organization_id, job.pk, now=later) as third:
            assert third is None
    assert seen(job).lease_until is None


def test_takes_no_lease_of_a_job_that_has_ended(job: Job) -> None:
    with rls.tenant(job.organization_id):
        assert states.move(job, JobState.CANCELLED, because="", now=NOON)

    with running.leased(job.organization_id, job.pk, now=NOON) as mine:
        assert mine is None


def test_a_second_mover_moves_nothing_and_no_arrow_is_no_move(job: Job) -> None:
    other = seen(job)
    with rls.tenant(job.organization_id):
        assert states.move(job, JobState.IN_PROGRESS, because="first", now=NOON)
        assert not states.move(other, JobState.FAILED, because="second", now=NOON)
        with pytest.raises(states.NoSuchMove):
            states.move(job, JobState.COMPLETED, because="", now=NOON)

    found = seen(job)
    assert (found.state, found.because) == ("in_progress", "first")
    with rls.tenant(job.organization_id):
        assert [one.to_state for one in found.moves.all()][1:] == ["in_progress"]
        assert Job.objects.exclude(pk=job.pk).get().state == "validating"
