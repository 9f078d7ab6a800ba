"""Addresses, slots and keys, without a server."""

from __future__ import annotations

import pytest

from portal.admission import calls, keys, slots
from portal.admission.calls import Command


@pytest.mark.parametrize(
    ("key", "slot"),
    [
        ("123456789", 12739),  # 0x31C3, of the cluster specification
        ("foo", 12182),
        ("{foo}bar", 12182),
        ("x{foo}{bar}", 12182),
        (b"{foo}", 12182),
        ("{}foo", slots.crc_hqx(b"{}foo", 0) % slots.SLOTS),  # an empty tag is none
        ("{{foo}}bar", slots.crc_hqx(b"{foo", 0) % slots.SLOTS),
        ("foo{", slots.crc_hqx(b"foo{", 0) % slots.SLOTS),
    ],
)
def test_slots(key: str | bytes, slot: int) -> None:
    assert slots.slot_of(key) == slot


def test_all_names_of_a_cell_have_its_slot() -> None:
    for cell, slot in enumerate(slots.SLOT_OF_CELL):
        assert {slots.slot_of(keys.tag(cell)), slots.slot_of(keys.events(cell))} == {slot}


def test_cells_spread_over_three_equal_shares() -> None:
    shares = [slot * 3 // slots.SLOTS for slot in slots.SLOT_OF_CELL]
    assert min(map(shares.count, range(3))) >= 15


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (calls.expire(3), "{c3}"),
        (("FCALL_RO", "library_3", 0), None),
        (("GET", "routes:index"), "routes:index"),
        (("hset", b"demand", "a", 1), b"demand"),
        (("XINFO STREAM", "{c1}:events"), "{c1}:events"),
        (("XREAD", b"COUNT", 10, b"STREAMS", "{c1}:events", "0-0"), "{c1}:events"),
        (("INFO", "server"), None),
        (("FUNCTION LOAD", "REPLACE", "x"), None),
        (("TIME",), None),
    ],
)
def test_first_keys(command: Command, key: str | bytes | None) -> None:
    assert slots.key_of(command) == key


def test_reads_addresses() -> None:
    found = slots.read_url("valkeys+cluster://me:p%40ss@one:7001,two,[::1]:7003/")

    assert found.hosts == (("one", 7001), ("two", 6379), ("::1", 7003))
    assert (found.user, found.password, found.tls, found.cluster) == ("me", "p@ss", True, True)
    assert slots.url_of(found, ("::1", 7003)) == "rediss://me:p%40ss@[::1]:7003/0"


def test_reads_one_server() -> None:
    found = slots.read_url("redis://:secret@127.0.0.1:6380/3")

    assert found.hosts == (("127.0.0.1", 6380),)
    assert (found.user, found.password, found.database) == ("", "secret", "3")
    assert not found.cluster


@pytest.mark.parametrize(
    "url", ["http://one/", "cluster://one/", "valkey+cluster://one/1", "valkey+cluster://one:x/"]
)
def test_refuses_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match=r"scheme|database|port|Port|one of"):
        slots.read_url(url)


def test_reads_who_serves_what() -> None:
    reply = [[0, 5460, [b"", 7000, b"id", []]], [5461, 5461, [b"two", 7001, b"id", []], [b"r", 1]]]

    found = slots.read_slots(reply, ("asked", 1))

    assert found[0] == found[5460] == ("asked", 7000)
    assert found[5461] == ("two", 7001)
    assert found[5462] is None
