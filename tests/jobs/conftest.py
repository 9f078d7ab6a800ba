"""Files in a folder of the test's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _folder(settings: Any, tmp_path: Path) -> None:
    settings.DURE_JOBS_DIR = tmp_path / "jobs"


def a_line(number: int, **changes: Any) -> dict[str, Any]:
    body = {"model": "smollm2", "messages": [{"role": "user", "content": "안녕?"}]}
    return {
        "custom_id": f"line-{number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": body,
    } | changes


def a_file(*lines: Any) -> bytes:
    """Lines of JSON; what is bytes already goes in as it is."""
    return b"".join(
        (one if isinstance(one, bytes) else json.dumps(one, ensure_ascii=False).encode()) + b"\n"
        for one in lines
    )
