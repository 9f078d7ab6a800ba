"""Which fields reach which engine, and why the others are refused. Pure; tables and one check.

A request's known fields are those of its route's struct. Most of them every engine knows; those
that not every engine knows stand in ``OPTIONAL``, by engine, and are refused by name before
anything is held when a replica that may answer would not honour them: llama.cpp, for one, reads
past ``echo`` and answers without it, which is worse than a refusal.

``REFUSED`` are OpenAI's own fields that are not offered here, each with its reason.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Annotated

from msgspec import Meta

from portal.gateway.errors import Problem
from portal.routing.table import Target

_VLLM = frozenset({"echo", "logprobs", "top_k", "min_p", "repetition_penalty", "reasoning_effort"})

OPTIONAL: Mapping[str, frozenset[str]] = {
    "": frozenset(),  # the table does not say: only what every engine knows
    "llama.cpp": frozenset({"top_k", "min_p"}),
    "vllm": _VLLM,  # and what is vLLM in all but the chip: vLLM-RBLN
    "furiosa-llm": frozenset({"echo", "logprobs", "top_k", "min_p", "repetition_penalty"}),
}

# Read and not passed on: a site has no use for them, and nothing changes without them.
Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]],
    Meta(max_length=16),
]
UserName = Annotated[str, Meta(max_length=64)]
SafetyIdentifier = Annotated[str, Meta(max_length=128)]
CacheKey = Annotated[str, Meta(max_length=1024)]

STATE = "nothing is kept here between requests; send the whole input"
_TEXT = "only text is offered"
_CACHE = "prompts are cached at a site only while its engine runs, and nothing tunes that"

REFUSED: Mapping[str, str] = {
    "audio": _TEXT,
    "background": STATE,
    "background_options": STATE,
    "best_of": "only one answer per request is offered",
    "context_management": "input is never shortened; send what the model shall read",
    "conversation": STATE,
    "dimensions": "a model's vectors have one length",
    "function_call": "it is the old form; send tool_choice",
    "functions": "they are the old form; send tools",
    "image": _TEXT,
    "include": "no built-in tool runs here and no reasoning is sealed, so there is nothing more",
    "max_tool_calls": "it counts calls of built-in tools, and none are offered",
    "modalities": _TEXT,
    "moderation": "answers are not moderated here",
    "prediction": "no engine here knows predicted outputs",
    "previous_response_id": STATE,
    "prompt_cache_options": _CACHE,
    "prompt_cache_retention": _CACHE,
    "store": STATE,
    "suffix": "no engine here fills in the middle of a text",
    "top_logprobs": "log probabilities are offered by /v1/chat/completions",
    "verbosity": "no engine here knows it; say so in the prompt",
    "web_search_options": "no built-in tool runs here",
}


def refuse(param: str, because: str = "") -> Problem:
    """A field that OpenAI knows and that is not offered here; ``because`` ends the sentence."""
    reason = because or REFUSED[param]
    return Problem(
        400, "unsupported_parameter", f"'{param}' is not offered: {reason}.", param=param
    )


def check_engines(
    optional: Iterable[str], targets: Iterable[Target], allowed: Container[str]
) -> None:
    """400 if one of these fields is not known by every engine that may answer: which replica
    answers is not the client's choice, so it must not decide what a field does."""
    engines = {target.engine: target.site for target in targets if target.site in allowed}
    for field in optional:
        for engine, site in sorted(engines.items()):
            if field not in OPTIONAL.get(engine, frozenset()):
                name = f"the engine {engine}" if engine else "the engine"
                raise refuse(field, f"{name} at the site {site} does not know it")
