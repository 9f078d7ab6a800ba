"""A response out of a chat: items of output, usage, status. Pure; whole answers and the ends of
streams are made here, so that both say the same."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from portal.gateway.meter import Counts
from portal.gateway.served import Stamp

Status = Literal["in_progress", "completed", "incomplete"]
Object = dict[str, object]

_WHY = {"length": "max_output_tokens", "content_filter": "content_filter"}


class Function(Struct):
    name: str = ""
    arguments: str = ""


class Call(Struct):
    function: Function
    id: str | None = None


class Message(Struct):
    """``reasoning`` is the newer name that some engines give to ``reasoning_content``."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[Call] | None = None


class Choice(Struct):
    message: Message
    finish_reason: str | None = None


class Chat(Struct):
    """A site's whole answer."""

    choices: list[Choice]
    usage: msgspec.Raw = msgspec.Raw(b"null")


_decoder = msgspec.json.Decoder(Chat)


def read(content: bytes) -> Chat:
    """``ValueError`` (msgspec's errors included) if it is no answer of a chat."""
    found = _decoder.decode(content)
    if not found.choices:
        raise ValueError("no choices")
    return found


def whole(head: Object, choice: Choice, counts: Counts, stamp: Stamp) -> Object:
    """The response of one choice."""
    output: list[Object] = []
    said, status = choice.message, item_status(choice.finish_reason)

    def name(prefix: str) -> str:
        return item_id(prefix, stamp, len(output))

    thought = said.reasoning_content or said.reasoning
    if thought:
        output.append(reasoning(name("rs"), thought, "completed"))
    if said.content or not said.tool_calls:
        output.append(message(name("msg"), said.content or "", status))
    for call in said.tool_calls or ():
        made = name("fc")
        function = call.function
        output.append(
            function_call(made, call.id or made, function.name, function.arguments, status)
        )
    return ended(head, output, choice.finish_reason, counts)


def ended(head: Object, output: list[Object], finish_reason: str | None, counts: Counts) -> Object:
    """The response at its end; cut off by its own limits it is *incomplete*, with the reason."""
    why = _WHY.get(finish_reason or "")
    thought = any(item["type"] == "reasoning" for item in output)
    return head | {
        "status": "completed" if why is None else "incomplete",
        "incomplete_details": None if why is None else {"reason": why},
        "output": output,
        "usage": usage(counts, thought=thought),
    }


def usage(counts: Counts, *, thought: bool) -> Object | None:
    """Tokens in Responses' words; unknown as a whole, or where reasoning was not counted apart,
    is null and not 0."""
    if counts.counted == "none":
        return None
    return {
        "input_tokens": counts.tokens_in,
        "input_tokens_details": {"cached_tokens": counts.tokens_cached, "cache_write_tokens": 0},
        "output_tokens": counts.tokens_out,
        "output_tokens_details": {"reasoning_tokens": None if thought else 0},
        "total_tokens": counts.tokens_in + counts.tokens_out,
    }


def item_id(prefix: str, stamp: Stamp, index: int) -> str:
    """An item's name: unique, and of use to nobody but its reader, since nothing is kept."""
    return f"{prefix}_{stamp.request_id}_{index}"


def item_status(finish_reason: str | None) -> Status:
    """Of the item that was being written when the answer ended."""
    return "incomplete" if finish_reason in _WHY else "completed"


def text_part(text: str) -> Object:
    """The content of a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def reasoning_part(text: str) -> Object:
    """The content of reasoning."""
    return {"type": "reasoning_text", "text": text}


def message(name: str, text: str | None, status: Status) -> Object:
    """What was said; ``None`` before its first piece."""
    content = [] if text is None else [text_part(text)]
    shown: Object = {"id": name, "type": "message", "status": status, "role": "assistant"}
    return shown | {"content": content}


def reasoning(name: str, text: str | None, status: Status) -> Object:
    """What was thought aloud."""
    content = [] if text is None else [reasoning_part(text)]
    return {"id": name, "type": "reasoning", "summary": [], "content": content, "status": status}


def function_call(name: str, call_id: str, function: str, arguments: str, status: Status) -> Object:
    """A call for the client to make."""
    return {
        "id": name,
        "type": "function_call",
        "status": status,
        "call_id": call_id,
        "name": function,
        "arguments": arguments,
    }
