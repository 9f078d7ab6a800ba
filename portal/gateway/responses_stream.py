"""A chat's chunks told as the events of a response. Sans-IO.

Items follow each other: one is being written, and is done when the next begins or the answer
ends. The last item's ``…done`` events and ``response.completed`` come out of ``finish`` alone,
which is called after the settlement; a stream that was cut ends with ``error`` and
``response.failed`` instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import msgspec
from msgspec import Struct

from portal.gateway import events, responses_answer
from portal.gateway.errors import Problem
from portal.gateway.responses_answer import Object
from portal.gateway.served import Served, Stamp

ANSWER_CHARACTERS = 16 << 20  # kept for the events that repeat the whole

_Kind = Literal["message", "reasoning", "function_call"]
_PREFIX: dict[_Kind, str] = {"message": "msg", "reasoning": "rs", "function_call": "fc"}


class _Function(Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(Struct):
    index: int
    id: str | None = None
    function: _Function | None = None


class _Delta(Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(Struct):
    choices: list[_Choice] = []


_decoder = msgspec.json.Decoder(_Chunk)


@dataclass(slots=True)
class _Item:
    """What is being written."""

    kind: _Kind
    id: str
    call: int = -1  # the engine's number of a call
    call_id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)

    def shown(self, status: responses_answer.Status) -> Object:
        """The item as it is now; begun, it shows nothing yet."""
        begun = status == "in_progress"
        text = "".join(self.pieces)
        if self.kind == "message":
            return responses_answer.message(self.id, None if begun else text, status)
        if self.kind == "reasoning":
            return responses_answer.reasoning(self.id, None if begun else text, status)
        return responses_answer.function_call(self.id, self.call_id, self.name, text, status)

    def part(self, text: str) -> Object:
        """Its only part."""
        if self.kind == "message":
            return responses_answer.text_part(text)
        return responses_answer.reasoning_part(text)


class ResponseStream:
    """One stream; ``head`` is the response before anything came of it."""

    def __init__(self, head: Object, stamp: Stamp) -> None:
        self._head = head
        self._stamp = stamp
        self._number = 0  # of the next event
        self._ready: list[bytes] = []
        self._output: list[Object] = []  # items that are done
        self._item: _Item | None = None
        self._size = 0
        self._finish_reason: str | None = None

    def feed(self, told: bytes) -> bytes:
        """Chunks → events. ``ValueError`` if they are no chunks of a chat."""
        self._read(told)
        return self._leave()

    def hold(self, held: bytes) -> None:
        """Take the finishing chunks; what they say leaves with the end."""
        self._read(held)

    def finish(self, served: Served) -> bytes:
        """What ends the answer, with usage, and where and for how much."""
        self._begin()
        if self._item is None and not self._output:
            self._open(_Item("message", self._new_id("message")))  # nothing was said: say so
        self._close(responses_answer.item_status(self._finish_reason))
        counts = served.counts
        response = responses_answer.ended(self._head, self._output, self._finish_reason, counts)
        self._say(f"response.{response['status']}", response=response | {"dure": served.where()})
        return self._leave()

    def error(self, problem: Problem) -> bytes:
        """What came stays incomplete; what had not left does not leave."""
        self._number -= len(self._ready)
        self._ready.clear()
        code, message, param = problem.code, problem.message, problem.param
        self._say("error", code=code, message=message, param=param)
        output = self._output
        if self._item is not None:
            output = [*output, self._item.shown("incomplete")]
        why = {"code": "server_error", "message": message}
        failed = self._head | {"status": "failed", "output": output, "error": why}
        self._say("response.failed", response=failed)
        return self._leave()

    def _read(self, told: bytes) -> None:
        if told:
            self._begin()
        for text in events.texts(told):
            for choice in _decoder.decode(text).choices[:1]:
                self._finish_reason = choice.finish_reason or self._finish_reason
                if choice.delta is not None:
                    self._take(choice.delta)

    def _begin(self) -> None:
        if not self._number:
            self._say("response.created", response=self._head)
            self._say("response.in_progress", response=self._head)

    def _take(self, delta: _Delta) -> None:
        thought = delta.reasoning_content or delta.reasoning
        if thought:
            self._write("reasoning", thought)
        if delta.content:
            self._write("message", delta.content)
        for call in delta.tool_calls or ():
            self._write_call(call)

    def _write(self, kind: _Kind, piece: str) -> None:
        item = self._item
        if item is None or item.kind != kind:
            item = self._open(_Item(kind, self._new_id(kind)))
        self._add(item, piece)
        if kind == "message":
            self._tell(item, "response.output_text.delta", delta=piece, logprobs=[])
        else:
            self._tell(item, "response.reasoning_text.delta", delta=piece)

    def _write_call(self, call: _Call) -> None:
        item, function = self._item, call.function or _Function()
        if item is None or item.kind != "function_call" or item.call != call.index:
            if not function.name:
                raise ValueError("a call without the name of its function")
            made = self._new_id("function_call")
            item = self._open(
                _Item("function_call", made, call.index, call.id or made, function.name)
            )
        if function.arguments:
            self._add(item, function.arguments)
            delta = function.arguments
            self._tell(item, "response.function_call_arguments.delta", delta=delta)

    def _add(self, item: _Item, piece: str) -> None:
        self._size += len(piece)
        if self._size > ANSWER_CHARACTERS:
            raise ValueError("more than an answer can be")
        item.pieces.append(piece)

    def _new_id(self, kind: _Kind) -> str:
        """Made before the item that is being written is closed: it has the next place."""
        place = len(self._output) + (self._item is not None)
        return responses_answer.item_id(_PREFIX[kind], self._stamp, place)

    def _open(self, item: _Item) -> _Item:
        self._close("completed")
        self._item = item
        place = len(self._output)
        self._say("response.output_item.added", output_index=place, item=item.shown("in_progress"))
        if item.kind != "function_call":
            self._tell(item, "response.content_part.added", part=item.part(""))
        return item

    def _close(self, status: responses_answer.Status) -> None:
        item = self._item
        if item is None:
            return
        text = "".join(item.pieces)
        if item.kind == "function_call":
            name, told = item.name, "response.function_call_arguments.done"
            self._tell(item, told, arguments=text, name=name)
        else:
            if item.kind == "message":
                self._tell(item, "response.output_text.done", text=text, logprobs=[])
            else:
                self._tell(item, "response.reasoning_text.done", text=text)
            self._tell(item, "response.content_part.done", part=item.part(text))
        done = item.shown(status)
        self._say("response.output_item.done", output_index=len(self._output), item=done)
        self._output.append(done)
        self._item = None

    def _tell(self, item: _Item, kind: str, **more: object) -> None:
        """An event about the item that is being written."""
        where: Object = {"item_id": item.id, "output_index": len(self._output)}
        if item.kind != "function_call":
            where["content_index"] = 0
        self._say(kind, **where, **more)

    def _say(self, kind: str, **more: object) -> None:
        event = {"type": kind, "sequence_number": self._number, **more}
        self._number += 1
        self._ready.append(b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode(event)))

    def _leave(self) -> bytes:
        ready, self._ready = b"".join(self._ready), []
        return ready
