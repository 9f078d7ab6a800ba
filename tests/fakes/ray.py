"""A Ray cluster's REST API (2.60) and its Serve proxy, as far as a site's driver uses them.

Stricter than Ray: a field that its schemas do not know is refused, and so is a call that nobody
described. Applications come up and end by themselves after ``PAUSE`` seconds; cards are given
out first come, first served. The agent's answers are the product's own ``Book``.

``mood`` makes it misbehave: ``garbage``, ``odd`` (our applications do not look like ours),
``huge``, ``dribbles`` (an answer that never ends, byte by byte), ``broken`` (500), ``forgetful``
(a list is answered with 200 and not kept), ``raced`` (somebody else writes right after us),
``silent`` (the agent does not answer).
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from portal.fleet.serving.book import Book, Note

PAUSE = 0.05
NODE = "c6" * 28
DRIBBLES = object()
APPLICATIONS = "/api/serve/applications/"
TOP = {"proxy_location", "http_options", "applications"}
HTTP = {
    *("host", "port", "root_path", "request_timeout_s", "keep_alive_timeout_s"),
    *("ssl_keyfile", "ssl_certfile", "ssl_keyfile_password", "ssl_ca_certs"),
}
APPLICATION = {"name", "route_prefix", "import_path", "args", "deployments", "runtime_env"}
DEPLOYMENT = {
    *("name", "num_replicas", "user_config", "max_ongoing_requests", "max_queued_requests"),
    *("health_check_period_s", "health_check_timeout_s", "graceful_shutdown_wait_loop_s"),
    *("graceful_shutdown_timeout_s", "max_surge_percent", "ray_actor_options"),
    "autoscaling_config",
}
ACTOR = {"num_cpus", "resources", "label_selector"}
NAMES = {"portal.fleet.serving.app:site": "site", "portal.fleet.serving.app:engine": "engine"}


class Invalid(Exception):
    """What Ray's schemas refuse."""


@dataclass
class App:
    """One application; ``replica`` is empty as long as it waits for cards."""

    config: dict[str, Any]
    since: float
    deleting: bool = False
    replica: str = ""
    cards: tuple[int, ...] = ()

    @property
    def deployment(self) -> dict[str, Any]:
        found: dict[str, Any] = self.config["deployments"][0]
        return found


