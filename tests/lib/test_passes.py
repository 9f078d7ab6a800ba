"""A pass is ours, young, and says which key it stands for."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from portal.lib import passes
from portal.lib.passes import SECONDS, NoPass, Pass

KEYS = Fernet.generate_key().decode()
ONE = Pass("orgabcde", "ab" * 32, "live", 1_000_000)


def test_says_the_key_and_whether_it_is_free() -> None:
    text = passes.write(Pass(ONE.org_code, ONE.sha256, "test", 1_000_000, free=True), KEYS)

    found = passes.read(text, KEYS, now=1_000_010.0)

    assert found.key == ("test", "orgabcde", "ab" * 32)
    assert found.free
    assert ONE.sha256 not in text


@pytest.mark.parametrize("now", [1_000_000 - 6, 1_000_000 + SECONDS + 1])
def test_is_good_for_minutes(now: int) -> None:
    with pytest.raises(NoPass):
        passes.read(passes.write(ONE, KEYS), KEYS, now=now)


@pytest.mark.parametrize("spoil", ["other keys", "cut", "no prefix", "empty", "a plain text"])
def test_is_ours(spoil: str) -> None:
    text = passes.write(ONE, Fernet.generate_key().decode() if spoil == "other keys" else KEYS)
    spoilt = {
        "other keys": text,
        "cut": text[:-9],
        "no prefix": text.removeprefix(passes.PREFIX),
        "empty": passes.PREFIX,
        "a plain text": passes.PREFIX + "{}",
    }[spoil]

    with pytest.raises(NoPass):
        passes.read(spoilt, KEYS, now=1_000_001)
