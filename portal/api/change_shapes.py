"""Bodies and answers of changes to an endpoint, and of their rollouts."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from portal.api.shapes import Strict


class ChangeIn(Strict):
    """What is wished of an endpoint of one's own."""

    kind = serializers.ChoiceField(choices=["resize", "resume", "move"])
    replicas = serializers.IntegerField(
        min_value=0, max_value=64, default=0, help_text="0: as many as it had."
    )
    region = serializers.CharField(
        max_length=24, default="", allow_blank=True, help_text="Of a move. Empty: any."
    )
    chip = serializers.CharField(
        max_length=24, default="", allow_blank=True, help_text="Of a move. Empty: the cheapest."
    )
    apart = serializers.BooleanField(default=False, help_text="Of a move.")


class ChangeQuoteOut(serializers.Serializer[Any]):
    """Cards and won are those of the whole endpoint afterwards; set aside is what comes besides."""

    chip = serializers.CharField(source="priced.chip")
    cards = serializers.IntegerField(source="priced.cards")
    replicas = serializers.IntegerField(source="wish.replicas")
    new_at = serializers.ListField(source="priced.choice.sites", child=serializers.CharField())
    won_per_card_hour = serializers.DecimalField(
        source="priced.won_per_card_hour", max_digits=18, decimal_places=6
    )
    won_per_hour = serializers.IntegerField(source="priced.won_per_hour")
    won_per_month = serializers.IntegerField(source="priced.won_per_month")
    more_per_hour_won = serializers.IntegerField(source="more_per_hour")
    more_per_month_won = serializers.IntegerField(source="more_per_month")
    set_aside_micro_won = serializers.IntegerField(source="priced.rest_of_month_micro")
    both_run_micro_won = serializers.IntegerField(
        source="surge_micro", help_text="Part of it: for the time in which both forms run."
    )


class RolloutStepOut(serializers.Serializer[Any]):
    kind = serializers.CharField()
    site = serializers.CharField()
    because = serializers.CharField()
    at = serializers.DateTimeField()


class RolloutOut(serializers.Serializer[Any]):
    """``state``: running, back, done, rolled_back, abandoned."""

    id = serializers.CharField(source="public_id")
    state = serializers.CharField()
    because = serializers.CharField()
    from_revision = serializers.IntegerField(source="from_revision.number")
    to_revision = serializers.IntegerField(source="to_revision.number")
    started_at = serializers.DateTimeField()
    steps = RolloutStepOut(many=True)
