"""``POST /v1/responses``: OpenAI's newer form, answered by any engine that can chat.

The request becomes a chat for the site, the site's answer a response. What needs something kept
between requests, or a tool that runs here, is refused by name.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from portal.gateway import answers, bodies, chat, fields, responses_answer, responses_input
from portal.gateway.errors import invalid
from portal.gateway.meter import Counts
from portal.gateway.responses_stream import ResponseStream
from portal.gateway.served import Stamp


class _Format(Struct, forbid_unknown_fields=True, tag_field="type", omit_defaults=True):
    """What the text of an answer must be."""


class PlainText(_Format, tag="text"):
    pass


class JsonObject(_Format, tag="json_object"):
    pass


class JsonSchema(_Format, tag="json_schema"):
    name: chat.FunctionName
    schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None


class TextConfig(Struct, forbid_unknown_fields=True):
    format: PlainText | JsonObject | JsonSchema | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ReasoningConfig(Struct, forbid_unknown_fields=True):
    effort: chat.Effort | None = None
    summary: str | None = None
    generate_summary: str | None = None


class FunctionTool(Struct, forbid_unknown_fields=True):
    """A function that the client runs."""

    type: Literal["function"]
    name: chat.FunctionName
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None


class ToolChoice(Struct, forbid_unknown_fields=True):
    type: Literal["function"]
    name: chat.FunctionName


class ResponseRequest(Struct, forbid_unknown_fields=True):
    """The known fields. The last group is known only to be refused: absent, null and what changes
    nothing are accepted, since clients write them out."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    input: Raw
    instructions: str | None = None
    max_output_tokens: chat.Tokens | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    stream: bool | None = None
    stream_options: chat.StreamOptions | None = None
    text: TextConfig | None = None
    reasoning: ReasoningConfig | None = None
    tools: Annotated[list[Raw], Meta(max_length=chat.MOST_TOOLS)] | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    # Said again in the answer, and not passed on
    metadata: fields.Metadata | None = None
    user: fields.UserName | None = None
    safety_identifier: fields.SafetyIdentifier | None = None
    prompt_cache_key: fields.CacheKey | None = None
    service_tier: Literal["auto", "default"] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    # Refused
    background: bool | None = None
    conversation: Any = None
    include: list[str] | None = None
    max_tool_calls: int | None = None
    previous_response_id: str | None = None
    prompt: Any = None
    store: bool | None = None
    top_logprobs: int | None = None


class _Kind(Struct):
    type: str = ""


_decoder = msgspec.json.Decoder(ResponseRequest)
_kind = msgspec.json.Decoder(_Kind)
_tool = msgspec.json.Decoder(FunctionTool)


class AskedResponse(chat.AskedChat, kw_only=True, eq=False):
    """A request that was read; ``body`` is the chat that a site is asked for."""

    site_path: ClassVar[str] = "/v1/chat/completions"

    request: ResponseRequest
    tools: tuple[FunctionTool, ...]

    def answer(self, content: bytes, stamp: Stamp) -> tuple[bytes, Counts]:
        """The site's whole chat as a response."""
        said = responses_answer.read(content)
        counts = answers.written(said.usage)
        told = responses_answer.whole(self.head(stamp), said.choices[0], counts, stamp)
        return msgspec.json.encode(told), counts

    def translation(self, stamp: Stamp) -> ResponseStream:
        """The site's chunks as a response's events."""
        return ResponseStream(self.head(stamp), stamp)

    def head(self, stamp: Stamp) -> dict[str, object]:
        """The response before anything came of it: what was asked, as it was understood."""
        asked = self.request
        text = asked.text.format if asked.text is not None else None
        return {
            "id": f"resp_{stamp.request_id}",
            "object": "response",
            "created_at": stamp.created,
            "status": "in_progress",
            "background": False,
            "completed_at": None,
            "error": None,
            "incomplete_details": None,
            "instructions": asked.instructions,
            "max_output_tokens": asked.max_output_tokens,
            "max_tool_calls": None,
            "metadata": asked.metadata or {},
            "model": self.model,
            "output": [],
            "parallel_tool_calls": asked.parallel_tool_calls is not False,
            "previous_response_id": None,
            "prompt_cache_key": asked.prompt_cache_key,
            "reasoning": {"effort": self.body.reasoning_effort, "summary": None},
            "safety_identifier": asked.safety_identifier,
            "service_tier": "default",
            "store": False,
            "temperature": asked.temperature,
            "text": {"format": text or PlainText()},
            "tool_choice": asked.tool_choice or "auto",
            "tools": self.tools,
            "top_logprobs": 0,
            "top_p": asked.top_p,
            "truncation": "disabled",
            "usage": None,
            "user": asked.user,
        }


