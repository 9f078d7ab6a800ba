"""A job whose worker and engine are killed: ``make drill-jobs``.

Real PostgreSQL and Valkey, a gateway, an engine and a worker in processes of their own. While the
job runs, worker and engine are killed with ``kill -9`` at random moments, one, the other, or both,
and started again. In the end everything is compared: each line has one result, each line is
charged once, no answer is left behind, no money is set aside. Exit code 1 if not.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
THINK_SECONDS = 0.02  # of the engine for each answer: enough for a kill to fall into it
SLOTS = 9  # so many at once; the job leaves one free


@dataclass
class Drill:
    """One run: its programs, and what was killed."""

    folder: Path
    engine_port: int
    chance: random.Random
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    killed: Counter[str] = field(default_factory=Counter)

    def start(self, name: str) -> None:
        commands = {
            "worker": ["tests.drill.job_worker"],
            "engine": [
                *("tests.fakes.upstream", "--port", str(self.engine_port)),
                *("--think", str(THINK_SECONDS)),
            ],
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", *commands[name]], cwd=ROOT, stdout=log, stderr=log
            )

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        process.kill()
        process.wait()
        self.killed[name] += 1

    def kill_some(self) -> None:
        names = self.chance.choice((["worker"], ["engine"], ["worker", "engine"]))
        for name in names:
            self.kill(name)
        time.sleep(self.chance.uniform(0, 0.5))
        for name in names:
            self.start(name)

    def stop(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()


@dataclass
class Books:
    """What is not as it must be, and what there was."""

    results: int = 0
    charges: int = 0
    free: int = 0
    missing: int = 0
    doubled: int = 0
    charged_twice: int = 0
    uncharged: int = 0
    left_behind: int = 0
    set_aside: int = 0

    @property
    def broken(self) -> int:
        return (
            self.missing
            + self.doubled
            + self.charged_twice
            + self.uncharged
            + self.left_behind
            + self.set_aside
        )


def _desk(gateway_url: str, engine_url: str, world: Any) -> tuple[Any, Any, Any]:
    """A firm with a key, a model of ``SLOTS`` seats, a budget; all as it would be published."""
    import msgspec
    from django.conf import settings

    from billing import budgets
    from portal.deployments.models import Placement
    from tenants import rls
    from tenants.models import Organization
    from tests import factories
    from tests.factories import CHAT
    from tests.gateway.world import ORG_CODE, target

    settings.DURE_JOBS_GATEWAY_URL = gateway_url
    factories.catalogue()
    operator = factories.organization("두레 운영", kind="operator", number=None)
    firm = factories.organization()
    with rls.everyone(because="drill"):
        Organization.objects.filter(pk=firm.pk).update(code=ORG_CODE)
        firm.refresh_from_db()
    by = factories.member(factories.user(), firm)
    project = factories.project(firm)
    key, world.key = factories.api_key(project, by, rpm_limit=100_000)
    budgets.publish(factories.budget(firm, 1_000_000), firm)
    endpoint = factories.shared_endpoint(operator)
    placement = factories.placement(endpoint, factories.site(), state="ready")
    with rls.everyone(because="drill"):
        offering = Placement.objects.select_related("offering").get(pk=placement.pk).offering
        offering.parallel = SLOTS
        offering.save(update_fields=["parallel"])
    one = target("chat", engine_url, "think", slots=SLOTS)
    world.endpoint(CHAT, msgspec.structs.replace(one, id=placement.public_id))
    part = world.parts.pop(f"ep_{CHAT}")
    world.parts[endpoint.public_id] = msgspec.structs.replace(part, endpoint=endpoint.public_id)
    world.models[CHAT] = msgspec.structs.replace(world.models[CHAT], endpoint=endpoint.public_id)
    world.publish()
    return by, project, key


def _create(by: Any, project: Any, key: Any, lines: int) -> Any:
    from portal.jobs import batches, files
    from tests.factories import CHAT

    def pieces() -> Any:
        for number in range(1, lines + 1):
            body = {"model": CHAT, "messages": [{"role": "user", "content": f"질문 {number}"}]}
            line = {
                "custom_id": f"line-{number}",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": body,
            }
            yield json.dumps(line, ensure_ascii=False).encode() + b"\n"

    now = datetime.now(UTC)
    row = files.upload(pieces(), name="drill.jsonl", project=project, by=by, now=now)
    return batches.create(wish=batches.Wish(input_file=row, key=key), by=by, now=now)


def _seen(job: Any) -> Any:
    from portal.jobs.models import Job
    from tenants import rls

    with rls.tenant(job.organization_id):
        return Job.objects.select_related("output_file", "error_file").get(pk=job.pk)


def _compare(job: Any, world: Any) -> Books:
    """Results in the file, charges in the stream of usage; line by line."""
    from billing.models import Commitment
    from portal.jobs.models import JobLine
    from portal.jobs.storage import storage
    from tenants import rls

    with rls.tenant(job.organization_id):
        rows = list(JobLine.objects.filter(job=job))
        set_aside = sum(
            one.amount_micro for one in Commitment.objects.filter(reference=job.public_id)
        )
    content = b"".join(storage().read(job.output_file.public_id)) if job.output_file else b""
    results = Counter(json.loads(one)["custom_id"] for one in content.splitlines())
    events = world.events()
    charged = {one.request_id for one in events if one.cost_micro > 0}
    of_line = [sum(one in charged for one in row.request_ids) for row in rows]
    known = {one for row in rows for one in row.request_ids}
    return Books(
        results=results.total(),
        charges=len(charged),
        free=sum(one.outcome == "answered" and not one.cost_micro for one in events),
        missing=sum(row.custom_id not in results for row in rows),
        doubled=results.total() - len(results),
        charged_twice=sum(count > 1 for count in of_line) + len(charged - known),
        uncharged=sum(count < 1 for count in of_line),
        left_behind=len(list(world.client.scan_iter("*:answer:*"))),
        set_aside=set_aside,
    )


def _run(drill: Drill, job: Any, kills: int, minutes: float) -> Any:
    """Until the job has ended; kills fall while it runs."""
    end, rounds = time.monotonic() + minutes * 60, 0
    while time.monotonic() < end:
        time.sleep(drill.chance.uniform(0.05, 1.0))
        job = _seen(job)
        if job.state in ("completed", "failed", "expired", "cancelled"):
            break
        due = job.total * (rounds + 1) // (kills + 1)  # spread over the whole job
        if job.state == "in_progress" and rounds < kills and job.done >= due:
            drill.kill_some()
            rounds += 1
        print(f"{job.state}: {job.done} of {job.total}; killed {dict(drill.killed)}", flush=True)
    return job


def run(lines: int, kills: int, minutes: float, seed: int) -> int:
    """On servers that run already, with Django set up."""
    from deploy.local import ports
    from tests.gateway.world import GatewayProcess, World

    world = World(os.environ["VALKEY_URL"], os.environ["DURE_SEAL_KEYS"])
    world.reset()
    with tempfile.TemporaryDirectory(prefix="dure-drill-jobs-") as name:
        folder = Path(name)
        (engine_port,) = ports.free(1)
        gateway = GatewayProcess(world, folder)
        os.environ["DURE_JOBS_GATEWAY_URL"] = gateway.url
        drill = Drill(folder, engine_port, random.Random(seed))
        try:
            by, project, key = _desk(gateway.url, f"http://127.0.0.1:{engine_port}", world)
            gateway.start()
            job = _create(by, project, key, lines)
            began = time.monotonic()
            for program in ("engine", "worker"):
                drill.start(program)
            job = _run(drill, job, kills, minutes)
            seconds = time.monotonic() - began
            time.sleep(1)  # the gateway's last settlements
            books = _compare(job, world)
            return _tell(job, books, drill, lines, seconds)
        finally:
            drill.stop()
            gateway.stop()
            world.close()


def _tell(job: Any, books: Books, drill: Drill, lines: int, seconds: float) -> int:
    for name, value in vars(books).items():
        print(f"figure drill_jobs_{name} {value}")
    for name, count in drill.killed.items():
        print(f"figure drill_jobs_{name}_kills {count}")
    print(f"figure drill_jobs_seconds {seconds:.0f}")
    whole = job.state == "completed" and (books.results, books.charges) == (lines, lines)
    print(f"{job.state}: {job.done} answered, {job.failed} failed")
    return 0 if whole and not books.broken else 1


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """What the command line says; the defaults are the whole drill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=30, help="then it ends, whole or not")
    parser.add_argument("--seed", type=int, default=None)
    return parser.parse_args(words)


def main() -> int:
    """The whole drill; 1 if a line is lost, doubled, or charged twice or never."""
    given = arguments()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    if "DURE_TEST_SUPERUSER_URL" not in os.environ:
        from bench import servers

        servers.start()
    else:
        import django

        django.setup()
    return run(given.lines, given.kills, given.minutes, seed)


if __name__ == "__main__":
    sys.exit(main())
