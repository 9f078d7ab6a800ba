"""Inputs of the fuzzer: number ``n`` of seed ``s`` is always the same bytes. Pure.

Three kinds: ``fields`` (a well-formed request whose JSON is odd: it must be answered, and its
connection goes on), ``lines`` (odd headers, framing and first lines) and ``bytes`` (anything).
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from bench.fuzz_words import (
    GOOD,
    METHODS,
    ODD_JSON,
    ODD_LINES,
    ODD_PATHS,
    ODD_VALUES,
    PATHS,
    READ,
    VERSIONS,
)

MOST_BYTES = 4 << 20  # of one body: what a gateway reads before it closes is bounded, too
MOST_VALUES = 20_000  # of one body: more takes longer to make than to refuse
Kind = Literal["fields", "lines", "bytes"]


@dataclass(frozen=True, slots=True)
class Input:
    """What is sent, in which pieces; ``complete``: one well-formed request, so it must be
    answered and the connection goes on."""

    number: int
    kind: Kind
    pieces: tuple[bytes, ...]
    complete: bool

    @property
    def content(self) -> bytes:
        return b"".join(self.pieces)


def make(seed: int, number: int, key: bytes) -> Input:
    """Input ``number`` of this seed; only the key differs between runs."""
    rng = random.Random(f"{seed}:{number}")
    kind: Kind = rng.choices(("fields", "lines", "bytes"), (5, 3, 2))[0]
    if kind == "fields":
        return Input(number, kind, _pieces(rng, _request(rng, key), 0.2), True)
    content = _odd_lines(rng, key) if kind == "lines" else _odd_bytes(rng, key)
    return Input(number, kind, _pieces(rng, content, 0.5), False)


def _request(rng: random.Random, key: bytes) -> bytes:
    if rng.random() < 0.05:
        path = rng.choice(READ).encode()
        return b"GET %b HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\n\r\n" % (path, key)
    path, content = _odd_body(rng)
    return _framed(path, content[:MOST_BYTES], key)


def _framed(path: str, content: bytes, key: bytes) -> bytes:
    return (
        b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b"
        % (path.encode(), key, len(content), content)
    )


def _pieces(rng: random.Random, content: bytes, often: float) -> tuple[bytes, ...]:
    """Split at random places, mostly few; sometimes just before the end."""
    if len(content) < 2 or rng.random() > often:
        return (content,)
    places = {rng.randrange(1, len(content)) for _ in range(rng.choice((1, 1, 2, 3, 8)))}
    edges = [0, *sorted(places), len(content)]
    return tuple(content[a:b] for a, b in pairwise(edges))


# ─── fields ────────────────────────────────────────────────────────────────────────────────────


def _odd_body(rng: random.Random) -> tuple[str, bytes]:
    """A path and a JSON text with none to three things wrong in it."""
    path = rng.choice(PATHS) if rng.random() < 0.5 else PATHS[0]
    body = json.loads(json.dumps(rng.choice(GOOD[path])))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        rng.choice(_CHANGES)(rng, body)
    text = json.dumps(body, ensure_ascii=rng.random() < 0.5, separators=(",", ":"))
    content = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.2:
        content = _odd_text(rng, content)
    return path, content


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key or index) of a JSON value."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one))
        found += [(one, key) for key in keys]
        waiting += [one[key] for key in keys if isinstance(one[key], dict | list)]
    return found


def _replace(rng: random.Random, body: Any) -> None:
    if found := _places(body):
        where, key = rng.choice(found)
        where[key] = copy.deepcopy(rng.choice(ODD_VALUES))


def _drop(rng: random.Random, body: Any) -> None:
    if found := _places(body):
        where, key = rng.choice(found)
        del where[key]


def _rename(rng: random.Random, body: Any) -> None:
    named = [(where, key) for where, key in _places(body) if isinstance(where, dict)]
    if named:
        where, key = rng.choice(named)
        where[rng.choice((key.upper(), key.title(), key + " ", f"x_{key}", ""))] = where.pop(key)


def _add(rng: random.Random, body: Any) -> None:
    name = rng.choice(("n", "best_of", "logprobs", "metadata", "store", "x", "max_tokens"))
    body[name] = copy.deepcopy(rng.choice(ODD_VALUES))


def _wrap(rng: random.Random, body: Any) -> None:
    if found := _places(body):
        where, key = rng.choice(found)
        for _ in range(rng.choice((1, 2, 63, 64, 65))):
            where[key] = [where[key]] if rng.random() < 0.5 else {"a": where[key]}


def _repeat(rng: random.Random, body: Any) -> None:
    places = _places(body)
    lists = [where[key] for where, key in places if isinstance(where[key], list)]
    times = rng.choice((2, 5, 129, 300))
    if lists and len(places) * times < MOST_VALUES:
        one = rng.choice(lists)
        one[:] = [copy.deepcopy(item) for _ in range(times) for item in one]


_CHANGES: list[Callable[[random.Random, Any], None]] = [
    _replace, _replace, _replace, _drop, _rename, _add, _wrap, _repeat,
]  # fmt: skip


def _odd_text(rng: random.Random, content: bytes) -> bytes:
    """What json.dumps would never write."""
    turn = rng.randrange(5)
    if turn == 0:  # an odd value
        values = [
            one.span(1) for one in re.finditer(rb':("[^"]*"|[\d.]+|true|false|null)', content)
        ]
        if values:
            start, end = rng.choice(values)
            return content[:start] + rng.choice(ODD_JSON) + content[end:]
    if turn == 1:  # a key twice
        return content[:-1] + b',"model":"smollm2"}'
    if turn == 2:  # something behind
        return content + rng.choice((b" ", b"x", b"{}", b"\0", b"\r\n", content))
    if turn == 3:  # cut off
        return content[: rng.randrange(len(content))]
    encoding = rng.choice(("utf-8-sig", "utf-16", "utf-32", "latin-1"))
    return content.decode("utf-8", "replace").encode(encoding, "replace")


# ─── lines and framing ─────────────────────────────────────────────────────────────────────────


def _odd_lines(rng: random.Random, key: bytes) -> bytes:
    path = rng.choice(PATHS)
    content = json.dumps(rng.choice(GOOD[path])).encode()
    lines = [
        b"host: x",
        b"content-type: application/json",
        b"authorization: Bearer " + key,
    ]
    if rng.random() < 0.4:
        lines.append(b"transfer-encoding: chunked")
        content = _chunks(rng, content)
    else:
        wrong = rng.random() < 0.1
        lines.append(
            b"content-length: %d" % (len(content) + (rng.randrange(-9, 9) if wrong else 0))
        )
    for _ in range(rng.choice((0, 1, 1, 2))):
        _change_lines(rng, lines)
    method = rng.choice(METHODS) if rng.random() < 0.05 else b"POST"
    version = rng.choice(VERSIONS) if rng.random() < 0.05 else b"HTTP/1.1"
    where = rng.choice(ODD_PATHS) if rng.random() < 0.1 else path.encode()
    first = b" ".join((method, where, version))
    request = b"\r\n".join([first, *lines]) + b"\r\n\r\n" + content
    return request * 2 if rng.random() < 0.1 else request


def _change_lines(rng: random.Random, lines: list[bytes]) -> None:
    turn, place = rng.randrange(5), rng.randrange(len(lines))
    if turn == 0:
        del lines[place]
        lines.append(b"x: y")
    elif turn == 1:
        lines.insert(rng.randrange(len(lines) + 1), lines[place])
    elif turn == 2:
        name, mark, value = lines[place].partition(b":")
        lines[place] = rng.choice((name.upper(), name.title(), name + b" ")) + mark + value
    else:
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(ODD_LINES))


def _chunks(rng: random.Random, content: bytes) -> bytes:
    """A body in chunks, now and then with something wrong in its framing."""
    parts, start = [], 0
    while start < len(content):
        size = rng.choice((1, 7, 100, 5000))
        part = content[start : start + size]
        parts.append(b"%x\r\n%b\r\n" % (len(part), part))
        start += size
    end = rng.choice(
        (b"0\r\n\r\n",) * 5 + (b"0\r\nauthorization: x\r\n\r\n", b"00\r\n\r\n", b"0\n\n", b"")
    )
    if rng.random() < 0.15:
        odd = (b"-1\r\nx\r\n", b"0x1\r\nx\r\n", b"1;" + b"e" * 5000 + b"\r\nx\r\n", b"2\r\nx\r\n",
               b"f" * 17 + b"\r\n", b"1\nx\n", b"1 \r\nx\r\n", b"\r\n", b"0\r\n\r\n")  # fmt: skip
        parts.insert(rng.randrange(len(parts) + 1), rng.choice(odd))
    return b"".join(parts) + end


# ─── bytes ─────────────────────────────────────────────────────────────────────────────────────


def _odd_bytes(rng: random.Random, key: bytes) -> bytes:
    content = bytearray(_request(rng, key) if rng.random() < 0.6 else _odd_lines(rng, key))
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        _change_bytes(rng, content)
    return bytes(content)


def _change_bytes(rng: random.Random, content: bytearray) -> None:
    if not content:
        content += b"\0"
    place = rng.randrange(len(content))
    turn = rng.randrange(6)
    if turn == 0:
        content[place] ^= 1 << rng.randrange(8)
    elif turn == 1:
        content[place:place] = rng.choice((b"\0", b"\r", b"\n", b"\r\n", b":", b" ", b"\xff", b"%"))
    elif turn == 2:
        del content[place : place + rng.choice((1, 1, 2, 9, 99))]
    elif turn == 3:
        content[place] = rng.randrange(256)
    elif turn == 4:
        size = rng.choice((1, 8, 64, 512))
        other = rng.randrange(len(content))
        content[place:place] = content[other : other + size]
    else:
        del content[place:]
