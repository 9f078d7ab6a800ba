"""How bodies are read: JSON, whatever its depth, ends in an answer, and says each thing once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class Json(JSONParser):
    """Python's JSON reader runs out of stack on deep nesting; that is the sender's mistake."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            text = stream.read().decode("utf-8")
            return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
        except RecursionError as error:
            raise ParseError("JSON parse error - nested too deeply") from error
        except ValueError as error:
            raise ParseError(f"JSON parse error - {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers of one text must not find two things in it."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ParseError("JSON parse error - a name stands twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise ParseError(f"JSON parse error - {name} is no number")
