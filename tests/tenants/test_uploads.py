"""Files that people hand in: by their content, without what rides along."""

from __future__ import annotations

from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

from tenants import rls, uploads
from tests.cast import Cast
from tests.factories import NOON


def picture(kind: str = "PNG", size: tuple[int, int] = (8, 8)) -> bytes:
    made = BytesIO()
    Image.new("RGB", size, "white").save(made, kind)
    return made.getvalue()


def document(*, script: str = "", password: str = "", attached: bytes = b"") -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(width=100, height=100)
    if script:
        action = DictionaryObject()
        action[NameObject("/S")] = NameObject("/JavaScript")
        action[NameObject("/JS")] = TextStringObject(script)
        writer.root_object[NameObject("/OpenAction")] = writer._add_object(action)
    if attached:
        writer.add_attachment("evil.exe", attached)
    if password:
        writer.encrypt(password)
    made = BytesIO()
    writer.write(made)
    return made.getvalue()


def upload(content: bytes, name: str = "사업자등록증.pdf") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, "text/html")


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (document(), "application/pdf"),
        (picture("PNG"), "image/png"),
        (picture("JPEG"), "image/jpeg"),
    ],
)
def test_takes_what_it_is_not_what_it_is_called(content: bytes, media_type: str) -> None:
    assert uploads.checked(upload(content, "x.exe"))[0] == media_type


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"GIF89a" + b"\0" * 64,
        picture("GIF"),
        picture("PNG")[:40],
        b"%PDF-1.7 nonsense",
        document(script="app.alert(1)"),
        document(attached=b"MZ"),
        document(password="geheim"),
        b"PK\x03\x04" + b"\0" * 64,
    ],
    ids=["empty", "svg", "gif", "real-gif", "cut", "no-pdf", "script", "attached", "locked", "zip"],
)
def test_refuses_everything_else(content: bytes) -> None:
    with pytest.raises(uploads.BadFile):
        uploads.checked(upload(content))


def test_refuses_a_file_above_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    content = document()
    monkeypatch.setattr(uploads, "MOST_BYTES", len(content) - 1)

    with pytest.raises(uploads.BadFile, match=r"10 ?MB"):
        uploads.checked(upload(content))


def test_refuses_a_picture_that_would_fill_the_memory() -> None:
    with pytest.raises(uploads.BadFile):
        uploads.checked(upload(picture("PNG", (30_000, 2_000))))


def test_leaves_behind_what_rides_along_with_a_picture() -> None:
    kept = uploads.checked(upload(picture("PNG") + b"<?php system('x') ?>"))[1]

    assert b"php" not in kept


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ("오류\r\n\t끝".encode(), "오류\r\n\t끝"),
        (b"\xef\xbb\xbfwith a mark", "with a mark"),
        ("한글 윈도".encode("cp949"), "한글 윈도"),
        (b"<script>alert(1)</script>", "<script>alert(1)</script>"),
    ],
)
def test_takes_plain_text_where_it_is_asked_for(content: bytes, kept: str) -> None:
    media_type, found = uploads.checked(upload(content, "x.log"), plain_text=True)

    assert (media_type, found.decode()) == ("text/plain; charset=utf-8", kept)
    with pytest.raises(uploads.BadFile):
        uploads.checked(upload(content, "x.txt"))


@pytest.mark.parametrize(
    "content", [b"MZ\x00\x01", b"PK\x03\x04" + b"\0" * 64, b"\x1b[31m", b"\xff"]
)
def test_takes_no_program_for_text(content: bytes) -> None:
    with pytest.raises(uploads.BadFile):
        uploads.checked(upload(content, "x.txt"), plain_text=True)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd.pdf"),
        ("C:\\temp\\등록증.PDF", "등록증.pdf"),
        ("a\r\nX-Evil: 1.pdf", "aX-Evil: 1.pdf"),
        ("abc\u202efdp.exe", "abcfdp.pdf"),
        ("", "file.pdf"),
    ],
)
def test_names_the_file_harmlessly(name: str, safe: str) -> None:
    from django.utils.translation import override

    with override("en"):
        assert uploads.safe_name(name, "application/pdf") == safe


def test_sends_it_back_as_an_attachment_that_runs_nothing(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        kept = uploads.store(
            upload(document()), organization=cast.firm, by=cast.alice.may, now=NOON
        )
        answer = uploads.response(kept)

    assert answer["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert len(PdfReader(BytesIO(answer.content)).pages) == 1
