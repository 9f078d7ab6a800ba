"""Why an engine failed, read out of its own words, so that the next step can be named. Pure.

A table of patterns: the first that stands in the log or in the driver's reason gives the code;
several may be found. Sentences are in ``step_words``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, get_args

Code = Literal[
    "no_card",
    "image_not_found",
    "access_denied",
    "weights_not_found",
    "other_weights",
    "out_of_memory",
    "wrong_sdk",
    "port_in_use",
    "disk_full",
    "unreachable",
    "crash_loop",
]
CODES: tuple[Code, ...] = get_args(Code)
RESTARTS = 3  # from here on it is no accident
_LINES = 400  # the newest; what came before led to nothing
# The order is that of what has to be done first.
PATTERNS: tuple[tuple[Code, str], ...] = (
    (
        "no_card",
        r"\bno \S+ card is free|no card is free for it"
        r"|\bno (?:npu|device|accelerator|rbln|furiosa)\S*(?: \w+)? (?:was )?(?:found|available)"
        r"|insufficient (?:furiosa\.ai|rebellions\.ai)/|device or resource busy"
        r"|device .{0,40}(?:already in use|is occupied)",
    ),
    (
        "image_not_found",
        r"errimagepull|imagepullbackoff|invalidimagename|manifest unknown|pull access denied"
        r"|failed to pull image|no matching manifest",
    ),
    (
        "access_denied",
        r"gatedrepo|gated repo|\b40[13] client error|unauthorized for url"
        r"|invalid (?:user )?(?:access )?token|localtokennotfound"
        r"|licen[cs]e.{0,60}(?:expired|invalid|not found|missing|accept|agree)"
        r"|(?:accept|agree to).{0,40}licen[cs]e|awaiting a review from the repo",
    ),
    (
        "weights_not_found",
        r"repositorynotfound|revisionnotfound|entrynotfound|\b404 client error"
        r"|no such file or directory.{0,200}(?:gguf|safetensors|model|weights|config\.json|\.fxb)"
        r"|(?:gguf|safetensors|model|weights|config\.json|\.fxb).{0,200}no such file or directory"
        r"|failed to (?:open|load) (?:the )?(?:gguf|model|weights)"
        r"|does not appear to have a file named|is not a local folder"
        r"|can't load the (?:model|config)"
        r"|no (?:model|weights) (?:is |are |was |were )?(?:at|found|in)\b",
    ),
    ("other_weights", r"weights.{0,40}(?:another|other) (?:weights|digest)|digest differs"),
    (
        "out_of_memory",
        r"out of memory|out_of_memory|outofmemory|oomkilled|bad_alloc|\bmemoryerror\b"
        r"|cannot allocate memory|failed to allocate|not enough memory|insufficient .{0,20}memory"
        r"|\bcode:? (?:137|-9)\b|\bexit (?:137|-9)\b|signal 9\b",
    ),
    (
        "wrong_sdk",
        r"(?:version|sdk|runtime|driver|compiler)\b.{0,60}(?:mismatch|incompatible|not compatible)"
        r"|(?:incompatible|unsupported).{0,60}(?:version|sdk|runtime|driver|compiler|bundle|artifact)"
        r"|compiled (?:for|with) (?:a |an )?(?:different|another|other|older|newer)"
        r"|unsupported (?:model )?architecture|unrecognized arguments|unknown (?:argument|option)"
        r"|no module named|no server is known for sdk|command not found|executable file not found",
    ),
    ("port_in_use", r"address already in use|eaddrinuse|couldn't bind|failed to bind"),
    ("disk_full", r"no space left on device|disk quota exceeded|evicted.{0,80}ephemeral-storage"),
    (
        "unreachable",
        r"name or service not known|temporary failure in name resolution|network is unreachable"
        r"|max retries exceeded|connection(?: to \S+)? timed out",
    ),
    ("crash_loop", r"crashloopbackoff|ends again and again|restarted too often"),
)
_TABLE = tuple((code, re.compile(pattern, re.IGNORECASE)) for code, pattern in PATTERNS)


def found(lines: Iterable[str], *, because: str = "", restarts: int = 0) -> tuple[Code, ...]:
    """What has to be done, the first thing first; empty if nobody wrote a step for it.
    ``because``: the driver's reason. A loop is named only where nothing says why."""
    text = "\n".join([because, *list(lines)[-_LINES:]])
    codes = tuple(code for code, pattern in _TABLE if pattern.search(text))
    if codes or restarts < RESTARTS:
        return codes
    return ("crash_loop",)
