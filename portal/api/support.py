"""Operations on a customer's requests to the operator, and on known incidents.

Requests belong to people, who are told of answers: a key asks nothing.
"""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.api.authentication import actor_of
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.support_shapes import (
    AttachmentIn,
    AttachmentOut,
    CloseIn,
    ConsentIn,
    ConsentOut,
    IncidentOut,
    MessageIn,
    MessageOut,
    MoveOut,
    RequestIn,
    RequestOut,
    refusals,
    sent,
)
from portal.api.versions import require_current, shown
from tenants import uploads
from tenants.actors import Actor
from tenants.models import SupportAttachment, SupportMessage, SupportRequest
from tenants.support import attachments, consents, queues, requests
from tenants.support.requests import Wish

IDEMPOTENCY = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)


def _person(request: Request, verb: str = "organization.read") -> Actor:
    actor = actor_of(request)
    if actor.user is None:
        raise PermissionDenied("Requests belong to a person; a key has none.")
    actor.require(verb)
    return actor


def _find(actor: Actor, public_id: str, *, lock: bool = False) -> SupportRequest:
    rows = SupportRequest.objects.visible_to(actor).select_related("organization", "incident")
    return get_object_or_404(
        rows.select_for_update(of=("self",)) if lock else rows, public_id=public_id
    )


def idempotency_key(request: Request) -> str:
    """The header's value; none is no key."""
    key = request.headers.get("Idempotency-Key", "")
    if key and not 8 <= len(key) <= 80:
        raise Refused(
            "An Idempotency-Key has 8 to 80 characters: a repeated call then asks once.",
            code="idempotency_key",
            status=400,
        )
    return key


class RequestsView(APIView):
    @extend_schema(
        operation_id="support_requests_list",
        parameters=[
            OpenApiParameter("show", enum=queues.SHOWN),
            OpenApiParameter("text", str),
        ],
        responses=RequestOut(many=True),
    )
    def get(self, request: Request) -> Response:
        """One's own requests; with ``support.read`` those of the organization."""
        actor = _person(request)
        show = request.query_params.get("show", "all")
        if show not in queues.SHOWN:
            raise Refused("Unknown state.", code="show", field="show", status=400)
        text = request.query_params.get("text", "")[:80].replace("\x00", "")
        rows = queues.own(actor, text=text, show=show).select_related("incident")
        return listed(request, rows, RequestOut, filters=("show", "text"))

    @extend_schema(request=RequestIn, parameters=[IDEMPOTENCY], responses={201: RequestOut})
    def post(self, request: Request) -> Response:
        """Ask. The same Idempotency-Key again gives the same request."""
        actor = _person(request, "support.write")
        wish, key = Wish(**sent(RequestIn, request)), idempotency_key(request)
        with refusals():
            made = requests.ask(wish=wish, by=actor, now=timezone.now(), idempotency_key=key)
        return shown(RequestOut(made).data, 201)


