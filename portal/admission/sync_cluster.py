"""redis-py against a cluster of Valkey servers: each command once, to the server of its key.

redis-py's own ``RedisCluster`` follows ``MOVED`` and ``ASK`` up to sixteen times and repeats what
timed out ten times unless told otherwise, and it asks a server where the key of each function
call stands. Here nothing is repeated: after an error the slots are learnt again for the next call.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import redis
from redis.client import Pipeline

from portal.admission import slots
from portal.admission.slots import Host
from portal.lib.ids import CELLS

LOOK_SECONDS = 0.05  # between two looks at streams of which none has anything new

_MOVED = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.exceptions.AskError,  # MOVED is one of them
    redis.exceptions.ClusterDownError,
    redis.exceptions.TryAgainError,
)


class Cluster(redis.Redis):
    """A client of all primaries. Commands without a key go to any of them."""

    def __init__(self, url: str, **how: Any) -> None:
        self._address = slots.read_url(url)
        self._how = how
        self._clients: dict[Host, redis.Redis] = {}
        self._hosts = list(self._address.hosts)  # who answered last comes first
        self._found: list[Host | None] = []  # by slot; empty: to be learnt
        # Its own pool is never used: every command goes through the client of one server.
        seed = slots.url_of(self._address, self._hosts[0])
        super().__init__(connection_pool=redis.ConnectionPool.from_url(seed, **how))

    def execute_command(self, *args: Any, **options: Any) -> Any:
        with self._noting():
            client: Any = self._client(self._server_of(args))
            return client.execute_command(*args, **options)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Pipeline:
        """Only without a transaction: there is none over several servers."""
        if transaction:
            raise ValueError("A cluster has no transactions over all of its keys.")
        return _Pipeline(self)

    def scan_iter(self, *args: Any, **options: Any) -> Iterator[Any]:
        """Of every server."""
        for server, _ in self.servers():
            yield from server.scan_iter(*args, **options)

    def xread(  # type: ignore[override]  # its limits of whole answers have no use here
        self, streams: dict[Any, Any], count: int | None = None, block: int | None = None
    ) -> list[Any]:
        """Of streams on many servers: looked at again and again for ``block`` milliseconds.

        A server that is away gives nothing; an error if all are. The answer is a list of pairs.
        """
        end = time.monotonic() + (block or 0) / 1000
        while not (found := self._read(streams, count)) and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
        return found

    def _read(self, streams: dict[Any, Any], count: int | None) -> list[Any]:
        pipe = self.pipeline(transaction=False)
        for name, last in streams.items():
            pipe.xread({name: last}, count=count)
        replies = pipe.execute(raise_on_error=False)
        errors = [one for one in replies if isinstance(one, Exception)]
        if errors and len(errors) == len(replies):
            raise errors[0]
        found: list[Any] = []
        for one in replies:
            if not isinstance(one, Exception):
                found += one.items() if isinstance(one, dict) else one or ()
        return found

    def servers(self) -> list[tuple[redis.Redis, list[int]]]:
        """Each primary, and the cells that it holds."""
        found = self._slots()
        cells: dict[Host, list[int]] = {host: [] for host in found if host is not None}
        for cell in range(CELLS):
            host = found[slots.SLOT_OF_CELL[cell]]
            if host is not None:
                cells[host].append(cell)
        return [(self._client(host), of_host) for host, of_host in cells.items()]

    def forget(self) -> None:
        """Learn the slots again at the next call."""
        self._found = []

    def close(self) -> None:
        for client in getattr(self, "_clients", {}).values():
            client.close()

    def _noting(self) -> _Noting:
        return _Noting(self)

    def _client(self, host: Host) -> redis.Redis:
        client = self._clients.get(host)
        if client is None:
            url = slots.url_of(self._address, host)
            client = self._clients[host] = redis.Redis.from_url(url, **self._how)
            client.response_callbacks = self.response_callbacks
        return client

    def _server_of(self, command: Any) -> Host:
        key, found = slots.key_of(command), self._slots()
        if key is None:
            return self._hosts[0]
        host = found[slots.slot_of(key)]
        if host is None:
            raise redis.exceptions.ClusterDownError("No server of the cluster holds this key.")
        return host

    def _slots(self) -> list[Host | None]:
        found = self._found
        if not found:
            found = self._found = self._learn()
        return found

    def _learn(self) -> list[Host | None]:
        known = [*self._hosts, *(one for one in self._address.hosts if one not in self._hosts)]
        for host in known:
            try:
                client: Any = self._client(host)
                reply = client.execute_command(*slots.ASK_SLOTS)
            except redis.RedisError:
                continue
            found = slots.read_slots(reply, host)
            others = dict.fromkeys(one for one in found if one is not None and one != host)
            self._hosts = [host, *others]
            return found
        raise redis.ConnectionError("No server of the cluster answers.")


class _Noting:
    """After an error that says so, where keys are is no longer known."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, _MOVED):
            self.cluster.forget()


class _Pipeline(Pipeline):
    """Commands of many cells: one round trip for each server. All servers are told, also when
    one of them fails."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster.connection_pool, cluster.response_callbacks, False, None)
        self._cluster = cluster

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """All replies in order; the first error is raised, or stands among them."""
        stack, self.command_stack = self.command_stack, []
        of_host: dict[Host, list[int]] = defaultdict(list)
        for place, (command, _) in enumerate(stack):
            of_host[self._cluster._server_of(command)].append(place)
        replies: list[Any] = [None] * len(stack)
        for host, places in of_host.items():
            told = self._tell(host, [stack[place] for place in places])
            for place, reply in zip(places, told, strict=True):
                replies[place] = reply
        errors = [one for one in replies if isinstance(one, Exception)]
        if any(isinstance(one, _MOVED) for one in errors):
            self._cluster.forget()
        if errors and raise_on_error:
            raise errors[0]
        return replies

    def _tell(self, host: Host, commands: list[Any]) -> list[Any]:
        pipe = self._cluster._client(host).pipeline(transaction=False)
        pipe.command_stack = commands
        try:
            return list(pipe.execute(raise_on_error=False))
        except redis.RedisError as error:
            return [error] * len(commands)
