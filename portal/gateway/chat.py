"""``POST /v1/chat/completions``: the fields that are known, and what a site is sent of them."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from portal.gateway import answers, bodies, fields, served
from portal.gateway.errors import invalid
from portal.gateway.meter import Counts
from portal.gateway.served import Served, Stamp

MOST_MESSAGES = 2048
MOST_TOOLS = 128
SCHEMA_BYTES = 65536
ONLY_TEXT = "Only text is offered: images, audio and files are neither read nor fetched."

Name = Annotated[str, Meta(min_length=1, max_length=64)]
FunctionName = Annotated[str, Meta(pattern=r"\A[a-zA-Z0-9_-]{1,64}\Z")]
Tokens = Annotated[int, Meta(ge=1, le=10_000_000)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Stop = Annotated[str, Meta(min_length=1, max_length=256)]
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class _Part(Struct, forbid_unknown_fields=True, tag_field="type", omit_defaults=True):
    """A piece of a message's content."""


class TextPart(_Part, tag="text"):
    text: str


class ImagePart(_Part, tag="image_url"):
    image_url: Any  # refused with its own sentence; never fetched


class AudioPart(_Part, tag="input_audio"):
    input_audio: Any


class FilePart(_Part, tag="file"):
    file: Any


Part = TextPart | ImagePart | AudioPart | FilePart
_Content = str | Annotated[list[Part], Meta(min_length=1)]


class FunctionCall(Struct, forbid_unknown_fields=True):
    name: FunctionName
    arguments: str


class ToolCall(Struct, forbid_unknown_fields=True):
    id: Name
    function: FunctionCall
    type: Literal["function"] = "function"


class _Message(Struct, forbid_unknown_fields=True, tag_field="role", omit_defaults=True):
    """One message; its role decides its fields."""


class System(_Message, tag="system"):
    content: _Content
    name: Name | None = None


class Developer(_Message, tag="developer"):
    content: _Content
    name: Name | None = None


class User(_Message, tag="user"):
    content: _Content
    name: Name | None = None


class Assistant(_Message, tag="assistant"):
    """What an engine said. Clients send whole messages back as they came, with fields that are
    empty or that an engine's template has no use for; those are read and left out."""

    content: _Content | UnsetType | None = UNSET
    name: Name | None = None
    tool_calls: Annotated[list[ToolCall], Meta(max_length=MOST_TOOLS)] | None = None
    refusal: str | None = None
    # Read, and not passed on
    annotations: list[Any] | None = None
    audio: None = None
    function_call: None = None
    reasoning: str | None = None
    reasoning_content: str | None = None


class Tool(_Message, tag="tool"):
    content: _Content
    tool_call_id: Name


Message = System | Developer | User | Assistant | Tool


class FunctionTool(Struct, forbid_unknown_fields=True, omit_defaults=True):
    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolOffer(Struct, forbid_unknown_fields=True):
    type: Literal["function"]
    function: FunctionTool


class NamedFunction(Struct, forbid_unknown_fields=True):
    name: FunctionName


class ToolChoice(Struct, forbid_unknown_fields=True):
    type: Literal["function"]
    function: NamedFunction


class JsonSchema(Struct, forbid_unknown_fields=True, omit_defaults=True):
    name: FunctionName
    schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None


class ResponseFormat(Struct, forbid_unknown_fields=True, omit_defaults=True):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(Struct, forbid_unknown_fields=True, omit_defaults=True):
    include_usage: bool = False
    include_obfuscation: bool | None = None  # refused when true; not passed on


