"""Pages of receipts: one's own, and whether a pasted one is genuine."""

from __future__ import annotations

import json
import re

import jwt
import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from portal.lib import ids, jws, signing
from portal.usage import receipts
from portal.usage.models import Receipt
from tenants import rls
from tests.cast import browser
from tests.web.conftest import World
from tests.web.rows.receipts import request_id
from tests.web.test_viewing import olivia

__all__ = ["olivia"]  # a fixture

VERIFY = "/receipts/verify/"


@pytest.fixture
def signed(world: World) -> str:
    """A receipt as its page shows it."""
    page = show(world, browser(world.cast.alice))
    found = re.search(r'<pre class="code" id="receipt"[^>]*>([^<]+)<', page.content.decode())
    assert found
    return found[1]


def show(world: World, client: Client) -> HttpResponse:
    answer: HttpResponse = client.get(reverse("receipt", kwargs=request_id(world)))
    return answer


def paste(text: str, language: str = "en") -> HttpResponse:
    answer: HttpResponse = Client(headers={"accept-language": language}).post(
        VERIFY, {"receipt": text}
    )
    return answer


def test_shows_the_receipt_plainly_and_the_text_to_copy(world: World, signed: str) -> None:
    content = show(world, browser(world.cast.alice)).content.decode()

    assert receipts.read(signed)["request_id"] == request_id(world)["request_id"]
    assert world.cast.firm.public_id in content
    assert "데이터 등급" in content
    assert 'data-copy="receipt"' in content


def test_says_that_a_receipt_may_take_a_second(world: World) -> None:
    client = browser(world.cast.alice)

    answer = client.get(f"/receipts/{ids.mint_request_id()}/")

    assert answer.status_code == 404
    assert "1초" in answer.content.decode()


def test_staff_who_look_sign_nothing_and_read_what_was_signed(world: World, olivia: Client) -> None:
    assert show(world, olivia).status_code == 404
    with rls.tenant(world.cast.firm.pk):
        assert not Receipt.objects.exists()

    show(world, browser(world.cast.alice))

    assert show(world, olivia).status_code == 200


def test_tells_anybody_that_a_genuine_one_is_genuine_and_what_it_says(
    world: World, signed: str
) -> None:
    for text in (signed, f"  {signed}\r\n"):
        answer = paste(text)
        assert answer.status_code == 200
        assert b"It is signed with one of our keys and was not changed." in answer.content
        assert request_id(world)["request_id"].encode() in answer.content

    assert "진본" in paste(signed, "ko").content.decode()


def changed(text: str, place: int) -> str:
    return text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]


def test_refuses_what_was_changed_and_what_another_signed(world: World, signed: str) -> None:
    claims = receipts.read(signed)
    other = jws.Issuer(signing.new_key())
    head, body, _ = signed.split(".")
    texts = [
        *(changed(signed, place) for place in range(0, len(signed), 97)),
        signed[:-1],
        other.sign(claims, kind=receipts.KIND),
        receipts.issuer().sign(claims, kind="other+jwt"),
        jwt.encode(claims, "", algorithm="none"),
        f"{head}.{body}.",
        world.secret,
        "<script>alert(1)</script>",
        "가나다",
    ]

    for text in texts:
        answer = paste(text)
        assert answer.status_code == 200, text
        assert b"Not genuine" in answer.content, text
        assert world.cast.firm.public_id.encode() not in answer.content
        assert b"<script>alert" not in answer.content


@pytest.mark.parametrize("text", ["", " ", "x" * 20_000, "a\x00b"], ids=lambda text: text[:4])
def test_asks_for_a_receipt_where_there_is_none(world: World, text: str) -> None:
    answer = paste(text)

    assert answer.status_code == 422
    assert b"Not genuine" not in answer.content


def test_publishes_its_keys_to_be_kept_for_a_while(world: World, signed: str) -> None:
    answer = Client().get("/.well-known/dure-receipts.json")

    assert answer["Content-Type"] == "application/jwk-set+json"
    assert answer["Cache-Control"] == "public, max-age=300"
    assert not answer.cookies
    [key] = jwt.PyJWKSet.from_json(answer.content.decode()).keys
    options = {"verify_iat": False}
    assert jwt.decode(signed, key.key, algorithms=["EdDSA"], options=options)["version"] == 1
    assert set(json.loads(answer.content)["keys"][0]) == {"crv", "kty", "x", "kid", "use", "alg"}
    assert settings.DURE_RECEIPT_KEYS not in answer.content.decode()
