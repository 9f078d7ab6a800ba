"""Running a job: one worker at a time, in slices, a few lines under way, each result kept durably
before its line counts as done.

A worker takes the job's lease, looks how many lines there is room for, sends them, and writes down
what came. Whoever dies, the lease lapses and the next worker finds the rows: ``outcomes`` says why
no line is charged twice. What is written is written ``WHERE lease_token = mine`` or on rows that
still wait, so that a worker who was thought dead harms nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Q

from portal.jobs import demand, finishing, money, recording, room, states, validating, words
from portal.jobs.models import Job, JobLine, JobState, LineState
from portal.jobs.outcomes import Answer, Done, KeyEnded, Sent, of
from portal.jobs.reading import body_of
from portal.jobs.sending import Sender
from portal.jobs.storage import FileLost, Lines, storage
from tenants import rls

LEASE = timedelta(seconds=30)
RENEW_SECONDS = 5.0
SLICE_SECONDS = 20.0
LINES_AHEAD = 32
LOOK_SECONDS = 1.0  # at demand, and at whether the job was cancelled

Clock = Callable[[], datetime]


@contextmanager
def leased(organization_id: int, job_id: int, *, now: datetime) -> Iterator[Job | None]:
    """The job with a lease of ours; ``None`` if somebody else has it, or it has ended."""
    token = uuid4()
    with rls.tenant(organization_id):
        free = Q(lease_until=None) | Q(lease_until__lte=now)
        taken = (
            Job.objects.open()
            .filter(free, pk=job_id)
            .update(lease_token=token, lease_until=now + LEASE)
        )
        job = (
            Job.objects.select_related("organization", "project", "key", "input_file").get(
                pk=job_id
            )
            if taken
            else None
        )
    try:
        yield job
    finally:
        if taken:
            with rls.tenant(organization_id):
                Job.objects.filter(pk=job_id, lease_token=token).update(lease_until=None)


def run(organization_id: int, job_id: int, *, clock: Clock, seconds: float = SLICE_SECONDS) -> bool:
    """One slice of a job. Whether there is more to do at once."""
    with leased(organization_id, job_id, now=clock()) as job:
        if job is None:
            return False
        if job.state == JobState.VALIDATING:
            validating.validate(job, now=clock())
        if job.state == JobState.IN_PROGRESS:
            Slice(job, clock, seconds).work()
        if job.state in (JobState.FINALIZING, JobState.CANCELLING):
            finishing.finish(job, now=clock())
        return job.state == JobState.IN_PROGRESS and job.due_at <= clock()


@dataclass(slots=True)
class Slice:
    """Some seconds of one job's life, under its lease."""

    job: Job
    clock: Clock
    seconds: float
    flights: dict[Future[Answer], JobLine] = field(default_factory=dict)
    pause_until: datetime | None = None
    stopping: bool = False
    _waits: int = 0  # what the lines that have no result may cost
    _aside: int | None = None  # in the budgets; None: as somebody else left it
    _looked: float = 0.0
    _renewed: float = 0.0
    _room: int = 0

    def work(self) -> None:
        """Until the time is over, nothing can be begun, or the job is to end; what is under way
        then is waited for."""
        lines = Lines(storage(), self.job.input_file.public_id)
        end = time.monotonic() + self.seconds
        with rls.tenant(self.job.organization_id):
            self._waits = recording.waiting_micro(self.job)
        self._renewed = time.monotonic()
        with (
            Sender(self.job, most=room.MOST) as sender,
            ThreadPoolExecutor(room.MOST, thread_name_prefix="job") as threads,
        ):
            while True:
                self._look()
                begun = time.monotonic() < end and self._begin(lines, sender, threads)
                if not self.flights:
                    if not begun:
                        break
                    continue
                ended, _ = wait(self.flights, LOOK_SECONDS, FIRST_COMPLETED)
                self._land(ended)
        self._rest()

    def _look(self) -> None:
        """Each second: is the job still wanted, how much room is there, is the lease ours?"""
        moment = time.monotonic()
        if moment - self._looked < LOOK_SECONDS and self._looked:
            return
        self._looked = moment
        now = self.clock()
        if moment - self._renewed > RENEW_SECONDS:
            self._renewed = moment
            self.stopping |= not self._renew(now)
        with rls.tenant(self.job.organization_id):
            state = Job.objects.values_list("state", flat=True).get(pk=self.job.pk)
        if state != JobState.IN_PROGRESS:
            self.job.state, self.stopping = state, True
        if now >= self.job.expires_at:
            self.stopping = True
        seats = demand.seats(self.job, now=now)
        self._room = room.lines(seats, len(self.flights))

    def _renew(self, now: datetime) -> bool:
        token: UUID | None = self.job.lease_token
        with rls.tenant(self.job.organization_id):
            mine = Job.objects.filter(pk=self.job.pk, lease_token=token)
            return bool(mine.update(lease_until=now + LEASE))

    def _begin(self, lines: Lines, sender: Sender, threads: ThreadPoolExecutor) -> bool:
        """Send as many lines as there is room for; whether any."""
        now = self.clock()
        if self.stopping or (self.pause_until is not None and now < self.pause_until):
            return False
        free = self._room - len(self.flights)
        if free <= 0:
            return False
        busy = [one.pk for one in self.flights.values()]
        with rls.tenant(self.job.organization_id):
            waiting = JobLine.objects.filter(job=self.job, state=LineState.WAITING, due_at__lte=now)
            rows = list(waiting.exclude(pk__in=busy).order_by("number")[:free])
        if not rows:
            return False
        self._make_way([*self.flights.values(), *rows])
        for row in rows:
            try:
                body = body_of(lines.at(row.offset, row.length))
            except FileLost:
                self._file_lost(now)
                return False
            flight = threads.submit(sender.send, body, line=row.number, run=row.run, free=row.free)
            self.flights[flight] = row
        return True

    def _make_way(self, under_way: list[JobLine]) -> None:
        """What is set aside never covers lines that are under way, which hold their own money. It
        is lowered for some lines ahead, so that not each of them costs a look at the budgets."""
        needed = self._waits - sum(one.worst_micro for one in under_way)
        if self._aside is None or needed < self._aside:
            ahead = LINES_AHEAD * max(one.worst_micro for one in under_way)
            self._set_aside(max(0, needed - ahead))

    def _set_aside(self, amount: int) -> None:
        if amount != self._aside:
            self._aside = amount
            money.set_aside(self.job, amount, now=self.clock())

    def _land(self, ended: set[Future[Answer]]) -> None:
        """Write down what came."""
        if not ended:
            return
        now = self.clock()
        outcomes = []
        for flight in ended:
            row = self.flights.pop(flight)
            sent = Sent(row.run, row.free, row.tries, row.doubted_at)
            outcome = of(flight.result(), sent, now=now)
            outcomes.append((row, outcome))
            if isinstance(outcome, Done):
                self._waits -= row.worst_micro
        pause = recording.record(self.job, outcomes, now=now)
        if pause is not None:
            self.pause_until = max(pause, self.pause_until or pause)
        if any(isinstance(outcome, KeyEnded) for _, outcome in outcomes):
            self.stopping = True
            self._move(JobState.CANCELLING, words.KEY_OVER, now)

    def _file_lost(self, now: datetime) -> None:
        self.stopping = True
        self._move(JobState.CANCELLING, words.FILE_LOST, now)

    def _rest(self) -> None:
        """Nothing is under way. Is the job through? Else, when is the next look?"""
        now = self.clock()
        if self.job.state != JobState.IN_PROGRESS:
            return
        with rls.tenant(self.job.organization_id):
            rows = JobLine.objects.filter(job=self.job, state=LineState.WAITING)
            due = rows.order_by("due_at").values_list("due_at", flat=True).first()
        if due is None:
            self._move(JobState.FINALIZING, words.THROUGH, now, ends_as=JobState.COMPLETED)
        elif now >= self.job.expires_at:
            self._move(JobState.FINALIZING, words.TIME_OVER, now, ends_as=JobState.EXPIRED)
        else:
            self._sleep(max(due, self.pause_until or due), now)

    def _sleep(self, due: datetime, now: datetime) -> None:
        if due <= now and not self._room:
            due = now + timedelta(seconds=2)  # others are served first
        self._set_aside(self._waits)
        with rls.tenant(self.job.organization_id):
            mine = Job.objects.filter(pk=self.job.pk, lease_token=self.job.lease_token)
            mine.update(due_at=due)
        self.job.due_at = due

    def _move(self, to: JobState, because: str, now: datetime, **seen: str) -> None:
        with rls.tenant(self.job.organization_id), transaction.atomic():
            states.move(self.job, to, because=because, now=now, **seen)
