"""What is done to the stack. Each fault leaves every process running again."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from portal.admission import keys
from portal.lib.ids import CELLS
from tests.drill.stack import GATEWAYS, DrillStack, wait_for

KILLED = (*GATEWAYS, "intake", "publisher", "sweeper", "valkey", "postgres", "engine", "site")
MOST_CUT = 200_000  # bytes


def kill_one(stack: DrillStack, chance: random.Random) -> str:
    """``kill -9`` of a random program; it starts again a moment later."""
    name = chance.choice(KILLED)
    stack.programs[name].kill()
    time.sleep(chance.uniform(0, 1.0))
    stack.restart(name)
    return name


def appended(folder: Path) -> Path:
    """The append-only file that Valkey writes to now."""
    found = sorted(
        (folder / "appendonlydir").glob("*.incr.aof"),
        key=lambda path: int(path.name.split(".")[-3]),
    )
    return found[-1]


def cut_back(stack: DrillStack, chance: random.Random) -> str:
    """Valkey is killed, and the end of its file is gone."""
    stack.programs["valkey"].kill()
    path = appended(stack.valkey.folder)
    size, lost = path.stat().st_size, chance.randint(1000, MOST_CUT)
    with path.open("r+b") as file:
        file.truncate(max(0, size - lost))
    time.sleep(chance.uniform(0, 0.5))
    stack.restart("valkey")
    return f"{min(lost, size)} of {size} bytes"


def cut_without_one(stack: DrillStack, chance: random.Random) -> str:
    """As above, and a gateway is down until all is open again without it."""
    name = chance.choice(GATEWAYS)
    stack.programs[name].kill()
    what = cut_back(stack, chance)
    other = next(one for one in GATEWAYS if one != name)
    wait_for("the other gateway", lambda: stack.is_ready(other))
    stack.restart(name)
    return f"{what}, {name} down"


def replace_by_copy(stack: DrillStack, chance: random.Random) -> str:
    """Valkey comes back with what its disk had some seconds ago."""
    folder = stack.valkey.folder / "appendonlydir"
    copy = stack.folder / "older-copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    passed = chance.uniform(0.5, 6.0)
    time.sleep(passed)
    stack.programs["valkey"].kill()
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)
    stack.restart("valkey")
    return f"{passed:.1f} s old"


def full_memory(stack: DrillStack, chance: random.Random) -> str:
    client = stack.client()
    client.config_set("maxmemory", 1)
    time.sleep(chance.uniform(0.5, 2.0))
    client.config_set("maxmemory", 0)
    client.close()
    return ""


def hang(stack: DrillStack, chance: random.Random) -> str:
    """A program that neither answers nor ends, for a while."""
    name = chance.choice(("valkey", "valkey", *GATEWAYS, "postgres", "intake", "engine"))
    program = stack.programs[name]
    program.send(signal.SIGSTOP)
    time.sleep(chance.uniform(0.5, 4.0))
    program.send(signal.SIGCONT)
    return name


def read_only(stack: DrillStack, chance: random.Random) -> str:
    """Valkey follows a server that is not there, and is let go again."""
    client = stack.client()
    client.replicaof("127.0.0.1", "9")
    time.sleep(chance.uniform(0.5, 2.0))
    client.replicaof("NO", "ONE")
    client.close()
    return ""


def lost_epochs(stack: DrillStack, chance: random.Random) -> str:
    client = stack.client()
    cells = chance.sample(range(CELLS), chance.choice((1, 7, CELLS)))
    client.delete(*(keys.epoch(cell) for cell in cells))
    client.close()
    return f"{len(cells)} cells"


def emptied(stack: DrillStack, chance: random.Random) -> str:
    """Everything in Valkey is gone, and it goes on running."""
    client = stack.client()
    client.flushall()
    client.close()
    return ""


def full_disk(stack: DrillStack, chance: random.Random) -> str:
    """No file may grow: Valkey ends, as it does on a full disk; a gateway goes on."""
    name = chance.choice(("valkey", *GATEWAYS))
    program = stack.programs[name]
    program.limit_files(1)
    time.sleep(chance.uniform(1.0, 3.0))
    program.limit_files(-1)
    if not program.lives:
        stack.restart(name)
        return f"{name}, which ended"
    return name


FAULTS: dict[str, Callable[[DrillStack, random.Random], str]] = {
    "maxmemory": full_memory,
    "SIGSTOP": hang,
    "read-only": read_only,
    "epoch lost": lost_epochs,
    "emptied": emptied,
    "cut without a gateway": cut_without_one,
    "disk full": full_disk,
}
