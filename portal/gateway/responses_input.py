"""The input of ``POST /v1/responses``, read as the messages of a chat.

Items are messages (with or without their type), calls of functions and their results. Nothing is
kept between requests, so whatever points at something kept is refused with that reason. Reasoning
of earlier answers is read and left out: chat templates of open models drop it, too.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from portal.gateway import bodies, chat, fields
from portal.gateway.errors import invalid

_ABSENT = Raw()  # of what is read and left out
_ItemId = Annotated[str, Meta(max_length=256)]
_Status = Literal["in_progress", "completed", "incomplete"]


class _Part(Struct, forbid_unknown_fields=True, tag_field="type"):
    """A piece of a message's content, or of a function's result."""


class InputText(_Part, tag="input_text"):
    text: str


class OutputText(_Part, tag="output_text"):
    text: str
    annotations: Raw = _ABSENT
    logprobs: Raw = _ABSENT


class Refusal(_Part, tag="refusal"):
    refusal: str


class InputImage(_Part, tag="input_image"):
    detail: Raw = _ABSENT
    image_url: Raw = _ABSENT
    file_id: Raw = _ABSENT


class InputFile(_Part, tag="input_file"):
    detail: Raw = _ABSENT
    file_data: Raw = _ABSENT
    file_id: Raw = _ABSENT
    file_url: Raw = _ABSENT
    filename: Raw = _ABSENT


class InputAudio(_Part, tag="input_audio"):
    input_audio: Raw = _ABSENT


_Parts = list[InputText | OutputText | Refusal | InputImage | InputFile | InputAudio]


class _Item(Struct, forbid_unknown_fields=True):
    """``id`` and ``status`` come along when an answer's output is sent back."""

    id: _ItemId | None = None
    status: _Status | None = None


class Message(_Item, kw_only=True):
    role: Literal["user", "assistant", "system", "developer"]
    content: str | Annotated[_Parts, Meta(min_length=1)]
    type: Literal["message"] = "message"
    phase: Literal["commentary", "final_answer"] | None = None


class FunctionCall(_Item, kw_only=True):
    call_id: chat.Name
    name: chat.FunctionName
    arguments: str
    type: Literal["function_call"]
    namespace: None = None
    caller: None = None
    asynchronous: None = msgspec.field(name="async", default=None)


class FunctionCallOutput(_Item, kw_only=True):
    call_id: chat.Name
    output: str | Annotated[_Parts, Meta(min_length=1)]
    type: Literal["function_call_output"]
    name: chat.FunctionName | None = None
    namespace: None = None
    caller: None = None


class Reasoning(_Item, kw_only=True):
    type: Literal["reasoning"]
    summary: Raw = _ABSENT
    content: Raw = _ABSENT
    encrypted_content: Raw = _ABSENT


class _Kind(Struct):
    type: str = "message"


_kind = msgspec.json.Decoder(_Kind)
_input = msgspec.json.Decoder(
    str | Annotated[list[Raw], Meta(min_length=1, max_length=chat.MOST_MESSAGES)]
)
_items: dict[str, msgspec.json.Decoder[Message | FunctionCall | FunctionCallOutput | Reasoning]] = {
    "message": msgspec.json.Decoder(Message),
    "function_call": msgspec.json.Decoder(FunctionCall),
    "function_call_output": msgspec.json.Decoder(FunctionCallOutput),
    "reasoning": msgspec.json.Decoder(Reasoning),
}


def read(raw: Raw, instructions: str | None) -> list[chat.Message]:
    """The messages of a chat, or a 400 that names the item."""
    messages: list[chat.Message] = []
    if instructions:
        messages.append(chat.System(instructions))
    found = bodies.decode(raw, _input, "input")
    if isinstance(found, str):
        return [*messages, chat.User(found)]
    called: set[str] = set()
    for index, one in enumerate(found):
        _add(messages, called, one, f"input[{index}]")
    if not messages:
        raise invalid("There is nothing to answer: the input is reasoning alone.", "input")
    return messages


def _add(messages: list[chat.Message], called: set[str], raw: Raw, param: str) -> None:
    kind = bodies.decode(raw, _kind, param).type
    if kind == "item_reference":
        raise fields.refuse(f"{param}.type", fields.STATE)
    if kind not in _items:
        raise fields.refuse(
            f"{param}.type",
            f"'{kind[:64]}' belongs to a tool that does not run here; items may be message, "
            "function_call, function_call_output and reasoning",
        )
    item = bodies.decode(raw, _items[kind], param)
    if isinstance(item, Message):
        messages.append(_message(item, f"{param}.content"))
    elif isinstance(item, FunctionCall):
        called.add(item.call_id)
        _add_call(messages, item, param)
    elif isinstance(item, FunctionCallOutput):
        _check_called(item, called, param)
        messages.append(chat.Tool(_content(item.output, f"{param}.output"), item.call_id))


def _message(item: Message, param: str) -> chat.Message:
    content = _content(item.content, param)
    match item.role:
        case "user":
            return chat.User(content)
        case "assistant":
            return chat.Assistant(content)
        case _:
            return chat.System(content)


def _content(found: str | _Parts, param: str) -> str | list[chat.Part]:
    if isinstance(found, str):
        return found
    texts = [_text(part, f"{param}[{index}]") for index, part in enumerate(found)]
    return texts[0] if len(texts) == 1 else [chat.TextPart(text) for text in texts]


def _text(part: _Part, param: str) -> str:
    if isinstance(part, InputText | OutputText):
        return part.text
    if isinstance(part, Refusal):
        return part.refusal
    raise invalid(chat.ONLY_TEXT, param)


def _add_call(messages: list[chat.Message], item: FunctionCall, param: str) -> None:
    """A chat has the calls of one turn in one message, with what was said before them."""
    call = chat.ToolCall(item.call_id, chat.FunctionCall(item.name, item.arguments))
    last = messages[-1] if messages else None
    if not isinstance(last, chat.Assistant):
        messages.append(chat.Assistant(None, tool_calls=[call]))
        return
    last.tool_calls = [*(last.tool_calls or ()), call]
    if len(last.tool_calls) > chat.MOST_TOOLS:
        raise invalid(f"More than {chat.MOST_TOOLS} calls in one turn.", param)


def _check_called(item: FunctionCallOutput, called: set[str], param: str) -> None:
    if item.call_id not in called:
        raise invalid(
            f"There is no function_call '{item.call_id}' in the input before this result: "
            f"{fields.STATE}.",
            f"{param}.call_id",
        )
