"""Processes of this stack, found by descent and never by name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def _stat(pid: int) -> tuple[int, str] | None:
    """(parent, start time) of a process, or ``None`` if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] == "Z" else (int(fields[1]), fields[19])


def descendants(root: int) -> dict[int, str]:
    """pid → start time of a process and all that it started."""
    found: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (stat := _stat(int(entry.name))):
            found[int(entry.name)] = stat
    tree = {root}
    grew = True
    while grew:
        grew = False
        for pid, (parent, _) in found.items():
            if parent in tree and pid not in tree:
                tree.add(pid)
                grew = True
    return {pid: found[pid][1] for pid in tree if pid in found}


def alive(known: dict[int, str]) -> list[int]:
    """Those of ``known`` that still run. A reused number has another start time."""
    return [pid for pid, start in known.items() if (stat := _stat(pid)) and stat[1] == start]


def stop(pid: int, *, seconds: float = 45.0) -> list[int]:
    """End a supervisor and all below it; what does not end in time is killed.

    Returns the processes that had to be killed.
    """
    known = descendants(pid)
    if not known:
        return []
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + seconds
    while alive(known) and time.monotonic() < end:
        known |= descendants(pid)
        time.sleep(0.1)
    left = alive(known)
    for one in left:
        os.kill(one, signal.SIGKILL)
    return left
