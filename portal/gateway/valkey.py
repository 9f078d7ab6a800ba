"""The admission connection on uvloop.

uvloop's transports do not inherit from ``asyncio.Transport``, which ``pipelined._Wire`` asserts.
This module only takes that assertion away; it goes when ``pipelined`` does the same.
"""

from __future__ import annotations

import asyncio
from typing import cast

from portal.admission import pipelined


class _Wire(pipelined._Wire):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)


class Connection(pipelined.Connection):
    """See ``pipelined.Connection``."""

    async def _connect(self) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        lost: asyncio.Future[None] = loop.create_future()
        async with asyncio.timeout(2.0):
            transport, wire = await loop.create_connection(
                lambda: _Wire(lost), self.host, self.port, ssl=self.tls or None
            )
            try:
                await self._greet(wire)
            except BaseException:
                transport.abort()
                raise
        self._wire = wire
        return lost
