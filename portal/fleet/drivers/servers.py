"""Command lines of the vendors' servers: what a placement becomes on a machine. Pure.

The one place that knows their flags. Each server is OpenAI-compatible, answers ``GET /health``
with 200 only when it can serve, and asks for a bearer credential on ``/v1``. A credential never
stands in ``argv`` here: it goes into the environment where the server reads it there, else
``credential_at`` says where the runner must put it.

Sources: ``furiosa_llm/cli/serve.py`` 2026.4.0; ``vllm serve`` 0.30 with ``vllm_rbln/config.py``
0.12.0; llama.cpp's ``llama-server``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from portal.fleet.drivers.contract import PlacementSpec
from portal.fleet.drivers.hardware import CHIPS, devices_of

PORT: Final = 8000
MAX_TEXT: Final = 512
QUIET = {"DO_NOT_TRACK": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "PYTHONUNBUFFERED": "1"}


class CannotServe(ValueError):
    """No server can run this placement as it stands; the sentence says what to change."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """How to start one server, and where it then answers.

    ``argv[credential_at]`` is empty until the credential is put there; ``None``: the server reads
    it from the variable ``credential_env``.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    credential_at: int | None = None
    credential_env: str = ""
    port: int
    health: str = "/health"
    metrics: str = "/metrics"
    startup_seconds: int  # longest time that loading may take; longer is a failure

    def with_credential(self, credential: str) -> tuple[list[str], dict[str, str]]:
        """``argv`` and environment as a process is started with them. For whoever starts one."""
        argv, env = list(self.argv), dict(self.env)
        if self.credential_at is None:
            env[self.credential_env] = credential
        else:
            argv[self.credential_at] = credential
        return argv, env


def server_of(sdk: str) -> str:
    """Which server an SDK brings: its name without the release. ``CannotServe`` if none."""
    name = sdk.partition(" ")[0]
    if name not in SERVERS:
        known = ", ".join(sorted(SERVERS))
        raise CannotServe(f"No server is known for SDK {sdk!r}; known: {known}.")
    return name


def command(spec: PlacementSpec, *, host: str = "0.0.0.0", port: int = PORT) -> Command:  # noqa: S104
    """How to start the server of this placement. ``CannotServe`` if it would not run."""
    _check(spec)
    return SERVERS[server_of(spec.sdk)](spec, host, port)


def _check(spec: PlacementSpec) -> None:
    """Texts come from catalogues and customers: none may become a flag or a second argument."""
    given = spec.settings
    texts = {
        "artifact": spec.artifact,
        "model": spec.model,
        "revision": spec.revision,
        "bundle": given.bundle,
        "tool_parser": given.tool_parser,
        "reasoning_parser": given.reasoning_parser,
        "chat_template": given.chat_template,
    }
    for name, text in texts.items():
        odd = any(unicodedata.category(sign).startswith("C") for sign in text)
        if text.startswith("-") or odd or len(text) > MAX_TEXT:
            raise CannotServe(f"The offering's {name} is not a name or a path.")
    if not spec.artifact or not spec.model:
        raise CannotServe("The offering does not say what to load: it needs an artifact.")
    numbers = (spec.context_tokens, spec.parallel)
    if min(numbers) < 1 or max(numbers) > 10_000_000 or spec.cards < 0:
        raise CannotServe("Context, parallel requests and cards must be positive.")


def _pairs(*pairs: tuple[str, object]) -> list[str]:
    """``--flag value`` for each value that was given (not 0, not empty)."""
    return [word for flag, value in pairs if value for word in (flag, str(value))]


def _switch(flag: str, wanted: bool | None) -> list[str]:
    """``--flag``, ``--no-flag``, or nothing where the server shall decide."""
    return [] if wanted is None else [f"--{'' if wanted else 'no-'}{flag}"]


def _shared(spec: PlacementSpec, host: str, port: int) -> list[str]:
    """Flags that furiosa-llm and vLLM spell alike. No payload or access log: prompts stay out."""
    given = spec.settings
    tools = ["--enable-auto-tool-choice"] if given.tool_parser else []
    return [
        *_pairs(("--served-model-name", spec.model), ("--revision", spec.revision)),
        *_pairs(("--host", host), ("--port", port), ("--max-model-len", spec.context_tokens)),
        *tools,
        *_pairs(("--tool-call-parser", given.tool_parser)),
        *_pairs(("--reasoning-parser", given.reasoning_parser)),
        *_pairs(("--chat-template", given.chat_template)),
        *_pairs(("--max-num-batched-tokens", given.batched_tokens)),
        *_switch("enable-prefix-caching", given.prefix_caching),
        "--disable-uvicorn-access-log",
    ]


def _furiosa(spec: PlacementSpec, host: str, port: int) -> Command:
    """``furiosa-llm serve``. Its tensor parallelism is fixed when the bundle is compiled."""
    given = spec.settings
    if given.tensor_parallel > 1:
        raise CannotServe("furiosa-llm has no tensor-parallel flag: the bundle fixes it.")
    argv = [
        *("furiosa-llm", "serve", spec.artifact, *_shared(spec, host, port)),
        *_pairs(("--pipeline-parallel-size", given.pipeline_parallel)),
        *_pairs(("--data-parallel-size", given.data_parallel)),
        *_pairs(("--max-concurrency", spec.parallel), ("--fxb", given.bundle)),
        *("--api-key", ""),
    ]
    return Command(
        argv=tuple(argv), env=QUIET, credential_at=len(argv) - 1, port=port, startup_seconds=1800
    )