class RequestView(APIView):
    @extend_schema(operation_id="support_request_retrieve", responses=RequestOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One request."""
        return shown(RequestOut(_find(_person(request), public_id)).data)


class MessagesView(APIView):
    @extend_schema(responses=MessageOut(many=True))
    def get(self, request: Request, public_id: str) -> Response:
        """What both sides said, newest first."""
        actor = _person(request)
        found = _find(actor, public_id)
        rows = SupportMessage.objects.visible_to(actor).filter(request=found)
        return listed(request, rows, MessageOut)

    @extend_schema(request=MessageIn, responses={201: MessageOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Answer. What is solved is reopened within 14 days."""
        actor = _person(request, "support.write")
        found, body = _find(actor, public_id), sent(MessageIn, request)
        with refusals():
            made = requests.answer(request=found, by=actor, now=timezone.now(), **body)
        return Response(MessageOut(made).data, status=201)


class AttachmentsView(APIView):
    parser_classes = (MultiPartParser,)

    @extend_schema(responses=AttachmentOut(many=True))
    def get(self, request: Request, public_id: str) -> Response:
        """Files of both sides."""
        actor = _person(request)
        found = _find(actor, public_id)
        rows = SupportAttachment.objects.visible_to(actor).filter(request=found)
        return listed(request, rows.select_related("file").defer("file__content"), AttachmentOut)

    @extend_schema(request={"multipart/form-data": AttachmentIn}, responses={201: AttachmentOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Hand in a file: PDF, JPG, PNG or plain text, 10 MB at most."""
        actor = _person(request, "support.write")
        found, body = _find(actor, public_id), sent(AttachmentIn, request)
        with refusals():
            made = requests.attach(request=found, upload=body["file"], by=actor, now=timezone.now())
        return Response(AttachmentOut(made).data, status=201)


class AttachmentView(APIView):
    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, public_id: str) -> HttpResponse:
        """The file itself. Each download is an event of the audit log."""
        actor = _person(request, "support.write")
        rows = SupportAttachment.objects.visible_to(actor).select_related(
            "file", "request__organization"
        )
        found = get_object_or_404(rows, public_id=public_id)
        attachments.note_download(found, by=actor, now=timezone.now())
        return uploads.response(found.file)


class MovesView(APIView):
    @extend_schema(responses=MoveOut(many=True))
    def get(self, request: Request, public_id: str) -> Response:
        """Each change of state and severity, and why."""
        found = _find(_person(request), public_id)
        return listed(request, found.moves.all(), MoveOut)


class CloseView(APIView):
    @extend_schema(request=CloseIn, responses=RequestOut)
    def post(self, request: Request, public_id: str) -> Response:
        """It is not needed any more. ``If-Match`` refuses what was changed meanwhile."""
        actor = _person(request, "support.write")
        found, body = _find(actor, public_id, lock=True), sent(CloseIn, request)
        require_current(request, RequestOut(found).data)
        with refusals():
            done = requests.close(request=found, by=actor, now=timezone.now(), **body)
        return shown(RequestOut(done).data)


class ConsentView(APIView):
    @extend_schema(responses=ConsentOut)
    def get(self, request: Request, public_id: str) -> Response:
        """Until when the operator's staff may look at the pages for this request."""
        found = consents.live(_find(_person(request), public_id), now=timezone.now())
        return Response(ConsentOut(found or {"given_at": None, "until": None}).data)

    @extend_schema(request=ConsentIn, responses=ConsentOut)
    def put(self, request: Request, public_id: str) -> Response:
        """Let them look, read-only, until the request is closed, at most for some days."""
        actor = _person(request, "support.write")
        found, body = _find(actor, public_id), sent(ConsentIn, request)
        with refusals():
            made = consents.give(request=found, by=actor, now=timezone.now(), **body)
        return Response(ConsentOut(made).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: str) -> Response:
        """Withdraw it; who looks is out at the next request. Repeating it changes nothing."""
        actor = _person(request, "support.write")
        consents.withdraw(request=_find(actor, public_id), by=actor, now=timezone.now())
        return Response(status=204)


class FollowView(APIView):
    @extend_schema(request=None, responses={204: None})
    def put(self, request: Request, public_id: str) -> Response:
        """Be told of answers. Repeating it changes nothing."""
        actor = _person(request, "support.write")
        requests.follow(request=_find(actor, public_id), by=actor)
        return Response(status=204)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: str) -> Response:
        """Be told no more. Repeating it changes nothing."""
        actor = _person(request, "support.write")
        requests.unfollow(request=_find(actor, public_id), by=actor)
        return Response(status=204)


class IncidentsView(APIView):
    @extend_schema(operation_id="incidents_list", responses=IncidentOut(many=True))
    def get(self, request: Request) -> Response:
        """What is known not to work, and what was; newest first."""
        actor_of(request).require("organization.read")
        return listed(request, queues.incidents().prefetch_related("updates"), IncidentOut)