class ChatRequest(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The known fields. Those from ``user`` on are read and not passed on: a site has no use for
    them, and nothing changes without them."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    messages: Annotated[list[Message], Meta(min_length=1, max_length=MOST_MESSAGES)]
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    stop: Stop | Annotated[list[Stop], Meta(max_length=4)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: (
        Annotated[dict[str, Annotated[float, Meta(ge=-100, le=100)]], Meta(max_length=300)] | None
    ) = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    seed: Seed | None = None
    response_format: ResponseFormat | None = None
    tools: Annotated[list[ToolOffer], Meta(max_length=MOST_TOOLS)] | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    # Not known by every engine
    top_k: Annotated[int, Meta(ge=-1, le=100_000)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Meta(gt=0, le=10)] | None = None
    reasoning_effort: Effort | None = None
    # Read, and not passed on
    user: fields.UserName | None = None
    metadata: fields.Metadata | None = None
    store: bool | None = None
    service_tier: Literal["auto", "default"] | None = None
    safety_identifier: fields.SafetyIdentifier | None = None
    prompt_cache_key: fields.CacheKey | None = None
    modalities: list[str] | None = None


_decoder = msgspec.json.Decoder(ChatRequest)
_OPTIONAL = ("top_k", "min_p", "repetition_penalty", "reasoning_effort")
_SHAPE = ("chatcmpl", "chat.completion.chunk")
_ALWAYS_USAGE = StreamOptions(include_usage=True)


class AskedChat(bodies.Asked, kw_only=True, eq=False):
    """A chat request that was read."""

    site_path: ClassVar[str] = "/v1/chat/completions"

    body: ChatRequest

    def beginning(self) -> str:
        found = ""
        for message in self.body.messages:
            content = message.content
            if isinstance(content, str):
                found += content[:1024]
            elif content:
                found += "".join(one.text[:1024] for one in content if isinstance(one, TextPart))
            if len(found) >= 1024:
                break
        return found

    def encoded(self, engine_model: str, max_tokens: int) -> bytes:
        """What a site gets. Usage is always asked of it, so that it need not be guessed."""
        body = msgspec.structs.replace(
            self.body,
            model=engine_model,
            messages=[_for_engine(message) for message in self.body.messages],
            max_tokens=max_tokens,
            max_completion_tokens=None,
            n=None,
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
        return held + usage + b"data: [DONE]\n\n"


def _for_engine(message: Message) -> Message:
    """``developer`` is OpenAI's newer word for ``system``; templates of open models know that."""
    if isinstance(message, User):
        return message
    if isinstance(message, Developer):
        return System(message.content, message.name)
    if isinstance(message, Assistant):
        calls = message.tool_calls or None
        return Assistant(message.content, message.name, calls, message.refusal)
    return message


def read(content: bytes) -> AskedChat:
    """The request, or a 400 that names the field."""
    body = bodies.decode(content, _decoder)
    _check_together(body)
    for index, message in enumerate(body.messages):
        if not message.content or not isinstance(message.content, str):
            _check_message(message, f"messages[{index}]")
    _check_schemas(body)
    _leave_out(body)
    options = body.stream_options
    return AskedChat(
        model=body.model,
        kind="chat",
        stream=bool(body.stream),
        include_usage=options is not None and options.include_usage,
        prompt_bytes=prompt_bytes(body),
        messages=len(body.messages),
        max_tokens=body.max_tokens or body.max_completion_tokens,
        optional=_optional(body),
        body=body,
    )


def _leave_out(body: ChatRequest) -> None:
    """What a site has no use for."""
    body.user = body.metadata = body.store = body.service_tier = None
    body.safety_identifier = body.prompt_cache_key = body.modalities = None


def _optional(body: ChatRequest) -> tuple[str, ...]:
    usual = body.top_k is None and body.min_p is None and body.repetition_penalty is None
    if usual and body.reasoning_effort is None:
        return ()
    return tuple(name for name in _OPTIONAL if getattr(body, name) is not None)


def _check_together(body: ChatRequest) -> None:
    if body.max_tokens is not None and body.max_completion_tokens is not None:
        raise invalid("Send max_tokens or max_completion_tokens, not both.", "max_tokens")
    if body.n is not None and body.n > 1:
        raise invalid("Only one answer per request is offered: leave n out or send 1.", "n")
    check_stream_options(body.stream_options, body.stream)
    if body.top_logprobs is not None and not body.logprobs:
        raise invalid("top_logprobs is only allowed when logprobs is true.", "top_logprobs")
    if body.tool_choice is not None and not body.tools:
        raise invalid("tool_choice is only allowed when tools are given.", "tool_choice")
    if body.store:
        raise fields.refuse("store")
    if body.modalities is not None and body.modalities != ["text"]:
        raise fields.refuse("modalities")


def check_stream_options(options: StreamOptions | None, stream: bool | None) -> None:
    """They belong to a stream; its pieces are not padded."""
    if options is None:
        return
    if not stream:
        raise invalid("stream_options is only allowed when stream is true.", "stream_options")
    if options.include_obfuscation:
        raise fields.refuse("stream_options.include_obfuscation", "pieces are sent as they come")


def _check_message(message: Message, param: str) -> None:
    if isinstance(message, Assistant) and not message.content and not message.tool_calls:
        raise invalid("An assistant's message needs content or tool_calls.", f"{param}.content")
    if isinstance(message.content, list):
        for index, part in enumerate(message.content):
            if not isinstance(part, TextPart):
                raise invalid(ONLY_TEXT, f"{param}.content[{index}]")


def _check_schemas(body: ChatRequest) -> None:
    for index, tool in enumerate(body.tools or ()):
        if tool.function.parameters is not None:
            param = f"tools[{index}].function.parameters"
            bodies.check_schema(tool.function.parameters, param)
    wanted = body.response_format
    if wanted is None:
        return
    if (wanted.type == "json_schema") != (wanted.json_schema is not None):
        raise invalid(
            "json_schema is needed with the type json_schema, and only there.", "response_format"
        )
    if wanted.json_schema is not None:
        check_answer_schema(wanted.json_schema.schema, "response_format.json_schema.schema")


def check_answer_schema(schema: dict[str, Any], param: str) -> None:
    """A schema that an answer must fit: a grammar is made of it."""
    bodies.check_schema(schema, param)
    if len(msgspec.json.encode(schema)) > SCHEMA_BYTES:
        raise invalid(f"The schema is larger than {SCHEMA_BYTES} bytes.", param)


def prompt_bytes(body: ChatRequest) -> int:
    """Upper bound of the prompt's tokens, without the template."""
    total = 0
    for message in body.messages:
        content = message.content
        if isinstance(content, str):
            total += bodies.text_bytes(content)
        elif content:
            total += sum(bodies.text_bytes(p.text) for p in content if isinstance(p, TextPart))
        if isinstance(message, Tool):
            total += bodies.text_bytes(message.tool_call_id)  # some templates write it out
        elif message.name:
            total += bodies.text_bytes(message.name)
        if isinstance(message, Assistant) and message.tool_calls:
            total += len(msgspec.json.encode(message.tool_calls))
    if body.tools:
        total += len(msgspec.json.encode(body.tools))
    if body.response_format:
        total += len(msgspec.json.encode(body.response_format))
    return total
