"""How long it takes to seal and to verify a long audit log: ``python -m bench.audit [--events N]``.

A database of its own gets the events of one organization in one statement; they are sealed by the
product's own sweep, then ``verify_audit``'s own function looks at every event, seal, signature and
checkpoint. The run fails if anything is left unsealed or a fault is found.
"""

from __future__ import annotations

import argparse
import resource
import sys

from bench import servers


def main() -> int:
    """Fill, seal, verify; print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=1_000_000)
    events = parser.parse_args().events
    servers.start()
    return measure(events)


def measure(events: int) -> int:
    """0 if every event was sealed and the log is whole."""
    from django.utils import timezone

    from bench import audit_log
    from tenants import rls
    from tests import factories

    firm, now = factories.organization(), timezone.now()
    people = [f"usr_{number}" for number in range(2_000)]
    things = [f"prj_{number}" for number in range(500)]
    with rls.everyone(because="bench"):
        audit_log.fill(firm, events, actors=people, subjects=things, now=now)
    sealed = audit_log.seal_all(now=now)
    verified, report = audit_log.verify_all([firm], now=now)
    print(f"{report.events} events, {report.unsealed} not sealed, {report.count} faults")
    millions = events / 1_000_000
    print(f"figure audit_seal_1m_s {sealed / millions:.1f} s")
    print(f"figure audit_verify_1m_s {verified / millions:.1f} s")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"figure audit_verify_memory {memory} MB")
    return 0 if (report.events, report.unsealed, report.count) == (events, 0, 0) else 1


if __name__ == "__main__":
    sys.exit(main())
