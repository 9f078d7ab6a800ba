"""Command lines against the flags that the vendors' own programs declare."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from portal.fleet.drivers import hardware
from portal.fleet.drivers.contract import PlacementSpec, ServerSettings
from portal.fleet.drivers.servers import CannotServe, Command, command
from tests.contracts.sites import spec

# Declared by furiosa_llm/cli/serve.py 2026.4.0; by vLLM 0.30 with vllm_rbln/config.py 0.12.0
# (RBLNConfig's fields become --rbln-…); by llama.cpp's common/arg.cpp.
FURIOSA = (
    "--revision --served-model-name --host --port --api-key --allowed-origins --chat-template "
    "--default-chat-template-kwargs --devices --pipeline-parallel-size --data-parallel-size "
    "--max-model-len --fxb --max-concurrency --max-num-batched-tokens --max-processing-samples "
    "--npu-queue-limit --enable-prefix-caching --no-enable-prefix-caching "
    "--enable-auto-tool-choice --tool-call-parser --reasoning-parser "
    "--structured-outputs-backend --disable-log-stats --uvicorn-log-level "
    "--disable-uvicorn-access-log"
)
VLLM = (
    "--revision --served-model-name --host --port --api-key --chat-template --max-model-len "
    "--max-num-seqs --max-num-batched-tokens --block-size --model-impl --tensor-parallel-size "
    "--pipeline-parallel-size --data-parallel-size --enable-prefix-caching "
    "--no-enable-prefix-caching --enable-auto-tool-choice --tool-call-parser "
    "--reasoning-parser --disable-uvicorn-access-log --rbln-num-devices-per-local-rank"
)
LLAMA = (
    "--model --alias --host --port --ctx-size --parallel --metrics --no-slots --no-webui "
    "--embedding --pooling --api-key"
)
SECRET = "only-the-engine-and-the-gateway-know"


def wanted(sdk: str, chip: str = "rngd", cards: int = 1, **changes: Any) -> PlacementSpec:
    settings = ServerSettings(**changes.pop("settings", {}))
    fields = {"artifact": "org/Model-8B", "credential": SECRET, "model": "model-8b"} | changes
    return spec(1, sdk=sdk, chip=chip, cards=cards, settings=settings, **fields)


def flags(made: Command) -> dict[str, str]:
    """Flag → the word after it, empty if that is another flag or the end."""
    words = [*made.argv, "--"]
    pairs = pairwise(words)
    return {
        a: "" if b.startswith("--") else b for a, b in pairs if a.startswith("--") and a != "--"
    }


def test_furiosa_llm_gets_the_flags_that_it_declares() -> None:
    given = {
        "pipeline_parallel": 2,
        "data_parallel": 2,
        "bundle": "/models/model.fxb",
        "tool_parser": "hermes",
        "reasoning_parser": "qwen3",
        "prefix_caching": True,
        "batched_tokens": 8192,
        "chat_template": "/models/chat.jinja",
    }

    made = command(wanted("furiosa-llm 2026.4.0", cards=4, revision="v1", settings=given))

    assert made.argv[:3] == ("furiosa-llm", "serve", "org/Model-8B")
    found = flags(made)
    assert set(found) <= set(FURIOSA.split())
    assert found["--served-model-name"] == "model-8b"
    assert found["--max-model-len"] == "2048"
    assert found["--max-concurrency"] == "4"
    assert found["--fxb"] == "/models/model.fxb"
    assert (found["--pipeline-parallel-size"], found["--data-parallel-size"]) == ("2", "2")
    assert (found["--host"], found["--port"], made.health) == ("0.0.0.0", "8000", "/health")
    assert "--enable-payload-logging" not in found  # it would write prompts into logs


@pytest.mark.parametrize(
    ("chip", "cards", "devices"),
    [("atom-plus", 1, None), ("atom-plus", 4, "4"), ("atom-max", 1, "4")],
)
def test_atom_runs_the_compiled_model_over_its_devices(
    chip: str, cards: int, devices: str | None
) -> None:
    made = command(wanted("vllm-rbln 0.12.0", chip, cards, settings={"block_tokens": 1024}))

    found = flags(made)
    assert set(found) <= set(VLLM.split())
    assert found["--model-impl"] == "optimum"
    assert found["--block-size"] == "1024"
    assert found.get("--rbln-num-devices-per-local-rank") == devices
    assert "--tensor-parallel-size" not in found
    assert found["--max-num-seqs"] == "4"  # on RBLN it would be 1


@pytest.mark.parametrize(
    ("cards", "given", "ranks"),
    [
        (1, {}, (None, None)),
        (4, {}, ("4", None)),
        (4, {"pipeline_parallel": 2}, ("2", "2")),
    ],
)
def test_rebel_fills_its_cards_with_ranks(
    cards: int, given: dict[str, int], ranks: tuple[str | None, str | None]
) -> None:
    made = command(wanted("vllm-rbln 0.12.0", "rebel100", cards, settings=given))

    found = flags(made)
    assert set(found) <= set(VLLM.split())
    assert found["--model-impl"] == "vllm"
    assert (found.get("--tensor-parallel-size"), found.get("--pipeline-parallel-size")) == ranks


def test_llama_server_has_a_whole_context_for_each_slot() -> None:
    made = command(wanted("llama.cpp", cards=0, artifact="/models/m.gguf", engine="embedding"))

    found = flags(made)
    assert set(found) <= set(LLAMA.split())
    assert (found["--model"], found["--ctx-size"], found["--parallel"]) == (
        "/models/m.gguf",
        "8192",
        "4",
    )
    assert "--embedding" in found


@pytest.mark.parametrize(
    ("sdk", "where"),
    [
        ("furiosa-llm", "--api-key"),  # it reads no variable
        ("vllm-rbln", "VLLM_API_KEY"),
        ("vllm", "VLLM_API_KEY"),
        ("llama.cpp", "LLAMA_API_KEY"),
    ],
)
def test_the_credential_reaches_the_server_and_no_manifest(sdk: str, where: str) -> None:
    chip = "rebel100" if sdk == "vllm-rbln" else "rngd"
    made = command(wanted(sdk, chip))

    argv, env = made.with_credential(SECRET)

    assert SECRET not in repr(made)
    assert [*argv, *env.values()].count(SECRET) == 1
    found = dict(pairwise(argv)) | env
    assert found[where] == SECRET


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"sdk": "abacus 1"}, "No server"),
        ({"artifact": ""}, "artifact"),
        ({"artifact": "--enable-payload-logging"}, "artifact"),
        ({"model": "a\nb"}, "model"),
        ({"settings": {"tool_parser": "x" * 513}}, "tool_parser"),
        ({"parallel": 0}, "positive"),
        ({"settings": {"tensor_parallel": 2}}, "bundle fixes it"),
        ({"sdk": "vllm-rbln", "chip": "rngd"}, "not on 'rngd'"),
        ({"sdk": "vllm-rbln", "chip": "atom-max"}, "block size"),
        (
            {"sdk": "vllm-rbln", "chip": "atom-max", "settings": {"block_tokens": 1000}},
            "multiple",
        ),
        (
            {"sdk": "vllm-rbln", "chip": "atom-max", "settings": {"tensor_parallel": 4}},
            "when it is compiled",
        ),
        (
            {
                "sdk": "vllm-rbln",
                "chip": "atom-plus",
                "settings": {"block_tokens": 1024, "devices_per_rank": 4},
            },
            "more than 1 cards",
        ),
        (
            {"sdk": "vllm-rbln", "chip": "rebel100", "cards": 3, "settings": {"data_parallel": 2}},
            "do not fill 3 cards",
        ),
    ],
)
def test_refuses_what_would_not_run(changes: dict[str, Any], sentence: str) -> None:
    fields: dict[str, Any] = {"sdk": "furiosa-llm"} | changes

    with pytest.raises(CannotServe, match=sentence):
        command(wanted(**fields))


def test_an_atom_max_card_is_four_devices() -> None:
    assert hardware.devices_of("atom-max", 2) == 8
    assert hardware.devices_of("rngd", 2) == 2
    assert hardware.devices_of("of another vendor", 2) == 2
