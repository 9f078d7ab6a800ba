"""Log lines of a placement: from its newest pod, or as kept when the placement was stopped.

A line's number is the second in which its container began (since 2020) times a million, plus its
place in that container's log: it grows over restarts and over new pods, and nobody must remember
it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from portal.fleet.drivers.contract import LogLine, LogPage
from portal.fleet.drivers.kubernetes import names
from portal.fleet.drivers.kubernetes.names import Object
from portal.fleet.drivers.kubernetes.own_weights import FETCHER
from portal.fleet.drivers.kubernetes.workload import ENGINE

BEGINNING: Final = datetime(2020, 1, 1, tzinfo=UTC)
MOST_LINES: Final = 1_000  # of one page
MOST_BYTES: Final = 16 * 1_048_576  # a kubelet turns a log over at 10 MiB
MOST_TEXT: Final = 4_000  # characters of one line
KEPT_BYTES: Final = 32_768  # of a stopped placement
KEPT: Final = 100  # stopped placements
_WORD: Final = re.compile(r"[A-Za-z0-9_-]{8,200}")


class Container(msgspec.Struct, frozen=True):
    """One life of a container. ``name`` and ``previous``: how the API is asked for it."""

    name: str
    first: int  # number before its first line
    previous: bool


def containers(pod: Object) -> list[Container]:
    """The lives of which the cluster still has logs, the older first: of what fetched the weights,
    then of the engine, which begins later even if it is in the same second."""
    found: list[Container] = []
    state = pod.get("status") or {}
    for kind, whose in (("initContainerStatuses", FETCHER), ("containerStatuses", ENGINE)):
        for status in state.get(kind) or ():
            if status.get("name") != whose:
                continue
            after = found[-1].first + 1_000_000 if found else 0
            found += _lives(status, after)
    return found


def _lives(status: Object, after: int) -> Iterator[Container]:
    name = str(status["name"])
    now, before = _began(status.get("state")), _began(status.get("lastState"))
    if now and before:
        yield Container(name, max(before, after), True)
    if now or before:
        yield Container(name, max(now or before, after), False)


def _began(state: Any) -> int:
    """1,000,000 × seconds since ``BEGINNING``; 0 if it never began."""
    for part in ("running", "terminated"):
        text = ((state or {}).get(part) or {}).get("startedAt")
        if text:
            try:
                seconds = (datetime.fromisoformat(text) - BEGINNING).total_seconds()
            except (TypeError, ValueError):
                return 0
            return max(int(seconds), 1) * 1_000_000
    return 0


def lines_of(parts: Iterable[bytes], first: int, since: int, secret: str) -> Iterator[LogLine]:
    """Lines with a number above ``since`` of a log with timestamps. ``secret``: the fingerprint
    of the credential, which some servers print with their arguments."""
    for place, raw in enumerate(_split(parts), first + 1):
        if place <= since or place >= first + 1_000_000:
            continue
        stamp, _, text = raw.decode(errors="replace").partition(" ")
        yield LogLine(number=place, at_ms=_at(stamp), text=_without(text.rstrip(), secret))


def _split(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Whole lines, up to ``MOST_BYTES`` of them."""
    left, size = b"", 0
    for part in parts:
        size += len(part)
        *whole, left = (left + part).split(b"\n")
        yield from whole
        left = left[: 4 * MOST_TEXT]
        if size > MOST_BYTES:
            return
    if left:
        yield left


def _at(stamp: str) -> int:
    try:
        return int(datetime.fromisoformat(stamp).timestamp() * 1000)
    except ValueError:
        return 0


def _without(text: str, secret: str) -> str:
    def seen(found: re.Match[str]) -> str:
        return "…" if names.fingerprint(found[0]) == secret else found[0]

    return _WORD.sub(seen, text[:MOST_TEXT])


def kept_name(placement: str) -> str:
    return f"log-{names.named(placement, 'placement')}"


def kept(site: str, placement: str, lines: list[LogLine]) -> dict[str, Any]:
    """The last lines as a ConfigMap."""
    size, tail = 0, []
    for line in reversed(lines):
        size += len(line.text.encode()) + 60
        if size > KEPT_BYTES:
            break
        tail.append(line)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": kept_name(placement),
            "namespace": names.HOME,
            "labels": names.labels_of(site, **{names.PLACEMENT: placement}),
        },
        "data": {"lines": msgspec.json.encode(tail[::-1]).decode()},
    }


def read_kept(found: Object | None, since: int) -> LogPage:
    """What was kept, as a page. Nothing of what is no log."""
    try:
        raw = (found or {})["data"]["lines"]
        lines = msgspec.json.decode(raw, type=list[LogLine])
    except (KeyError, TypeError, msgspec.MsgspecError):
        lines = []
    return page([line for line in lines if line.number > since], since)


def page(lines: list[LogLine], since: int) -> LogPage:
    return LogPage(lines=tuple(lines), next=lines[-1].number if lines else since)