def _rbln(spec: PlacementSpec, host: str, port: int) -> Command:
    """``vllm serve`` with the vllm-rbln plug-in, by the rules of the chip's family."""
    hardware = CHIPS.get(spec.chip)
    family = hardware.family if hardware else ""
    if family not in {"atom", "rebel"}:
        raise CannotServe(f"vllm-rbln runs on ATOM and Rebel chips, not on {spec.chip!r}.")
    flags = _atom(spec) if family == "atom" else _rebel(spec)
    return _vllm_command(spec, host, port, flags, startup_seconds=3600)


def _atom(spec: PlacementSpec) -> list[str]:
    """ATOM: only the optimum path; one rank, spread over devices by the compiler."""
    given = spec.settings
    if given.model_impl == "vllm":
        raise CannotServe("On ATOM, vllm-rbln runs compiled models only (model_impl optimum).")
    if max(given.tensor_parallel, given.pipeline_parallel, given.data_parallel) > 1:
        raise CannotServe("On ATOM, a model is spread over devices when it is compiled.")
    if given.block_tokens < 1:
        raise CannotServe("On ATOM, vllm-rbln needs the block size of the compiled model.")
    if spec.context_tokens % given.block_tokens:
        raise CannotServe("The context must be a multiple of the compiled model's block size.")
    devices = given.devices_per_rank or devices_of(spec.chip, spec.cards)
    if devices > devices_of(spec.chip, spec.cards):
        raise CannotServe(f"{devices} devices are more than {spec.cards} cards have.")
    return [
        *("--model-impl", "optimum", "--block-size", str(given.block_tokens)),
        *_pairs(("--rbln-num-devices-per-local-rank", devices if devices > 1 else 0)),
    ]


def _rebel(spec: PlacementSpec) -> list[str]:
    """Rebel100: vLLM's own parallelism; all cards of the placement must have a rank."""
    given = spec.settings
    if given.model_impl == "optimum":
        raise CannotServe("On Rebel chips, vllm-rbln runs vLLM's own models (model_impl vllm).")
    return ["--model-impl", "vllm", *_ranks(spec), *_pairs(("--block-size", given.block_tokens))]


def _ranks(spec: PlacementSpec) -> list[str]:
    given = spec.settings
    pipeline, copies = max(given.pipeline_parallel, 1), max(given.data_parallel, 1)
    tensor = given.tensor_parallel or max(spec.cards // (pipeline * copies), 1)
    if tensor * pipeline * copies != max(spec.cards, 1):
        raise CannotServe(
            f"{tensor} × {pipeline} × {copies} ranks do not fill {spec.cards} cards exactly."
        )
    return _pairs(
        ("--tensor-parallel-size", tensor if tensor > 1 else 0),
        ("--pipeline-parallel-size", pipeline if pipeline > 1 else 0),
        ("--data-parallel-size", copies if copies > 1 else 0),
    )


def _vllm(spec: PlacementSpec, host: str, port: int) -> Command:
    """Plain ``vllm serve``."""
    flags = [*_ranks(spec), *_pairs(("--block-size", spec.settings.block_tokens))]
    return _vllm_command(spec, host, port, flags, startup_seconds=1800)


def _vllm_command(
    spec: PlacementSpec, host: str, port: int, flags: list[str], *, startup_seconds: int
) -> Command:
    argv = [
        *("vllm", "serve", spec.artifact, *_shared(spec, host, port)),
        *("--max-num-seqs", str(spec.parallel), *flags),
    ]
    return Command(
        argv=tuple(argv),
        env=QUIET | {"VLLM_NO_USAGE_STATS": "1"},
        credential_env="VLLM_API_KEY",
        port=port,
        startup_seconds=startup_seconds,
    )


def _llama(spec: PlacementSpec, host: str, port: int) -> Command:
    """llama.cpp's ``llama-server``: it divides the context by the number of slots."""
    context = spec.context_tokens * spec.parallel
    argv = [
        *("llama-server", "--model", spec.artifact, "--alias", spec.model),
        *("--host", host, "--port", str(port)),
        *("--ctx-size", str(context), "--parallel", str(spec.parallel)),
        *("--metrics", "--no-slots", "--no-webui"),  # slots would show prompts
        *(("--embedding", "--pooling", "mean") if spec.engine == "embedding" else ()),
    ]
    return Command(
        argv=tuple(argv),
        env=QUIET,
        credential_env="LLAMA_API_KEY",
        port=port,
        startup_seconds=600,
    )


SERVERS: Mapping[str, Callable[[PlacementSpec, str, int], Command]] = {
    "furiosa-llm": _furiosa,
    "vllm-rbln": _rbln,
    "vllm": _vllm,
    "llama.cpp": _llama,
}
