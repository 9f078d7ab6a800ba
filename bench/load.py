"""An upstream and clients for benchmarks: two small C programs, built when they are needed.

What is measured is the gateway; a client or an engine in Python would be the slower of the two.
``Tools.build`` compiles ``load_upstream.c`` and ``load_clients.c`` (their heads say what they do)
into a folder of the benchmark's own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).parent
CHUNKS_FIRST = 5  # of the model `first`; others give as many as tokens are asked for
SLOTS, SERVICE_SECONDS = 64, 0.05  # of the model `slots`

_MESSAGES = [
    {
        "role": "system",
        "content": "You answer briefly and politely, in the language you are asked.",
    },
    {
        "role": "user",
        "content": "How do I book a room in the county hall for a public meeting? " * 2,
    },
]


class NoCompiler(Exception):
    """The load generator cannot be built. Install gcc and the C library's headers, or set CC."""


def chat(model: str, *, stream: bool = False, tokens: int = 100) -> bytes:
    """A body of some 400 bytes."""
    body: dict[str, object] = {"model": model, "messages": _MESSAGES, "max_tokens": tokens}
    return json.dumps(body | ({"stream": True} if stream else {})).encode()


def request(body: bytes, key: str = "", *, path: str = "/v1/chat/completions") -> bytes:
    """Bytes of one request."""
    authority = b"authorization: Bearer %b\r\n" % key.encode() if key else b""
    return (
        b"POST %b HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
        b"%bcontent-length: %d\r\n\r\n%b" % (path.encode(), authority, len(body), body)
    )


def page(path: str) -> bytes:
    """Bytes of a request without a body."""
    return b"GET %b HTTP/1.1\r\nhost: bench\r\n\r\n" % path.encode()


@dataclass(frozen=True)
class Spread:
    """Of times in microseconds."""

    n: int
    p50: float
    p99: float
    max: float


@dataclass(frozen=True)
class Result:
    """What the clients saw; see ``load_clients.c``."""

    sent: int
    ok: int
    failed: int
    late: int
    unsent: int
    within: int
    cut: int
    chunks: int
    seconds: float
    lag: float
    statuses: dict[str, int]
    latency: Spread
    refusal: Spread
    first: Spread
    chunk: Spread

    @classmethod
    def read(cls, said: bytes) -> Self:
        found: dict[str, Any] = json.loads(said)
        spreads = ("latency", "refusal", "first", "chunk")
        return cls(**found | {name: Spread(**found[name]) for name in spreads})

    @property
    def errors(self) -> int:
        """All that was not answered whole with a 200."""
        return self.sent - self.ok + self.unsent + self.cut


@dataclass(frozen=True)
class Load:
    """Clients at work in another process."""

    process: subprocess.Popen[bytes]

    def result(self) -> Result:
        said, _ = self.process.communicate(timeout=600)
        if self.process.returncode:
            raise RuntimeError(f"the clients ended with {self.process.returncode}")
        return Result.read(said)


@dataclass(frozen=True)
class Tools:
    """The built programs."""

    folder: Path
    core: Callable[[int], None]  # puts a process where load belongs

    @classmethod
    def build(cls, folder: Path, core: Callable[[int], None]) -> Self:
        """``NoCompiler`` if there is none, or no headers for it."""
        names = (os.environ.get("CC", ""), "cc", "gcc", "clang")
        compiler = next((found for name in names if (found := shutil.which(name))), None)
        if compiler is None:
            raise NoCompiler("there is no cc, gcc or clang")
        for name in ("load_upstream", "load_clients"):
            command = [compiler, "-O2", "-o", str(folder / name), str(HERE / f"{name}.c")]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise NoCompiler(done.stderr[-1000:])
        return cls(folder, core)

    def upstream(self, port: int) -> list[str]:
        """The command of an engine."""
        return [str(self.folder / "load_upstream"), str(port)]

    def start(self, port: int, content: bytes, *, polite: int = 0, **words: float) -> Load:
        """Clients that send ``content``; the words are those of ``load_clients.c``. ``polite``
        ones step back (``nice``) behind what else runs on their core."""
        path = self.folder / f"request-{hash(content):x}"
        path.write_bytes(content)
        given = [f"{name}={value:g}" for name, value in words.items()]
        command = [str(self.folder / "load_clients"), f"port={port}", f"request={path}", *given]
        if polite:
            command = ["nice", "-n", str(polite), *command]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.core(process.pid)
        return Load(process)

    def run(self, port: int, content: bytes, *, polite: int = 0, **words: float) -> Result:
        """The same, waited for."""
        return self.start(port, content, polite=polite, **words).result()
