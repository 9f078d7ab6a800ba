"""How long it takes to seal and to verify a long audit log: ``python -m bench.audit [--events N]``.

A database of its own gets the events of one organization in one statement; they are sealed by the
product's own sweep, then ``verify_audit``'s own function looks at every event, seal, signature and
checkpoint. The run fails if anything is left unsealed or a fault is found.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import psycopg

FILL = """
    INSERT INTO tenants_auditevent
      (organization_id, at, actor_kind, actor, verb, "group", subject, changes, because, address,
       request_id)
    SELECT %s, now() - n * interval '1 second', 'user', 'usr_' || (n %% 2000),
      (ARRAY['key.create', 'member.read', 'project.change', 'audit.read'])[1 + n %% 4],
      (ARRAY['rights', 'access', 'other', 'access'])[1 + n %% 4], 'prj_' || (n %% 500),
      jsonb_build_object('name', jsonb_build_object('from', '진료 ' || n, 'to', '진료 ' || n + 1)),
      '', '203.0.113.' || (n %% 250), 'req_' || n
    FROM generate_series(1, %s) n
"""


def main() -> int:
    """Fill, seal, verify; print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=1_000_000)
    events = parser.parse_args().events
    import tests.plugin  # noqa: F401  starts the servers and sets the environment
    from tests import conftest

    conftest._copy_template()
    import django

    django.setup()
    return measure(events)


def measure(events: int) -> int:
    """0 if every event was sealed and the log is whole."""
    from django.conf import settings
    from django.utils import timezone

    from tenants import rls, sealing, verifying
    from tests import factories

    settings.DURE_CHECKPOINT_DIR = Path(tempfile.mkdtemp(prefix="dure-bench-"))
    firm = factories.organization()
    name = settings.DATABASES["default"]["NAME"]
    url = os.environ["DURE_TEST_SUPERUSER_URL"].rsplit("/", 1)[0]
    with psycopg.connect(f"{url}/{name}") as server:
        server.execute(FILL, [firm.pk, events])
    began, made = time.perf_counter(), 1
    while made:
        made = sealing.sweep(now=timezone.now())
    sealed = time.perf_counter() - began
    began = time.perf_counter()
    report = verifying.verify(firm, now=timezone.now())
    verified = time.perf_counter() - began
    with rls.everyone(because="bench"):
        print(f"{report.events} events, {report.unsealed} not sealed, {report.count} faults")
    millions = events / 1_000_000
    print(f"figure audit_seal_1m_s {sealed / millions:.1f} s")
    print(f"figure audit_verify_1m_s {verified / millions:.1f} s")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"figure audit_verify_memory {memory} MB")
    return 0 if (report.events, report.unsealed, report.count) == (events, 0, 0) else 1


if __name__ == "__main__":
    sys.exit(main())
