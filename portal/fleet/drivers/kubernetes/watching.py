"""Hear of changes at once: a watch that goes on where it stopped.

The loop that reconciles a site asks for its full state anyway. A watch only says *when* to ask; an
event lost on the way costs the time until the next round, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx2
import msgspec

from portal.fleet.drivers.contract import SiteUnavailable
from portal.fleet.drivers.kubernetes import names
from portal.fleet.drivers.kubernetes.client import Client, Refused, access_of, path_of
from portal.fleet.drivers.kubernetes.site import SETTINGS, read_settings

WATCH_SECONDS: Final = 240  # the API server ends a watch after so long; then it is asked again
MOST_EVENT: Final = 2 * 1_048_576
SILENT: Final = httpx2.Timeout(5.0, connect=2.0, read=WATCH_SECONDS + 15.0)


class Forgotten(Exception):
    """410: the cluster no longer knows what happened since our version. List again."""


class SiteWatch:
    """Watches one kind of our objects at one site, for as long as somebody listens."""

    def __init__(self, control_url: str, token: str, kind: str = "Pod") -> None:
        self.url = control_url
        self.token = token
        self.kind = kind
        self.version = ""  # where the next watch begins; empty: a list comes first

    def changes(self) -> Iterator[str]:
        """The placements that changed, one watch long; empty after a list: anything may have.

        Ends quietly when the cluster ends the watch: call it again, it goes on. ``SiteUnavailable``
        as everywhere; the next call goes on where this one stopped, too.
        """
        seconds = WATCH_SECONDS + 60.0
        with Client(self.url, access_of(self.token), seconds=seconds) as client:
            try:
                settings = read_settings(client.get("ConfigMap", names.HOME, SETTINGS))
                chosen = names.selector(settings.site)
                if not self.version:
                    self.version = client.listed(self.kind, selector=chosen)[1]
                    yield ""
                yield from self._watch(client, chosen)
            except Forgotten:
                self.version = ""
            except Refused as error:
                if error.status != 410:
                    raise SiteUnavailable(f"The cluster refused ({error.status}).") from error
                self.version = ""

    def _watch(self, client: Client, chosen: str) -> Iterator[str]:
        params = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "labelSelector": chosen,
            "resourceVersion": self.version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        with client.stream(path_of(self.kind), params=params, timeout=SILENT) as parts:
            for event in events(parts):
                thing = _checked(event)
                self.version = str(names.meta(thing).get("resourceVersion") or self.version)
                if event.get("type") != "BOOKMARK":
                    yield names.labels(thing).get(names.PLACEMENT, "")


def events(parts: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """One JSON object a line. ``SiteUnavailable`` for what is none or has no end."""
    left = b""
    for part in parts:
        *whole, left = (left + part).split(b"\n")
        if len(left) > MOST_EVENT:
            raise SiteUnavailable("The cluster's event is too large.")
        for line in whole:
            if line.strip():
                yield _decoded(line)


def _decoded(line: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise SiteUnavailable(f"The cluster's event makes no sense: {error}") from error


def _checked(event: dict[str, Any]) -> dict[str, Any]:
    """The event's object. ``Forgotten`` if it says 410."""
    thing = event.get("object")
    if not isinstance(thing, dict):
        raise SiteUnavailable("The cluster's event has no object.")
    if event.get("type") == "ERROR":
        if thing.get("code") == 410:
            raise Forgotten
        raise SiteUnavailable(f"The cluster ended the watch: {thing.get('message', '')}"[:300])
    return thing


def follow(
    watch: SiteWatch,
    *,
    nudge: Callable[[str], None],
    stopped: Callable[[float], bool],
    pauses: tuple[float, ...] = (1.0, 2.0, 5.0, 15.0),
) -> None:
    """Nudge at each change until ``stopped``. ``stopped`` waits so many seconds and says whether
    to end, as ``threading.Event.wait`` does; a site that does not answer is asked ever less often.
    """
    failures = 0
    while not stopped(pauses[min(failures, len(pauses)) - 1] if failures else 0.0):
        try:
            for placement in watch.changes():
                nudge(placement)
                failures = 0
                if stopped(0.0):
                    return
        except SiteUnavailable:
            failures += 1
