"""``POST /v1/completions``: a prompt that is continued, without a template around it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta, Struct

from portal.gateway import answers, bodies, events, fields, served
from portal.gateway.chat import Penalty, Seed, Stop, StreamOptions, Tokens, check_stream_options
from portal.gateway.errors import invalid
from portal.gateway.meter import Counts
from portal.gateway.served import Served, Stamp


class CompletionRequest(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The known fields. ``n`` and ``best_of`` may only say 1, and are not passed on."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    prompt: str | list[Any]
    max_tokens: Tokens | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    best_of: Annotated[int, Meta(ge=1, le=128)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    stop: Stop | Annotated[list[Stop], Meta(max_length=4)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: (
        Annotated[dict[str, Annotated[float, Meta(ge=-100, le=100)]], Meta(max_length=300)] | None
    ) = None
    seed: Seed | None = None
    # Not known by every engine
    echo: bool | None = None
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None
    top_k: Annotated[int, Meta(ge=-1, le=100_000)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Meta(gt=0, le=10)] | None = None
    # Read, and not passed on
    suffix: str | None = None
    user: fields.UserName | None = None


_decoder = msgspec.json.Decoder(CompletionRequest)
_SHAPE = ("cmpl", "text_completion")
_ALWAYS_USAGE = StreamOptions(include_usage=True)


class AskedCompletion(bodies.Asked, kw_only=True, eq=False):
    """A completion request that was read."""

    site_path: ClassVar[str] = "/v1/completions"

    body: CompletionRequest
    prompt: str

    def beginning(self) -> str:
        return self.prompt[:1024]

    def encoded(self, engine_model: str, max_tokens: int) -> bytes:
        """What a site gets. Usage is always asked of it, so that it need not be guessed."""
        body = msgspec.structs.replace(
            self.body,
            model=engine_model,
            prompt=self.prompt,
            max_tokens=max_tokens,
            n=None,
            best_of=None,
            suffix=None,
            user=None,
            echo=True if self.body.echo else None,
            stream=True if self.stream else None,
            stream_options=_ALWAYS_USAGE if self.stream else None,
        )
        return msgspec.json.encode(body)

    def answer(self, content: bytes, stamp: Stamp) -> tuple[bytes, Counts]:
        """The choices as they came."""
        return answers.with_choices(content, self.model)

    def ending(self, held: bytes, end: Served) -> bytes:
        """The finishing chunk, the usage for those who asked, and [DONE]."""
        usage = served.usage_event(_SHAPE, self.model, end) if self.include_usage else b""
        return _without_usage(held) + usage + b"data: [DONE]\n\n"


def _without_usage(held: bytes) -> bytes:
    """llama.cpp writes the usage into the finishing chunk; it has its own, for those who asked."""
    if b'"usage"' not in held:
        return held
    told = []
    for text in events.texts(held):
        chunk = answers.whole(text)
        chunk.pop("usage", None)
        told.append(b"data: " + msgspec.json.encode(chunk) + b"\n\n")
    return b"".join(told)


def read(content: bytes) -> AskedCompletion:
    """The request, or a 400 that names the field."""
    body = bodies.decode(content, _decoder)
    _check_together(body)
    prompt = _prompt(body.prompt)
    options = body.stream_options
    return AskedCompletion(
        model=body.model,
        kind="chat",
        stream=bool(body.stream),
        include_usage=options is not None and options.include_usage,
        prompt_bytes=bodies.text_bytes(prompt),
        messages=1,
        max_tokens=body.max_tokens,
        optional=_optional(body),
        body=body,
        prompt=prompt,
    )


def _prompt(prompt: str | list[Any]) -> str:
    """One text. Several prompts are several requests, each with its own hold; tokens are not
    taken, because their numbers mean something else to each model."""
    if isinstance(prompt, list):
        if any(isinstance(one, int | list) for one in prompt):
            raise invalid("Send the prompt as text: arrays of tokens are not taken.", "prompt")
        if len(prompt) != 1 or not isinstance(prompt[0], str):
            raise invalid("Send one prompt: a text, or a list of one text.", "prompt")
        prompt = prompt[0]
    if not prompt:
        raise invalid("There is no prompt to continue.", "prompt")
    return prompt


def _check_together(body: CompletionRequest) -> None:
    for name in ("n", "best_of"):
        if (getattr(body, name) or 1) > 1:
            raise invalid(
                f"Only one answer per request is offered: leave {name} out or send 1.", name
            )
    if body.suffix:
        raise fields.refuse("suffix")
    check_stream_options(body.stream_options, body.stream)


def _optional(body: CompletionRequest) -> tuple[str, ...]:
    found = {
        "echo": body.echo or None,
        "logprobs": body.logprobs,
        "top_k": body.top_k,
        "min_p": body.min_p,
        "repetition_penalty": body.repetition_penalty,
    }
    return tuple(name for name, value in found.items() if value is not None)
