"""The few calls of the Kubernetes API that the driver makes, over HTTP.

Promises: an end to every call, and to all calls of one client together; a bound on every answer
and list; ``SiteUnavailable`` for everything that goes wrong on the way; ``Refused`` for what the
API server decided.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import httpx2
import msgspec

from portal.fleet.drivers.contract import SiteUnavailable
from portal.fleet.drivers.kubernetes.names import MANAGER, Object
from portal.lib.hangup import Hangup
from portal.lib.trust import trusted

TIMEOUT = httpx2.Timeout(5.0, connect=2.0)
MAX_ANSWER = 16 * 1_048_576
PAGE = 250
MAX_OBJECTS = 20_000
NOTHING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody: not even loaded for http
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
# Kind → (API group and version, plural, whether it lies in a namespace).
KINDS: dict[str, tuple[str, str, bool]] = {
    "Namespace": ("api/v1", "namespaces", False),
    "Node": ("api/v1", "nodes", False),
    "ConfigMap": ("api/v1", "configmaps", True),
    "Pod": ("api/v1", "pods", True),
    "Secret": ("api/v1", "secrets", True),
    "Service": ("api/v1", "services", True),
    "ResourceQuota": ("api/v1", "resourcequotas", True),
    "Deployment": ("apis/apps/v1", "deployments", True),
    "NetworkPolicy": ("apis/networking.k8s.io/v1", "networkpolicies", True),
    "PodDisruptionBudget": ("apis/policy/v1", "poddisruptionbudgets", True),
    "RoleBinding": ("apis/rbac.authorization.k8s.io/v1", "rolebindings", True),
}


class Access(msgspec.Struct, frozen=True):
    """What is sealed with a site: the bearer token, and the cluster's own authority (PEM)."""

    token: str
    ca: str = ""


TOO_SLOW = "The cluster is too slow."


