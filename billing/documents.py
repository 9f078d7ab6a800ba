"""Documents as PDFs, set by typst out of frozen rows: invoices, interim invoices, credit notes.

typst gets an empty root, no network, and the texts as JSON: they are data and never markup. What
was rendered once is kept with its digest and given out again.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import threading
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typst
from django.conf import settings

from billing.document_words import vat_sentence, word
from billing.funding import drawing
from billing.funding.drawing import Part
from billing.models import (
    CreditNote,
    CreditNoteLine,
    Invoice,
    InvoiceDocument,
    InvoiceKind,
    InvoiceLine,
    KeptDocument,
)
from billing.rating import MB_SECONDS_PER_GB_DAY
from billing.vat import ZERO, VatRule
from portal.lib.periods import SEOUL
from tenants.numbers import shown

TEMPLATE = Path("templates/invoices/invoice.typ")
KOREAN, ENGLISH = "ko", "en"
LANGUAGES = (KOREAN, ENGLISH)

_threads = threading.local()


@cache
def _fonts() -> typst.Fonts:
    """Read once a process: most of the time of a page would go into it."""
    found = find_spec("pylopdf_fonts_ko")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError("The Korean font package pylopdf-fonts-ko is missing.")
    folder = Path(next(iter(found.submodule_search_locations)))
    return typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=False,
        font_paths=sorted({str(path.parent) for path in folder.rglob("*.otf")}),
    )


def _compiler(template: Path) -> typst.Compiler:
    """One a thread and template; its root is a folder with nothing but the template."""
    known: dict[Path, tuple[typst.Compiler, Any]] = _threads.__dict__.setdefault("known", {})
    if template not in known:
        root = tempfile.TemporaryDirectory(prefix="dure-typst-")
        page = Path(root.name) / template.name
        page.write_bytes((settings.BASE_DIR / template).read_bytes())
        made = typst.Compiler(
            input=str(page),
            root=root.name,
            font_paths=_fonts(),
            ignore_system_fonts=True,
        )
        known[template] = made, root
    return known[template][0]


# ─── what stands on the page ───────────────────────────────────────────────────────────────────


def content(
    invoice: Invoice,
    lines: Sequence[InvoiceLine],
    language: str = KOREAN,
    parts: Sequence[Part] = (),
) -> dict[str, Any]:
    """Everything that an invoice's pages show, as text. ``parts`` are what its funding sources
    pay."""
    interim = invoice.kind == InvoiceKind.INTERIM
    rule = VatRule.parse(invoice.vat_rule)
    totals = [("supply", invoice.supply_won), (_vat_word(rule), invoice.vat_won)]
    if invoice.untaxed_won:
        totals.append(("interest", invoice.untaxed_won))
    notes = [word("rounding", language), vat_sentence(rule, language)]
    notes += [word("rest", language)] if interim else []
    notes += _in_place(invoice, language)
    return _page(invoice, "invoice", language) | {
        "badge": "" if invoice.kind == InvoiceKind.MONTH else word(invoice.kind, language),
        "facts": [
            (
                word("period", language),
                f"{_kst(invoice.period_start)} – {_kst(invoice.period_end)}",
                word("issued", language),
                invoice.issue_date.isoformat(),
            ),
            (
                word("to_pay", language),
                _won(invoice.total_won),
                word("due", language),
                invoice.due_date.isoformat(),
            ),
            *_older(invoice, language),
        ],
        "reason": invoice.renews.because if invoice.renews else "",
        "heads": _words(language, "month", "what", "quantity", "price", "amount"),
        "rows": _running(
            [_invoice_row(line, language) for line in lines], [line.amount_won for line in lines]
        ),
        "totals": [(word(name, language), _won(amount)) for name, amount in totals],
        "total": (word("total", language), _won(invoice.total_won)),
        "parts": [(_part(one, language), _won(one.won)) for one in parts],
        "notes": [*notes, word("no_tax_invoice", language)],
    }


def _part(part: Part, language: str) -> str:
    """Such as ``바우처 · AI 바우처 · 2026 AI 바우처 지원사업``."""
    words = [word(f"from_{part.kind}", language)]
    if part.source is not None:
        words += [one for one in (part.source.name, part.source.programme) if one]
    if part.share_of is not None:
        words.append(f"{word('share_of', language)} {part.share_of.name}")
    return " · ".join(words)


def _vat_word(rule: VatRule) -> str:
    return "vat_none" if rule.rounding == ZERO else "vat"


def _older(invoice: Invoice, language: str) -> list[tuple[str, str, str, str]]:
    """The invoice in whose place this one stands, and why."""
    if invoice.renews is None:
        return []
    return [(word("in_place_of", language), invoice.renews.invoice.number, "", "")]


def _in_place(invoice: Invoice, language: str) -> list[str]:
    if invoice.renews is None:
        return []
    return [word("in_place", language).format(note=invoice.renews.number)]


def credit_content(
    note: CreditNote, lines: Sequence[CreditNoteLine], language: str = KOREAN
) -> dict[str, Any]:
    """The same of a credit note. Amounts are what is taken back."""
    rule = VatRule.parse(note.vat_rule)
    totals = [("supply", note.supply_won), (_vat_word(rule), note.vat_won)]
    if note.untaxed_won:
        totals.append(("interest", note.untaxed_won))
    rows = [
        [line.usage_month, line.text_ko if language == KOREAN else line.text_en, "", ""]
        for line in lines
    ]
    return _page(note, "credit_note", language) | {
        "badge": "",
        "facts": [
            (
                word("corrects", language),
                note.invoice.number,
                word("issued", language),
                note.issue_date.isoformat(),
            ),
            (word("credited", language), _won(note.total_won), "", ""),
        ],
        "reason": note.because,
        "heads": [*_words(language, "month", "what"), "", "", word("amount", language)],
        "rows": _running(rows, [line.amount_won for line in lines]),
        "totals": [(word(name, language), _won(amount)) for name, amount in totals],
        "total": (word("total", language), _won(note.total_won)),
        "notes": _words(language, "unchanged", "no_tax_invoice"),
    }


def _page(document: Invoice | CreditNote, title: str, language: str) -> dict[str, Any]:
    return {
        "language": language,
        "title": word(title, language),
        "copy": word("copy", language),
        "number_label": word("number", language),
        "number": document.number,
        "parties": [
            _party(word("seller", language), document.seller, language),
            _party(word("buyer", language), document.buyer, language),
        ],
        "reason_label": word("because", language),
        "reason": "",
        "paid_from": word("paid_from", language),
        "paid": word("paid", language),
        "parts": [],
        "carried": word("carried", language),
        "brought": word("brought", language),
        "clock": word("clock", language),
    }


def _party(title: str, who: dict[str, Any], language: str) -> dict[str, Any]:
    more = []
    if number := shown(who["business_number"]):
        more.append(f"{word('business_number', language)} {number}")
    if who.get("address"):
        more.append(who["address"])
    if who.get("representative"):
        more.append(f"{word('representative', language)} {who['representative']}")
    return {"title": title, "name": who["name"], "more": more}


def _words(language: str, *names: str) -> list[str]:
    return [word(name, language) for name in names]


def _running(rows: list[list[str]], amounts: list[int]) -> list[dict[str, Any]]:
    """Each row with its amount, and the sum up to there, for the foot of a page that ends there."""
    found, total = [], 0
    for row, amount in zip(rows, amounts, strict=True):
        total += amount
        found.append({"cells": [*row, _won(amount)], "sum": _won(total)})
    return found


def _invoice_row(line: InvoiceLine, language: str) -> list[str]:
    price = f"₩{line.unit_price.normalize():,f}"
    quantity, unit_price = {
        "tokens": (
            f"{line.quantity:,} {word('tokens', language)}",
            _per(word("per_million", language), price, language),
        ),
        "card_seconds": (
            f"{line.quantity / 3600:,.4f} {word('card_hours', language)}",
            _per(word("per_hour", language), price, language),
        ),
        "storage": (
            f"{line.quantity / MB_SECONDS_PER_GB_DAY:,.4f} {word('gb_days', language)}",
            _per(word("per_gb_day", language), price, language),
        ),
        "interest": ("–", f"{line.unit_price.normalize():f}%"),
    }.get(line.unit, ("–", "–"))
    if not line.unit_price and not line.price_version:  # the amount follows from no price
        unit_price = "–"
    text = line.text_ko if language == KOREAN else line.text_en
    return [line.usage_month, text, quantity, unit_price]


def _per(unit: str, price: str, language: str) -> str:
    return f"{unit} {price}" if language == KOREAN else f"{price} {unit}"


def _kst(moment: datetime) -> str:
    return f"{moment.astimezone(SEOUL):%Y-%m-%d %H:%M}"


def _won(amount: int) -> str:
    return f"−₩{-amount:,}" if amount < 0 else f"₩{amount:,}"


# ─── rendered and kept ─────────────────────────────────────────────────────────────────────────


def rendered(page: dict[str, Any], *, form: str = "pdf", template: Path = TEMPLATE) -> list[bytes]:
    """The document's bytes; with ``form`` ``png``, those of each page, for looking at them."""
    done: Any = _compiler(template).compile(
        format="png" if form == "png" else "pdf",
        sys_inputs={"document": json.dumps(page, ensure_ascii=False)},
    )
    return [bytes(one) for one in (done if isinstance(done, list) else [done])]


