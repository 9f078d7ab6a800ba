"""The HTTP face: paths, verbs, paging, watches, and faults on purpose."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, NamedTuple, Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fakes.kubernetes import schemas
from tests.fakes.kubernetes.life import Life, check_quota
from tests.fakes.kubernetes.rights import Rights, shipped
from tests.fakes.kubernetes.store import Json, Status, Store

TOKEN = "k" * 40
# API path → (group, plural → kind)
GROUPS: dict[str, tuple[str, dict[str, str]]] = {
    "api/v1": (
        "",
        {
            "namespaces": "Namespace",
            "nodes": "Node",
            "pods": "Pod",
            "secrets": "Secret",
            "services": "Service",
            "configmaps": "ConfigMap",
            "resourcequotas": "ResourceQuota",
        },
    ),
    "apis/apps/v1": ("apps", {"deployments": "Deployment"}),
    "apis/networking.k8s.io/v1": ("networking.k8s.io", {"networkpolicies": "NetworkPolicy"}),
    "apis/policy/v1": ("policy", {"poddisruptionbudgets": "PodDisruptionBudget"}),
    "apis/rbac.authorization.k8s.io/v1": (
        "rbac.authorization.k8s.io",
        {"rolebindings": "RoleBinding"},
    ),
}


class Asked(NamedTuple):
    """One request, understood."""

    verb: str
    group: str
    plural: str
    kind: str
    namespace: str
    name: str
    sub: str
    query: dict[str, str]


class Cluster:
    """A running fake. ``faults``: statuses that the next requests are answered with."""

    def __init__(self, cards: int = 2, site: str = "daegu-1") -> None:
        self.store = Store()
        self.life = Life(self.store)
        self.rights = Rights(self.store)
        self.lock = threading.RLock()
        self.paused = False
        self.faults: list[int] = []
        self.raw: list[bytes] = []  # answers in place of what would be right
        self.before: list[Any] = []  # called before the next requests are served
        self.page = 500  # most objects of one page
        self.gone: list[str] = []  # "continue", "watch", "event": 410 at the next of these
        self.asked: list[Asked] = []
        self.bodies: list[Json] = []
        settings = next(one for one in shipped() if one["metadata"]["name"] == "dure-site-token")
        space = settings["metadata"]["namespace"]
        self.store.create(_object("Namespace", "", space))
        data = {"site": site, "reach": "node_port", "gateways": "10.20.0.0/24"}
        self.store.create(_object("ConfigMap", space, "dure-site", data=data))
        self.add_node("node-1", cards)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add_node(self, name: str, cards: int, product: str = "rngd", **changes: Any) -> Json:
        resource = changes.pop("resource", "furiosa.ai/rngd")
        label = changes.pop("label", "furiosa.ai/npu.product")
        amount = {resource: str(cards)}
        node = _object("Node", "", name)
        node["metadata"]["labels"] = {label: product, "dure.kr/simulated": "true"}
        node["spec"] = {}
        node["status"] = {
            "capacity": dict(amount),
            "allocatable": dict(amount),
            "conditions": [{"type": "Ready", "status": "True"}],
        } | changes
        return self.store.create(node)

    def tick(self, times: int = 1) -> None:
        with self.lock:
            for _ in range(times):
                self.life.step()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version: ClassVar[str] = "HTTP/1.1"

            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                with cluster.lock:
                    status, kind, raw = cluster.serve(
                        self.command, self.path, dict(self.headers), body
                    )
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        return Handler

    def serve(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, str, bytes]:
        """One request, whole. Every one is a step of the cluster's life."""
        if not self.paused:
            self.life.step()
        if self.before:
            self.before.pop(0)()
        try:
            self._meet(headers)
            if self.raw:
                return 200, "application/json", self.raw.pop(0)
            asked = _understood(method, path)
            self.asked.append(asked)
            found = self._do(asked, headers, body)
        except Status as error:
            return error.code, "application/json", json.dumps(error.body).encode()
        if isinstance(found, bytes):
            return 200, "text/plain", found
        return 200, "application/json", json.dumps(found).encode()

    def _meet(self, headers: dict[str, str]) -> None:
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Status(401, "Unauthorized", "Unauthorized")
        if self.faults:
            code = self.faults.pop(0)
            raise Status(code, "InternalError", f"fault {code}")

    def _do(self, asked: Asked, headers: dict[str, str], body: bytes) -> Json | bytes:
        resource = f"{asked.plural}/{asked.sub}" if asked.sub else asked.plural
        where = (asked.group, resource, asked.namespace, asked.name)
        self.rights.check(asked.verb, *where)
        if asked.verb in {"list", "watch"}:
            return self._watch(asked) if asked.verb == "watch" else self._list(asked)
        if asked.sub == "log":
            return self._log(asked)
        if asked.verb == "get":
            return self.store.get(asked.kind, asked.namespace, asked.name)
        thing = json.loads(body)
        if asked.verb == "delete":
            uid = thing.get("preconditions", {}).get("uid")
            self.rights.admit(
                _object(asked.kind, asked.namespace, asked.name, roleRef={"name": ""})
            )
            return self.store.delete((asked.kind, asked.namespace, asked.name), uid)
        return self._write(asked, headers, thing)

    def _write(self, asked: Asked, headers: dict[str, str], thing: Json) -> Json:
        if not asked.query.get("fieldManager"):
            raise Status(400, "BadRequest", "PatchOptions: fieldManager: Required value")
        faults = schemas.faults(thing)
        if faults and asked.query.get("fieldValidation") == "Strict":
            raise Status(400, "BadRequest", f"strict decoding error: {faults[0]}")
        key = (thing["kind"], thing["metadata"].get("namespace", ""), thing["metadata"]["name"])
        if key[:2] != (asked.kind, asked.namespace) or (asked.name and key[2] != asked.name):
            raise Status(400, "BadRequest", "the object does not match the path")
        self.rights.admit(thing)
        self.bodies.append(thing)
        if asked.verb == "create":
            check_quota(self.store, thing)
            return self.store.create(thing)
        if asked.verb == "update":
            return self.store.replace(thing)
        if headers.get("Content-Type") != "application/apply-patch+yaml":
            raise Status(415, "UnsupportedMediaType", "this fake takes server-side apply only")
        return self._apply(asked, thing, key)

    def _apply(self, asked: Asked, thing: Json, key: tuple[str, str, str]) -> Json:
        live = self.store.objects.get(key)
        if live is None:
            self.rights.check("create", asked.group, asked.plural, asked.namespace, asked.name)
            check_quota(self.store, thing)
        elif (
            thing["kind"] == "Deployment" and live["spec"]["selector"] != thing["spec"]["selector"]
        ):
            raise Status(422, "Invalid", "spec.selector: field is immutable")
        force = asked.query.get("force") == "true"
        made = self.store.apply(thing, asked.query["fieldManager"], force=force)
        _fill_in(made, self.store)
        return made

    def _selected(self, asked: Asked, found: list[Json]) -> list[Json]:
        parts = [part for part in asked.query.get("labelSelector", "").split(",") if part]
        for part in parts:
            name, _, value = part.partition("=")
            found = [
                one
                for one in found
                if name in one["metadata"].get("labels", {})
                and (not value or one["metadata"]["labels"][name] == value)
            ]
        return found

    def _list(self, asked: Asked) -> Json:
        found = self._selected(asked, self.store.of(asked.kind, asked.namespace))
        begin = 0
        if "continue" in asked.query:
            if self._once("continue"):
                raise Status(410, "Expired", "The provided continue parameter is too old.")
            begin = int(asked.query["continue"])
        end = begin + min(self.page, int(asked.query.get("limit", "500")))
        where = {"resourceVersion": str(self.store.version)}
        if end < len(found):
            where["continue"] = str(end)
        return {"kind": f"{asked.kind}List", "metadata": where, "items": found[begin:end]}

    def _once(self, what: str) -> bool:
        if what not in self.gone:
            return False
        self.gone.remove(what)
        return True

    def _watch(self, asked: Asked) -> bytes:
        """What happened since, then the watch ends, as it does after ``timeoutSeconds``."""
        since = int(asked.query.get("resourceVersion") or 0)
        if self._once("watch"):
            raise Status(410, "Expired", "too old resource version")
        if self._once("event") or (self.store.history and since < self.store.history[0][0] - 1):
            told = Status(410, "Expired", "too old resource version").body
            return json.dumps({"type": "ERROR", "object": told}).encode() + b"\n"
        lines = [
            {"type": event, "object": thing}
            for version, event, thing in self.store.history
            if version > since and thing["kind"] == asked.kind and self._selected(asked, [thing])
        ]
        mark = {"kind": asked.kind, "metadata": {"resourceVersion": str(self.store.version)}}
        if asked.query.get("allowWatchBookmarks") == "true":
            lines.append({"type": "BOOKMARK", "object": mark})
        return b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    def _log(self, asked: Asked) -> bytes:
        pod = self.store.get("Pod", asked.namespace, asked.name)
        which = f"{pod['metadata']['uid']}/{asked.query['container']}"
        lives = self.life.logs.get(which, [])
        before = asked.query.get("previous") == "true"
        if len(lives) < (2 if before else 1):
            raise Status(400, "BadRequest", "container is waiting to start or had no life before")
        return "".join(line + "\n" for line in lives[-2 if before else -1]).encode()


