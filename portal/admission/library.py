"""The functions in Valkey: loaded by version, never replaced by others."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

NAME = "dure_admission_3"
_DIGEST = "@digest@"  # in the text, where the library says which text it is


def _text() -> str:
    return files("portal.admission").joinpath("functions.lua").read_text(encoding="utf-8")


@cache
def digest() -> str:
    """SHA-256 of the library's text."""
    return hashlib.sha256(_text().encode()).hexdigest()


@cache
def source() -> str:
    """The library's Lua text, which knows its own digest."""
    return _text().replace(_DIGEST, digest())


def unload_older() -> tuple[str, ...]:
    """Take away the library that counted elsewhere: a gateway that still calls it is refused until
    it is replaced. An error (see ``is_gone``) where it is not there. The one before this, which
    counts in the same keys, stays beside it."""
    return ("FUNCTION", "DELETE", "dure_admission_1")


def is_gone(error: str) -> bool:
    """Whether an error means that there was no such library."""
    return "Library not found" in error


def load_command() -> tuple[str, ...]:
    """Load or renew the library. Its functions carry their version in their names, so that no
    program calls those of another release by mistake."""
    return ("FUNCTION", "LOAD", "REPLACE", source())


def ask_digest() -> tuple[str | int, ...]:
    """Which text the server has; an error (see ``is_missing``) where it has none."""
    return ("FCALL_RO", "library_3", 0)


def is_ours(reply: Any) -> bool:
    """Whether the server's functions are those that this program was built with."""
    return bool(reply == digest().encode())


def is_missing(error: str) -> bool:
    """Whether an error means that the server has no functions of this version."""
    return "Function not found" in error


def is_forbidden(error: str) -> bool:
    """Whether this program's user may not load functions: it waits for one that may."""
    return error.startswith("NOPERM")


def is_needless(error: str) -> bool:
    """Whether a failed load may be passed over: a full server takes no functions, but it may
    have them, and then running answers must be able to settle."""
    return error.startswith(("OOM", "command not allowed when used memory"))