@dataclass
class Cluster:
    """What the API answers about."""

    token: str
    cards: int = 2
    mood: str = ""
    started: bool = False
    apps: dict[str, App] = field(default_factory=dict)
    book: Book = field(default_factory=Book)
    calls: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    port: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)
    number: int = 0

    def put(self, config: dict[str, Any]) -> None:
        check(config)
        with self.lock:
            self.started = True
            if self.mood == "forgetful":
                return
            wanted = {one["name"]: one for one in config["applications"]}
            self.book.want(wanted)
            now = time.monotonic()
            for name, app in self.apps.items():
                if name not in wanted and not app.deleting:
                    app.deleting, app.since = True, now
            for name, one in wanted.items():
                self._want(name, one, now)
            if self.mood == "raced":
                register = self.apps["dure-site"].deployment["user_config"]
                register["generation"] += 5
        self.step()

    def _want(self, name: str, config: dict[str, Any], now: float) -> None:
        app = self.apps.get(name)
        same = app is not None and not app.deleting
        if app is not None and same and app.config.get("args") == config.get("args"):
            app.config = config  # other options change in place
            return
        self.apps[name] = App(config, now)

    def step(self) -> None:
        """What Serve's control loop does."""
        with self.lock:
            now = time.monotonic()
            for name, app in list(self.apps.items()):
                if app.deleting and now - app.since > PAUSE:
                    del self.apps[name]
            for name, app in self.apps.items():
                if not app.replica and not app.deleting:
                    self._place(name, app)
            self._tell()

    def _place(self, name: str, app: App) -> None:
        options = app.deployment.get("ray_actor_options", {})
        wanted = options.get("resources", {}).get("FURIOSA", 0)
        if wanted and options.get("label_selector") != {"dure.kr/chip": "rngd"}:
            return
        used = {card for other in self.apps.values() for card in other.cards}
        free = [card for card in range(self.cards) if card not in used]
        if len(free) >= wanted:
            self.number += 1
            app.cards, app.replica = tuple(free[:wanted]), f"replica{self.number}"

    def running(self, app: App) -> bool:
        return bool(app.replica) and time.monotonic() - app.since > PAUSE

    def _tell(self) -> None:
        for name, app in self.apps.items():
            if app.deployment["name"] != "engine" or not app.replica or app.deleting:
                continue
            known = app.replica in self.book.notes
            ready = self.running(app)
            arguments = app.config["args"]
            note = Note(
                placement=name,
                epoch=arguments["epoch"],
                replica=app.replica,
                node=NODE,
                state="ready" if ready else "starting",
                devices=app.cards,
                model_digest=arguments["model_digest"] or "sha256:fake",
                lines=() if known else ((1, "starting"), (2, "The server answers.")),
            )
            self.book.take(note, now=time.monotonic())

    def shown(self) -> dict[str, Any]:
        """``GET /api/serve/applications/``."""
        with self.lock:
            self.step()
            if not self.started:
                return {"controller_info": {}, "proxies": {}, "applications": {}}
            return {
                "controller_info": {"node_id": NODE},
                "proxy_location": "EveryNode",
                "http_options": {"host": "0.0.0.0", "port": self.port, "ssl_certfile": None},
                "proxies": {NODE: {"node_id": NODE, "node_ip": "127.0.0.1", "status": "HEALTHY"}},
                "applications": {name: self._shown(name, app) for name, app in self.apps.items()},
                "target_capacity": None,
            }

    def _shown(self, name: str, app: App) -> dict[str, Any]:
        running = self.running(app)
        state = "STOPPING" if app.deleting else "RUNNING" if running else "STARTING"
        replica = {
            "node_id": NODE if app.replica else None,
            "node_ip": "127.0.0.1" if app.replica else None,
            "replica_id": app.replica or "waiting",
            "state": state,
            "start_time_s": time.time(),
        }
        status = "DELETING" if app.deleting else "RUNNING" if running else "DEPLOYING"
        return {
            "name": name,
            "route_prefix": app.config["route_prefix"] if running else None,
            "status": status,
            "message": "",
            "last_deployed_time_s": time.time(),
            "deployed_app_config": None if app.deleting else app.config,
            "source": "declarative",
            "deployments": {
                app.deployment["name"]: {
                    "name": app.deployment["name"],
                    "status": "HEALTHY" if running else "UPDATING",
                    "message": "",
                    "replicas": [replica],
                }
            },
        }

    def nodes(self) -> dict[str, Any]:
        living = {
            "node_id": NODE,
            "node_ip": "127.0.0.1",
            "state": "ALIVE",
            "resources_total": {"CPU": 2.0, "FURIOSA": float(self.cards)},
            "labels": {"dure.kr/chip": "rngd", "dure.kr/simulated": "true"},
        }
        dead = living | {"node_id": "d" * 56, "state": "DEAD", "resources_total": {}}
        return {
            "result": True,
            "msg": "",
            "data": {"result": {"total": 2, "result": [living, dead]}},
        }

    def agent(self, path: str, query: dict[str, list[str]], token: str) -> dict[str, Any] | None:
        """What the site's application answers through the proxy. ``None``: 401."""
        with self.lock:
            register = self.apps["dure-site"].deployment["user_config"]
            if hashlib.sha256(token.encode()).hexdigest() != register["token_sha256"]:
                return None
            if path == "/dure-site/report":
                return self.book.report(now=time.monotonic())
            return self.book.page(path.rsplit("/", 1)[1], int(query["since"][0]))


def check(config: dict[str, Any]) -> None:
    """As ``ServeDeploySchema``, and nothing that it does not know."""
    _only(config, TOP)
    _only(config["http_options"], HTTP)
    names = [one["name"] for one in config["applications"]]
    routes = [one["route_prefix"] for one in config["applications"]]
    if len(set(names)) < len(names) or len(set(routes)) < len(routes):
        raise Invalid("Found multiple configs for an application or a route.")
    for one in config["applications"]:
        _only(one, APPLICATION)
        if not one["route_prefix"].startswith("/") or one["import_path"].count(":") != 1:
            raise Invalid("route_prefix or import_path")
        for deployment in one.get("deployments", ()):
            _check_deployment(deployment, NAMES.get(one["import_path"]))


