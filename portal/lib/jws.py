"""Compact JWS with Ed25519 (RFC 7515, RFC 8037): one form of it, and nothing that bends.

The header says ``alg``, ``kid`` and ``typ``, and nothing else is taken: no ``none``, no key that
the text brings along, no other algorithm. A key is named by its thumbprint (RFC 7638). Base64
that decodes to the same bytes in another spelling is refused, so that no byte can be changed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from portal.lib import signing

MOST_CHARACTERS = 16_384
_HEADER = {"alg", "kid", "typ"}


class Fault(StrEnum):
    SHAPE = "shape"  # not three parts of base64url with JSON in them
    HEADER = "header"  # another algorithm, another kind, or more than is known
    KEY = "key"  # signed with a key that is not ours
    SIGNATURE = "signature"  # not what was signed


class NotGenuine(ValueError):
    """``fault`` says what does not hold."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class Verifier:
    """Knows public keys."""

    def __init__(self, keys: Iterable[Ed25519PublicKey]) -> None:
        self._known = {thumbprint(key): key for key in keys}

    def claims(self, text: str, *, kind: str) -> dict[str, Any]:
        """What a genuine text says. ``NotGenuine`` for every other."""
        head, key_id, signature = _parts(text, kind)
        key = self._known.get(key_id)
        if key is None:
            raise NotGenuine(Fault.KEY)
        try:
            key.verify(signature, head.encode())
        except InvalidSignature:
            raise NotGenuine(Fault.SIGNATURE) from None
        return _object(_decoded(head.partition(".")[2]))

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JSON Web Key Set."""
        return {
            "keys": [
                {**_jwk(key), "kid": name, "use": "sig", "alg": "EdDSA"}
                for name, key in self._known.items()
            ]
        }


class Issuer(Verifier):
    """Signs with the first key of a list (``portal.lib.signing``), and knows all of it."""

    def __init__(self, keys: str) -> None:
        self._secret, known = signing.read(keys)
        super().__init__(known)
        self.key_id = thumbprint(known[0])

    def sign(self, claims: dict[str, Any], *, kind: str) -> str:
        """The compact form. The same claims and key give the same text."""
        header = {"alg": "EdDSA", "kid": self.key_id, "typ": kind}
        head = f"{_encoded(_json(header))}.{_encoded(_json(claims))}"
        return f"{head}.{_encoded(self._secret.sign(head.encode()))}"


def payload(text: str) -> dict[str, Any]:
    """What a text says, without asking who has signed it: for texts that we kept ourselves."""
    return _object(_decoded(text.split(".")[1]))


def of_jwks(document: str) -> Verifier:
    """The Ed25519 keys of a JSON Web Key Set. ``ValueError`` if it has none that can be read."""
    keys = []
    try:
        for one in json.loads(document)["keys"]:
            if one.get("kty") == "OKP" and one.get("crv") == "Ed25519":
                keys.append(Ed25519PublicKey.from_public_bytes(_decoded(one["x"])))
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError("This is no JSON Web Key Set.") from error
    if not keys:
        raise ValueError("This key set has no Ed25519 key.")
    return Verifier(keys)


def thumbprint(key: Ed25519PublicKey) -> str:
    """RFC 7638: SHA-256 of the key's required members, in order and without blanks."""
    return _encoded(hashlib.sha256(_json(_jwk(key))).digest())


def _jwk(key: Ed25519PublicKey) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": _encoded(key.public_bytes_raw())}


def _parts(text: str, kind: str) -> tuple[str, str, bytes]:
    """(what was signed, the key's name, the signature)"""
    if len(text) > MOST_CHARACTERS or not text.isascii() or text.count(".") != 2:
        raise NotGenuine(Fault.SHAPE)
    head, _, end = text.rpartition(".")
    header = _object(_decoded(head.partition(".")[0]))
    if set(header) != _HEADER or header["alg"] != "EdDSA" or header["typ"] != kind:
        raise NotGenuine(Fault.HEADER)
    return head, str(header["kid"]), _decoded(end)


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise NotGenuine(Fault.SHAPE) from None
    if _encoded(raw) != text:
        raise NotGenuine(Fault.SHAPE)
    return raw


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise NotGenuine(Fault.SHAPE) from None
    if not isinstance(found, dict):
        raise NotGenuine(Fault.SHAPE)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers of one text must not find two things in it."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found
