"""The site's control API: the wanted state, the report, engine logs. Bearer token, JSON."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from portal.fleet.drivers.contract import SiteSpec
from portal.mdc.site import EmbeddedSite
from portal.mdc.state import OlderWish

MAX_BODY = 1_048_576
_PLACEMENT = re.compile(r"[a-z0-9_]{1,40}\Z")

Handler = Callable[[Request], Awaitable[Response]]


class StrictSpec(SiteSpec, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wish as it comes in: unknown fields are refused."""


def _error(status: int, code: str, message: str, **more: object) -> JSONResponse:
    return JSONResponse({"error": code, "message": message, **more}, status)


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


def application(site: EmbeddedSite, token: str) -> Starlette:
    """The app; its lifespan runs the site."""

    def guarded(handler: Handler) -> Handler:
        async def check(request: Request) -> Response:
            sent = request.headers.get("authorization", "")
            if not hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
                return _error(401, "unauthorized", "Send the site's token as a bearer token.")
            return await handler(request)

        return check

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "simulated": True})

    async def wanted(request: Request) -> Response:
        raw = b""
        async for part in request.stream():
            raw += part
            if len(raw) > MAX_BODY:
                return _error(413, "too_large", f"The body may have {MAX_BODY} bytes.")
        try:
            wish = msgspec.json.decode(raw, type=StrictSpec)
        except msgspec.MsgspecError as error:
            return _error(400, "bad_request", str(error))
        if wish.site != site.layout.site:
            return _error(400, "other_site", f"This is {site.layout.site}.")
        fields = {name: getattr(wish, name) for name in SiteSpec.__struct_fields__}
        try:
            site.accept(SiteSpec(**fields))
        except OlderWish as error:
            return _error(409, error.why, str(error), have=error.have, got=error.got)
        return JSONResponse({"generation": wish.generation})

    async def report(request: Request) -> Response:
        return _json(site.report())

    async def logs(request: Request) -> Response:
        placement = request.path_params["placement"]
        try:
            since = max(0, int(request.query_params.get("since", "0")))
            limit = min(500, max(1, int(request.query_params.get("limit", "200"))))
        except ValueError:
            return _error(400, "bad_request", "since and limit are numbers.")
        if not _PLACEMENT.match(placement):
            return _error(404, "not_found", "There is no such placement.")
        return _json(site.log_of(placement).page(since, limit))

    async def metrics(request: Request) -> Response:
        return Response(_metrics(site), media_type="text/plain; version=0.0.4")

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        running = asyncio.create_task(site.run(), name="site")
        yield
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/health", health),
            Route("/v1/wanted", guarded(wanted), methods=["PUT"]),
            Route("/v1/report", guarded(report)),
            Route("/v1/placements/{placement}/logs", guarded(logs)),
            Route("/metrics", guarded(metrics)),
        ],
    )


def _metrics(site: EmbeddedSite) -> str:
    """A small exporter. Every series says that it is simulated."""
    report = site.report()
    label = f'{{site="{report.site}",simulated="true"}}'
    lines = []
    if report.power is not None:
        lines += [
            f"dure_site_it_watts{label} {report.power.it_watts}",
            f"dure_site_facility_watts{label} {report.power.facility_watts}",
            f"dure_site_inlet_celsius{label} {report.power.inlet_celsius}",
        ]
    ready = sum(one.state == "ready" for one in report.replicas)
    lines.append(f"dure_site_replicas_ready{label} {ready}")
    return "\n".join(lines) + "\n"
