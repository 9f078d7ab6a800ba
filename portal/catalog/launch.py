"""What an engine is started from: an image by its digest, an artifact, and its server's settings.

Pure. A placement keeps its offering's form of the moment in which it was asked for, so that an
edited offering restarts nothing that runs.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Protocol

# A registry's name and path, perhaps a tag, and always the digest: a tag alone may change.
_IMAGE = re.compile(
    r"[a-z0-9]+(?:[._-][a-z0-9]+)*(?::[0-9]{1,5})?(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?@sha256:[0-9a-f]{64}"
)
_HUB = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_PATH = re.compile(r"(?:/[A-Za-z0-9._+-]+)+")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
LONGEST = 300


class Launched(Protocol):
    """What ``form_of`` reads of an offering."""

    sdk: str
    image: str
    artifact: str
    revision: str
    settings: Any
    parallel: int
    context_tokens: int


def form_of(offering: Launched) -> dict[str, Any]:
    """How its engine is started, as a placement keeps it."""
    return {
        "sdk": offering.sdk,
        "image": offering.image,
        "artifact": offering.artifact,
        "revision": offering.revision,
        "settings": dict(offering.settings),
        "parallel": offering.parallel,
        "context_tokens": offering.context_tokens,
    }


def fingerprint(form: Mapping[str, Any]) -> str:
    """``sha256:`` and 64 digits; the order of the words does not matter."""
    text = json.dumps(form, sort_keys=True, ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def is_image(text: str) -> bool:
    """Whether a container image is named with its digest."""
    return len(text) <= LONGEST and _IMAGE.fullmatch(text) is not None


def is_artifact(text: str) -> bool:
    """Whether it is a Hugging Face id or an absolute path without ``..``."""
    return (
        len(text) <= LONGEST
        and ".." not in text
        and bool(_HUB.fullmatch(text) or _PATH.fullmatch(text))
    )


def is_revision(text: str) -> bool:
    """Whether it can be a branch, a tag or a commit."""
    return len(text) <= 80 and _REVISION.fullmatch(text) is not None
