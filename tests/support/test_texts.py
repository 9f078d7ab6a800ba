"""What people send along: subjects, messages, places, request ids."""

from __future__ import annotations

import unicodedata

import pytest

from tenants.support import texts
from tenants.support.texts import BadText


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("  호출이\n 실패합니다 ", "호출이 실패합니다"),
        (unicodedata.normalize("NFD", "진료실 오류"), "진료실 오류"),
        ("<b>굵게</b>", "<b>굵게</b>"),
        ("=HYPERLINK(1)", "=HYPERLINK(1)"),
    ],
)
def test_a_subject_is_one_plain_line(sent: str, kept: str) -> None:
    assert texts.subject(sent) == kept


@pytest.mark.parametrize("sent", ["", "  ", "ab", "a" * 121, "a\u202eb c", "a\u200bb c", "abc\x00"])
def test_refuses_a_subject_that_is_empty_long_or_hidden(sent: str) -> None:
    with pytest.raises(BadText) as refused:
        texts.subject(sent)

    assert refused.value.field == "subject"


def test_a_message_keeps_lines_and_indentation() -> None:
    log = "오류:\r\n\tTraceback\r\n\t  File x\n\n끝  \n"

    assert texts.message(log) == "오류:\n    Traceback\n      File x\n\n끝"


def test_a_family_of_emoji_is_no_hidden_character() -> None:
    assert texts.message("👨\u200d👩\u200d👧 고맙습니다") == "👨\u200d👩\u200d👧 고맙습니다"


@pytest.mark.parametrize("sent", ["", " \n ", "a" * 10_001, "a\u2066b", "a\x07b"])
def test_refuses_a_message_that_is_empty_long_or_hidden(sent: str) -> None:
    with pytest.raises(BadText):
        texts.message(sent)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("", ""),
        ("/keys/", "/keys/"),
        ("/keys/?text=secret#x", "/keys/"),
        ("/endpoints/ep_1/", "/endpoints/ep_1/"),
        ("/invitations/tttttt/", "/invitations/"),
        ("/accounts/password/reset/key/1-abc/", "/accounts/"),
    ],
)
def test_keeps_the_path_of_a_page_and_nothing_secret(sent: str, kept: str) -> None:
    assert texts.local_path(sent) == kept


@pytest.mark.parametrize(
    "sent",
    [
        "//evil.example",
        "///evil",
        "/\\evil.example",
        "\\\\evil",
        "javascript:alert(1)",
        "https://evil.example/",
        "evil",
        "/a\r\nSet-Cookie: x",
        "/a\x00",
        "/\u202ea",
        "/" + "a" * 200,
    ],
)
def test_refuses_a_place_that_is_not_ours(sent: str) -> None:
    with pytest.raises(BadText):
        texts.local_path(sent)


@pytest.mark.parametrize("sent", ["req_k2m4n6p8q0r2s4t6", "0197a0b0-1234-7abc-8def-0123456789ab"])
def test_takes_ids_as_pages_and_answers_show_them(sent: str) -> None:
    assert texts.request_id(f" {sent} ") == sent


@pytest.mark.parametrize("sent", ["<script>", "a b", "-x", "a" * 65, "가"])
def test_refuses_what_is_no_request_id(sent: str) -> None:
    with pytest.raises(BadText):
        texts.request_id(sent)
