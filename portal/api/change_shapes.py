"""Bodies and answers of changes to an endpoint, and of their rollouts."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from portal.api.shapes import Strict


class ChangeIn(Strict):
    """What is wished of an endpoint of one's own."""

    kind = serializers.ChoiceField(
        choices=["resize", "resume", "move", "pause", "delete"],
        help_text="pause and delete only free: they need neither money nor signatures, and no "
        "other field.",
    )
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
    strategy = serializers.ChoiceField(
        choices=["rolling", "blue_green", "canary"],
        default="rolling",
        help_text="Of a move: how replicas are replaced.",
    )


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


class LostOut(serializers.Serializer[Any]):
    aliases = serializers.ListField(
        child=serializers.CharField(), help_text="Names that stand for it, and mean nothing then."
    )
    drills = serializers.IntegerField(help_text="Called off.")
    opening_hours = serializers.BooleanField(source="hours")
    awaiting_change = serializers.BooleanField(
        source="awaiting", help_text="A change that waits to be signed."
    )


class FreedOut(serializers.Serializer[Any]):
    """What a pause or delete would do now. Won are without VAT; micro-won are of this month."""

    kind = serializers.CharField()
    replicas = serializers.IntegerField(help_text="That stop.")
    cards = serializers.IntegerField(help_text="That become free.")
    sites = serializers.ListField(source="site_codes", child=serializers.CharField())
    won_per_hour = serializers.IntegerField(
        source="form.won_per_hour", help_text="No longer charged."
    )
    won_per_month = serializers.IntegerField(
        source="form.won_per_month", help_text="At most no longer charged: 31 days, always on."
    )
    set_aside_micro_won = serializers.IntegerField(source="set_aside_micro")
    owed_micro_won = serializers.IntegerField(source="owed_micro", help_text="Used until now.")
    kept_micro_won = serializers.IntegerField(
        source="kept_micro", help_text="Stays set aside for its opening hours."
    )
    free_micro_won = serializers.IntegerField(
        source="free_micro", help_text="Once all have stopped and are counted."
    )
    reservations = serializers.IntegerField(help_text="Of its project: charged on, used or not.")
    lost = LostOut(allow_null=True, help_text="Null: nothing, of a pause.")


class RolloutStepOut(serializers.Serializer[Any]):
    kind = serializers.CharField()
    site = serializers.CharField()
    because = serializers.CharField()
    at = serializers.DateTimeField()


class FormOut(serializers.Serializer[Any]):
    """One of both forms. The new one's answers are those since its share was changed last."""

    new = serializers.BooleanField()
    revision = serializers.IntegerField()
    wished = serializers.IntegerField(help_text="Replicas of the whole form.")
    replicas = serializers.IntegerField()
    ready = serializers.IntegerField()
    share = serializers.IntegerField(help_text="Percent of the requests.")
    ended = serializers.IntegerField(help_text="Answers that gateways saw: a sample.")
    failed = serializers.IntegerField()
    first_token_ms = serializers.IntegerField(
        allow_null=True, help_text="Median. Null: nobody was heard."
    )


class UpcomingOut(serializers.Serializer[Any]):
    """``what``: back, ready, replace, shift, old_go."""

    what = serializers.CharField()
    at = serializers.DateTimeField(allow_null=True, help_text="No sooner. Null: once it can.")
    share = serializers.IntegerField(allow_null=True, help_text="Of a shift, in percent.")


class ProgressOut(serializers.Serializer[Any]):
    forms = FormOut(many=True, help_text="Old, then new.")
    next = UpcomingOut(source="upcoming", allow_null=True, help_text="Null: it is over.")
    held = serializers.BooleanField(help_text="By hand: it goes on when told.")
    small_sample = serializers.BooleanField(
        help_text="Fewer than 20 answers since the last shift: only time counts."
    )


class SteerIn(Strict):
    """``hold``: stay at this step. ``go_on``: end it now. Both: of blue-green and canary."""

    action = serializers.ChoiceField(choices=["hold", "go_on"])


class RolloutOut(serializers.Serializer[Any]):
    """``state``: running, back, done, rolled_back, abandoned."""

    id = serializers.CharField(source="rollout.public_id")
    state = serializers.CharField(source="rollout.state")
    strategy = serializers.CharField(source="rollout.strategy")
    because = serializers.CharField(source="rollout.because")
    from_revision = serializers.IntegerField(source="rollout.from_revision.number")
    to_revision = serializers.IntegerField(source="rollout.to_revision.number")
    started_at = serializers.DateTimeField(source="rollout.started_at")
    progress = ProgressOut()
    steps = RolloutStepOut(source="rollout.steps.all", many=True)
