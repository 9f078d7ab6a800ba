"""Documents put in order: what is refused, what a site is sent, what a client sees and pays."""

from __future__ import annotations

import json
from typing import Any

import pytest

from portal.gateway import answers, rerank
from portal.gateway.errors import Problem
from portal.gateway.served import Stamp
from tests.fakes.upstream import Upstream
from tests.gateway.world import PRICE, GatewayProcess, World

MICRO_PER_IN = PRICE // 1_000_000
DOCUMENTS = ["짧다", {"text": "이 글이 가장 길다"}, "중간 글"]
STAMP = Stamp("req", 1)

WRONG_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"query": ""}, "query"),
    ({"query": "x" * 8193}, "query"),
    ({"query": ["x"]}, "query"),
    ({"documents": []}, "documents"),
    ({"documents": ["x"] * 257}, "documents"),
    ({"documents": "x"}, "documents"),
    ({"documents": [""]}, "documents[0]"),
    ({"documents": ["x", "가" * 21846]}, "documents[1]"),
    ({"documents": [{"title": "x"}]}, "documents[0].title"),
    ({"documents": [{}]}, "documents[0].text"),
    ({"documents": [1]}, "documents[0]"),
    ({"top_n": 0}, "top_n"),
    ({"rank_fields": ["a"]}, "rank_fields"),
    ({"max_tokens": 5}, "max_tokens"),
]


def body(**changes: Any) -> dict[str, Any]:
    return {"model": "e5", "query": "길이", "documents": DOCUMENTS, **changes}


def read(**changes: Any) -> rerank.AskedRerank:
    return rerank.read(json.dumps(body(**changes)).encode())


@pytest.mark.parametrize(("change", "param"), WRONG_FIELDS)
def test_names_the_field_of_a_rerank(change: dict[str, Any], param: str) -> None:
    with pytest.raises(Problem) as found:
        read(**change)

    assert (found.value.status, found.value.param) == (400, param)


def test_bounds_the_query_once_for_each_document() -> None:
    asked = read(query="abcd", documents=["xy", "가"])

    assert (asked.prompt_bytes, asked.messages, asked.max_tokens) == (4 * 2 + 2 + 3, 4, 0)


def test_puts_the_best_first(gateway: GatewayProcess, world: World, upstream: Upstream) -> None:
    status, headers, answer = gateway.post("/v1/rerank", body(top_n=2, return_documents=True))

    assert status == 200
    assert [one["index"] for one in answer["results"]] == [1, 2]
    assert answer["results"][0]["document"] == {"text": "이 글이 가장 길다"}
    assert answer["results"][0]["relevance_score"] == 0.1
    assert answer["id"] == f"rerank-{headers['x-request-id']}"
    assert answer["model"] == "e5"
    assert answer["usage"] == {"prompt_tokens": 11, "total_tokens": 11}
    [heard] = upstream.engine.heard
    assert heard.path == "/v1/rerank"
    assert heard.body == {
        "model": "ok",
        "query": "길이",
        "documents": ["짧다", "이 글이 가장 길다", "중간 글"],
    }
    [event] = world.settled(1)
    assert (event.route, event.tokens_in, event.tokens_out) == ("/v1/rerank", 11, 0)
    assert event.cost_micro == 11 * MICRO_PER_IN
    assert headers["x-dure-cost-krw"] == "0.000022"


def test_leaves_the_documents_out_unless_asked(gateway: GatewayProcess, world: World) -> None:
    _, _, answer = gateway.post("/v1/rerank", body())

    assert len(answer["results"]) == 3
    assert all(set(one) == {"index", "relevance_score"} for one in answer["results"])
    world.settled(1)


def test_is_no_work_for_a_chat_model(gateway: GatewayProcess, upstream: Upstream) -> None:
    status, _, answer = gateway.post("/v1/rerank", body(model="smollm2"))

    assert (status, answer["error"]["code"]) == (400, "wrong_kind_of_model")
    assert upstream.engine.heard == []


SCORED = [{"index": n, "relevance_score": n / 10} for n in range(3)]


@pytest.mark.parametrize(
    ("usage", "counted", "tokens"),
    [
        ({"prompt_tokens": 9, "total_tokens": 9}, "reported", 9),
        ({"total_tokens": 9}, "reported", 9),
        ({"prompt_tokens": 0, "total_tokens": 0}, "reported", 0),
        ({"total_tokens": -1}, "none", 0),
        (None, "none", 0),
    ],
)
def test_reads_what_a_site_counted(usage: Any, counted: str, tokens: int) -> None:
    content = json.dumps({"results": SCORED, "usage": usage}).encode()

    told, counts = answers.read(content, read(), STAMP)

    assert (counts.counted, counts.tokens_in) == (counted, tokens)
    shown = {"prompt_tokens": tokens, "total_tokens": tokens}
    assert json.loads(told)["usage"] == (None if counted == "none" else shown)


GARBAGE: list[Any] = [
    {},
    [],
    {"results": []},
    {"results": SCORED[:2]},
    {"results": [*SCORED[:2], SCORED[0]]},
    {"results": [*SCORED, {"index": 3, "relevance_score": 1}]},
    {"results": [*SCORED[:2], {"index": 2, "relevance_score": "high"}]},
    {"results": [*SCORED[:2], {"index": 2}]},
]


@pytest.mark.parametrize("answer", GARBAGE)
def test_knows_what_is_no_answer(answer: Any) -> None:
    with pytest.raises(answers.Garbage):
        answers.read(json.dumps(answer).encode(), read(), STAMP)
