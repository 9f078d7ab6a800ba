"""Operations on one's own data and on the end of an organization."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.api import shapes
from portal.api.authentication import actor_of
from portal.api.pages import listed
from portal.api.problems import Refused
from tenants import safety
from tenants.actions import accounts, closings, exports
from tenants.models import AccountDeletion, Organization, PersonalExport, User


class ExportOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    asked_at = serializers.DateTimeField()
    made_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    size = serializers.IntegerField(help_text="Bytes.")


class DeletionOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    asked_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
    held_at = serializers.DateTimeField(allow_null=True)


class ClosingIn(shapes.Strict):
    typed_name = serializers.CharField(max_length=200)
    days = serializers.IntegerField(
        min_value=closings.FEWEST_DAYS,
        max_value=closings.MOST_DAYS,
        default=closings.USUAL_DAYS,
    )


class ClosingOut(serializers.Serializer[Any]):
    closes_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    kept_until = serializers.DateField(allow_null=True)


def _person(request: Request) -> User:
    """The person who asks. A key is nobody."""
    user = actor_of(request).user
    if user is None:
        raise PermissionDenied("A key has no personal data. Sign in.")
    return user


def _require_confirmed(request: Request) -> None:
    if not safety.confirmed_lately(request._request, _person(request)):
        raise Refused(
            "Confirm that it is you at /accounts/reauthenticate/ (without a password or second "
            "factor: sign in again), then repeat this within five minutes.",
            code="reauthenticate",
            status=403,
        )


class ExportsView(APIView):
    @extend_schema(responses=ExportOut(many=True))
    def get(self, request: Request) -> Response:
        """Copies of one's own data, newest first."""
        rows = PersonalExport.objects.filter(user=_person(request)).defer("content")
        return listed(request, rows, ExportOut)

    @extend_schema(request=None, responses={202: ExportOut})
    def post(self, request: Request) -> Response:
        """Have a copy made; a worker does it within minutes."""
        user, origin = _person(request), actor_of(request).origin
        try:
            made = exports.ask(user=user, now=timezone.now(), origin=origin)
        except exports.AskedLately as error:
            raise Refused(str(error), code="asked_lately", status=429) from error
        return Response(ExportOut(made).data, status=202)


class ExportView(APIView):
    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def get(self, request: Request, public_id: str) -> HttpResponse:
        """The copy, for the person alone, for 7 days. Wants a session that was confirmed lately."""
        user = _person(request)
        if not exports.there_is(user=user, public_id=public_id, now=timezone.now()):
            raise Http404
        _require_confirmed(request)
        content = exports.fetch(
            user=user,
            public_id=public_id,
            now=timezone.now(),
            origin=actor_of(request).origin,
        )
        if content is None:
            raise Http404
        return HttpResponse(content, content_type="application/zip")


class DeletionView(APIView):
    @extend_schema(responses={200: DeletionOut, 204: None})
    def get(self, request: Request) -> Response:
        """The end of the account that is asked for. 204 if none is."""
        return _deletion(accounts.pending(_person(request)))

    @extend_schema(request=None, responses={202: DeletionOut})
    def post(self, request: Request) -> Response:
        """End the account in 14 days. Wants a session that was confirmed lately."""
        user = _person(request)
        _require_confirmed(request)
        try:
            made = accounts.ask_deletion(
                user=user, now=timezone.now(), origin=actor_of(request).origin
            )
        except accounts.LastOwnerOf as error:
            raise Refused(str(error), code="last_owner", status=409) from error
        return Response(DeletionOut(made).data, status=202)

    @extend_schema(responses={204: None})
    def delete(self, request: Request) -> Response:
        """Undo it: keep the account."""
        accounts.undo_deletion(
            user=_person(request), now=timezone.now(), origin=actor_of(request).origin
        )
        return Response(status=204)


def _deletion(found: AccountDeletion | None) -> Response:
    return Response(status=204) if found is None else Response(DeletionOut(found).data)


class ClosingView(APIView):
    @extend_schema(responses=ClosingOut)
    def get(self, request: Request) -> Response:
        """When the organization closes or was closed, and until when members read."""
        actor = actor_of(request)
        actor.require("organization.read")
        return _closing(actor.organization)

    @extend_schema(request=ClosingIn, responses={202: ClosingOut})
    def post(self, request: Request) -> Response:
        """Close the organization in some days."""
        actor = actor_of(request)
        actor.require("organization.close")
        body = ClosingIn(data=request.data)
        body.is_valid(raise_exception=True)
        try:
            found = closings.ask(by=actor, now=timezone.now(), **body.validated_data)
        except (closings.NameDiffers, closings.NeverCloses) as error:
            raise Refused(str(error), code="name", field="typed_name") from error
        return _closing(found, status=202)

    @extend_schema(responses=ClosingOut)
    def delete(self, request: Request) -> Response:
        """Take it back, before its day."""
        actor = actor_of(request)
        actor.require("organization.close")
        try:
            return _closing(closings.undo(by=actor, now=timezone.now()))
        except closings.ClosingBegan as error:
            raise Refused(str(error), code="closing_began", status=409) from error


def _closing(organization: Organization, status: int = 200) -> Response:
    shown = {
        "closes_at": organization.closes_at,
        "closed_at": organization.closed_at,
        "kept_until": closings.kept_until(organization),
    }
    return Response(ClosingOut(shown).data, status=status)
