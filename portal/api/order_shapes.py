"""Answers about orders: what was asked for, and how far it is."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from portal.deployments import order_words
from portal.deployments.models import Order


class OrderOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    kind = serializers.CharField()
    endpoint = serializers.CharField(
        source="endpoint.public_id", allow_null=True, help_text="Null while it has to be signed."
    )
    state = serializers.CharField()
    name = serializers.CharField()
    chip = serializers.CharField()
    cards = serializers.IntegerField()
    won_per_hour = serializers.IntegerField()
    won_per_hour_before = serializers.IntegerField()
    won_per_month = serializers.IntegerField()
    set_aside_micro_won = serializers.IntegerField(source="committed_micro")
    placed_at = serializers.DateTimeField()
    sentence = serializers.SerializerMethodField(
        help_text="What it asks for and how far it is, in the reader's language."
    )

    def get_sentence(self, order: Order) -> str:
        return order_words.sentence(order)


class OrderMoveOut(serializers.Serializer[Any]):
    to_state = serializers.CharField()
    because = serializers.CharField()
    at = serializers.DateTimeField()


class SiteStopsOut(serializers.Serializer[Any]):
    """A site at which replicas are still to stop."""

    site = serializers.CharField(source="site.code")
    replicas = serializers.IntegerField()
    silent = serializers.BooleanField(help_text="It is told as soon as it answers.")
    trouble = serializers.CharField(source="site.trouble")


class OrderStepsOut(OrderOut):
    """``stopping``: of a pause or delete that is under way."""

    moves = OrderMoveOut(many=True, source="moves.all")
    stopping = SiteStopsOut(many=True)
