"""A fiscal year as tables for the agency's books: board, register of commitments, journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from billing.fiscal import queries
from billing.fiscal.movements import Columns
from billing.fiscal.refusals import KINDS
from billing.models import FiscalYear
from portal.lib.periods import SEOUL
from portal.lib.sheets import Sheet
from tenants.actors import Actor


def _columns(columns: Columns) -> list[int]:
    return [
        columns.current,
        columns.allotted,
        columns.committed,
        columns.spent,
        columns.left,
        columns.unallotted,
        columns.outstanding,
        columns.carried,
        columns.lapsed,
    ]


def _board(actor: Actor, year: FiscalYear, now: datetime) -> Sheet:
    board = queries.board(actor, year, now=now)
    rows: list[Sequence[object]] = [
        [row.line.code, row.line.title, *_columns(row.columns)] for row in board.rows
    ]
    rows.append(["", pgettext("sum", "Total"), *_columns(board.total)])
    return Sheet(
        title=_("By line"),
        head=[
            _("Code"),
            pgettext("fiscal", "Line"),
            pgettext("fiscal", "Current budget"),
            pgettext("fiscal", "Allotted"),
            pgettext("fiscal", "Committed"),
            pgettext("fiscal", "Spent"),
            pgettext("fiscal", "Left"),
            _("Not allotted"),
            _("Committed, not spent"),
            pgettext("fiscal", "Carried over"),
            pgettext("fiscal", "Lapsed"),
        ],
        rows=rows,
        widths=[10, 30, *[18] * 9],
    )


def _commitments(actor: Actor, year: FiscalYear, now: datetime) -> Sheet:
    def rows() -> Iterator[Sequence[object]]:
        for one in queries.commitments(actor, year).order_by("number").iterator(2000):
            won, spent = one.won, one.spent  # type: ignore[attr-defined]
            yield [
                one.label,
                one.on_date,
                one.line.code,
                one.line.title,
                one.subject,
                one.counterparty,
                one.document,
                won,
                spent,
                won - spent,
                one.by,
            ]

    return Sheet(
        title=_("Register of commitments"),
        head=[
            _("Commitment number"),
            _("Day"),
            _("Code"),
            pgettext("fiscal", "Line"),
            pgettext("fiscal", "What for"),
            _("Counterparty"),
            _("Document number"),
            pgettext("fiscal", "Committed"),
            pgettext("fiscal", "Spent"),
            _("Committed, not spent"),
            _("Recorded by"),
        ],
        rows=rows(),
        widths=[14, 12, 10, 30, 40, 24, 24, 18, 18, 18, 16],
    )


def _movements(actor: Actor, year: FiscalYear, now: datetime) -> Sheet:
    def rows() -> Iterator[Sequence[object]]:
        for one in queries.movements(actor, year).order_by("number").iterator(2000):
            yield [
                one.number,
                one.on_date,
                one.line.code,
                one.line.title,
                str(KINDS[one.kind]),
                one.won,
                one.from_quarter or None,
                one.quarter or None,
                one.commitment.label if one.commitment else "",
                one.document,
                one.because,
                one.by,
                one.approved_by,
                one.recorded_at.astimezone(SEOUL).strftime("%Y-%m-%d %H:%M:%S"),
            ]

    return Sheet(
        title=_("Journal"),
        head=[
            _("No."),
            _("Day"),
            _("Code"),
            pgettext("fiscal", "Line"),
            _("Kind"),
            _("Amount in won, with VAT"),
            _("From quarter"),
            _("To quarter"),
            _("Commitment number"),
            _("Document number"),
            _("Reason"),
            _("Recorded by"),
            _("Approved by"),
            _("Recorded at (KST)"),
        ],
        rows=rows(),
        widths=[6, 12, 10, 30, 18, 18, 8, 8, 14, 24, 40, 16, 16, 20],
    )


TABLES: dict[str, Callable[[Actor, FiscalYear, datetime], Sheet]] = {
    "board": _board,
    "commitments": _commitments,
    "movements": _movements,
}


def table(name: str, actor: Actor, year: FiscalYear, *, now: datetime) -> Sheet:
    """One of ``TABLES``; amounts are whole won with VAT."""
    return TABLES[name](actor, year, now)


def books(actor: Actor, year: FiscalYear, *, now: datetime) -> list[Sheet]:
    """All of them, for one workbook."""
    return [make(actor, year, now) for make in TABLES.values()]
