"""The driver of Ray clusters: one cluster per site, over its REST API with its token.

Promises: a timeout on every call, a bound on every answer, and ``SiteUnavailable`` for everything
that goes wrong. Ray's API replaces the whole list of applications and compares nothing, so that
older generations and epochs are refused here, by the register that the cluster keeps; between
reading it and writing the list, the site's lease is what keeps two workers apart. What was
written is read back.
"""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import quote

import httpx2
import msgspec

from portal.fleet.drivers import ray_config, ray_reading
from portal.fleet.drivers.contract import (
    LogPage,
    SiteReport,
    SiteSpec,
    SiteUnavailable,
    WishRefused,
)
from portal.fleet.drivers.ray_reading import Need, Node, Serve, Told

TIMEOUT = httpx2.Timeout(10.0, connect=2.0)
FIRST_TIMEOUT = httpx2.Timeout(60.0, connect=2.0)  # Serve itself is started by the first list
AGENT_TIMEOUT = httpx2.Timeout(3.0, connect=1.0)
MAX_ANSWER = 16 * 1_048_576
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
        serve = self._serve()
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
        config = ray_config.serve_config(
            wanted,
            register,
            overlapping=self._overlapping(wanted, serve),
            http_options=serve.http_options,
        )
        self._put(config, FIRST_TIMEOUT if serve.http_options is None else TIMEOUT)
        self._read_back(register)

    def _overlapping(self, wanted: SiteSpec, serve: Serve) -> frozenset[str]:
        """Those whose changed engine may start beside the old one: the owner is the same, and
        there are cards for both."""
        nodes = self._nodes()
        found = set()
        for one in wanted.placements:
            app = serve.applications.get(one.id)
            config = app.deployed_app_config if app else None
            if config is None or config.args.get("epoch") != one.epoch:
                continue
            if ray_reading.has_room(serve, nodes, Need.of(one)):
                found.add(one.id)
        return frozenset(found)

    def _put(self, config: dict[str, Any], timeout: httpx2.Timeout) -> None:
        self._ask("PUT", self.url + APPLICATIONS, timeout, json=config)

    def _read_back(self, register: ray_config.Register) -> None:
        found = self._serve().register()
        if found == register:
            return
        if found.generation > register.generation:
            raise WishRefused(f"older_generation: have {found.generation}")
        raise SiteUnavailable("The cluster did not keep the list that it was told.")

    def observe(self) -> SiteReport:
        serve, nodes = self._serve(), self._nodes()
        return ray_reading.report_of(
            serve,
            nodes,
            self._told(serve),
            now_ms=int(time.time() * 1000),
            version="ray serve",
        )

    def logs(self, placement: str, since: int) -> LogPage:
        """Lines that the site's agent keeps: of engines that have ended too."""
        address = self._serve().address()
        if address is None:
            raise SiteUnavailable("No proxy of Serve answers on this cluster.")
        path = f"/{ray_config.SITE}/logs/{quote(placement, safe='')}?since={since}"
        return _decoded(self._ask("GET", address + path, AGENT_TIMEOUT), LogPage)

    def _serve(self) -> Serve:
        return _decoded(self._ask("GET", self.url + APPLICATIONS, TIMEOUT), Serve)

    def _nodes(self) -> tuple[Node, ...]:
        raw = self._ask("GET", self.url + NODES, TIMEOUT)
        return _decoded(raw, _Nodes).data.result.result

    def _told(self, serve: Serve) -> tuple[Told, ...]:
        """What the agent knows; nothing where it does not answer: Serve's own word suffices."""
        address = serve.address()
        if address is None or ray_config.SITE not in serve.applications:
            return ()
        try:
            raw = self._ask("GET", f"{address}/{ray_config.SITE}/report", AGENT_TIMEOUT)
            return _decoded(raw, _Report).engines
        except SiteUnavailable:
            return ()

    def _ask(self, method: str, url: str, timeout: httpx2.Timeout, **options: Any) -> bytes:
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            with (
                httpx2.Client(timeout=timeout, headers=headers, trust_env=False) as client,
                client.stream(method, url, **options) as answer,
            ):
                raw = b""
                for part in answer.iter_bytes():
                    raw += part
                    if len(raw) > MAX_ANSWER:
                        raise SiteUnavailable("The site's answer is too large.")
        except httpx2.HTTPError as error:
            raise SiteUnavailable(f"{type(error).__name__}: {error}") from error
        if answer.status_code != 200:
            raise SiteUnavailable(f"The site answered {answer.status_code}. {_hint(raw)}".rstrip())
        return raw


class _NodeList(msgspec.Struct):
    result: tuple[Node, ...]


class _NodeResult(msgspec.Struct):
    result: _NodeList


class _Nodes(msgspec.Struct):
    data: _NodeResult


class _Report(msgspec.Struct):
    engines: tuple[Told, ...]


def _hint(raw: bytes) -> str:
    """The beginning of an error; a list of values that it quotes is not for a log."""
    text = raw[:2000].decode(errors="replace")
    return re.sub(r"input_value=.*", "", text).strip()[:200]


def _decoded[T](raw: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SiteUnavailable(f"The site's answer makes no sense: {error}") from error