def read(content: bytes) -> AskedResponse:
    """The request, or a 400 that names the field."""
    request = bodies.decode(content, _decoder)
    _refuse(request)
    tools = tuple(_read_tool(raw, f"tools[{n}]") for n, raw in enumerate(request.tools or ()))
    body = _chat(request, tools)
    effort = body.reasoning_effort
    return AskedResponse(
        model=request.model,
        kind="chat",
        stream=bool(request.stream),
        include_usage=False,  # the last event has it, always
        prompt_bytes=chat.prompt_bytes(body),
        messages=len(body.messages),
        max_tokens=request.max_output_tokens,
        optional=("reasoning_effort",) if effort is not None else (),
        body=body,
        request=request,
        tools=tools,
    )


def _refuse(request: ResponseRequest) -> None:
    """What is known only to be refused."""
    for name in ("background", "conversation", "include", "max_tool_calls", "store"):
        if getattr(request, name):
            raise fields.refuse(name)
    if request.previous_response_id is not None:
        raise fields.refuse("previous_response_id")
    if request.prompt is not None:
        raise fields.refuse("prompt", "prompt templates are not kept; send instructions and input")
    if request.top_logprobs:
        raise fields.refuse("top_logprobs")
    if request.truncation == "auto":
        raise fields.refuse("truncation", "input is never shortened; send what shall be read")
    if request.text is not None and request.text.verbosity in ("low", "high"):
        raise fields.refuse("text.verbosity", fields.REFUSED["verbosity"])
    reasoning = request.reasoning
    if reasoning is not None and (reasoning.summary or reasoning.generate_summary):
        raise fields.refuse("reasoning.summary", "no engine here sums up its reasoning")
    chat.check_stream_options(request.stream_options, request.stream)


def _read_tool(raw: Raw, param: str) -> FunctionTool:
    kind = bodies.decode(raw, _kind, param).type
    if kind not in ("", "function"):
        raise fields.refuse(
            f"{param}.type",
            f"'{kind[:64]}' would have to run here, and no tool does; offer a function that runs "
            "with you",
        )
    tool = bodies.decode(raw, _tool, param)
    if tool.parameters is not None:
        bodies.check_schema(tool.parameters, f"{param}.parameters")
    return tool


def _chat(request: ResponseRequest, tools: tuple[FunctionTool, ...]) -> chat.ChatRequest:
    return chat.ChatRequest(
        model=request.model,
        messages=responses_input.read(request.input, request.instructions),
        temperature=request.temperature,
        top_p=request.top_p,
        response_format=_format(request),
        tools=[_offer(tool) for tool in tools] or None,
        tool_choice=_choice(request.tool_choice, tools),
        parallel_tool_calls=request.parallel_tool_calls if tools else None,
        reasoning_effort=request.reasoning.effort if request.reasoning is not None else None,
    )


def _choice(
    asked: Literal["none", "auto", "required"] | ToolChoice | None, tools: tuple[FunctionTool, ...]
) -> Literal["none", "auto", "required"] | chat.ToolChoice | None:
    """Clients say ``auto`` without tools, too; that goes no further."""
    if not tools:
        if asked not in (None, "none", "auto"):
            raise invalid("tool_choice is only allowed when tools are given.", "tool_choice")
        return None
    if isinstance(asked, ToolChoice):
        return chat.ToolChoice("function", chat.NamedFunction(asked.name))
    return asked


def _offer(tool: FunctionTool) -> chat.ToolOffer:
    function = chat.FunctionTool(tool.name, tool.description, tool.parameters, tool.strict)
    return chat.ToolOffer("function", function)


def _format(request: ResponseRequest) -> chat.ResponseFormat | None:
    found = request.text.format if request.text is not None else None
    if isinstance(found, JsonObject):
        return chat.ResponseFormat("json_object")
    if not isinstance(found, JsonSchema):
        return None
    chat.check_answer_schema(found.schema, "text.format.schema")
    schema = chat.JsonSchema(found.name, found.schema, found.description, found.strict)
    return chat.ResponseFormat("json_schema", schema)
