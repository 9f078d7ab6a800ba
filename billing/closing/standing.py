"""How a run stands: counts, sums and work lists. The caller has the operator's rights."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Q, Sum

from billing.models import CommentKind, DraftComment, DraftState, InvoiceDraft, MonthClose

LISTED = 100


@dataclass(frozen=True, slots=True)
class Standing:
    """Organizations by what became of their draft; sums of those that have one."""

    counts: dict[str, int]
    held: int
    supply_won: int
    total_won: int
    comments: int
    objections: int

    @property
    def organizations(self) -> int:
        return sum(self.counts.values())

    @property
    def settled(self) -> int:
        """Those with whom this month is over."""
        return self.counts[DraftState.ISSUED] + self.counts[DraftState.NOTHING]

    @property
    def to_issue(self) -> int:
        """What a finalisation would issue now."""
        return self.counts[DraftState.DRAFTED] - self.held


def of(close: MonthClose) -> Standing:
    """Two queries over the run's rows."""
    rows = InvoiceDraft.objects.filter(close=close)
    found = dict(rows.values_list("state").annotate(Count("pk")).order_by())
    sums = rows.aggregate(
        held=Count("pk", filter=Q(held=True, state=DraftState.DRAFTED)),
        supply=Sum("supply_won"),
        total=Sum("total_won"),
    )
    said = dict(
        DraftComment.objects.filter(draft__close=close)
        .values_list("kind")
        .annotate(Count("pk"))
        .order_by()
    )
    return Standing(
        counts={state: found.get(state, 0) for state in DraftState.values},
        held=sums["held"],
        supply_won=sums["supply"] or 0,
        total_won=sums["total"] or 0,
        comments=said.get(CommentKind.COMMENT, 0),
        objections=said.get(CommentKind.OBJECTION, 0),
    )


def failed(close: MonthClose) -> list[InvoiceDraft]:
    """Those that were set aside, with their errors."""
    rows = InvoiceDraft.objects.filter(close=close, state=DraftState.FAILED)
    return list(rows.select_related("organization").order_by("organization")[:LISTED])
