"""What goes in and comes out of support, and what its actions may say, as answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from portal.api.problems import Refused
from portal.api.shapes import Strict
from tenants import reasons, uploads
from tenants.models import SupportRequest
from tenants.support import attachments, consents, hours, moves, requests, texts
from tenants.support.words import Grade, RequestKind, Side


class RequestIn(Strict):
    subject = serializers.CharField(max_length=texts.LONGEST_SUBJECT)
    text = serializers.CharField(max_length=texts.LONGEST_TEXT, trim_whitespace=False)
    kind = serializers.ChoiceField(choices=RequestKind.values)
    severity = serializers.ChoiceField(choices=Grade.values, default=Grade.NORMAL.value)
    path = serializers.CharField(
        max_length=400, default="", allow_blank=True, help_text="Of the page that it is about."
    )
    request_id = serializers.CharField(
        max_length=64, default="", allow_blank=True, help_text="X-Request-ID of the answer."
    )
    project = serializers.CharField(max_length=24, default="", allow_blank=True)
    incident = serializers.CharField(max_length=24, default="", allow_blank=True)
    consent_days = serializers.IntegerField(
        min_value=0,
        max_value=consents.MOST_DAYS,
        default=0,
        help_text="For how long the operator's staff may look at the pages, read-only.",
    )


class MessageIn(Strict):
    text = serializers.CharField(max_length=texts.LONGEST_TEXT, trim_whitespace=False)


class CloseIn(Strict):
    because = serializers.CharField(max_length=300, default="", allow_blank=True)


class ConsentIn(Strict):
    days = serializers.IntegerField(min_value=1, max_value=consents.MOST_DAYS)


class AttachmentIn(Strict):
    file = serializers.FileField(max_length=200, allow_empty_file=True)


class RequestOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    subject = serializers.CharField()
    kind = serializers.CharField()
    severity = serializers.CharField()
    state = serializers.CharField()
    requester = serializers.CharField()
    path = serializers.CharField()
    request_id = serializers.CharField()
    project = serializers.CharField()
    incident = serializers.CharField(source="incident.public_id", default=None, allow_null=True)
    created_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(help_text="Of the first answer.")
    holidays_known = serializers.SerializerMethodField(
        help_text="Whether the public holidays up to due_at were known."
    )
    answered_at = serializers.DateTimeField(allow_null=True)

    def get_holidays_known(self, request: SupportRequest) -> bool:
        return hours.covers(request.created_at, request.due_at)


class MessageOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    side = serializers.CharField()
    author = serializers.SerializerMethodField(help_text="Empty for the operator's staff.")
    text = serializers.CharField()
    at = serializers.DateTimeField()

    def get_author(self, message: Any) -> str:
        return str(message.author) if message.side == Side.CUSTOMER else ""


class AttachmentOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField(source="file.name")
    media_type = serializers.CharField(source="file.media_type")
    size = serializers.IntegerField(source="file.size")
    side = serializers.CharField()
    at = serializers.DateTimeField()


class MoveOut(serializers.Serializer[Any]):
    what = serializers.CharField(help_text="state or severity")
    before = serializers.CharField(allow_blank=True)
    after = serializers.CharField()
    because = serializers.CharField()
    side = serializers.CharField()
    at = serializers.DateTimeField()


class ConsentOut(serializers.Serializer[Any]):
    given_at = serializers.DateTimeField(allow_null=True)
    until = serializers.DateTimeField(allow_null=True)


class UpdateOut(serializers.Serializer[Any]):
    text_ko = serializers.CharField()
    text_en = serializers.CharField()
    at = serializers.DateTimeField()


class IncidentOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    title_ko = serializers.CharField()
    title_en = serializers.CharField()
    sites = serializers.ListField(child=serializers.CharField())
    began_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    updates = UpdateOut(many=True)


WORDS: dict[type[Exception], tuple[str, str, int]] = {
    moves.RequestClosed: ("closed", "", 409),
    moves.MovedMeanwhile: ("moved", "", 409),
    moves.NoSuchMove: ("state", "", 409),
    requests.TooLong: ("too_long", "", 409),
    requests.TooManyRequests: ("quota", "", 409),
    requests.KeyReused: ("idempotency_mismatch", "", 422),
    attachments.TooManyFiles: ("too_many_files", "", 409),
    uploads.BadFile: ("file", "file", 422),
    consents.NotOpen: ("closed", "", 409),
    consents.BadDays: ("days", "days", 422),
    reasons.BadReason: ("reason", "because", 422),
}


@contextmanager
def refusals() -> Iterator[None]:
    """What the actions of support may say, as answers."""
    try:
        yield
    except texts.BadText as error:
        raise Refused(str(error), code="text", field=error.field) from error
    except requests.Unknown as error:
        raise Refused(str(error), code="unknown", field=error.field) from error
    except tuple(WORDS) as error:
        code, name, status = WORDS[type(error)]
        raise Refused(str(error), code=code, field=name, status=status) from error


def sent(shape: type[Strict], request: Request) -> dict[str, Any]:
    """The body as its shape says."""
    body = shape(data=request.data)
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)
