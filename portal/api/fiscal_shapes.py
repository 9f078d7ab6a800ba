"""Shapes of fiscal years. Amounts are whole won with VAT."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from billing.fiscal.book import MOST_WON
from portal.api.shapes import Strict


class YearIn(Strict):
    year = serializers.IntegerField(min_value=2000, max_value=2999)


class YearOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    year = serializers.IntegerField()
    phase = serializers.ChoiceField(choices=["planned", "open", "settling", "over", "closed"])


class ColumnsOut(serializers.Serializer[Any]):
    """left = allotted − committed; current = unallotted + left + outstanding + spent."""

    current_won = serializers.IntegerField(source="current")
    allotted_won = serializers.IntegerField(source="allotted")
    committed_won = serializers.IntegerField(source="committed")
    spent_won = serializers.IntegerField(source="spent")
    left_won = serializers.IntegerField(source="left")
    unallotted_won = serializers.IntegerField(source="unallotted")
    outstanding_won = serializers.IntegerField(source="outstanding")
    carried_won = serializers.IntegerField(source="carried")
    lapsed_won = serializers.IntegerField(source="lapsed")


class BudgetLineOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    code = serializers.CharField()
    name = serializers.CharField()
    carried = serializers.ChoiceField(choices=["", "named", "accident"])


class BoardRowOut(serializers.Serializer[Any]):
    line = BudgetLineOut()
    columns = ColumnsOut()


class QuarterOut(serializers.Serializer[Any]):
    quarter = serializers.IntegerField()
    allotted_won = serializers.IntegerField(source="allotted")
    committed_won = serializers.IntegerField(source="committed")


class BoardOut(YearOut):
    on = serializers.DateField(source="board.on")
    rows = BoardRowOut(source="board.rows", many=True)
    quarters = QuarterOut(source="board.quarters", many=True)
    total = ColumnsOut(source="board.total")


class BudgetLineIn(Strict):
    code = serializers.CharField(max_length=20)
    name = serializers.CharField(max_length=60)


class _Won(serializers.IntegerField):
    """JSON's own whole numbers only: a fraction or a text is refused, not read."""

    default_error_messages = {
        "whole": f"An amount is a whole number of won, at most {MOST_WON}.",
    }

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("whole")
        return int(super().to_internal_value(data))


class WonIn(_Won):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=MOST_WON, **kwargs)


class SignedWonIn(_Won):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=-MOST_WON, max_value=MOST_WON, **kwargs)


class _EntryIn(Strict):
    on = serializers.DateField(help_text="Business day in Korea, within the year.")
    document = serializers.CharField(max_length=80, default="", allow_blank=True)
    because = serializers.CharField(max_length=300, default="", allow_blank=True)


class EntryIn(_EntryIn):
    won = WonIn()


class SignedEntryIn(_EntryIn):
    won = SignedWonIn(help_text="Below zero: a reduction.")


class AllotmentIn(EntryIn):
    quarter = serializers.IntegerField(min_value=1, max_value=4)


class ReallotmentIn(EntryIn):
    from_quarter = serializers.IntegerField(
        min_value=0, max_value=4, help_text="A quarter, or 0 for what is not allotted."
    )
    quarter = serializers.IntegerField(min_value=0, max_value=4)


class CommitmentIn(EntryIn):
    subject = serializers.CharField(max_length=120)
    counterparty = serializers.CharField(max_length=80)


class CancellationIn(Strict):
    on = serializers.DateField()
    because = serializers.CharField(max_length=300)


class FiscalReasonIn(Strict):
    because = serializers.CharField(max_length=300)


class CarryIn(Strict):
    won = WonIn()
    because = serializers.CharField(max_length=300)
    document = serializers.CharField(max_length=80, default="", allow_blank=True)


class ExcuseIn(Strict):
    because = serializers.CharField(max_length=300)
    document = serializers.CharField(max_length=80, default="", allow_blank=True)


class BindIn(Strict):
    project = serializers.CharField(max_length=24)


class BindingOut(serializers.Serializer[Any]):
    project = serializers.CharField(source="project.public_id")
    line = serializers.CharField(source="line.public_id")


class MovementOut(serializers.Serializer[Any]):
    """``won`` is what it adds to its column."""

    id = serializers.CharField(source="public_id")
    number = serializers.IntegerField()
    line = serializers.CharField(source="line.public_id")
    kind = serializers.CharField()
    won = serializers.IntegerField()
    from_quarter = serializers.IntegerField()
    quarter = serializers.IntegerField()
    commitment = serializers.CharField(source="commitment.public_id", default=None)
    document = serializers.CharField()
    usage_month = serializers.CharField()
    on = serializers.DateField(source="on_date")
    because = serializers.CharField()
    by = serializers.CharField()
    approved_by = serializers.CharField()
    recorded_at = serializers.DateTimeField()


class CommitmentOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    number = serializers.CharField(source="label")
    line = serializers.CharField(source="line.public_id")
    origin = serializers.ChoiceField(choices=["document", "order", "usage", "late"])
    subject = serializers.CharField()
    counterparty = serializers.CharField()
    document = serializers.CharField()
    committed_won = serializers.IntegerField(source="won", default=None)
    spent_won = serializers.IntegerField(source="spent", default=None)
    on = serializers.DateField(source="on_date")
    by = serializers.CharField()


class TransferIn(Strict):
    from_line = serializers.CharField(max_length=24)
    into_line = serializers.CharField(max_length=24)
    won = WonIn()
    because = serializers.CharField(max_length=300)


class TransferOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    from_line = serializers.CharField(source="source.public_id")
    into_line = serializers.CharField(source="target.public_id")
    won = serializers.IntegerField()
    state = serializers.ChoiceField(choices=["open", "approved", "rejected"])
    because = serializers.CharField()
    asked_by = serializers.CharField()
    asked_at = serializers.DateTimeField()
    decided_by = serializers.CharField()
    decided_because = serializers.CharField()
    approval = serializers.CharField(
        allow_null=True, help_text="Id of the request that others sign."
    )


class CarryoverOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    line = serializers.CharField(source="line.public_id")
    kind = serializers.ChoiceField(choices=["named", "accident"])
    won = serializers.IntegerField()
    because = serializers.CharField()
    document = serializers.CharField()
    withdrawn_at = serializers.DateTimeField(allow_null=True)


class RehearsalLineOut(serializers.Serializer[Any]):
    line = serializers.CharField()
    current_won = serializers.IntegerField(source="current")
    spent_won = serializers.IntegerField(source="spent")
    carried_won = serializers.IntegerField()
    lapsed_won = serializers.IntegerField()


class OutstandingOut(serializers.Serializer[Any]):
    commitment = serializers.CharField(source="commitment.public_id")
    number = serializers.CharField(source="commitment.label")
    won = serializers.IntegerField()


class RehearsalOut(serializers.Serializer[Any]):
    """``blocking``: how many things have to be settled before the year can be closed.
    ``unpaid_won``: open invoices of the year's months; ``unbilled_won``: used and on no invoice
    yet; null for a key, which sees the lines of its project only."""

    lines = RehearsalLineOut(many=True, source="closes")
    outstanding = OutstandingOut(many=True)
    blocking = serializers.IntegerField()
    unpaid_won = serializers.IntegerField(source="unpaid.billed_won", allow_null=True)
    unbilled_won = serializers.IntegerField(source="unpaid.unbilled_won", allow_null=True)
