"""The audit log as a file: CSV or lines of JSON, written while it is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse

from portal.lib import spreadsheet

HEAD = [
    "id",
    "at",
    "group",
    "verb",
    "actor",
    "actor_name",
    "on_behalf",
    "subject",
    "changes",
    "because",
    "address",
    "request_id",
]


def text_of(value: Any) -> str:
    """A value as a cell shows it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def attachment(words: Iterator[dict[str, Any]], kind: str, name: str) -> StreamingHttpResponse:
    """The answer with the file. ``kind``: ``csv`` or ``jsonl``."""
    if kind == "jsonl":
        pieces: Iterator[str] = (json.dumps(one, ensure_ascii=False) + "\n" for one in words)
        content_type = "application/x-ndjson; charset=utf-8"
    else:
        pieces = spreadsheet.lines(HEAD, ([text_of(one[part]) for part in HEAD] for one in words))
        content_type = spreadsheet.CONTENT_TYPE
    response = StreamingHttpResponse(pieces, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return response
