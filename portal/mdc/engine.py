"""One engine as a process: ``python -m portal.mdc.engine chat|embedding PORT`` with its
settings, the credential among them, as one JSON line on standard input.

It dies with the site that started it, also when that one is killed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from typing import Any

import msgspec

from portal.mdc import weights


class Settings(msgspec.Struct, frozen=True):
    """What one engine needs to know."""

    model: str
    credential: str
    context_tokens: int
    parallel: int
    parent: int
    weights: str = ""  # path; empty: those of the package


def die_with(parent: int) -> None:
    """End when the parent ends: the kernel's signal first, a look every second besides."""
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    if os.getppid() != parent:
        os._exit(1)
    threading.Thread(target=look, daemon=True).start()


def run_chat(settings: Settings, port: int) -> None:
    """llama.cpp's own HTTP server, in this process."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings.weights or str(weights.path_of("chat"))
    params.model_alias = {settings.model}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    # llama.cpp divides the context by the number of slots.
    params.n_ctx = settings.context_tokens * settings.parallel
    params.n_parallel = settings.parallel
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.api_keys = [settings.credential]
    params.endpoint_metrics = True
    params.endpoint_slots = False  # it would show prompts
    params.verbosity = 1
    server = xllamacpp.Server(params)
    sys.stdout.write(f"llama.cpp answers on port {port}\n")
    sys.stdout.flush()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    del server
    os._exit(0)


def run_embedding(settings: Settings, port: int) -> None:
    """multilingual-e5-small behind OpenAI's /v1/embeddings."""
    import uvicorn

    from portal.mdc.embedding import application

    uvicorn.run(
        application(settings.model, settings.credential, weights.path_of("embedding")),
        host="127.0.0.1",
        port=port,
        access_log=False,
        log_level="warning",
    )


def main(arguments: list[str]) -> None:
    """Read the settings, bind our life to the parent's, run."""
    kind, port = arguments[0], int(arguments[1])
    settings = msgspec.json.decode(sys.stdin.readline(), type=Settings)
    die_with(settings.parent)
    if kind == "chat":  # run_chat waits for them itself
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    runners: dict[str, Any] = {"chat": run_chat, "embedding": run_embedding}
    runners[kind](settings, port)


if __name__ == "__main__":
    main(sys.argv[1:])
