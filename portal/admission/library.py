"""The functions in Valkey: loaded by version beside older ones, never replaced by others."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

NAME = "dure_admission_1"


@cache
def source() -> str:
    """The library's Lua text."""
    return files("portal.admission").joinpath("functions.lua").read_text(encoding="utf-8")


def load_command() -> tuple[str, ...]:
    """Load or renew the library. Its functions carry their version in their names, so that a
    program of an older release goes on with the functions that it knows."""
    return ("FUNCTION", "LOAD", "REPLACE", source())


def is_needless(error: str) -> bool:
    """Whether a failed load may be passed over: a full server takes no functions, but it may
    have them, and then running answers must be able to settle."""
    return error.startswith(("OOM", "command not allowed when used memory"))
