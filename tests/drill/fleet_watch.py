"""What must never happen in the fleet's drill, looked for while it runs and in the end.

A site's file has the wish that it has accepted: what leaves it has to be unwanted by then, and no
replica may stand in two. Answers of a replica that was given up are found in the ledger.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Self

from django.db import connections

from portal.deployments.models import Placement, PlacementMove
from portal.usage.models import LedgerEntry
from tenants import rls

PERIOD_SECONDS = 0.5
PUBLISHED_WITHIN = timedelta(seconds=3)


@dataclass
class Watch:
    """Looks twice a second. ``files``: by site."""

    files: dict[str, Path]
    two_owners: list[str] = field(default_factory=list)
    wrong_deletions: list[str] = field(default_factory=list)
    looks: int = 0
    known: dict[str, set[str]] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        if self.thread is not None:
            self.thread.join(30)

    def _run(self) -> None:
        while not self.stopping.wait(PERIOD_SECONDS):
            self.look()
        connections.close_all()

    def look(self) -> None:
        now = {site: wish_in(path) for site, path in self.files.items()}
        where: dict[str, list[str]] = defaultdict(list)
        for site, names in now.items():
            for name in names:
                where[name].append(site)
            if gone := self.known.get(site, set()) - names:
                self._look_at_gone(site, gone)
        self.two_owners += [f"{name}: {sites}" for name, sites in where.items() if len(sites) > 1]
        self.known = now
        self.looks += 1

    def _look_at_gone(self, site: str, names: set[str]) -> None:
        with rls.everyone(because="drill"):
            rows = Placement.objects.filter(public_id__in=names, wanted=True, site__code=site)
            running = rows.filter(
                endpoint__stopped_at=None,
                endpoint__paused_at=None,
                endpoint__operator_hold=False,
                endpoint__funding_hold=False,
            )
            self.wrong_deletions += [
                f"{site} was told to stop {name}"
                for name in running.values_list("public_id", flat=True)
            ]

    def look_at_ledger(self) -> None:
        """Requests that went to a replica after it was given up, and the gateways knew."""
        with rls.everyone(because="drill"):
            moves = PlacementMove.objects.filter(to_state="stopping")
            given_up = dict(moves.values_list("placement__public_id", "at"))
            entries = LedgerEntry.objects.filter(placement__in=given_up)
            for name, at in entries.values_list("placement", "admitted_at"):
                if at > given_up[name] + PUBLISHED_WITHIN:
                    late = (at - given_up[name]).total_seconds()
                    self.two_owners.append(f"{name} was asked {late:.0f} s after it was given up")


def wish_in(path: Path) -> set[str]:
    """The replicas of the wish that a site has accepted."""
    if not path.exists():
        return set()
    return {one["id"] for one in json.loads(path.read_bytes())["wanted"].get("placements", ())}


def settled(look: Callable[[str], dict[str, str]], sites: list[str]) -> str:
    """What is not as it is wanted, in a sentence; empty if all is. ``look``: replica → state, as
    the site itself tells it."""
    with rls.everyone(because="drill"):
        rows = list(Placement.objects.living().select_related("site", "endpoint"))
    for site in sites:
        wanted = {one.public_id for one in rows if one.site.code == site and one.wanted}
        ready = {name for name, state in look(site).items() if state == "ready"}
        if wanted != ready:
            return f"{site} runs {sorted(ready)}, wanted are {sorted(wanted)}"
    waiting = [one.public_id for one in rows if one.state != "ready" or not one.wanted]
    return f"the books wait for {waiting}" if waiting else ""
