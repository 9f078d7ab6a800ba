"""``python -m tests.drill.fleet_site …``: an embedded site as in production, behind a network.

Its engines are those of the drill; it tells their addresses as they are beyond the network, which
can be cut (``fleet_network``). Engines on cards of ``DRILL_BROKEN_CHIP`` fail every request.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from portal.fleet.drivers.contract import ReplicaReport
from portal.mdc import __main__ as program
from portal.mdc import site, weights
from portal.mdc.replica import Replica
from portal.mdc.site import Layout

ENGINE = (sys.executable, str(Path(__file__).with_name("fleet_engine.py")))
OFFSET = int(os.environ["DRILL_PORT_OFFSET"])
BROKEN_CHIP = os.environ["DRILL_BROKEN_CHIP"]
DIGEST = os.environ["DRILL_DIGEST"]


class FarReplica(Replica):
    """Reached by another port than the one that it listens on."""

    def start(self) -> None:
        if self.spec.chip == BROKEN_CHIP:
            self.command = (*ENGINE, "broken")
        super().start()

    def report(self) -> ReplicaReport:
        near = super().report()
        if near.url is None:
            return near
        return msgspec.structs.replace(near, url=f"http://127.0.0.1:{self.port + OFFSET}")


def layout_of(given: Any, real: Any = program.layout_of) -> Layout:
    made: Layout = real(given)
    return Layout(made.site, made.cards, made.ports, made.folder, ENGINE)


program.layout_of = layout_of
site.Replica = FarReplica  # type: ignore[misc]
weights.path_of = lambda engine: Path(__file__)
weights.digest_of = lambda path, cache: DIGEST

if __name__ == "__main__":
    program.main()
