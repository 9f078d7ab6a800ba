"""The embedding engine's server: who may ask, vectors, and the order of documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.applications import Starlette

from portal.mdc import weights
from portal.mdc.embedding import application


@pytest.fixture(scope="module")
def engine() -> Starlette:
    return application("e5", "secret", weights.path_of("embedding"))


async def post(
    engine: Starlette, path: str, body: dict[str, Any], secret: str = "secret"
) -> tuple[int, dict[str, Any]]:
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {secret}".encode())],
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await engine(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


PRICES = ["오늘은 비가 옵니다.", "가격은 한 달에 3만 원입니다.", "고양이가 잡니다."]


async def test_scores_each_document_and_the_right_one_best(engine: Starlette) -> None:
    body = {"model": "e5", "query": "요금은 얼마인가요?", "documents": PRICES}

    status, answer = await post(engine, "/v1/rerank", body)

    assert status == 200
    assert [row["index"] for row in answer["results"]] == [0, 1, 2]
    scores = [row["relevance_score"] for row in answer["results"]]
    assert scores[1] > max(scores[0], scores[2])
    assert all(-1 <= score <= 1 for score in scores)


async def test_counts_query_and_documents(engine: Starlette) -> None:
    one = {"model": "e5", "query": "a", "documents": ["hello world"]}
    two = {"model": "e5", "query": "a", "documents": ["hello world"] * 2}

    _, first = await post(engine, "/v1/rerank", one)
    _, second = await post(engine, "/v1/rerank", two)
    _, alone = await post(engine, "/v1/embeddings", {"model": "e5", "input": "hello world"})

    more = second["usage"]["prompt_tokens"] - first["usage"]["prompt_tokens"]
    assert more == alone["usage"]["prompt_tokens"] > 0


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/rerank"])
async def test_refuses_strangers_and_odd_bodies(engine: Starlette, path: str) -> None:
    assert (await post(engine, path, {"model": "e5"}))[0] == 400
    assert (await post(engine, path, {"model": "e5"}, "guess"))[0] == 401
