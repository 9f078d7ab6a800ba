"""Operations on an organization's own models: register, show, check again, withdraw."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.api.authentication import actor_of
from portal.api.offerings import OfferingSiteOut, site_at
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.shapes import Strict, body_of
from portal.catalog import origins, own_words
from portal.catalog.models import OwnModel, OwnModelState
from portal.deployments import compatibility
from portal.deployments.actions import own_models as actions
from tenants import names

REFUSALS: tuple[tuple[type[Exception], str, str, int], ...] = (
    (names.BadName, "name", "name", 422),
    (actions.NameTaken, "name_taken", "name", 409),
    (actions.UnknownBase, "unknown_base", "base", 422),
    (actions.BadLocation, "location", "location", 422),
    (actions.BadDigest, "digest", "digest", 422),
    (actions.RegisteredAlready, "registered_already", "digest", 409),
    (actions.LicenceNotConfirmed, "licence", "licence_confirmed", 422),
    (actions.TooManyOwnModels, "quota", "", 409),
    (actions.NotNow, "not_now", "", 409),
    (actions.InUse, "in_use", "", 409),
)


KINDS = tuple(kind for kind, *_rest in REFUSALS)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except KINDS as error:
        rows = (row for row in REFUSALS if isinstance(error, row[0]))
        _kind, code, field, status = next(rows)
        raise Refused(str(error), code=code, field=field, status=status) from error


class OwnModelIn(Strict):
    name = serializers.CharField(max_length=actions.LONGEST_NAME)
    base = serializers.CharField(
        max_length=64, help_text="Slug of the model in the catalogue that it was tuned from."
    )
    location = serializers.CharField(
        max_length=origins.LONGEST, help_text="Address of the manifest at a place that is allowed."
    )
    digest = serializers.CharField(
        max_length=71, help_text="Of the manifest: sha256: and 64 hexadecimal digits."
    )
    licence_confirmed = serializers.BooleanField(
        help_text="The licences of the model and of its base allow you to run it here."
    )


class RefusalOut(serializers.Serializer[Any]):
    """Why it was refused, and what to do next, in the language that was asked for."""

    code = serializers.CharField()
    sentence = serializers.CharField()
    next_step = serializers.CharField()


class OwnModelChipOut(serializers.Serializer[Any]):
    """An offering of its base. ``loads`` false: its server takes other ``forms`` of files."""

    offering = serializers.CharField()
    chip = serializers.CharField()
    cards = serializers.IntegerField()
    sdk = serializers.CharField()
    loads = serializers.BooleanField()
    forms = serializers.ListField(child=serializers.CharField())
    sites = OfferingSiteOut(many=True)


class OwnModelOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id", help_text="What an order names as its model.")
    name = serializers.CharField()
    base = serializers.CharField(source="base.model.slug")
    base_digest = serializers.CharField(source="base.digest")
    location = serializers.CharField()
    digest = serializers.CharField()
    state = serializers.ChoiceField(choices=OwnModelState.values)
    refusal = RefusalOut(allow_null=True)
    form = serializers.CharField(help_text="Of its files; empty before it was admitted.")
    weights = serializers.CharField(help_text="The digest that sites compare.")
    context_tokens = serializers.IntegerField(allow_null=True)
    languages = serializers.ListField(child=serializers.CharField())
    registered_at = serializers.DateTimeField()
    checked_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, instance: OwnModel) -> dict[str, Any]:
        because, next_step = own_words.sentences(instance)
        told = {"code": instance.code, "sentence": because, "next_step": next_step}
        instance.refusal = told if instance.code else None  # type: ignore[attr-defined]
        return dict(super().to_representation(instance))


class OwnModelDetailOut(OwnModelOut):
    chips = OwnModelChipOut(many=True, help_text="Empty before it was admitted.")


def _own(request: Request) -> QuerySet[OwnModel]:
    return OwnModel.objects.visible_to(actor_of(request)).select_related("base__model")


def _chips(own: OwnModel) -> list[dict[str, Any]]:
    if own.state != OwnModelState.ADMITTED:
        return []
    found = compatibility.of_own(own, organization=own.organization_id, now=timezone.now())
    return [
        {
            "offering": one.offering.public_id,
            "chip": one.offering.chip.code,
            "cards": one.offering.cards,
            "sdk": one.offering.sdk,
            "loads": one.loads,
            "forms": list(one.forms),
            "sites": [site_at(at) for at in one.sites],
        }
        for one in found
    ]


class OwnModelsView(APIView):
    @extend_schema(responses=OwnModelOut(many=True))
    def get(self, request: Request) -> Response:
        """The organization's own models, the newest first, withdrawn ones among them."""
        actor_of(request).require("endpoints.read")
        return listed(request, _own(request), OwnModelOut)

    @extend_schema(request=OwnModelIn, responses={201: OwnModelOut})
    def post(self, request: Request) -> Response:
        """Register one. A worker fetches its manifest and admits or refuses it; ask for its state.
        What the manifest has to say: docs/own-models.md."""
        actor = actor_of(request)
        actor.require("endpoints.change")
        wish = actions.Registration(**body_of(OwnModelIn, request))
        with _refusals():
            made = actions.register(wish=wish, by=actor, now=timezone.now())
        return Response(OwnModelOut(made).data, status=201)


class OwnModelView(APIView):
    @extend_schema(responses=OwnModelDetailOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One of them, with the chips on which it runs."""
        actor_of(request).require("endpoints.read")
        found = get_object_or_404(_own(request), public_id=public_id)
        found.chips = _chips(found)  # type: ignore[attr-defined]
        return Response(OwnModelDetailOut(found).data)

    @extend_schema(responses=OwnModelOut)
    def delete(self, request: Request, public_id: str) -> Response:
        """Withdraw it: it can no longer be ordered, and its row stays. Refused while an endpoint or
        an order uses it. Repeating it changes nothing."""
        actor = actor_of(request)
        actor.require("endpoints.change")
        found = get_object_or_404(_own(request), public_id=public_id)
        with _refusals():
            actions.withdraw(own=found, by=actor, now=timezone.now())
        return Response(OwnModelOut(get_object_or_404(_own(request), pk=found.pk)).data)


class OwnModelCheckView(APIView):
    @extend_schema(request=None, responses=OwnModelOut)
    def post(self, request: Request, public_id: str) -> Response:
        """Have one checked again that was refused. One that waits for its check stays so."""
        actor = actor_of(request)
        actor.require("endpoints.change")
        found = get_object_or_404(_own(request), public_id=public_id)
        with _refusals():
            actions.check_again(own=found, by=actor, now=timezone.now())
        return Response(OwnModelOut(get_object_or_404(_own(request), pk=found.pk)).data)
