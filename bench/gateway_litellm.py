"""LiteLLM as a stand-in for a gateway in Python with limits: ``litellm-redis``.

It runs in an environment of its own (``DURE_BENCH_LITELLM``, or ``~/.cache/dure/litellm``), never
in the project's. Keys come from a ``custom_auth`` that returns limits on requests, tokens and
money, counted in its own way in Redis; its database was left out. docs/performance.md says how to
install it.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from bench.gateway_programs import LOAD, UNDER_TEST, Place, Program, alone
from bench.servers import family
from deploy.local import valkey
from tests.gateway.world import free_port

START_SECONDS = 90.0
KEY = "sk-bench"

AUTH = """
from litellm.proxy._types import UserAPIKeyAuth


async def authenticate(request, api_key: str) -> UserAPIKeyAuth:
    return UserAPIKeyAuth(
        api_key=api_key, user_id="bench", rpm_limit=10**8, tpm_limit=10**12,
        max_parallel_requests=10**6, max_budget=1e9, spend=0.0, models=[],
    )
"""

CONFIG = """
model_list:
  - model_name: whole
    litellm_params:
      {{model: openai/whole, api_base: "http://127.0.0.1:{upstream}/v1", api_key: none}}
litellm_settings:
  cache: true
  cache_params:
    type: redis
    host: 127.0.0.1
    port: {redis}
    password: {password}
    supported_call_types: []
  telemetry: false
general_settings:
  custom_auth: bench_auth.authenticate
  disable_spend_logs: true
"""


def environment() -> Path:
    """Where it is looked for."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dure/litellm"
    return Path(os.environ.get("DURE_BENCH_LITELLM") or default)


def missing() -> str:
    """Why it cannot be measured; empty if it can."""
    if (environment() / "bin/litellm").exists():
        return ""
    return (
        "LiteLLM is not installed beside the project; see docs/performance.md "
        "(DURE_BENCH_LITELLM names its environment)"
    )


def version() -> str:
    code = "from importlib.metadata import version; print(version('litellm'))"
    command = [str(environment() / "bin/python"), "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def start(place: Place) -> Program:
    """A proxy in front of the same engine, with a server for its counters."""
    folder = place.folder / "litellm"
    folder.mkdir()
    server = valkey.Server(folder / "valkey", free_port(), secrets.token_hex(8), always=False)
    place.spawn(server.command(), LOAD)
    server.wait()
    (folder / "bench_auth.py").write_text(AUTH)
    conf = folder / "config.yaml"
    conf.write_text(
        CONFIG.format(upstream=place.upstream, redis=server.port, password=server.password)
    )
    port = free_port()
    words = ["--config", str(conf), "--host", "127.0.0.1", "--port", str(port)]
    pid = place.spawn(
        [str(environment() / "bin/litellm"), *words, "--num_workers", "1"],
        UNDER_TEST,
        PYTHONPATH=str(folder),
        LITELLM_LOG="ERROR",
        LITELLM_MASTER_KEY=f"sk-{secrets.token_hex(32)}",  # it does not start without one
        LITELLM_LOCAL_MODEL_COST_MAP="True",  # its prices are otherwise asked of a web server
    )
    _wait(port)
    for one in family(pid):
        alone(one)
    return Program("litellm", port, lambda: family(pid), KEY)


def _wait(port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            address = f"http://127.0.0.1:{port}/health/liveliness"
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if time.monotonic() > end:
                raise
            time.sleep(0.5)
