"""A real cluster of three primaries on this machine, with the product's configuration and users."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis

from deploy.local import ports, valkey, valkey_users
from portal.admission import slots
from portal.lib import ids

PRIMARIES = 3
NODE_TIMEOUT_MS = 2000


class Node:
    """One server; its bus listens beside it."""

    def __init__(self, folder: Path, passwords: dict[str, str], operator: str) -> None:
        self.port, self.bus = ports.free(2)
        self.server = valkey.Server(folder, self.port, operator, always=True, users=passwords)
        self.url = self.server.url()
        self.client: Any = redis.Redis.from_url(self.url, socket_timeout=5)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        more = {
            "cluster-enabled": "yes",
            "cluster-config-file": "nodes.conf",
            "cluster-port": str(self.bus),
            "cluster-node-timeout": str(NODE_TIMEOUT_MS),
            "cluster-require-full-coverage": "no",
            "primaryuser": "operator",
            "primaryauth": self.server.password,
            "repl-diskless-sync-delay": "0",
        }
        told = [word for name, value in more.items() for word in (f"--{name}", value)]
        self.process = subprocess.Popen(
            [*self.server.command(), *told], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.server.wait()

    def kill(self) -> None:
        """As ``kill -9``."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def pause(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

    def run_id(self) -> str:
        return str(self.client.info("server")["run_id"])


class ClusterOfThree:
    """Slots in three equal shares, by number of the node."""

    def __init__(self, folder: Path) -> None:
        self.users = {user.name: secrets.token_hex(8) for user in valkey_users.PROGRAMS}
        self.operator = secrets.token_hex(8)
        self.folder = folder
        self.replicas: list[Node] = []
        self.nodes = [
            Node(folder / f"node{number}", self.users, self.operator) for number in range(PRIMARIES)
        ]

    def start(self) -> None:
        for node in self.nodes:
            node.start()
        share = slots.SLOTS // PRIMARIES
        for number, node in enumerate(self.nodes):
            last = slots.SLOTS - 1 if number == PRIMARIES - 1 else (number + 1) * share - 1
            node.client.execute_command("CLUSTER", "ADDSLOTSRANGE", number * share, last)
            node.client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            self.nodes[0].client.execute_command(
                "CLUSTER", "MEET", "127.0.0.1", node.port, node.bus
            )
        self.wait()

    def replicate(self, number: int) -> Node:
        """A replica of this node, in step with it; it is stopped with the others."""
        made = Node(self.folder / "replica", self.users, self.operator)
        self.replicas.append(made)
        made.start()
        made.client.execute_command(
            "CLUSTER", "MEET", "127.0.0.1", self.nodes[number].port, self.nodes[number].bus
        )
        name = self.nodes[number].client.execute_command("CLUSTER", "MYID")
        end = time.monotonic() + 20
        while not self._follows(made, name):
            assert time.monotonic() < end, "the replica did not follow"
            time.sleep(0.05)
        return made

    def _follows(self, replica: Node, name: bytes) -> bool:
        with suppress(redis.ResponseError):  # it does not know its primary yet
            replica.client.execute_command("CLUSTER", "REPLICATE", name)
            return bool(replica.client.info("replication")["master_link_status"] == "up")
        return False

    def wait(self) -> None:
        """Until every server knows all the others to be well."""
        end = time.monotonic() + 20
        while not all(self._is_well(node) for node in self.nodes):
            assert time.monotonic() < end, "the cluster did not come together"
            time.sleep(0.05)

    def _is_well(self, node: Node) -> bool:
        try:
            told = node.client.execute_command("CLUSTER", "INFO")
            known = node.client.execute_command("CLUSTER", "SLOTS")
        except redis.RedisError:
            return False
        about = (
            told
            if isinstance(told, dict)
            else dict(line.split(":", 1) for line in told.decode().splitlines() if ":" in line)
        )
        return (
            about["cluster_state"] == "ok"
            and int(about["cluster_slots_ok"]) == slots.SLOTS
            and len(known) == PRIMARIES
        )

    def url(self, user: str = "operator", *nodes: int) -> str:
        """Of one program's user; named by some of its servers, or by all."""
        password = self.operator if user == "operator" else self.users[user]
        named = [self.nodes[number] for number in nodes] or self.nodes
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in named)
        return f"valkey+cluster://{user}:{password}@{hosts}/"

    def node_of(self, cell: int) -> int:
        """The number of the node that a cell lives on at the beginning."""
        return min(slots.SLOT_OF_CELL[cell] // (slots.SLOTS // PRIMARIES), PRIMARIES - 1)

    def cells_of(self, number: int) -> list[int]:
        return [cell for cell in range(ids.CELLS) if self.node_of(cell) == number]

    def code_on(self, number: int, *, prefix: str = "org") -> str:
        """An organization's code whose cell lives on this node."""
        for tried in range(10_000):
            code = f"{prefix}{tried:05d}"[:8]
            if self.node_of(ids.cell_of(code)) == number:
                return code
        raise AssertionError("no code for this node")

    def stop(self) -> None:
        for node in (*self.nodes, *self.replicas):
            node.client.close()
            node.kill()