def render(
    invoice: Invoice, lines: Sequence[InvoiceLine], *, form: str = "pdf", language: str = KOREAN
) -> bytes:
    """An invoice's PDF, or the picture of its first page."""
    return rendered(content(invoice, lines, language), form=form)[0]


def pdf_of(invoice: Invoice, *, now: datetime, language: str = KOREAN) -> bytes:
    """The kept PDF; rendered and kept at the first time that somebody asks."""
    if language != KOREAN:
        page = content(invoice, list(invoice.lines.all()), language, drawing.parts_of(invoice))
        return _kept(invoice, page, language, now)
    kept = InvoiceDocument.objects.filter(invoice=invoice).first()
    if kept is None:
        page = content(invoice, list(invoice.lines.all()), KOREAN, drawing.parts_of(invoice))
        (pdf,) = rendered(page)
        kept, _made = InvoiceDocument.objects.get_or_create(
            invoice=invoice,
            defaults={
                "organization_id": invoice.organization_id,
                "pdf": pdf,
                "sha256": hashlib.sha256(pdf).hexdigest(),
                "rendered_at": now,
            },
        )
    return bytes(kept.pdf)


def credit_pdf_of(note: CreditNote, *, now: datetime, language: str = KOREAN) -> bytes:
    """The same of a credit note."""
    return _kept(note, credit_content(note, list(note.lines.all()), language), language, now)


def _kept(
    document: Invoice | CreditNote, page: dict[str, Any], language: str, now: datetime
) -> bytes:
    found = KeptDocument.objects.filter(subject=document.public_id, language=language).first()
    if found is None:
        (pdf,) = rendered(page)
        found, _made = KeptDocument.objects.get_or_create(
            subject=document.public_id,
            language=language,
            defaults={
                "organization_id": document.organization_id,
                "pdf": pdf,
                "sha256": hashlib.sha256(pdf).hexdigest(),
                "rendered_at": now,
            },
        )
    return bytes(found.pdf)
