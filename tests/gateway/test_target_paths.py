"""One proxy may stand before several engines and tell them apart by a path."""

from __future__ import annotations

import asyncio

import pytest

from portal.gateway.exchange import Deadlines
from portal.gateway.outbox import Outbox
from portal.gateway.upstream import Pool


@pytest.mark.parametrize(
    ("path", "asked"),
    [("", "/v1/chat/completions"), ("/plc_1", "/plc_1/v1/chat/completions")],
)
async def test_a_target_s_own_path_comes_before_the_api_s(path: str, asked: str) -> None:
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set_result(await reader.readuntil(b"\r\n"))
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    pool = Pool(Outbox())
    whole = asyncio.get_running_loop().time() + 20
    url = f"http://127.0.0.1:{port}{path}"

    await pool.send(url, "/v1/chat/completions", b"", b"{}", Deadlines(5, 20, 20, whole))

    assert await asyncio.wait_for(heard, 20) == f"POST {asked} HTTP/1.1\r\n".encode()
    pool.close()
    server.close()
