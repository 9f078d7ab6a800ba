"""A published world for a gateway: one organization, its keys, endpoints and sites; and a gateway
process of one's own, as it runs in production."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import msgspec
import openai
import redis

from portal.admission import keys
from portal.admission.calls import BudgetStanding
from portal.admission.grants import Grant, ModelGrant
from portal.admission.sync import Admission, connect
from portal.lib import ids
from portal.lib.sealing import seal
from portal.routing import credentials, table
from portal.routing.table import EndpointRoutes, SiteInfo, TableIndex, Target
from portal.usage import events
from portal.usage.events import UsageEvent

ORG_CODE = "gatewayo"
CELL = ids.cell_of(ORG_CODE)
SUBJECTS = ("org_gate", "prj_gate", "key_gate")
PRICE = 2_000_000  # two micro-won for a token in, four for a token out
LIMIT = 1_000_000_000
ENGINE_SECRET = "engine-secret"
PATIENCE = 30.0  # seconds; on a busy machine a process takes many to begin. No bound of the product


def month() -> str:
    """The budget month of this moment, in Korea."""
    return (datetime.now(UTC) + timedelta(hours=9)).strftime("%Y-%m")


def target(name: str, url: str, mood: str, **changes: Any) -> Target:
    """A healthy replica in Daegu on a pretended card; ``mood`` says how its engine behaves."""
    made = Target(
        id=f"plc_{name}",
        site="daegu-1",
        region="daegu",
        chip="rngd",
        model_digest="sha256:abc",
        url=url,
        credential="",
        engine_model=mood,
        simulated=True,
    )
    return msgspec.structs.replace(made, **changes)


class World:
    """What the portal would have published, through the portal's own client."""

    def __init__(self, valkey_url: str, seal_keys: str) -> None:
        self.valkey_url = valkey_url
        self.seal_keys = seal_keys
        self.client: redis.Redis = connect(valkey_url)
        self.admission = Admission(self.client)
        self.key = ids.mint_api_key(ORG_CODE)
        self.number = 1
        self.parts: dict[str, EndpointRoutes] = {}
        self.gateways = 1
        self.sites = tuple(SiteInfo(s, s[:-2], "healthy") for s in ("daegu-1", "gwangju-1"))
        self.models: dict[str, ModelGrant] = {}
        self.grant = Grant(
            number=1,
            organization=SUBJECTS[0],
            org_code=ORG_CODE,
            project=SUBJECTS[1],
            key=SUBJECTS[2],
            mode="live",
            models={},
            sites=("daegu-1", "gwangju-1"),
            data_class="open",
            rpm=100_000,
            concurrency=1000,
            budgets=SUBJECTS,
        )
        self.first = self.grant

    def reset(self) -> None:
        """Everything as at the beginning, for another test: only numbers go on."""
        self.client.flushdb()
        self.parts, self.models, self.gateways = {}, {}, 1
        self.grant = msgspec.structs.replace(self.first, number=self.grant.number)
        self.key = ids.mint_api_key(ORG_CODE)
        self.prepare()

    def prepare(self) -> Self:
        self.admission.load_functions()
        self.admission.open_cells(1)
        for subject in SUBJECTS:
            self.limit(subject, LIMIT)
        return self

    def close(self) -> None:
        self.client.close()

    def limit(self, subject: str, micro: int) -> None:
        self.number += 1
        self.admission.set_limit(
            ORG_CODE, subject=subject, limit_micro=micro, hard=True, number=self.number
        )

    def endpoint(self, model: str, *targets: Target, kind: Any = "chat", **changes: Any) -> None:
        """Let ``model`` be answered by these targets, and let the key use it."""
        self.number += 1
        name = f"ep_{model}"
        sealed = seal(ENGINE_SECRET, self.seal_keys)
        routes = EndpointRoutes(
            endpoint=name,
            number=self.number,
            model=model,
            kind=kind,
            context_tokens=2048,
            default_max_tokens=64,
            template_tokens=8,
            targets=tuple(msgspec.structs.replace(one, credential=sealed) for one in targets),
        )
        self.parts[name] = msgspec.structs.replace(routes, **changes)
        self.models[model] = ModelGrant(
            name, model, kind, PRICE, PRICE // 2, 2 * PRICE, "price_gate"
        )

    def change_grant(self, *, revoked: bool = False, **changes: Any) -> None:
        self.grant = msgspec.structs.replace(
            self.grant, number=self.grant.number + 1, models=self.models, **changes
        )
        sha = ids.hash_api_key(self.key)
        self.admission.publish_grants([(sha, self.grant, revoked)])

    def publish(self) -> None:
        """Grant and table, as the publisher writes them: parts first."""
        self.change_grant()
        self.number += 1
        index = TableIndex(
            number=self.number,
            published_at_ms=time.time_ns() // 1_000_000,
            parts={name: part.number for name, part in self.parts.items()},
            sites=self.sites,
            fences={f"c{cell}": (run, 1) for cell, run in enumerate(self.admission.run_ids())},
            gateways=self.gateways,
        )
        for name, part in self.parts.items():
            packed = credentials.pack(part, self.seal_keys)
            self.client.hset(keys.ROUTE_PARTS, name, table.encode(packed))
        self.client.set(keys.ROUTE_INDEX, table.encode(index))

    def standing(self, subject: str = "org_gate") -> BudgetStanding:
        found = self.admission.standing(ORG_CODE, subject=subject, month=month())
        assert found is not None
        return found

    def events(self) -> list[UsageEvent]:
        """All settled usage so far."""
        found: Any = self.client.xrange(keys.events(CELL))
        return [events.decode(fields[b"event"]) for _, fields in found]

    def settled(self, count: int, seconds: float = PATIENCE) -> list[UsageEvent]:
        """Wait for so many events, and for every hold to be zero; then nothing more comes."""
        wait_until(lambda: len(self.events()) >= count and self.held() == 0, seconds)
        found = self.events()
        assert len(found) == count, found
        return found

    def expire(self) -> None:
        """As every gateway does each second."""
        self.client.fcall("expire_3", 1, keys.tag(CELL))

    def held(self) -> int:
        return max(self.standing(subject).held for subject in SUBJECTS)


