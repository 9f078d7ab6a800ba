"""Credentials on their way to a gateway: together, for one endpoint, and for nobody else."""

from __future__ import annotations

import secrets

import msgspec
import pytest
from cryptography.fernet import Fernet

from portal.lib.sealing import SealBroken, seal
from portal.routing import credentials, table
from portal.routing.table import EndpointRoutes
from tests.gateway.world import target

KEYS = Fernet.generate_key().decode()
# As the product mints them; texts that look like base64 and are none to the letter; none at all.
SECRETS = [secrets.token_urlsafe(32), "engine-secret", "AB", "한글", "", "a=b", "AAAA\n"]


def part(*sealed: str) -> EndpointRoutes:
    targets = tuple(
        msgspec.structs.replace(target(str(place), "http://127.0.0.1:1", "x"), credential=one)
        for place, one in enumerate(sealed)
    )
    return EndpointRoutes("ep_a", 1, "m", "chat", 1, 1, 1, targets)


def test_comes_out_as_it_went_in() -> None:
    sealed = [seal(one, KEYS) if one else "" for one in SECRETS]

    packed = table.decode_routes(table.encode(credentials.pack(part(*sealed), KEYS)))

    assert [secret for _, secret in credentials.opened(packed, KEYS)] == SECRETS
    assert {one.credential for one in packed.targets} == {""}


@pytest.mark.parametrize(
    ("changes", "keys"),
    [({"endpoint": "ep_b"}, KEYS), ({}, Fernet.generate_key().decode())],
    ids=["another endpoint", "another key"],
)
def test_opens_for_nobody_else(changes: dict[str, str], keys: str) -> None:
    packed = credentials.pack(part(seal("secret", KEYS)), KEYS)

    with pytest.raises(SealBroken):
        credentials.opened(msgspec.structs.replace(packed, **changes), keys)


def test_leaves_out_what_cannot_be_opened() -> None:
    other = seal("secret", Fernet.generate_key().decode())

    packed = credentials.pack(part(other, seal("mine", KEYS)), KEYS)

    assert [(one.id, secret) for one, secret in credentials.opened(packed, KEYS)] == [
        ("plc_1", "mine")
    ]


@pytest.mark.parametrize("raw", [b"", b"\x00", b"x" * 90])
def test_refuses_what_is_no_part(raw: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        table.decode_routes(raw)