class Refused(Exception):
    """The API server understood and said no. ``reason`` is Kubernetes' own word for it."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


def access_of(text: str) -> Access:
    """A bare token, or JSON with ``token`` and ``ca``."""
    if not text.lstrip().startswith("{"):
        return Access(text.strip())
    try:
        return msgspec.json.decode(text, type=Access)
    except msgspec.MsgspecError as error:
        raise SiteUnavailable("The sealed credential of the site cannot be read.") from error


def path_of(kind: str, namespace: str | None = None, name: str | None = None) -> str:
    """The path of one object, or of a list: in one namespace, or in all."""
    version, plural, inside = KINDS[kind]
    middle = f"/namespaces/{quote(namespace, safe='')}" if inside and namespace else ""
    return f"/{version}{middle}/{plural}" + (f"/{quote(name, safe='')}" if name else "")


class Client:
    """A connection to one API server; a context manager. Ends after ``seconds``, whatever it is
    at: an answer that dribbles in for ever meets no timeout of its own."""

    def __init__(self, url: str, access: Access, *, seconds: float) -> None:
        self.end = time.monotonic() + seconds
        self._hangup = Hangup(seconds)
        place = urlsplit(url)
        if place.scheme != "https" and place.hostname not in LOOPBACK:
            raise SiteUnavailable("A cluster is reached over https only.")
        self._http = httpx2.Client(
            base_url=url.rstrip("/"),
            timeout=TIMEOUT,
            headers={"Authorization": f"Bearer {access.token}", "Accept": "application/json"},
            verify=_trust(access.ca) if place.scheme == "https" else NOTHING,
            trust_env=False,  # a proxy of this machine has no business with a cluster's token
        )

    def __enter__(self) -> Self:
        self._hangup.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hangup.__exit__()
        self._http.close()

    @contextlib.contextmanager
    def stream(
        self, path: str, *, seconds: float = float("inf"), **options: Any
    ) -> Iterator[Iterator[bytes]]:
        """The bytes of a log or a watch, as they come, for at most ``seconds``. ``Refused`` or
        ``SiteUnavailable``."""
        end = min(self.end, time.monotonic() + seconds)
        try:
            with self._http.stream("GET", path, extensions=self._traced, **options) as answer:
                if answer.status_code != 200:
                    raise _refusal(answer.status_code, _bounded(_parts(answer, end)))
                yield _parts(answer, end)
        except httpx2.HTTPError as error:
            raise self._unavailable(error) from error

    def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        if time.monotonic() > self.end:
            raise SiteUnavailable(TOO_SLOW)
        try:
            with self._http.stream(method, path, extensions=self._traced, **options) as answer:
                raw = _bounded(_parts(answer, self.end))
        except httpx2.HTTPError as error:
            raise self._unavailable(error) from error
        if answer.status_code >= 300:
            raise _refusal(answer.status_code, raw)
        return _object(raw)

    @property
    def _traced(self) -> dict[str, Any]:
        return {"trace": self._hangup.trace}

    def _unavailable(self, error: httpx2.HTTPError) -> SiteUnavailable:
        done = self._hangup.done
        return SiteUnavailable(TOO_SLOW if done else f"{type(error).__name__}: {error}")

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """One object, or ``None``."""
        try:
            return self._ask("GET", path_of(kind, namespace, name))
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def every(self, kind: str, namespace: str | None = None, selector: str = "") -> list[Object]:
        """All objects that ``selector`` takes, page by page; from the start again if the cluster
        has forgotten where we were."""
        return self.listed(kind, namespace, selector)[0]

    def listed(
        self, kind: str, namespace: str | None = None, selector: str = ""
    ) -> tuple[list[Object], str]:
        """As ``every``, with the resource version from which a watch may go on."""
        for _ in range(3):
            try:
                return self._pages(kind, namespace, selector)
            except Refused as error:
                if error.status != 410:
                    raise
        raise SiteUnavailable("The cluster forgets its lists faster than they can be read.")

    def _pages(self, kind: str, namespace: str | None, selector: str) -> tuple[list[Object], str]:
        found: list[Object] = []
        params = {"limit": str(PAGE)} | ({"labelSelector": selector} if selector else {})
        while True:
            page = self._ask("GET", path_of(kind, namespace), params=params)
            items, where = page.get("items") or [], page.get("metadata") or {}
            if not isinstance(items, list) or not isinstance(where, dict):
                raise SiteUnavailable("The cluster's list makes no sense.")
            found += [{"kind": kind, **one} for one in items if isinstance(one, dict)]
            if len(found) > MAX_OBJECTS:
                raise SiteUnavailable(f"The cluster lists more than {MAX_OBJECTS} objects of ours.")
            if not where.get("continue"):
                return found, str(where.get("resourceVersion", ""))
            params["continue"] = str(where["continue"])

    def apply(self, manifest: Object, *, force: bool) -> dict[str, Any]:
        """Server-side apply; unknown fields are an error, not a warning."""
        path = path_of(
            manifest["kind"], manifest["metadata"].get("namespace"), manifest["metadata"]["name"]
        )
        return self._ask(
            "PATCH",
            path,
            params={
                "fieldManager": MANAGER,
                "fieldValidation": "Strict",
                "force": str(force).lower(),
            },
            headers={"Content-Type": "application/apply-patch+yaml"},
            content=json.dumps(manifest).encode(),  # JSON is YAML
        )

    def save(self, thing: Object) -> dict[str, Any]:
        """Write a whole object: made if it has no resource version, else only if unchanged."""
        kind, where = thing["kind"], thing["metadata"]
        new = "resourceVersion" not in where
        return self._ask(
            "POST" if new else "PUT",
            path_of(kind, where["namespace"], None if new else where["name"]),
            params={"fieldManager": MANAGER, "fieldValidation": "Strict"},
            json=thing,
        )

    def delete(self, thing: Object) -> None:
        """Delete exactly this object and, in the background, what it owns. Gone is well."""
        where = thing["metadata"]
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": where["uid"]},
        }
        path = path_of(thing["kind"], where.get("namespace"), where["name"])
        try:
            self._ask("DELETE", path, json=options)
        except Refused as error:
            if error.status not in {404, 409}:  # 409: another object has this name by now
                raise


def _trust(ca: str) -> ssl.SSLContext:
    if not ca:
        return trusted()
    try:
        return ssl.create_default_context(cadata=ca)
    except ssl.SSLError as error:
        raise SiteUnavailable("The site's authority (ca) is no PEM certificate.") from error


def _parts(answer: httpx2.Response, end: float) -> Iterator[bytes]:
    for part in answer.iter_bytes():
        yield part
        if time.monotonic() > end:
            raise SiteUnavailable("The cluster's answer does not end.")


def _bounded(parts: Iterator[bytes]) -> bytes:
    raw = bytearray()
    for part in parts:
        raw += part
        if len(raw) > MAX_ANSWER:
            raise SiteUnavailable("The cluster's answer is too large.")
    return bytes(raw)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(raw)
    except msgspec.MsgspecError as error:
        raise SiteUnavailable(f"The cluster's answer makes no sense: {error}") from error
    if not isinstance(found, dict):
        raise SiteUnavailable("The cluster's answer is not an object.")
    return found


def _refusal(status: int, raw: bytes) -> Exception:
    """What the API server's ``Status`` says. Trouble of its own is not a decision."""
    try:
        said = _object(raw)
    except SiteUnavailable:
        said = {}
    message = str(said.get("message", ""))[:300] or f"HTTP {status}"
    if status in {401, 429} or status >= 500 or 300 <= status < 400:
        return SiteUnavailable(f"The cluster answered {status}: {message}")
    return Refused(status, str(said.get("reason", "")), message)
