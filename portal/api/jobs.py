"""``/v1/files`` and ``/v1/batches``: OpenAI's own paths, shapes and errors, with an API key.

They are the portal's and not the gateway's, which passes them on so that one ``base_url`` does for
everything. What they do is docs/jobs.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.api.authentication import HasActor, actor_of
from portal.api.bodies import Json
from portal.jobs import batches, downloads, files, shapes
from portal.jobs.models import Job, JobFile, Purpose
from portal.jobs.reading import URLS
from portal.jobs.refusals import Refusal
from portal.jobs.storage import FileLost
from tenants import actors, standing
from tenants.actors import Actor, NotAllowed
from tenants.models import ApiKey

_HEADER = re.compile(r"[!-~]{1,255}")
_KINDS = {401: "authentication_error", 403: "permission_error", 429: "requests"}


class BadRequest(Exception):
    """One field, or the whole, is not as it must be."""

    def __init__(
        self, message: str, param: str | None, code: str = "invalid_value", status: int = 400
    ) -> None:
        super().__init__(message)
        self.param, self.code, self.status = param, code, status


class HasKey(HasActor):
    """A live key; a signed-in person has pages."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return super().has_permission(request, view) and actor_of(request).key is not None


class WhateverIsAccepted(DefaultContentNegotiation):
    """OpenAI's client asks for a file's content as ``application/binary``, and reads its errors as
    JSON."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[Any, str]:
        return renderers[0], renderers[0].media_type


class OpenAIView(APIView):
    """Refusals in OpenAI's form: ``{"error": {"message", "type", "param", "code"}}``."""

    permission_classes = (HasKey,)
    content_negotiation_class = WhateverIsAccepted
    parser_classes: Sequence[type[BaseParser]] = (Json,)

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, NotAllowed):
            told = f"This API key, or the member who answers for it, does not have {exc.verb}."
            return _error(403, told, "insufficient_scope")
        if isinstance(exc, BadRequest):
            return _error(exc.status, str(exc), exc.code, exc.param)
        if isinstance(exc, Refusal):
            more = [vars_of(one) for one in exc.faults]
            return _error(exc.status, str(exc), exc.code, exc.param, lines=more)
        if isinstance(exc, standing.OrderingClosed):
            return _error(403, str(exc), "ordering_closed")
        answer = super().handle_exception(exc)
        found = answer.data if isinstance(answer.data, dict) else {}
        if answer.status_code == 401:
            return _error(401, "The API key is missing, wrong, or no longer valid.", _401)
        told = str(found.get("detail", "There is nothing at this address."))
        return _error(answer.status_code, told, str(found.get("title", "invalid_request")))


_401 = "invalid_api_key"


def vars_of(fault: Any) -> dict[str, Any]:
    """A fault as OpenAI's batches tell it."""
    return {
        "code": fault.code,
        "message": fault.message,
        "line": fault.line or None,
        "param": fault.param,
    }


def _error(status: int, message: str, code: str, param: str | None = None, **more: Any) -> Response:
    kind = _KINDS.get(status, "invalid_request_error")
    error = {"message": message, "type": kind, "param": param, "code": code}
    error |= {name: value for name, value in more.items() if value}
    answer = Response({"error": error}, status=status)
    if status == 401:
        answer["WWW-Authenticate"] = "Bearer"
    return answer


def _key_of(actor: Actor) -> ApiKey:
    assert actor.key is not None  # HasKey
    return actor.key


def _page(
    request: Request, rows: QuerySet[Any], *, usual: int, most: int
) -> tuple[list[Any], bool]:
    """``?limit=``, ``?after=<id>``, ``?order=asc|desc``; and whether there is more."""
    asked = request.query_params
    text = asked.get("limit", str(usual))
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= most:
        raise BadRequest(f"limit is 1 to {most}.", "limit")
    order = asked.get("order", "desc")
    if order not in ("asc", "desc"):
        raise BadRequest("order is 'asc' or 'desc'.", "order")
    if after := asked.get("after"):
        last = rows.filter(public_id=after).first() if "\0" not in after else None
        if last is None:
            raise BadRequest("after names nothing of this list.", "after")
        rows = rows.filter(pk__lt=last.pk) if order == "desc" else rows.filter(pk__gt=last.pk)
    found = list(rows.order_by("-pk" if order == "desc" else "pk")[: int(text) + 1])
    return found[: int(text)], len(found) > int(text)


def _listed(shown: list[dict[str, Any]], more: bool) -> Response:
    return Response(
        {
            "object": "list",
            "data": shown,
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None,
            "has_more": more,
        }
    )


@extend_schema(exclude=True)
class FilesView(OpenAIView):
    parser_classes = (MultiPartParser,)

    def get(self, request: Request) -> Response:
        """The project's files."""
        actor = actor_of(request)
        actor.require("jobs.read")
        with actors.scope_for(actor):
            rows = JobFile.objects.visible_to(actor).there()
            if purpose := request.query_params.get("purpose"):
                rows = rows.filter(purpose=purpose) if purpose in Purpose.values else rows.none()
            found, more = _page(request, rows, usual=100, most=10_000)
        return _listed([shapes.file(one) for one in found], more)

    def post(self, request: Request) -> Response:
        """Upload: ``file`` and ``purpose`` ``batch``. Every line is read before it is kept."""
        actor = actor_of(request)
        actor.require("jobs.create")
        fields = dict(request.data)
        if fields.get("purpose") not in (Purpose.INPUT, [Purpose.INPUT]):
            raise BadRequest("purpose is 'batch'; files of other kinds are not kept.", "purpose")
        sent = request.FILES.getlist("file")
        if len(sent) != 1 or set(fields) - {"file", "purpose"}:
            raise BadRequest("Send one file as 'file', and 'purpose'.", "file")
        row = files.upload(
            sent[0].chunks(),
            name=sent[0].name or "",
            project=_key_of(actor).project,
            by=actor,
            now=timezone.now(),
        )
        return Response(shapes.file(row))


