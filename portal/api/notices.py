"""Operations on a person's own notices and how they want to be told. Keys have no inbox."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.api.authentication import actor_of
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.shapes import Strict
from tenants import inbox, preferences
from tenants.models import Language, User
from tenants.notice_kinds import Group, Severity
from tenants.notice_routes import Preferences, Way


class NoticeOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    kind = serializers.CharField()
    severity = serializers.SerializerMethodField()
    title = serializers.CharField(help_text="In the language of the request.")
    body = serializers.CharField()
    organization = serializers.CharField(
        source="organization.public_id", default=None, allow_null=True
    )
    project = serializers.CharField(allow_blank=True)
    place = serializers.CharField(allow_blank=True, help_text="A path of the portal.")
    at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)

    def get_severity(self, notice: Any) -> str:
        return str(notice.known.severity if notice.known else Severity.INFO)


class NoticesIn(Strict):
    """Filters of the list."""

    unread = serializers.BooleanField(default=False)
    severity = serializers.ChoiceField(choices=Severity.values, default="", allow_blank=True)
    organization = serializers.CharField(max_length=24, default="", allow_blank=True)


class ReadOut(serializers.Serializer[Any]):
    marked = serializers.IntegerField(help_text="How many were unread.")


class QuietShape(Strict):
    begin = serializers.IntegerField(min_value=0, max_value=23)
    until = serializers.IntegerField(min_value=0, max_value=23)


class PreferencesIn(Strict):
    """Only what is sent is changed. Security notices are mailed at once whatever is chosen."""

    language = serializers.ChoiceField(choices=Language.values, required=False)
    mail = serializers.DictField(
        child=serializers.ChoiceField(choices=[way.value for way in Way]),
        required=False,
        help_text=f"Group ({', '.join(Group.values)}) → now, digest or off.",
    )
    quiet = QuietShape(required=False, allow_null=True)
    digest_hour = serializers.IntegerField(min_value=0, max_value=23, required=False)
    muted_projects = serializers.ListField(
        child=serializers.CharField(max_length=24),
        required=False,
        max_length=preferences.MOST_MUTED,
    )


class PreferencesOut(serializers.Serializer[Any]):
    language = serializers.CharField()
    mail = serializers.DictField(child=serializers.CharField())
    quiet = QuietShape(allow_null=True)
    digest_hour = serializers.IntegerField(help_text="Hour in Korea.")
    muted_projects = serializers.ListField(child=serializers.CharField())


def _person(request: Request) -> User:
    user = actor_of(request).user
    if user is None:
        raise PermissionDenied("Notices belong to a person; a key has none.")
    return user


def _shown(chosen: Preferences) -> dict[str, Any]:
    return {
        "language": chosen.language,
        "mail": {
            group.value: str(chosen.mail.get(group, Way.NOW)) for group in preferences.groups()
        },
        "quiet": chosen.quiet and {"begin": chosen.quiet[0], "until": chosen.quiet[1]},
        "digest_hour": chosen.digest_hour,
        "muted_projects": sorted(chosen.muted_projects),
    }


class NoticesView(APIView):
    @extend_schema(
        parameters=[
            OpenApiParameter("unread", bool),
            OpenApiParameter("severity", enum=Severity.values),
            OpenApiParameter("organization", str),
        ],
        responses=NoticeOut(many=True),
    )
    def get(self, request: Request) -> Response:
        """What the person is told, newest first, in all their organizations."""
        person = _person(request)
        names = NoticesIn().fields
        sent = NoticesIn(
            data={name: value for name, value in request.query_params.items() if name in names}
        )
        sent.is_valid(raise_exception=True)
        rows = inbox.filtered(inbox.of(person), **sent.validated_data)
        return listed(request, rows, NoticeOut)


class NoticesReadView(APIView):
    @extend_schema(operation_id="notices_read_all", request=None, responses=ReadOut)
    def post(self, request: Request) -> Response:
        """Mark all as read."""
        return Response({"marked": inbox.mark_all_read(_person(request), now=timezone.now())})


class NoticeReadView(APIView):
    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request, public_id: str) -> Response:
        """Mark one as read. Repeating it changes nothing."""
        notice = get_object_or_404(inbox.of(_person(request)), public_id=public_id)
        inbox.mark_read(notice, now=timezone.now())
        return Response(status=204)


class PreferencesView(APIView):
    @extend_schema(responses=PreferencesOut)
    def get(self, request: Request) -> Response:
        """By which way and when the person is told."""
        return Response(PreferencesOut(_shown(preferences.of(_person(request)))).data)

    @extend_schema(request=PreferencesIn, responses=PreferencesOut)
    def patch(self, request: Request) -> Response:
        """Choose ways, quiet hours, the digest's hour, muted projects, the language of mails."""
        person = _person(request)
        body = PreferencesIn(data=request.data)
        body.is_valid(raise_exception=True)
        sent = dict(body.validated_data)
        before = preferences.of(person)
        if "mail" in sent:
            sent["mail"] = dict(before.mail) | sent["mail"]
        if sent.get("quiet"):
            sent["quiet"] = (sent["quiet"]["begin"], sent["quiet"]["until"])
        if "muted_projects" in sent:
            sent["muted_projects"] = frozenset(sent["muted_projects"])
        try:
            chosen = preferences.change(user=person, wish=replace(before, **sent))
        except preferences.BadPreference as error:
            raise Refused(str(error), code="preference", field=error.field) from error
        return Response(PreferencesOut(_shown(chosen)).data)
