"""How much of other people's answers stands in the server that holds the money."""

from __future__ import annotations

from portal.gateway.idempotency import ALL_BYTES, REPLAY_SECONDS, Answers


def test_answers_that_are_kept_are_bounded() -> None:
    answers = Answers()

    assert answers.take(ALL_BYTES - 10, 0.0)
    assert not answers.take(11, 1.0)
    assert answers.take(10, 1.0)
    assert answers.bytes == ALL_BYTES


def test_room_comes_back_when_answers_have_ended() -> None:
    answers = Answers()
    answers.take(ALL_BYTES, 0.0)

    assert not answers.take(1, REPLAY_SECONDS - 0.1)
    assert answers.take(ALL_BYTES, REPLAY_SECONDS)
    assert answers.bytes == ALL_BYTES
