"""``python -m tests.drill.engine --port 9000 [--site gwangju-1]``: an engine that takes its time.

With a site's name it is that site as well: it reports to PostgreSQL each second, and both die
together.
"""

from __future__ import annotations

import argparse
import asyncio
import os

from tests.fakes.upstream import Engine

PAUSE_SECONDS = 0.06  # between two words


async def _report(site: str) -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()

    while True:
        await asyncio.to_thread(report, site)
        await asyncio.sleep(1.0)


def report(site: str) -> None:
    """This site was seen just now."""
    from django.db import DatabaseError, close_old_connections
    from django.utils import timezone

    from portal.fleet.models import Site

    try:
        Site.objects.filter(code=site).update(observed_at=timezone.now())
    except DatabaseError:
        close_old_connections()


async def _main(port: int, site: str) -> None:
    server = await asyncio.start_server(Engine(PAUSE_SECONDS).serve, "127.0.0.1", port)
    async with server:
        if site:
            await _report(site)
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--site", default="")
    given = parser.parse_args()
    asyncio.run(_main(given.port, given.site))
