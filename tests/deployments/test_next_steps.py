"""An engine's own words become a next step; what nobody may read is taken out of them."""

from __future__ import annotations

import pytest
from django.utils.translation import override

from portal.deployments import log_lines, next_steps, step_words
from portal.provisioning import plan

CREDENTIAL = "s3cr3t-credential-of-this-engine"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("No rngd card is free.", "no_card"),
        (
            "No card is free for it: 0/3 nodes are available: 3 Insufficient furiosa.ai/rngd.",
            "no_card",
        ),
        ("RuntimeError: No RBLN device found", "no_card"),
        ('Back-off pulling image "x": ImagePullBackOff', "image_not_found"),
        (
            "huggingface_hub.errors.GatedRepoError: 403 Client Error. Access is restricted",
            "access_denied",
        ),
        (
            "401 Client Error: Unauthorized for url: https://hub.example/api/models/x",
            "access_denied",
        ),
        ("ValueError: licence file has expired", "access_denied"),
        ("RepositoryNotFoundError: 404 Client Error.", "weights_not_found"),
        (
            "gguf_init_from_file: failed to open GGUF file '/m/x.gguf' (No such file or directory)",
            "weights_not_found",
        ),
        (
            "OSError: /models/x does not appear to have a file named config.json",
            "weights_not_found",
        ),
        ("The weights here have another digest than the wanted ones.", "other_weights"),
        (plan.OTHER_WEIGHTS, "other_weights"),
        # of what fetches an own model in a pod
        (
            "The manifest of the weights has another digest than the one that was checked.",
            "other_weights",
        ),
        ("No weights found: weights.gguf answered 404.", "weights_not_found"),
        ("The weights could not be fetched: No space left on device.", "disk_full"),
        ("The weights could not be fetched: the connection timed out.", "unreachable"),
        ("The weights could not be fetched: Name or service not known.", "unreachable"),
        ("torch.OutOfMemoryError: Tried to allocate 2.00 GiB", "out_of_memory"),
        ("Container was OOMKilled", "out_of_memory"),
        ("ggml_backend_cpu_buffer: failed to allocate buffer of size 9", "out_of_memory"),
        ("The engine ended with exit code 137.", "out_of_memory"),
        ("RuntimeError: compiler version mismatch: bundle 0.11, runtime 0.12", "wrong_sdk"),
        ("ValueError: Unsupported architecture: Exaone4ForCausalLM", "wrong_sdk"),
        ("furiosa-llm: error: unrecognized arguments: --tp 4", "wrong_sdk"),
        ("OSError: [Errno 98] Address already in use", "port_in_use"),
        ("OSError: [Errno 28] No space left on device", "disk_full"),
        ("Temporary failure in name resolution", "unreachable"),
        ("CrashLoopBackOff: back-off 5m0s restarting failed container", "crash_loop"),
    ],
)
def test_names_the_step_for_what_an_engine_says(line: str, code: str) -> None:
    assert next_steps.found(["loading", line, "exit"]) == (code,)
    assert next_steps.found([], because=line, restarts=9) == (code,)


@pytest.mark.parametrize(
    "line",
    [
        "prompt eval time = 120.00 ms / 14 tokens",
        "load_tensors: CPU model buffer size = 101.2 MiB",
        "INFO: Application startup complete.",
        "n_ctx = 8192, free memory 40 GiB",
    ],
)
def test_ordinary_lines_name_no_step(line: str) -> None:
    assert next_steps.found([line]) == ()
    assert log_lines.cleaned(line) == line


def test_a_loop_without_a_word_is_called_one_and_every_code_has_its_sentence() -> None:
    assert next_steps.found(["listening"], restarts=3) == ("crash_loop",)
    assert next_steps.found(["listening"], restarts=2) == ()
    assert set(step_words.STEPS) == set(next_steps.CODES)
    assert {code for code, _pattern in next_steps.PATTERNS} == set(next_steps.CODES)
    for language in ("ko", "en"):
        with override(language):
            said = [one.sentence for one in step_words.steps(next_steps.CODES)]
        assert len(set(said)) == len(said)


@pytest.mark.parametrize(
    "line",
    [
        f"args: --api-key {CREDENTIAL} --port 8000",
        f'{{"api_key": "{CREDENTIAL}"}}',
        f"\x1b[31mAuthorization: Bearer {CREDENTIAL}\x1b[0m",
        f"printed by itself: {CREDENTIAL}",
        "HF_TOKEN=hf_abcdefghijklmnop",
        "token: eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl",
        "fetching https://user:hunter2@mirror.example/models",
        "key dure_live_abcd1234_0123456789abcdef",
        "Received request cmpl-1: prompt: '환자 김서연의 기록', params: n=1",
        'POST body {"messages": [{"role": "user", "content": "환자 김서연의 기록"}]}',
        "prompt=['환자 김서연의 기록']",
    ],
)
def test_no_credential_and_no_prompt_stays_in_a_line(line: str) -> None:
    shown = log_lines.cleaned(line, [CREDENTIAL])

    assert shown
    for secret in (CREDENTIAL, "hf_abc", "c2lnbmF0", "hunter2", "01234567", "김서연", "\x1b"):
        assert secret not in shown
