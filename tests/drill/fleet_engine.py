"""``fleet_engine.py [broken] chat|embedding PORT``: an engine of the fleet's drill.

Started by its site as a real one, with its settings as one JSON line on standard input. It speaks a
word every twentieth of a second; ``broken`` is well by its health and fails every request.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import msgspec

from portal.mdc.engine import Settings, die_with
from tests.fakes import speech

PAUSE_SECONDS = 0.05


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, broken: bool
) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            if head.startswith("get "):
                _whole(writer, 200 if head.startswith("get /health") else 404, b"")
                continue
            length = int(head.partition("content-length: ")[2].split("\r\n")[0])
            body = json.loads(await reader.readexactly(length))
            if broken:
                _whole(writer, 500, b'{"error":{"message":"out of memory"}}')
            else:
                await _stream(writer, body)
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


def _whole(writer: asyncio.StreamWriter, status: int, content: bytes) -> None:
    kind = b"content-type: application/json\r\n"
    head = b"HTTP/1.1 %d X\r\n%bcontent-length: %d\r\n\r\n" % (status, kind, len(content))
    writer.write(head + content)


async def _stream(writer: asyncio.StreamWriter, body: dict[str, object]) -> None:
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    for event in speech.events(body, "long"):
        writer.write(b"%x\r\n%b\r\n" % (len(event), event))
        await writer.drain()
        await asyncio.sleep(PAUSE_SECONDS)
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _main(port: int, *, broken: bool) -> None:
    server = await asyncio.start_server(
        lambda reader, writer: _answer(reader, writer, broken=broken), "127.0.0.1", port
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    settings = msgspec.json.decode(sys.stdin.readline(), type=Settings)
    die_with(settings.parent)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    asyncio.run(_main(int(sys.argv[-1]), broken="broken" in sys.argv[1:-2]))