def _object(kind: str, namespace: str, name: str, **more: Any) -> Json:
    where = {"name": name, "labels": {}} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "v1", "kind": kind, "metadata": where, **more}


def _understood(method: str, path: str) -> Asked:
    """404 for a path that no API server has."""
    parts = urlsplit(path)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    words = [unquote(word) for word in parts.path.strip("/").split("/")]
    depth = 2 if words[0] == "api" else 3
    group = GROUPS.get("/".join(words[:depth]))
    rest, namespace = words[depth:], ""
    if len(rest) > 2 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    if group is None or not rest or rest[0] not in group[1]:
        raise Status(404, "NotFound", "the server could not find the requested resource")
    name, sub = (*rest[1:], "", "")[:2]
    many = {"GET": "watch" if query.get("watch") == "true" else "list", "POST": "create"}
    one = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
    verb = (one if name else many).get(method)
    if verb is None:
        raise Status(405, "MethodNotAllowed", method)
    return Asked(verb, group[0], rest[0], group[1][rest[0]], namespace, name, sub, query)


def _fill_in(thing: Json, store: Store) -> None:
    """What an API server adds by itself."""
    if thing["kind"] == "Deployment":
        pod = thing["spec"]["template"]["spec"]
        for container in [*pod.get("initContainers", ()), *pod["containers"]]:
            container.setdefault("terminationMessagePolicy", "File")
    if thing["kind"] == "Service" and thing["spec"]["type"] == "NodePort":
        taken = {one["spec"]["ports"][0].get("nodePort") for one in store.of("Service")}
        free = next(port for port in range(30_000, 32_768) if port not in taken)
        thing["spec"]["ports"][0].setdefault("nodePort", free)