def wait_until(done: Any, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class GatewayProcess:
    """``python -m portal.gateway`` with a journal of its own."""

    def __init__(self, world: World, folder: Path, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.world = world
        self.log = folder / "gateway.log"
        self.settings = settings
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, ready: bool = True) -> Self:
        env = os.environ | {
            "VALKEY_URL": self.world.valkey_url.replace("//operator:", "//gateway:"),
            "DURE_SEAL_KEYS": self.world.seal_keys,
            "DURE_JOURNAL_DIR": str(self.folder / "journal"),
            "DURE_GATEWAY_HOST": "127.0.0.1",
            "DURE_GATEWAY_PORT": str(self.port),
            **self.settings,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "portal.gateway"], env=env, stdout=log, stderr=log
            )
        wait_until(lambda: self.get("/ready" if ready else "/health")[0] == 200)
        return self

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(40)
            self.process = None

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def get(self, path: str, key: str = "") -> tuple[int, dict[str, Any]]:
        """Status and JSON; status 0 while nobody listens."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        status, _, content = self.send("GET", path, None, headers)
        return status, json.loads(content or b"{}")

    def send(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own."""
        request = urllib.request.Request(
            self.url + path, data=content, headers=headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, _lower(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _lower(error.headers), error.read()
        except (urllib.error.URLError, ConnectionError):
            return 0, {}, b""

    def post(self, path: str, body: Any, **headers: str) -> tuple[int, dict[str, str], Any]:
        """JSON in, JSON out, with the world's key."""
        given = {
            "content-type": "application/json",
            "authorization": f"Bearer {self.world.key}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, found, answer = self.send("POST", path, content, given)
        return status, found, json.loads(answer)

    def chat(
        self, model: str, *, authorization: str = "", **more: Any
    ) -> tuple[int, dict[str, str], Any]:
        body = {"model": model, "messages": [{"role": "user", "content": "안녕?"}], **more}
        headers = {"authorization": authorization} if authorization else {}
        return self.post("/v1/chat/completions", body, **headers)

    def openai(self) -> openai.OpenAI:
        """The official client; nothing is repeated by it."""
        return openai.OpenAI(api_key=self.world.key, base_url=f"{self.url}/v1", max_retries=0)


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
