"""``POST /v1/embeddings``: the fields that are known; vectors as lists or as base64."""

from __future__ import annotations

import base64
import struct
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta, Struct

from portal.gateway import answers, bodies, fields
from portal.gateway.errors import invalid
from portal.gateway.meter import Counts
from portal.gateway.served import Stamp

MOST_INPUTS = 256

_Text = Annotated[str, Meta(min_length=1)]


class EmbeddingRequest(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The known fields. ``user`` is read and not passed on."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    input: _Text | Annotated[list[_Text], Meta(min_length=1, max_length=MOST_INPUTS)]
    encoding_format: Literal["float", "base64"] | None = None
    user: fields.UserName | None = None


class Vector(Struct, omit_defaults=True):
    """One embedding; its vector is passed on as it came unless it must be written otherwise."""

    index: int
    embedding: msgspec.Raw
    object: str = ""


_decoder = msgspec.json.Decoder(EmbeddingRequest)
_floats = msgspec.json.Decoder(list[float])
_vectors = msgspec.json.Decoder(list[Vector])


class AskedEmbeddings(bodies.Asked, kw_only=True, eq=False):
    """An embeddings request that was read."""

    site_path: ClassVar[str] = "/v1/embeddings"

    body: EmbeddingRequest

    @property
    def inputs(self) -> int:
        return 1 if isinstance(self.body.input, str) else len(self.body.input)

    def encoded(self, engine_model: str, max_tokens: int) -> bytes:
        """What a site gets: always lists of numbers, which every engine knows."""
        body = msgspec.structs.replace(
            self.body, model=engine_model, encoding_format="float", user=None
        )
        return msgspec.json.encode(body)

    def answer(self, content: bytes, stamp: Stamp) -> tuple[bytes, Counts]:
        """The vectors in the encoding that the client asked for, one for each input."""
        found = answers.whole(content)
        found["data"] = vectors(found["data"], self)
        return answers.named(found, self.model), answers.counted(found.get("usage"))


def read(content: bytes) -> AskedEmbeddings:
    """The request, or a 400 that names the field."""
    body = bodies.decode(content, _decoder)
    texts = [body.input] if isinstance(body.input, str) else body.input
    if not any(text.strip() for text in texts):
        raise invalid("There is no text to embed.", "input")
    return AskedEmbeddings(
        model=body.model,
        kind="embedding",
        stream=False,
        include_usage=False,
        prompt_bytes=sum(bodies.text_bytes(text) for text in texts),
        messages=len(texts),
        max_tokens=0,
        body=body,
    )


def vectors(raw: msgspec.Raw, asked: AskedEmbeddings) -> msgspec.Raw:
    """The ``data`` of an answer in the encoding that the client asked for.

    ``ValueError`` (msgspec's included) if it is not one vector for each input.
    """
    found = _vectors.decode(raw)
    if sorted(vector.index for vector in found) != list(range(asked.inputs)):
        raise ValueError("not one vector for each input")
    for vector in found:
        vector.object = "embedding"
        if asked.body.encoding_format == "base64":
            vector.embedding = _as_base64(vector.embedding)
    return msgspec.Raw(msgspec.json.encode(found))


def _as_base64(raw: msgspec.Raw) -> msgspec.Raw:
    """Little-endian 32-bit floats, as OpenAI's clients read them. ``ValueError`` if one of the
    numbers is none."""
    numbers = _floats.decode(raw)
    try:
        packed = struct.pack(f"<{len(numbers)}f", *numbers)
    except OverflowError:
        raise ValueError("a number of a vector is larger than its format") from None
    return msgspec.Raw(b'"' + base64.b64encode(packed) + b'"')
