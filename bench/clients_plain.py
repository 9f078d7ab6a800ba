"""What no client of OpenAI speaks, by plain HTTP; a line of JSON for each call."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

URL = os.environ["DURE_CLIENTS_URL"]
KEY = os.environ["DURE_CLIENTS_KEY"]
EMBEDDING = os.environ["DURE_CLIENTS_EMBEDDING"]


def ask(path: str, body: Any = None, key: str = KEY) -> tuple[int, Any]:
    content = None if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    request = urllib.request.Request(URL + path, data=content, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def rerank() -> None:
    documents = ["Daegu is a city.", "Rice is a grain.", "Busan has a port."]
    body = {"model": EMBEDDING, "query": "Where is a port?", "documents": documents, "top_n": 2}
    status, answer = ask("/v1/rerank", body)
    assert status == 200, answer
    found = answer["results"]
    assert len(found) == 2
    assert found[0]["relevance_score"] >= found[1]["relevance_score"]
    assert {one["index"] for one in found} <= {0, 1, 2}


def rerank_refused() -> None:
    status, answer = ask("/v1/rerank", {"model": EMBEDDING, "query": "x", "documents": []})
    assert (status, answer["error"]["param"]) == (400, "documents"), answer


def alive() -> None:
    assert ask("/health")[0] == 200
    assert ask("/ready")[0] == 200


CALLS: dict[str, Callable[[], None]] = {
    "rerank": rerank,
    "rerank, 400 with its field": rerank_refused,
    "health, ready": alive,
}


def main() -> None:
    for name, call in CALLS.items():
        try:
            call()
            said = "ok"
        except Exception as error:  # what it is stands in the table
            said = repr(error)[:400]
        print(json.dumps({"call": name, "said": said}, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
