"""Operations of the operator's staff: customers' requests, remarks, incidents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.api import support_shapes as shapes
from portal.api.authentication import actor_of
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.shapes import Strict
from portal.api.support_shapes import (
    AttachmentOut,
    MoveOut,
    RequestOut,
    refusals,
    sent,
)
from portal.api.versions import require_current, shown
from tenants import audit, uploads
from tenants.actors import Actor
from tenants.models import Incident, SupportRequest
from tenants.support import attachments, desk, queues, texts
from tenants.support.queues import Filters
from tenants.support.words import Grade


class FiltersIn(serializers.Serializer[Any]):
    show = serializers.ChoiceField(choices=queues.SHOWN, default="open")
    severity = serializers.ChoiceField(choices=Grade.values, default="", allow_blank=True)
    overdue = serializers.BooleanField(default=False)
    mine = serializers.BooleanField(default=False)
    organization = serializers.CharField(max_length=24, default="", allow_blank=True)
    text = serializers.CharField(max_length=80, default="", allow_blank=True)


class ReplyIn(Strict):
    text = serializers.CharField(max_length=texts.LONGEST_TEXT, trim_whitespace=False)
    then = serializers.ChoiceField(choices=desk.Then.values)


class GradeIn(Strict):
    severity = serializers.ChoiceField(choices=Grade.values)
    because = serializers.CharField(max_length=300)


class AssigneeIn(Strict):
    instead_of = serializers.CharField(
        max_length=24, default="", allow_blank=True, help_text="Whom you saw there."
    )


class LinkIn(Strict):
    incident = serializers.CharField(max_length=24, allow_null=True)


class DeskRequestOut(RequestOut):
    organization = serializers.CharField(source="organization.public_id")
    organization_name = serializers.CharField(source="organization.name")
    assignee = serializers.CharField(allow_blank=True)


class DeskMessageOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    side = serializers.CharField()
    author = serializers.CharField()
    text = serializers.CharField()
    at = serializers.DateTimeField()


class RemarkOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    author = serializers.CharField()
    text = serializers.CharField()
    at = serializers.DateTimeField()


def _staff(request: Request) -> Actor:
    actor = actor_of(request)
    actor.require(desk.VERB)
    return actor


def _find(actor: Actor, public_id: str, *, lock: bool = False) -> SupportRequest:
    rows = queues.of_staff(actor)
    return get_object_or_404(
        rows.select_for_update(of=("self",)) if lock else rows, public_id=public_id
    )


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        with refusals():
            yield
    except desk.TakenMeanwhile as error:
        raise Refused(str(error), code="taken", field="instead_of", status=409) from error
    except desk.SameGrade as error:
        raise Refused(str(error), code="same", field="severity", status=409) from error


class DeskRequestsView(APIView):
    @extend_schema(
        operation_id="operator_support_requests_list",
        parameters=[FiltersIn],
        responses=DeskRequestOut(many=True),
    )
    def get(self, request: Request) -> Response:
        """All customers' requests, newest first."""
        actor, now = _staff(request), timezone.now()
        names = FiltersIn().fields
        body = FiltersIn(data={k: v for k, v in request.query_params.items() if k in names})
        body.is_valid(raise_exception=True)
        subject = actor.organization.public_id
        audit.seen("customer.read", by=actor, now=now, subject=subject)
        rows = queues.queue(Filters(**body.validated_data), by=actor, now=now)
        return listed(request, rows, DeskRequestOut, filters=names)


