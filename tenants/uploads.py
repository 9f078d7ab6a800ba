"""Files that people hand in: bounded, known by their content, kept behind the wall.

Pictures are decoded and written anew, so that nothing rides along behind the pixels. PDF files
are parsed; those that carry programs or other files are refused. A file is only ever sent back as
an attachment, with ``nosniff`` and a policy that lets it run nothing.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
import warnings
from datetime import datetime
from io import BytesIO

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from portal.lib import ids
from tenants.actors import Actor
from tenants.models import Organization, StoredFile

MOST_BYTES = 10 * 1024 * 1024
MOST_PIXELS = 40_000_000
MOST_PAGES = 500
_PICTURES = {"PNG": "image/png", "JPEG": "image/jpeg"}
PLAIN_TEXT = "text/plain; charset=utf-8"
_ENDINGS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "application/pdf": "pdf",
    PLAIN_TEXT: "txt",
}
# What a document may not bring: programs, other files, and what runs when it is opened.
_ACTIVE = ("/JavaScript", "/JS", "/Launch", "/EmbeddedFiles", "/RichMedia", "/XFA")


class BadFile(ValueError):
    """The sentence says what is wrong with the file and which are taken."""


def checked(upload: UploadedFile[bytes], *, plain_text: bool = False) -> tuple[str, bytes]:
    """(media type, bytes to keep). ``BadFile`` for anything but PDF, JPG and PNG up to 10 MB,
    and plain text where it is taken too: logs are sent to the support."""
    if upload.size is None or upload.size > MOST_BYTES:
        raise BadFile(_("The file is larger than 10 MB. Hand in a smaller one."))
    raw = upload.read(MOST_BYTES + 1)
    if not raw:
        raise BadFile(_("The file is empty."))
    if raw.startswith(b"%PDF-"):
        return "application/pdf", _document(raw)
    if plain_text and (text := _plain_text(raw)) is not None:
        return PLAIN_TEXT, text
    return _picture(raw)


def _plain_text(raw: bytes) -> bytes | None:
    """The text in UTF-8 where it is one; files of Korean Windows may come in CP949."""
    for encoding in ("utf-8-sig", "cp949"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        plain = all(one in "\t\n\r\f" or unicodedata.category(one) != "Cc" for one in text)
        return text.encode() if plain else None
    return None


def _picture(raw: bytes) -> tuple[str, bytes]:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(raw), formats=tuple(_PICTURES)) as picture:
                kind = str(picture.format)
                small = picture.width * picture.height <= MOST_PIXELS
                new = BytesIO()
                if small:
                    mode = "RGB" if kind == "JPEG" else "RGBA"
                    picture.convert(mode).save(new, kind, quality=90)
    except Exception as error:  # the decoder fails in as many ways as there are broken files
        raise BadFile(
            _("The file is neither PDF nor JPG nor PNG, or it is damaged. Save it anew.")
        ) from error
    if not small:
        raise BadFile(_("The picture has too many pixels. Hand in a smaller one."))
    return _PICTURES[kind], new.getvalue()


def _document(raw: bytes) -> bytes:
    from pypdf import PdfReader

    try:
        reader = PdfReader(BytesIO(raw), strict=False)
        encrypted, pages = reader.is_encrypted, 0 if reader.is_encrypted else len(reader.pages)
    except Exception as error:  # as above
        raise BadFile(_("The PDF file cannot be read. Save it anew.")) from error
    if encrypted:
        raise BadFile(_("The PDF file is encrypted. Save it without a password."))
    if not 0 < pages <= MOST_PAGES:
        raise BadFile(_("The PDF file has no page, or more than 500."))
    found = _active_parts(reader)
    if found or any(re.search(re.escape(mark.encode()) + rb"\b", raw) for mark in _ACTIVE):
        raise BadFile(_("The PDF file carries programs or other files. Print it to a new PDF."))
    return raw


def _active_parts(reader: object) -> bool:
    """Whether any object of the file, compressed ones too, names something that runs."""
    from pypdf import PdfReader
    from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject

    assert isinstance(reader, PdfReader)
    waiting: list[object] = [reader.trailer]
    seen: set[int] = set()
    while waiting:
        if len(seen) > 200_000:
            raise BadFile(_("The PDF file cannot be read. Save it anew."))
        one = waiting.pop()
        if isinstance(one, IndirectObject):
            if one.idnum in seen:
                continue
            seen.add(one.idnum)
            try:
                one = one.get_object()
            except Exception as error:  # a broken reference is a broken file
                raise BadFile(_("The PDF file cannot be read. Save it anew.")) from error
        if isinstance(one, DictionaryObject):
            if any(name in _ACTIVE for name in one):
                return True
            if one.get("/S") in _ACTIVE or one.get("/Subtype") in _ACTIVE:
                return True
            waiting.extend(one.values())
        elif isinstance(one, ArrayObject):
            waiting.extend(one)
    return False


def safe_name(name: str, media_type: str) -> str:
    """A name without folders, control and direction marks, with the ending of its content."""
    text = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2])
    text = "".join(one for one in text if unicodedata.category(one)[0] != "C").strip(". ")
    stem = text.rpartition(".")[0] or text or _("file")
    return f"{stem[:100]}.{_ENDINGS[media_type]}"


def store(
    upload: UploadedFile[bytes],
    *,
    organization: Organization,
    by: Actor,
    now: datetime,
    plain_text: bool = False,
) -> StoredFile:
    """Check a file and keep it in the organization. ``BadFile``."""
    media_type, content = checked(upload, plain_text=plain_text)
    return StoredFile.objects.create(
        public_id=ids.mint("file"),
        organization=organization,
        name=safe_name(upload.name or "", media_type),
        media_type=media_type,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        created_by=by.label,
        made_by=by.user,
        created_at=now,
    )


def response(stored: StoredFile) -> HttpResponse:
    """The file as an attachment. The caller has checked who asks, and audits it."""
    answer = HttpResponse(bytes(stored.content), content_type=stored.media_type)
    answer["Content-Disposition"] = content_disposition_header(True, stored.name) or "attachment"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Content-Security-Policy"] = "sandbox; default-src 'none'"
    answer["Cache-Control"] = "private, no-store"
    return answer
