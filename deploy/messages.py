"""Translations without gettext's binaries: collect, check, compile.

python -m deploy.messages collect    write what the code says into locale/*/django.po
python -m deploy.messages check      fail if collect would change something, or a text is
                                     missing, fuzzy or has other placeholders than the English
python -m deploy.messages compile    write the .mo files that Django reads
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = ("ko", "en")
PYTHON = ("portal", "tenants", "billing")
TEMPLATES = ROOT / "templates"
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
}
_PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|(?<!%)%[sd]|\{(\w*)\}")
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
_TRANSLATE = re.compile(rf"{{%\s*trans(?:late)?\s+(?P<text>{_QUOTED})(?P<rest>[^%]*?)%}}", re.S)
_INLINE = re.compile(rf"_\((?P<text>{_QUOTED})\)")
_BLOCK = re.compile(
    r"{%\s*blocktrans(?:late)?(?P<head>[^%]*)%}(?P<body>.*?){%\s*endblocktrans(?:late)?\s*%}",
    re.DOTALL,
)
_PLURAL = re.compile(r"{%\s*plural\s*%}")
_VARIABLE = re.compile(r"{{\s*(\w+)\s*}}")
_CONTEXT = re.compile(rf"context\s+(?P<text>{_QUOTED})")

Text = str | tuple[str, str]

# One fixed moment, so that collecting twice gives the same bytes.
_STAMP = datetime(2026, 11, 1, tzinfo=UTC)


def _unquote(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted[1:-1])


def _context(rest: str) -> str | None:
    found = _CONTEXT.search(rest)
    return _unquote(found["text"]) if found else None


def _block_text(body: str, *, trimmed: bool) -> str:
    """The msgid that Django builds: variables as %(name)s, a bare percent sign doubled."""
    if trimmed:
        body = " ".join(line.strip() for line in body.strip().splitlines())
    return _VARIABLE.sub(r"%(\1)s", body.replace("%", "%%"))


def template_texts(source: str) -> Iterator[tuple[Text, str | None]]:
    """(msgid or (singular, plural), context) of every text in a Django template."""
    for found in _TRANSLATE.finditer(source):
        yield _unquote(found["text"]).replace("%", "%%"), _context(found["rest"])
    for found in _INLINE.finditer(source):
        yield _unquote(found["text"]).replace("%", "%%"), None
    for found in _BLOCK.finditer(source):
        trimmed = "trimmed" in found["head"].split()
        forms = [_block_text(one, trimmed=trimmed) for one in _PLURAL.split(found["body"])]
        text: Text = (forms[0], forms[1]) if len(forms) == 2 else forms[0]
        yield text, _context(found["head"])


def collected() -> Catalog:
    """Every text of the product, with the files it stands in."""
    catalog = Catalog(project="Dure", charset="utf-8")
    for top in PYTHON:
        for path in sorted((ROOT / top).rglob("*.py")):
            if "migrations" in path.parts:
                continue
            place = str(path.relative_to(ROOT))
            for _line, text, _comments, context in extract_from_file(
                "python", path, keywords=KEYWORDS
            ):
                catalog.add(text, locations=[(place, 0)], context=context)
    for path in sorted(TEMPLATES.rglob("*.html")) + sorted(TEMPLATES.rglob("*.txt")):
        place = str(path.relative_to(ROOT))
        for text, context in template_texts(path.read_text()):
            catalog.add(text, locations=[(place, 0)], context=context)
    return catalog


def _po(language: str) -> Path:
    return ROOT / "locale" / language / "LC_MESSAGES" / "django.po"


def _read(language: str) -> Catalog:
    path = _po(language)
    if not path.exists():
        return Catalog(locale=language, charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=language, charset="utf-8")


def _merged(language: str, texts: Catalog) -> Catalog:
    """The texts with the translations known so far; what is no longer said is dropped."""
    known = _read(language)
    merged = Catalog(
        locale=language,
        project="Dure",
        charset="utf-8",
        creation_date=_STAMP,
        revision_date=_STAMP,
        last_translator="Dure",
        language_team=language,
        fuzzy=False,
    )
    for message in sorted((one for one in texts if one.id), key=_order):
        old = known.get(message.id, message.context)
        string = old.string if old is not None else ""
        if language == "en" and not any(_strings(string)):
            string = message.id
        if isinstance(message.id, tuple | list) and not isinstance(string, tuple | list):
            string = (str(string or ""),)
        elif isinstance(message.id, str) and isinstance(string, tuple | list):
            string = _strings(string)[0]  # was said with a plural before
        places = sorted({place for place, _ in message.locations})
        merged.add(
            message.id,
            string,
            locations=[(place, 0) for place in places],
            flags=message.flags - {"fuzzy"},
            context=message.context,
        )
    return merged


def _order(message: Message) -> tuple[str, str]:
    return _strings(message.id)[0], message.context or ""


def _strings(value: object) -> list[str]:
    if isinstance(value, tuple | list):
        return [str(one) for one in value]
    return [str(value or "")]


def _bytes(catalog: Catalog) -> bytes:
    buffer = BytesIO()
    write_po(buffer, catalog, width=100, include_lineno=False)
    lines = [line for line in buffer.getvalue().decode().splitlines() if "Generated-By" not in line]
    return ("\n".join(lines) + "\n").encode()


def collect() -> None:
    """Write both catalogues."""
    texts = collected()
    for language in LANGUAGES:
        path = _po(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_bytes(_merged(language, texts)))
        print(f"{path.relative_to(ROOT)}: {sum(1 for one in texts if one.id)} texts")


def _faults(catalog: Catalog, language: str) -> Iterator[str]:
    for message in catalog:
        if not message.id:
            continue
        english = _strings(message.id)
        translated = _strings(message.string)
        if message.fuzzy:
            yield f"{language}: fuzzy: {english[0]!r}"
        if not all(translated):
            yield f"{language}: not translated: {english[0]!r}"
            continue
        wanted = set(_PLACEHOLDER.findall(english[0])) | set(_PLACEHOLDER.findall(english[-1]))
        for one in translated:
            found = set(_PLACEHOLDER.findall(one))
            if not found <= wanted or (len(english) == 1 and found != wanted):
                yield f"{language}: other placeholders: {english[0]!r} → {one!r}"


def check() -> int:
    """How many faults there are; each is printed."""
    texts = collected()
    faults: list[str] = []
    for language in LANGUAGES:
        merged = _merged(language, texts)
        path = _po(language)
        if not path.exists() or path.read_bytes() != _bytes(merged):
            faults.append(f"{language}: the catalogue is stale. Run `make messages`.")
        faults += sorted(set(_faults(merged, language)))
    for fault in faults:
        print(fault)
    return len(faults)


def compile_all() -> None:
    """Write the .mo files; set-up does this, so that they need not be committed."""
    for language in LANGUAGES:
        path = _po(language).with_suffix(".mo")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            write_mo(file, _read(language))


def main(arguments: list[str]) -> int:
    """The command line; the exit code."""
    match arguments:
        case ["collect"]:
            collect()
            compile_all()
        case ["compile"]:
            compile_all()
        case ["check"]:
            return 1 if check() else 0
        case _:
            print(__doc__)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