class DeskRequestView(APIView):
    @extend_schema(operation_id="operator_support_request_retrieve", responses=DeskRequestOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One request. That it was read is an event."""
        actor = _staff(request)
        found = _find(actor, public_id)
        subject = found.organization.public_id
        audit.seen("customer.read", by=actor, now=timezone.now(), subject=subject)
        return shown(DeskRequestOut(found).data)


class DeskMessagesView(APIView):
    @extend_schema(responses=DeskMessageOut(many=True))
    def get(self, request: Request, public_id: str) -> Response:
        """What both sides said, newest first."""
        actor = _staff(request)
        rows = queues.messages_of_staff(actor, _find(actor, public_id))
        return listed(request, rows, DeskMessageOut)

    @extend_schema(request=ReplyIn, responses={201: DeskMessageOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Answer the customer, and say what follows from it."""
        actor = _staff(request)
        found, body = _find(actor, public_id), sent(ReplyIn, request)
        with _refusals():
            made = desk.answer(
                request=found, reply=desk.Reply(**body), by=actor, now=timezone.now()
            )
        return Response(DeskMessageOut(made).data, status=201)


class RemarksView(APIView):
    @extend_schema(responses=RemarkOut(many=True))
    def get(self, request: Request, public_id: str) -> Response:
        """What colleagues wrote down; the customer never sees it."""
        actor = _staff(request)
        rows = queues.remarks_of_staff(actor, _find(actor, public_id))
        return listed(request, rows, RemarkOut)

    @extend_schema(request=shapes.MessageIn, responses={201: RemarkOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Write something down."""
        actor = _staff(request)
        found, body = _find(actor, public_id), sent(shapes.MessageIn, request)
        with _refusals():
            made = desk.remark(request=found, by=actor, now=timezone.now(), **body)
        return Response(RemarkOut(made).data, status=201)


class DeskAttachmentsView(APIView):
    parser_classes = (MultiPartParser,)

    @extend_schema(responses=AttachmentOut(many=True))
    def get(self, request: Request, public_id: str) -> Response:
        """Files of both sides."""
        actor = _staff(request)
        rows = queues.files_of_staff(actor).filter(request=_find(actor, public_id))
        return listed(request, rows.defer("file__content"), AttachmentOut)

    @extend_schema(
        request={"multipart/form-data": shapes.AttachmentIn}, responses={201: AttachmentOut}
    )
    def post(self, request: Request, public_id: str) -> Response:
        """Give the customer a file."""
        actor = _staff(request)
        found, body = _find(actor, public_id), sent(shapes.AttachmentIn, request)
        with _refusals():
            made = desk.attach(request=found, upload=body["file"], by=actor, now=timezone.now())
        return Response(AttachmentOut(made).data, status=201)


class DeskAttachmentView(APIView):
    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, public_id: str) -> HttpResponse:
        """The file itself; the customer's log names the download."""
        actor = _staff(request)
        found = get_object_or_404(queues.files_of_staff(actor), public_id=public_id)
        attachments.note_download(found, by=actor, now=timezone.now())
        return uploads.response(found.file)


class DeskMovesView(APIView):
    @extend_schema(responses=MoveOut(many=True))
    def get(self, request: Request, public_id: str) -> Response:
        """Each change of state and severity, and why."""
        actor = _staff(request)
        return listed(request, _find(actor, public_id).moves.all(), MoveOut)


class _Change(APIView):
    """A change of what was seen: ``If-Match`` refuses what was changed meanwhile."""

    def change(self, request: Request, public_id: str, deed: Callable[..., Any]) -> Response:
        actor = _staff(request)
        found = _find(actor, public_id, lock=True)
        require_current(request, DeskRequestOut(found).data)
        with _refusals():
            deed(request=found, by=actor, now=timezone.now())
        return shown(DeskRequestOut(_find(actor, public_id)).data)


class GradeView(_Change):
    @extend_schema(request=GradeIn, responses=DeskRequestOut)
    def put(self, request: Request, public_id: str) -> Response:
        """Another severity, for a reason that the customer reads."""
        _staff(request)
        body = sent(GradeIn, request)
        return self.change(request, public_id, lambda **more: desk.grade(**more, **body))


class AssigneeView(_Change):
    @extend_schema(request=AssigneeIn, responses=DeskRequestOut)
    def put(self, request: Request, public_id: str) -> Response:
        """Answer for it oneself, in place of whom one saw there."""
        _staff(request)
        body = sent(AssigneeIn, request)
        return self.change(request, public_id, lambda **more: desk.take(**more, **body))


class LinkView(_Change):
    @extend_schema(request=LinkIn, responses=DeskRequestOut)
    def put(self, request: Request, public_id: str) -> Response:
        """Say which incident it is about; ``null`` for none."""
        _staff(request)
        chosen = sent(LinkIn, request)["incident"]
        incident = Incident.objects.filter(public_id=chosen).first() if chosen else None
        if chosen and incident is None:
            raise Refused("There is no such incident.", code="unknown", field="incident")
        return self.change(request, public_id, lambda **more: desk.link(**more, incident=incident))
