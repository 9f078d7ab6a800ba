"""The invoice as a PDF, set by typst out of frozen rows.

typst gets an empty root, no network, and the texts as JSON: they are data and never markup.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typst
from django.conf import settings

from billing.models import Invoice, InvoiceDocument, InvoiceLine
from portal.lib.periods import SEOUL
from tenants.numbers import shown

TEMPLATE = Path("templates/invoices/invoice.typ")


@cache
def _fonts() -> list[str]:
    found = find_spec("pylopdf_fonts_ko")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError("The Korean font package pylopdf-fonts-ko is missing.")
    folder = Path(next(iter(found.submodule_search_locations)))
    return sorted({str(path.parent) for path in folder.rglob("*.otf")})


def content(invoice: Invoice, lines: list[InvoiceLine]) -> dict[str, Any]:
    """Everything that the page shows, as text."""
    return {
        "number": invoice.number,
        "interim": invoice.kind == "interim",
        "issue_date": invoice.issue_date.isoformat(),
        "due_date": invoice.due_date.isoformat(),
        "period": f"{_kst(invoice.period_start)} – {_kst(invoice.period_end)}",
        "seller": invoice.seller | {"business_number": shown(invoice.seller["business_number"])},
        "buyer": invoice.buyer | {"business_number": shown(invoice.buyer["business_number"])},
        "lines": [_line(line) for line in lines],
        "supply": _won(invoice.supply_won),
        "vat": _won(invoice.vat_won),
        "total": _won(invoice.total_won),
    }


def _kst(moment: datetime) -> str:
    return f"{moment.astimezone(SEOUL):%Y-%m-%d %H:%M}"


def _won(amount: int) -> str:
    return f"−₩{-amount:,}" if amount < 0 else f"₩{amount:,}"


def _line(line: InvoiceLine) -> dict[str, str]:
    units = {
        "tokens": (f"{line.quantity:,} 토큰", f"100만 토큰당 ₩{line.unit_price.normalize():,f}"),
        "card_seconds": (
            f"{line.quantity / 3600:,.4f} 카드·시간",
            f"1시간당 ₩{line.unit_price.normalize():,f}",
        ),
    }
    quantity, price = units.get(line.unit, ("–", "–"))
    return {
        "month": line.usage_month,
        "text": line.text_ko,
        "quantity": quantity,
        "price": price,
        "amount": _won(line.amount_won),
    }


def render(invoice: Invoice, lines: list[InvoiceLine], *, form: str = "pdf") -> bytes:
    """The document's bytes; ``form`` ``png`` is for looking at it."""
    source = (settings.BASE_DIR / TEMPLATE).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "invoice.typ"
        page.write_bytes(source)
        done = typst.compile(
            str(page),
            root=folder,
            font_paths=_fonts(),
            ignore_system_fonts=True,
            format="png" if form == "png" else "pdf",
            sys_inputs={"invoice": json.dumps(content(invoice, lines), ensure_ascii=False)},
        )
    pages: Any = done
    return bytes(pages[0] if isinstance(pages, list) else pages)


def pdf_of(invoice: Invoice, *, now: datetime) -> bytes:
    """The kept PDF; rendered and kept at the first time that somebody asks."""
    kept = InvoiceDocument.objects.filter(invoice=invoice).first()
    if kept is None:
        pdf = render(invoice, list(invoice.lines.all()))
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
