"""``POST /v1/rerank``: documents in the order in which they answer a query.

The form is Jina's, which Cohere and vLLM speak as well. A model of embeddings answers it: a score
is the cosine of query and document. Sites score every document; order and ``top_n`` are ours, so
that no engine's own habits show.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta, Struct

from portal.gateway import answers, bodies, fields, meter
from portal.gateway.errors import invalid
from portal.gateway.meter import Counts
from portal.gateway.served import Stamp

MOST_DOCUMENTS = 256
QUERY_BYTES = 8192
DOCUMENT_BYTES = 65536

_Text = Annotated[str, Meta(min_length=1)]


class Document(Struct, forbid_unknown_fields=True):
    """A document, written as an object."""

    text: _Text


class RerankRequest(Struct, forbid_unknown_fields=True):
    """The known fields."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    query: _Text
    documents: Annotated[list[_Text | Document], Meta(min_length=1, max_length=MOST_DOCUMENTS)]
    top_n: Annotated[int, Meta(ge=1, le=2**31)] | None = None
    return_documents: bool | None = None
    user: fields.UserName | None = None


class Result(Struct, omit_defaults=True):
    """The score of one document; ``index`` is its place in the request."""

    index: int
    relevance_score: float
    document: Document | None = None


class Usage(Struct, omit_defaults=True):
    """Tokens that were read; none are written."""

    total_tokens: int
    prompt_tokens: int | None = None


class _Answer(Struct):
    results: list[Result]
    usage: msgspec.Raw = msgspec.Raw(b"null")


_decoder = msgspec.json.Decoder(RerankRequest)
_answers = msgspec.json.Decoder(_Answer)
_totals = msgspec.json.Decoder(Usage)


class AskedRerank(bodies.Asked, kw_only=True, eq=False):
    """A rerank request that was read."""

    site_path: ClassVar[str] = "/v1/rerank"

    body: RerankRequest
    texts: tuple[str, ...]

    def encoded(self, engine_model: str, max_tokens: int) -> bytes:
        """What a site gets: every document as a text."""
        return msgspec.json.encode(
            {"model": engine_model, "query": self.body.query, "documents": self.texts}
        )

    def answer(self, content: bytes, stamp: Stamp) -> tuple[bytes, Counts]:
        """Best first. Each document was scored exactly once, with a number."""
        found = _answers.decode(content)
        if sorted(one.index for one in found.results) != list(range(len(self.texts))):
            raise ValueError("not one score for each document")
        if not all(math.isfinite(one.relevance_score) for one in found.results):
            raise ValueError("a score is no number")
        counts = _counts(found.usage)
        best = sorted(found.results, key=lambda one: (-one.relevance_score, one.index))
        kept = best[: self.body.top_n]
        for one in kept:
            text = self.texts[one.index]
            one.document = Document(text) if self.body.return_documents else None
        return self._told(kept, counts, stamp), counts

    def _told(self, results: list[Result], counts: Counts, stamp: Stamp) -> bytes:
        known = counts.counted != "none"
        body = {
            "id": f"rerank-{stamp.request_id}",
            "object": "list",
            "model": self.model,
            "results": results,
            "usage": Usage(counts.tokens_in, counts.tokens_in) if known else None,
        }
        return msgspec.json.encode(body)


def _counts(raw: msgspec.Raw) -> Counts:
    """Some engines say the total alone; it is what was read."""
    counts = answers.counted(raw)
    if counts.counted != "none":
        return counts
    try:
        total = _totals.decode(raw).total_tokens
    except msgspec.MsgspecError:
        return counts
    return answers.counted(msgspec.json.encode(meter.Usage(prompt_tokens=total)))


def read(content: bytes) -> AskedRerank:
    """The request, or a 400 that names the field."""
    body = bodies.decode(content, _decoder)
    texts = tuple(one if isinstance(one, str) else one.text for one in body.documents)
    sizes = [bodies.text_bytes(text) for text in texts]
    query = bodies.text_bytes(body.query)
    _check_sizes(query, sizes)
    return AskedRerank(
        model=body.model,
        kind="embedding",
        stream=False,
        include_usage=False,
        # An engine may count the query once, or again with each document.
        prompt_bytes=query * len(texts) + sum(sizes),
        messages=2 * len(texts),
        max_tokens=0,
        body=body,
        texts=texts,
    )


def _check_sizes(query: int, documents: list[int]) -> None:
    if query > QUERY_BYTES:
        raise invalid(f"The query is larger than {QUERY_BYTES} bytes.", "query")
    for index, size in enumerate(documents):
        if size > DOCUMENT_BYTES:
            raise invalid(
                f"A document is larger than {DOCUMENT_BYTES} bytes. Divide it and score its parts.",
                f"documents[{index}]",
            )