def _file(actor: Actor, public_id: str) -> JobFile:
    return get_object_or_404(JobFile.objects.visible_to(actor).there(), public_id=public_id)


@extend_schema(exclude=True)
class FileView(OpenAIView):
    def get(self, request: Request, public_id: str) -> Response:
        """One file."""
        actor = actor_of(request)
        actor.require("jobs.read")
        with actors.scope_for(actor):
            return Response(shapes.file(_file(actor, public_id)))

    def delete(self, request: Request, public_id: str) -> Response:
        """Delete its content."""
        actor = actor_of(request)
        actor.require("jobs.create")
        with actors.scope_for(actor):
            row = _file(actor, public_id)
        files.delete(row=row, by=actor, now=timezone.now())
        return Response({"id": row.public_id, "object": "file", "deleted": True})


@extend_schema(exclude=True)
class ContentView(OpenAIView):
    def get(self, request: Request, public_id: str) -> HttpResponseBase:
        """What stands in the file; for whoever may run jobs, since it is their data."""
        actor = actor_of(request)
        actor.require("jobs.create")
        with actors.scope_for(actor):
            row = _file(actor, public_id)
        try:
            return downloads.attachment(row, actor, now=timezone.now())
        except FileLost:
            raise exceptions.NotFound from None


def _metadata(found: Any) -> dict[str, str]:
    if found is None:
        return {}
    if (
        not isinstance(found, dict)
        or len(found) > 16
        or not all(isinstance(one, str) and len(one) <= 512 for one in found.values())
        or any(len(one) > 64 for one in found)
        or any("\0" in one for pair in found.items() for one in pair)
    ):
        raise BadRequest("metadata has at most 16 short texts.", "metadata")
    return found


def _wish(request: Request, actor: Actor) -> batches.Wish:
    asked = request.data
    if not isinstance(asked, dict):
        raise BadRequest("Send a JSON object.", None)
    known = {"input_file_id", "endpoint", "completion_window", "metadata"}
    if unknown := sorted(set(asked) - known):
        raise BadRequest(f"Unknown field: {unknown[0][:64]}.", unknown[0][:64], "unknown_parameter")
    if asked.get("completion_window") != "24h":
        raise BadRequest("completion_window is '24h'.", "completion_window")
    if asked.get("endpoint") not in URLS:
        raise BadRequest(f"endpoint is one of {', '.join(URLS)}.", "endpoint")
    again = request.headers.get("Idempotency-Key", "")
    if again and not _HEADER.fullmatch(again):
        raise BadRequest("It has 1 to 255 visible ASCII characters.", "Idempotency-Key")
    file_id = asked.get("input_file_id")
    rows = JobFile.objects.visible_to(actor).there().select_related("project")
    known_id = isinstance(file_id, str) and "\0" not in file_id
    row = rows.filter(public_id=file_id).first() if known_id else None
    if row is None:
        told = "There is no file of this id in the key's project."
        raise BadRequest(told, "input_file_id", "file_not_found", 404)
    return batches.Wish(
        input_file=row,
        key=_key_of(actor),
        url=asked["endpoint"],
        metadata=_metadata(asked.get("metadata")),
        idempotency_key=again,
    )


def _shown(job: Job) -> dict[str, Any]:
    return shapes.batch(job, list(job.moves.all()))


def _jobs(actor: Actor) -> QuerySet[Job]:
    rows = Job.objects.visible_to(actor).prefetch_related("moves")
    return rows.select_related("input_file", "output_file", "error_file")


@extend_schema(exclude=True)
class BatchesView(OpenAIView):
    def get(self, request: Request) -> Response:
        """The project's jobs, newest first."""
        actor = actor_of(request)
        actor.require("jobs.read")
        with actors.scope_for(actor):
            found, more = _page(request, _jobs(actor), usual=20, most=100)
            return _listed([_shown(one) for one in found], more)

    def post(self, request: Request) -> Response:
        """Create a job. Its lines are priced, and its money set aside, before any of them runs."""
        actor = actor_of(request)
        actor.require("jobs.create")
        with actors.scope_for(actor):
            wish = _wish(request, actor)
        job = batches.create(wish=wish, by=actor, now=timezone.now())
        with actors.scope_for(actor):
            return Response(_shown(job))


def _job(actor: Actor, public_id: str) -> Job:
    return get_object_or_404(_jobs(actor), public_id=public_id)


@extend_schema(exclude=True)
class BatchView(OpenAIView):
    def get(self, request: Request, public_id: str) -> Response:
        """One job."""
        actor = actor_of(request)
        actor.require("jobs.read")
        with actors.scope_for(actor):
            return Response(_shown(_job(actor, public_id)))


@extend_schema(exclude=True)
class CancelView(OpenAIView):
    def post(self, request: Request, public_id: str) -> Response:
        """Begin nothing more of it."""
        actor = actor_of(request)
        actor.require("jobs.create")
        with actors.scope_for(actor):
            job = _job(actor, public_id)
        job = batches.cancel(job=job, by=actor, now=timezone.now())
        with actors.scope_for(actor):
            return Response(_shown(job))
