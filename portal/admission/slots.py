"""Which server of a cluster holds a key: addresses, hash slots, the key of a command. Pure.

A cluster is named by its scheme and some of its servers; the others are learnt from them:
``valkey+cluster://user:password@one:6379,two:6379/`` (``valkeys+cluster`` with TLS).
"""

from __future__ import annotations

from binascii import crc_hqx
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from portal.admission.calls import Command
from portal.lib.ids import CELLS

SLOTS = 16384
ASK_SLOTS: Command = ("CLUSTER", "SLOTS")
# Of the errors of a cluster, those after which its slots are learnt again.
_ELSEWHERE = ("MOVED ", "ASK ", "CLUSTERDOWN", "TRYAGAIN")
_TLS = {"redis": False, "valkey": False, "rediss": True, "valkeys": True}
_CLUSTER = "+cluster"
_OF_ANY = {"CLUSTER", "DBSIZE", "ECHO", "FUNCTION", "INFO", "PING", "SCAN", "TIME"}

Host = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Address:
    """What a URL says. ``hosts`` are one server, or some of a cluster's."""

    hosts: tuple[Host, ...]
    user: str
    password: str
    database: str
    tls: bool
    cluster: bool


def is_cluster(url: str) -> bool:
    """Whether a URL names a cluster."""
    return url.partition("://")[0].endswith(_CLUSTER)


def read_url(url: str) -> Address:
    """``ValueError`` if the scheme is none of ours, a port is no number, or a cluster's database
    is not 0."""
    parts = urlsplit(url)
    scheme = parts.scheme.removesuffix(_CLUSTER)
    if scheme not in _TLS:
        known = ", ".join(_TLS)
        raise ValueError(f"{parts.scheme}:// is not one of {known}, alone or with {_CLUSTER}")
    who, _, hosts = parts.netloc.rpartition("@")
    user, _, password = who.partition(":")
    database = parts.path.strip("/") or "0"
    if is_cluster(url) and database != "0":
        raise ValueError("A cluster has one database: leave the path of its URL empty.")
    return Address(
        hosts=tuple(_host(one) for one in hosts.split(",")),
        user=unquote(user),
        password=unquote(password),
        database=database,
        tls=_TLS[scheme],
        cluster=is_cluster(url),
    )


def _host(text: str) -> Host:
    one = urlsplit(f"//{text}")
    return one.hostname or "127.0.0.1", one.port or 6379


def url_of(address: Address, host: Host) -> str:
    """The URL of one server of a cluster."""
    scheme = "rediss" if address.tls else "redis"
    name = f"[{host[0]}]" if ":" in host[0] else host[0]
    who = f"{quote(address.user, safe='')}:{quote(address.password, safe='')}"
    return f"{scheme}://{who}@{name}:{host[1]}/{address.database}"


def slot_of(name: str | bytes) -> int:
    """The hash slot of a key: of what stands between its first braces, else of all of it."""
    raw = name.encode() if isinstance(name, str) else name
    begin = raw.find(b"{")
    if begin >= 0:
        end = raw.find(b"}", begin + 1)
        if end > begin + 1:
            raw = raw[begin + 1 : end]
    return crc_hqx(raw, 0) % SLOTS


SLOT_OF_CELL = tuple(slot_of(f"c{cell}") for cell in range(CELLS))


def key_of(command: Command) -> str | bytes | None:
    """The first key of a command; ``None`` if any server may answer it.

    Every key of a command of ours has the same tag, or it is the only one.
    """
    name = str(command[0]).upper()
    if name in ("FCALL", "FCALL_RO", "EVAL"):
        return _text(command[3]) if int(command[2]) else None
    if name in ("XINFO", "XGROUP"):  # redis-py sends "XINFO STREAM" as one word
        return _text(command[2])
    if name == "XREAD":
        place = next(at for at, word in enumerate(command) if word in ("STREAMS", b"STREAMS"))
        return _text(command[place + 1])
    return None if name.split(" ")[0] in _OF_ANY else _text(command[1])


def _text(key: str | bytes | int) -> str | bytes:
    return str(key) if isinstance(key, int) else key


def is_elsewhere(error: str) -> bool:
    """Whether an error says that a slot is not where we thought; the call was not executed."""
    return error.startswith(_ELSEWHERE)


def read_slots(reply: Any, asked: Host) -> list[Host | None]:
    """The primary of each slot, of CLUSTER SLOTS' answer; ``None``: nobody serves it.

    A server that does not know its own address is the one that was ``asked``.
    """
    found: list[Host | None] = [None] * SLOTS
    for first, last, primary, *_ in reply:
        host = primary[0].decode() if isinstance(primary[0], bytes) else primary[0]
        server: Host | None = (host or asked[0], int(primary[1]))
        if host == "?":  # its preferred name is not set
            server = None
        found[int(first) : int(last) + 1] = [server] * (int(last) + 1 - int(first))
    return found
