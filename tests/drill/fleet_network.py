"""``python -m tests.drill.fleet_network 9001:8001 …``: ports in front of others, until it is cut.

SIGUSR1 cuts: nobody is accepted, nothing is carried either way, and nobody is told. SIGUSR2 heals:
what waited is carried on, as after a real partition.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys

BACKLOG = 4  # so many are let in by the kernel while cut; the next find nobody at all


class Network:
    """All ports of one site."""

    def __init__(self, pairs: list[tuple[int, int]]) -> None:
        self.loop = asyncio.get_running_loop()
        self.open = asyncio.Event()
        self.fronts = [(_listen(front), back) for front, back in pairs]
        self.tasks: set[asyncio.Task[None]] = set()
        self.heal()

    def cut(self) -> None:
        self.open.clear()
        for front, _ in self.fronts:
            self.loop.remove_reader(front)

    def heal(self) -> None:
        self.open.set()
        for front, back in self.fronts:
            self.loop.add_reader(front, self._accept, front, back)

    def _accept(self, front: socket.socket, back: int) -> None:
        with contextlib.suppress(BlockingIOError):
            near, _ = front.accept()
            near.setblocking(False)
            task = self.loop.create_task(self._carry(near, back))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _carry(self, near: socket.socket, back: int) -> None:
        far = socket.socket()
        far.setblocking(False)
        try:
            await self.loop.sock_connect(far, ("127.0.0.1", back))
            ways = [self.loop.create_task(self._pump(*one)) for one in ((near, far), (far, near))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for one in ways:
                one.cancel()
            await asyncio.gather(*ways, return_exceptions=True)  # before their sockets are closed
        except OSError:
            await self.open.wait()
        finally:
            near.close()
            far.close()

    async def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := await self.loop.sock_recv(source, 65536):
                await self.open.wait()
                await self.loop.sock_sendall(sink, content)
        await self.open.wait()


def _listen(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    made.listen(BACKLOG)
    made.setblocking(False)
    return made


async def _main(words: list[str]) -> None:
    pairs = [(int(front), int(back)) for front, back in (one.split(":") for one in words)]
    network = Network(pairs)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, network.cut)
    loop.add_signal_handler(signal.SIGUSR2, network.heal)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1:]))