def _check_deployment(deployment: dict[str, Any], name: str | None) -> None:
    _only(deployment, DEPLOYMENT)
    if name is not None and deployment["name"] != name:
        raise Invalid(f"Deployment {deployment['name']!r} does not exist in the application.")
    if "num_replicas" in deployment and "autoscaling_config" in deployment:
        raise Invalid("Manually setting num_replicas is not allowed with autoscaling_config.")
    options = deployment.get("ray_actor_options", {})
    _only(options, ACTOR)
    if any(int(count) != count for count in options.get("resources", {}).values()):
        raise Invalid("Accelerators come whole.")
    if not 0 <= deployment.get("max_surge_percent", 0) <= 100:
        raise Invalid("max_surge_percent")
    if deployment.get("max_ongoing_requests", 1) < 1:
        raise Invalid("max_ongoing_requests")


def _only(given: dict[str, Any], known: set[str]) -> None:
    if unknown := set(given) - known:
        raise Invalid(f"unknown fields {sorted(unknown)}")


class RaySite:
    """Its API and its proxy, each on a port of its own, in threads."""

    def __init__(self, token: str) -> None:
        self.cluster = Cluster(token)
        self.api = ThreadingHTTPServer(("127.0.0.1", 0), self._doors(self._api))
        self.proxy = ThreadingHTTPServer(("127.0.0.1", 0), self._doors(self._proxy))
        self.cluster.port = self.proxy.server_port
        for server in (self.api, self.proxy):
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.api.server_port}"

    def begin_anew(self) -> None:
        """Another cluster at the same addresses."""
        self.cluster = Cluster(self.cluster.token, port=self.cluster.port)

    def stop(self) -> None:
        for server in (self.api, self.proxy):
            server.shutdown()
            server.server_close()

    def _api(self, method: str, target: str, token: str, body: bytes) -> tuple[int, Any]:
        cluster = self.cluster
        parts = urlsplit(target)
        cluster.calls.append(f"{method} {parts.path}")
        if not token:
            return 401, "Unauthorized: Missing authentication token"
        if token != cluster.token:
            return 403, "Forbidden: Invalid authentication token"
        if cluster.mood == "broken":
            return 500, "Internal Server Error"
        if cluster.mood == "garbage":
            return 200, {"applications": {"plc_1": 7}}
        if cluster.mood == "odd":
            config = {"import_path": "portal.fleet.serving.app:site", "deployments": []}
            config["deployments"] = [{"name": "site", "user_config": {"generation": "many"}}]
            app = {"name": "dure-site", "status": "RUNNING", "deployed_app_config": config}
            return 200, cluster.nodes() | {"applications": {"dure-site": app}}
        if cluster.mood == "huge":
            found = cluster.nodes() if parts.path == "/api/v0/nodes" else cluster.shown()
            return 200, json.dumps(found) + " " * 200_000
        if cluster.mood == "dribbles":
            return 200, DRIBBLES
        if (method, parts.path) == ("GET", "/api/v0/nodes"):
            return 200, cluster.nodes()
        if parts.path != APPLICATIONS:
            return 404, "404: Not Found"
        if method == "GET":
            return 200, cluster.shown()
        try:
            cluster.bodies.append(body)
            cluster.put(json.loads(body))
        except Invalid as error:
            return 400, f"ValidationError({error})"
        return 200, ""

    def _proxy(self, method: str, target: str, token: str, _body: bytes) -> tuple[int, Any]:
        parts = urlsplit(target)
        if self.cluster.mood == "silent" or not self.cluster.running(
            self.cluster.apps["dure-site"]
        ):
            return 503, "Service unavailable"
        if method != "GET" or not parts.path.startswith("/dure-site/"):
            return 404, "Path not found"
        found = self.cluster.agent(parts.path, parse_qs(parts.query), token)
        return (401, {}) if found is None else (200, found)

    @staticmethod
    def _doors(answer: Any) -> type[BaseHTTPRequestHandler]:
        class Doors(BaseHTTPRequestHandler):
            def _do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                status, found = answer(self.command, self.path, token, body)
                if found is DRIBBLES:
                    self._dribble()
                    return
                raw = (found if isinstance(found, str) else json.dumps(found)).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def _dribble(self) -> None:
                self.send_response(200)
                self.end_headers()
                try:
                    while True:
                        self.wfile.write(b" ")
                        time.sleep(0.05)
                except OSError:
                    return

            do_GET = do_PUT = do_POST = do_DELETE = _do

            def log_message(self, *_: object) -> None:
                pass

        return Doors
