"""The gateway's connections to a cluster of Valkey servers: one for each primary.

A call goes to the server that holds its key. When that is another one by now (``MOVED``, ``ASK``)
the slots are learnt again and the call fails like any other: its caller repeats it, this never
does. A server that is away fails the calls of its own cells alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from portal.admission import slots
from portal.admission.calls import AdmissionUnavailable, Command
from portal.admission.keys import tag
from portal.admission.pipelined import TIMEOUT_SECONDS, Connection, Waiter
from portal.admission.slots import Address, Host
from portal.lib.ids import CELLS

LOOK_SECONDS = 10.0  # between two looks at the slots while all is well
AGAIN_SECONDS = 0.5  # while a server is away: another may have taken its place
SEED_SECONDS = 2.0  # for a server that is only asked where the others are

_log = structlog.get_logger()


def connection(url: str) -> Connection:
    """To one server or to a cluster, as the URL says. Not started."""
    return ClusterConnection(url) if slots.is_cluster(url) else Connection(url)


class _Node(Connection):
    """One primary."""

    def __init__(self, address: Address, host: Host, noted: Callable[[], None]) -> None:
        super().__init__(slots.url_of(address, host))
        self.noted = noted
        self.moved: Callable[[], None] = noted

    def _meet(self, run_id: str) -> None:
        super()._meet(run_id)
        self.noted()

    def _hear_error(self, error: str) -> None:
        if slots.is_elsewhere(error):
            self.moved()


class ClusterConnection(Connection):
    """As ``Connection``. ``runs`` are those of the server that holds each cell; ``run_id`` is all
    servers' together: it changes when one was restarted or replaced."""

    def __init__(self, url: str) -> None:
        self._address = slots.read_url(url)
        self.on_connect: list[Command] = []
        self.run_id = ""
        self.runs = [""] * CELLS
        self.has_functions = False
        self._nodes: dict[Host, _Node] = {}
        self._of_slot: list[_Node | None] = [None] * slots.SLOTS
        self._of_tag: dict[str | bytes | int, _Node | None] = {}
        self._look = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep(), name="valkey")

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await _stop(self._nodes.values())

    @property
    def connected(self) -> bool:
        """To some of the servers."""
        return any(node.connected for node in self._nodes.values())

    def place(self, command: Command) -> object:
        return self._node_of(command)

    def post(self, command: Command, seconds: float = TIMEOUT_SECONDS) -> asyncio.Future[Any]:
        return self._known_node(command).post(command, seconds)

    def tell(self, command: Command, seconds: float, waiter: Waiter) -> None:
        self._known_node(command).tell(command, seconds, waiter)

    def _known_node(self, command: Command) -> _Node:
        node = self._of_tag.get(command[3]) if command[0] == "FCALL" else self._node_of(command)
        if node is None:
            raise AdmissionUnavailable("No server of the cluster is known to hold this key.")
        return node

    def _node_of(self, command: Command) -> _Node | None:
        key = slots.key_of(command)
        if key is not None:
            return self._of_slot[slots.slot_of(key)]
        return next((node for node in self._nodes.values() if node.connected), None)

    async def load_functions(self) -> None:
        """On each server that is there; those that are away are met again when they are back."""
        there = [node for node in self._nodes.values() if node.connected]
        loading = [node.load_functions() for node in there if not node.has_functions]
        ended = await asyncio.gather(*loading, return_exceptions=True)
        self._note()
        for one in ended:
            if isinstance(one, BaseException):
                raise one

    async def _keep(self) -> None:
        while True:
            self._look.clear()
            try:
                self._place(await self._ask_somebody())
            except AdmissionUnavailable as error:
                _log.warning("cluster.slots_unknown", because=str(error))
            whole = self._nodes and all(node.connected for node in self._nodes.values())
            try:
                async with asyncio.timeout(LOOK_SECONDS if whole else AGAIN_SECONDS):
                    await self._look.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(0.05)  # many calls learn of the same move

    async def _ask_somebody(self) -> list[Host | None]:
        for host, node in list(self._nodes.items()):
            if node.connected:
                try:
                    return slots.read_slots(await node.ask(slots.ASK_SLOTS, 1.0), host)
                except AdmissionUnavailable:
                    continue
        for host in self._address.hosts:
            try:
                return slots.read_slots(await self._ask_seed(host), host)
            except (AdmissionUnavailable, TimeoutError):
                continue
        raise AdmissionUnavailable("No server of the cluster answers.")

    async def _ask_seed(self, host: Host) -> Any:
        seed = Connection(slots.url_of(self._address, host))
        try:
            await seed.start()
            async with asyncio.timeout(SEED_SECONDS):
                while not seed.connected:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.01)
            return await seed.ask(slots.ASK_SLOTS, SEED_SECONDS)
        finally:
            await seed.stop()

    def _place(self, found: list[Host | None]) -> None:
        """Every slot's server; those that hold none any more are left."""
        primaries = {host for host in found if host is not None}
        for host in primaries - self._nodes.keys():
            node = _Node(self._address, host, self._note)
            node.moved = self._look.set
            node.on_connect = self.on_connect
            node.begin()
            self._nodes[host] = node
        gone = [self._nodes.pop(host) for host in self._nodes.keys() - primaries]
        self._of_slot = [None if host is None else self._nodes[host] for host in found]
        self._of_tag = {
            tag(cell): self._of_slot[slot] for cell, slot in enumerate(slots.SLOT_OF_CELL)
        }
        self._note()
        for node in gone:
            node.leave()

    def _note(self) -> None:
        """Called whenever a server was met, before it is told anything."""
        of_cells = (self._of_slot[slot] for slot in slots.SLOT_OF_CELL)
        self.runs = ["" if node is None else node.run_id for node in of_cells]
        there = [self._nodes[host] for host in sorted(self._nodes)]
        self.run_id = " ".join(node.run_id for node in there)
        known = [node.has_functions for node in there if node.connected]
        self.has_functions = bool(known) and all(known)


async def _stop(nodes: Iterable[_Node]) -> None:
    await asyncio.gather(*(node.stop() for node in nodes))
