"""The driver of Ray clusters: one cluster per site, over its REST API with its token.

Promises: an end to every call and to all of one round together, a bound on every answer, and
``SiteUnavailable`` for everything that goes wrong. Ray's API replaces the whole list of
applications and compares nothing, so that older generations and epochs are refused here, by the
register that the cluster keeps; between reading it and writing the list, the site's lease is what
keeps two workers apart. What was written is read back.
"""

from __future__ import annotations

import time
from urllib.parse import quote

import msgspec

from portal.fleet.drivers import ray_config, ray_reading
from portal.fleet.drivers.contract import (
    LogPage,
    SiteReport,
    SiteSpec,
    SiteUnavailable,
    WishRefused,
)
from portal.fleet.drivers.ray_calls import Calls, decoded, sense
from portal.fleet.drivers.ray_reading import Node, Serve, Told

# Looking, telling and looking again end before the site's lease of 30 s does. The first list of a
# cluster starts Serve itself, which takes 8 s; when it takes longer, the next look finds it done.
LOOK_SECONDS = 6.0
TELL_SECONDS = 16.0
AGENT_SECONDS = 2.0
MOST_NODES = 1000
APPLICATIONS = "/api/serve/applications/"
NODES = f"/api/v0/nodes?detail=1&limit={MOST_NODES}&timeout=5"


class RayServeDriver:
    """One cluster. ``control_url`` is that of its dashboard, ``token`` the cluster's token."""

    def __init__(self, control_url: str, token: str) -> None:
        self.url = control_url.rstrip("/")
        self.token = token

    def apply(self, wanted: SiteSpec) -> None:
        """Put the whole list. ``WishRefused`` if the cluster has accepted something newer."""
        calls = Calls(self.token, TELL_SECONDS)
        serve = self._serve(calls)
        with sense():
            have = serve.register()
        if have.site not in ("", wanted.site):
            raise SiteUnavailable(f"This cluster is site {have.site}, not {wanted.site}.")
        if strangers := serve.strangers():
            raise SiteUnavailable(
                "The cluster runs applications that are not Dure's, and a new list would end "
                f"them: {', '.join(strangers[:5])}. Delete them, or give the site its own cluster."
            )
        try:
            register = ray_config.accepted(wanted, have, self.token)
        except ray_config.Older as older:
            raise WishRefused(str(older)) from older
        nodes = self._nodes(calls)
        with sense():
            overlapping = ray_reading.overlapping(serve, nodes, wanted.placements)
        config = ray_config.serve_config(
            wanted, register, overlapping=overlapping, http_options=serve.http_options
        )
        calls.ask("PUT", self.url + APPLICATIONS, json=config)
        self._read_back(register, calls)

    def _read_back(self, register: ray_config.Register, calls: Calls) -> None:
        with sense():
            found = self._serve(calls).register()
        if found == register:
            return
        if found.generation > register.generation:
            raise WishRefused(f"older_generation: have {found.generation}")
        raise SiteUnavailable("The cluster did not keep the list that it was told.")

    def observe(self) -> SiteReport:
        calls = Calls(self.token, LOOK_SECONDS)
        serve, nodes = self._serve(calls), self._nodes(calls)
        told = self._told(serve, calls)
        now_ms = int(time.time() * 1000)
        with sense():
            return ray_reading.report_of(serve, nodes, told, now_ms=now_ms, version="ray serve")

    def logs(self, placement: str, since: int) -> LogPage:
        """Lines that the site's agent keeps: of engines that have ended too."""
        calls = Calls(self.token, LOOK_SECONDS)
        address = self._serve(calls).address()
        if address is None:
            raise SiteUnavailable("No proxy of Serve answers on this cluster.")
        path = f"/{ray_config.SITE}/logs/{quote(placement, safe='')}?since={since}"
        return decoded(calls.ask("GET", address + path), LogPage)

    def _serve(self, calls: Calls) -> Serve:
        return decoded(calls.ask("GET", self.url + APPLICATIONS), Serve)

    def _nodes(self, calls: Calls) -> tuple[Node, ...]:
        return decoded(calls.ask("GET", self.url + NODES), _Nodes).data.result.result

    def _told(self, serve: Serve, calls: Calls) -> tuple[Told, ...]:
        """What the agent knows; nothing where it does not answer: Serve's own word suffices."""
        address = serve.address()
        if address is None or ray_config.SITE not in serve.applications:
            return ()
        url = f"{address}/{ray_config.SITE}/report"
        try:
            return decoded(calls.ask("GET", url, most=AGENT_SECONDS), _Report).engines
        except SiteUnavailable:
            return ()


class _NodeList(msgspec.Struct):
    result: tuple[Node, ...]


class _NodeResult(msgspec.Struct):
    result: _NodeList


class _Nodes(msgspec.Struct):
    data: _NodeResult


class _Report(msgspec.Struct):
    engines: tuple[Told, ...]
