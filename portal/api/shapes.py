"""What goes in and comes out. No models and no logic; unknown fields are refused by name."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from portal.lib.digits import is_exact, is_whole
from tenants.actions.keys import MOST_TOKENS
from tenants.models import DataClass, KeyMode
from tenants.scopes import Scope

_Number = serializers.IntegerField | serializers.DecimalField


def _is_plain(field: _Number, value: Any) -> bool:
    """A number in JSON or in plain digits, and a whole one where it has to be."""
    whole = isinstance(field, serializers.IntegerField)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    return is_whole(str(value)) if whole else is_exact(str(value))


class Strict(serializers.Serializer[Any]):
    """Refuses what it does not know: a mistyped field must not be dropped in silence, nor a
    mistyped number be guessed."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            raise serializers.ValidationError(dict.fromkeys(unknown, "Unknown field."))
        if isinstance(data, dict) and (mistyped := self._mistyped(data)):
            raise serializers.ValidationError(mistyped)
        return super().to_internal_value(data)

    def _mistyped(self, data: dict[str, Any]) -> dict[str, list[str]]:
        return {
            name: [str(field.error_messages["invalid"])]
            for name, field in self.fields.items()
            if isinstance(field, _Number)
            and data.get(name) is not None
            and not _is_plain(field, data[name])
        }


def body_of(shape: type[Strict], request: Request) -> dict[str, Any]:
    """What the body says, in the shape; 422 with each wrong field otherwise."""
    body = shape(data=request.data)
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)


class OrganizationOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    kind = serializers.CharField()
    business_number = serializers.CharField(allow_null=True)
    region = serializers.CharField(help_text="Where it is; empty if nobody said.")
    created_at = serializers.DateTimeField()


class OrganizationChangeIn(Strict):
    region = serializers.CharField(
        max_length=24, allow_blank=True, help_text="Sites there come first. Empty: no preference."
    )


class ProjectIn(Strict):
    name = serializers.CharField(max_length=60)
    data_class = serializers.ChoiceField(choices=DataClass.values, default="open")
    cost_centre = serializers.CharField(max_length=40, default="", allow_blank=True)
    regions = serializers.ListField(
        child=serializers.CharField(max_length=24), default=list, max_length=50
    )
    replay = serializers.BooleanField(
        default=False,
        help_text="Answers to requests with an Idempotency-Key are kept, sealed, for ten minutes.",
    )


class ProjectChangeIn(Strict):
    """Only what is sent is changed."""

    name = serializers.CharField(max_length=60, required=False)
    data_class = serializers.ChoiceField(choices=DataClass.values, required=False)
    cost_centre = serializers.CharField(max_length=40, required=False, allow_blank=True)
    regions = serializers.ListField(
        child=serializers.CharField(max_length=24), required=False, max_length=50
    )
    replay = serializers.BooleanField(required=False)
    archived = serializers.BooleanField(required=False)


class ProjectOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    data_class = serializers.CharField()
    cost_centre = serializers.CharField()
    regions = serializers.ListField(child=serializers.CharField())
    replay = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    archived_at = serializers.DateTimeField(allow_null=True)


class KeyIn(Strict):
    name = serializers.CharField(max_length=60)
    project = serializers.CharField(max_length=24)
    mode = serializers.ChoiceField(choices=KeyMode.values, default="live")
    rpm_limit = serializers.IntegerField(min_value=1, max_value=100_000, default=60)
    tpm_limit = serializers.IntegerField(
        min_value=0,
        max_value=MOST_TOKENS,
        default=0,
        help_text="Tokens a minute, worst cases counted. 0: no such limit.",
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    models = serializers.ListField(
        child=serializers.CharField(max_length=64), default=list, max_length=100
    )
    sites = serializers.ListField(
        child=serializers.CharField(max_length=32), default=list, max_length=100
    )
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.values), default=lambda: ["inference"]
    )
    addresses = serializers.ListField(
        child=serializers.CharField(max_length=49), default=list, max_length=50
    )
    concurrency_limit = serializers.IntegerField(min_value=1, max_value=1000, default=16)
    limit_won = serializers.IntegerField(required=False, allow_null=True, default=None)


class KeyChangeIn(Strict):
    """Only what is sent is changed."""

    name = serializers.CharField(max_length=60, required=False)
    rpm_limit = serializers.IntegerField(min_value=1, max_value=100_000, required=False)
    tpm_limit = serializers.IntegerField(min_value=0, max_value=MOST_TOKENS, required=False)
    concurrency_limit = serializers.IntegerField(min_value=1, max_value=1000, required=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    models = serializers.ListField(
        child=serializers.CharField(max_length=64), required=False, max_length=100
    )
    sites = serializers.ListField(
        child=serializers.CharField(max_length=32), required=False, max_length=100
    )
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.values), required=False
    )
    addresses = serializers.ListField(
        child=serializers.CharField(max_length=49), required=False, max_length=50
    )


class RotateIn(Strict):
    overlap_seconds = serializers.IntegerField(min_value=0, max_value=30 * 86400, default=86400)


class TrialIn(Strict):
    model = serializers.CharField(max_length=128)
    address = serializers.IPAddressField(required=False, default="")


class TrialOut(serializers.Serializer[Any]):
    status = serializers.IntegerField(help_text="What the gateway would answer.")
    code = serializers.CharField()
    message = serializers.CharField(allow_blank=True)
    sites = serializers.ListField(child=serializers.CharField())
    rpm_left = serializers.IntegerField()


class KeyOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    project = serializers.CharField(source="project.public_id")
    mode = serializers.CharField()
    public_part = serializers.CharField()
    rpm_limit = serializers.IntegerField()
    tpm_limit = serializers.IntegerField(help_text="0: no such limit.")
    models = serializers.ListField(source="allowed_models", child=serializers.CharField())
    sites = serializers.ListField(source="allowed_sites", child=serializers.CharField())
    scopes = serializers.ListField(child=serializers.CharField())
    addresses = serializers.ListField(source="allowed_addresses", child=serializers.CharField())
    concurrency_limit = serializers.IntegerField()
    replaces = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    used_at = serializers.DateTimeField(allow_null=True, help_text="Known to the minute.")
    used_from = serializers.CharField(allow_blank=True)


class KeyMadeOut(KeyOut):
    secret = serializers.CharField(help_text="Shown this once.")


class ModelOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="slug")
    kind = serializers.CharField()
    name_ko = serializers.CharField()
    name_en = serializers.CharField()
    licence = serializers.CharField()
    context_tokens = serializers.IntegerField()
    answers_korean = serializers.BooleanField()


class SiteOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="site.code")
    name_ko = serializers.CharField(source="site.name_ko")
    name_en = serializers.CharField(source="site.name_en")
    region = serializers.CharField(source="site.region.code")
    simulated = serializers.BooleanField(source="site.simulated")
    state = serializers.CharField(source="code")
    health = serializers.CharField()
    health_since = serializers.DateTimeField(source="site.health_since", allow_null=True)
    condition = serializers.CharField(source="site.condition")
    cards = serializers.IntegerField()
    cards_free = serializers.IntegerField(source="free")


class ReplicaOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    site = serializers.CharField(source="site.code")
    state = serializers.CharField()
    because = serializers.CharField()
    cards = serializers.ListField(source="card_refs", child=serializers.CharField())
    restarts = serializers.IntegerField()
    since = serializers.DateTimeField(source="state_since")


class PlacedIn(Strict):
    """What is to be placed: where it may run decides what it costs."""

    project = serializers.CharField(max_length=24)
    model = serializers.CharField(
        max_length=64, help_text="A slug of the catalogue, or the id of an own model."
    )
    region = serializers.CharField(
        max_length=24, default="", allow_blank=True, help_text="Empty: any the project allows."
    )
    replicas = serializers.IntegerField(min_value=1, max_value=64, default=1)
    chip = serializers.CharField(
        max_length=24, default="", allow_blank=True, help_text="Empty: the cheapest with room."
    )
    apart = serializers.BooleanField(default=False, help_text="Each replica at a site of its own.")


class EndpointIn(PlacedIn):
    name = serializers.CharField(max_length=60)


class ReasonOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    sentence = serializers.CharField()


class PlacementOut(serializers.Serializer[Any]):
    """A site, the endpoint's replicas there, and what speaks against one more."""

    site = serializers.CharField()
    chip = serializers.CharField()
    replicas = serializers.IntegerField()
    cards_free = serializers.IntegerField()
    cards_needed = serializers.IntegerField()
    reasons = ReasonOut(many=True)


class EndpointOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    kind = serializers.CharField()
    model = serializers.CharField(source="model.slug")
    own_model = serializers.CharField(
        source="own_model.public_id",
        allow_null=True,
        help_text="The organization's own model; model is then the one that it was tuned from.",
    )
    status = serializers.CharField(source="status_code")
    created_at = serializers.DateTimeField()
    stopped_at = serializers.DateTimeField(allow_null=True)
    paused_at = serializers.DateTimeField(allow_null=True)
    replicas = ReplicaOut(many=True, source="living")


class EndpointEndedOut(EndpointOut):
    order = serializers.CharField(
        allow_null=True,
        help_text="By which it is paused or was ended. Null: by none, but by its opening hours.",
    )


class QuoteOut(serializers.Serializer[Any]):
    chip = serializers.CharField()
    cards = serializers.IntegerField()
    sites = serializers.ListField(source="choice.sites", child=serializers.CharField())
    won_per_card_hour = serializers.DecimalField(max_digits=18, decimal_places=6)
    won_per_hour = serializers.IntegerField()
    won_per_month = serializers.IntegerField()
    set_aside_micro_won = serializers.IntegerField(source="rest_of_month_micro")


class UsageOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    requests = serializers.IntegerField()
    tokens_in = serializers.IntegerField()
    tokens_cached = serializers.IntegerField()
    tokens_out = serializers.IntegerField()
    cost_micro_won = serializers.IntegerField(source="settled_micro")
    written_off_micro_won = serializers.IntegerField(source="written_off_micro")


class LineOut(serializers.Serializer[Any]):
    month = serializers.CharField(source="usage_month")
    text_ko = serializers.CharField()
    text_en = serializers.CharField()
    unit = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = serializers.DecimalField(max_digits=18, decimal_places=6)
    amount_won = serializers.IntegerField()


class InvoiceOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    number = serializers.CharField()
    kind = serializers.CharField()
    month = serializers.CharField()
    period_start = serializers.DateTimeField()
    period_end = serializers.DateTimeField()
    issue_date = serializers.DateField()
    supply_won = serializers.IntegerField()
    vat_won = serializers.IntegerField()
    untaxed_won = serializers.IntegerField(help_text="Late interest; no VAT on it.")
    total_won = serializers.IntegerField()


class InvoiceDetailOut(InvoiceOut):
    in_place_of = serializers.CharField(
        source="renews.invoice.public_id",
        default=None,
        allow_null=True,
        help_text="The wrong invoice in whose place this one stands.",
    )
    lines = LineOut(many=True)
