"""One form of a JWS and nothing that bends, against an independent library and by hand."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portal.lib import jws, signing
from portal.lib.jws import Fault, Issuer, NotGenuine

KIND = "test+jwt"
CLAIMS = {"b": 1, "a": "가", "nested": {"z": None}}


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(signing.new_key())


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def part(value: Any) -> str:
    return b64(json.dumps(value).encode())


def fault_of(issuer: jws.Verifier, text: str) -> Fault:
    with pytest.raises(NotGenuine) as found:
        issuer.claims(text, kind=KIND)
    return found.value.fault


def test_signs_what_pyjwt_verifies(issuer: Issuer) -> None:
    text = issuer.sign(CLAIMS, kind=KIND)

    [key] = jwt.PyJWKSet.from_dict(issuer.jwks()).keys
    assert jwt.decode(text, key.key, algorithms=["EdDSA"]) == CLAIMS
    assert jwt.get_unverified_header(text) == {"alg": "EdDSA", "kid": key.key_id, "typ": KIND}
    assert issuer.claims(text, kind=KIND) == CLAIMS


def test_names_a_key_by_its_thumbprint() -> None:
    """RFC 8037, appendix A: key pair, thumbprint."""
    secret = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")

    issuer = Issuer(base64.b64encode(secret).decode())

    [key] = issuer.jwks()["keys"]
    assert key["x"] == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    assert key["kid"] == issuer.key_id == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_gives_the_same_text_for_the_same_claims(issuer: Issuer) -> None:
    backwards = dict(reversed(CLAIMS.items()))

    assert issuer.sign(CLAIMS, kind=KIND) == issuer.sign(backwards, kind=KIND)


def test_refuses_every_text_with_one_changed_byte(issuer: Issuer) -> None:
    """Also the last character of a part, whose spare bits other readers pass over."""
    text = issuer.sign(CLAIMS, kind=KIND)

    for place in range(len(text)):
        for other in "AB-_9.\n ":
            if text[place] != other:
                fault_of(issuer, text[:place] + other + text[place + 1 :])
        fault_of(issuer, text[:place] + text[place + 1 :])
        fault_of(issuer, text[:place] + text[place] + text[place:])


def test_refuses_bits_that_another_reader_would_pass_over(issuer: Issuer) -> None:
    """64 bytes end in a character with four spare bits: fifteen other spellings of them."""
    text = issuer.sign(CLAIMS, kind=KIND)
    raw = base64.urlsafe_b64decode(text.rpartition(".")[2] + "==")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    same = [
        text[:-1] + one
        for one in alphabet
        if base64.urlsafe_b64decode(text.rpartition(".")[2][:-1] + one + "==") == raw
    ]

    assert len(same) == 16
    assert [one for one in same if one != text and fault_of(issuer, one) is not Fault.SHAPE] == []


def signed_by(secret: Ed25519PrivateKey, header: Any, claims: Any = CLAIMS) -> str:
    head = f"{part(header)}.{part(claims)}"
    return f"{head}.{b64(secret.sign(head.encode()))}"


def test_refuses_other_algorithms_and_what_a_header_brings_along(issuer: Issuer) -> None:
    kid = issuer.key_id
    text = issuer.sign(CLAIMS, kind=KIND)
    _, claims, signature = text.split(".")
    good = {"alg": "EdDSA", "kid": kid, "typ": KIND}
    headers = [
        {"alg": "none"},
        good | {"alg": "none"},
        good | {"alg": "None"},
        good | {"alg": "HS256"},
        good | {"alg": "ES256"},
        good | {"typ": "JWT"},
        good | {"crit": ["b64"], "b64": False},
        good | {"jwk": issuer.jwks()["keys"][0]},
        {"alg": "EdDSA", "kid": kid},
        {},
    ]

    for header in headers:
        assert fault_of(issuer, f"{part(header)}.{claims}.{signature}") is Fault.HEADER, header
        assert fault_of(issuer, f"{part(header)}.{claims}.") is Fault.HEADER, header
    for header in ([], "x", 1, None):
        assert fault_of(issuer, f"{part(header)}.{claims}.{signature}") is Fault.SHAPE
    twice = f'{{"alg":"none","alg":"EdDSA","kid":"{kid}","typ":"{KIND}"}}'
    assert fault_of(issuer, f"{b64(twice.encode())}.{claims}.{signature}") is Fault.SHAPE


def test_refuses_hmac_with_the_public_key_as_the_secret(issuer: Issuer) -> None:
    public = base64.urlsafe_b64decode(issuer.jwks()["keys"][0]["x"] + "=")
    header = {"alg": "HS256", "kid": issuer.key_id, "typ": KIND}
    head = f"{part(header)}.{part(CLAIMS)}"
    forged = b64(hashlib.sha256(public + head.encode()).digest())

    assert fault_of(issuer, f"{head}.{forged}") is Fault.HEADER


def test_refuses_another_key_under_its_own_name_and_under_ours(issuer: Issuer) -> None:
    other = Issuer(signing.new_key())
    mine = Ed25519PrivateKey.generate()
    ours = {"alg": "EdDSA", "kid": issuer.key_id, "typ": KIND}

    assert fault_of(issuer, other.sign(CLAIMS, kind=KIND)) is Fault.KEY
    assert fault_of(issuer, signed_by(mine, ours)) is Fault.SIGNATURE
    for kid in ("", None, 0, ["x"], {}):
        assert fault_of(issuer, signed_by(mine, ours | {"kid": kid})) is Fault.KEY


def test_refuses_parts_of_two_genuine_texts(issuer: Issuer) -> None:
    one, two = (issuer.sign({"n": n}, kind=KIND).split(".") for n in (1, 2))
    rotated = Issuer(f"{signing.new_key()}")
    three = rotated.sign({"n": 1}, kind=KIND).split(".")

    assert fault_of(issuer, ".".join([one[0], two[1], one[2]])) is Fault.SIGNATURE
    assert fault_of(issuer, ".".join([one[0], one[1], two[2]])) is Fault.SIGNATURE
    assert fault_of(issuer, ".".join([three[0], one[1], one[2]])) is Fault.KEY


@pytest.mark.parametrize(
    "text",
    [*("", ".", "..", "...", "a.b", "a.b.c.d", "é.b.c", "=.=.="), "e30.e30." + "A" * 20_000],
    ids=lambda text: text[:12],
)
def test_refuses_what_has_another_shape(issuer: Issuer, text: str) -> None:
    assert fault_of(issuer, text) in (Fault.SHAPE, Fault.HEADER)


def test_survives_deep_nesting(issuer: Issuer) -> None:
    deep = b64(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}")

    assert fault_of(issuer, f"{deep}.e30.AAAA") in (Fault.SHAPE, Fault.HEADER)


def test_verifies_with_old_keys_after_a_rotation() -> None:
    old, new = signing.new_key(), signing.new_key()
    before = Issuer(old).sign(CLAIMS, kind=KIND)

    rotated = Issuer(f"{new},{signing.public_half(old)}")

    assert rotated.claims(before, kind=KIND) == CLAIMS
    assert rotated.key_id == Issuer(new).key_id
    assert [one["kid"] for one in rotated.jwks()["keys"]] == [rotated.key_id, Issuer(old).key_id]
    assert fault_of(Issuer(new), before) is Fault.KEY


def test_reads_a_key_set_and_says_when_it_is_none(issuer: Issuer) -> None:
    text = issuer.sign(CLAIMS, kind=KIND)
    rest = {"keys": [{"kty": "RSA", "n": "x", "e": "AQAB"}, *issuer.jwks()["keys"]]}

    assert jws.of_jwks(json.dumps(rest)).claims(text, kind=KIND) == CLAIMS
    bad = ["", "[]", "{}", '{"keys": []}', '{"keys": [1]}', '{"keys": 1}', "[" * 100_000]
    bad += [json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]}) for x in ("", "AA", 1)]
    for document in bad:
        with pytest.raises(ValueError, match=r"[Kk]ey [Ss]et"):
            jws.of_jwks(document)
