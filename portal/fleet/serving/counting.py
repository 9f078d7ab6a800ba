"""The counters of the vendors' servers by our names, out of their Prometheus pages. Pure.

Names from facts of furiosa-llm 2026.4, vLLM 0.30 and llama.cpp. Counters with labels are added
up. llama.cpp counts no requests and leaves out prompt tokens found in its cache.
"""

from __future__ import annotations

NAMES = {
    "furiosa_llm_prompt_tokens_total": "tokens_in",
    "furiosa_llm_generation_tokens_total": "tokens_out",
    "furiosa_llm_request_success_total": "requests",
    "vllm:prompt_tokens_total": "tokens_in",
    "vllm:generation_tokens_total": "tokens_out",
    "vllm:request_success_total": "requests",
    "llamacpp:prompt_tokens_total": "tokens_in",
    "llamacpp:tokens_predicted_total": "tokens_out",
}


def counters(page: str) -> dict[str, int]:
    """``tokens_in``, ``tokens_out``, ``requests``, as far as the page tells them."""
    found: dict[str, int] = {}
    for line in page.splitlines():
        name = line.partition("{")[0].partition(" ")[0]
        if name not in NAMES:
            continue
        try:
            value = int(float(line.rpartition(" ")[2]))
        except (ValueError, OverflowError):
            continue
        found[NAMES[name]] = found.get(NAMES[name], 0) + value
    return found
