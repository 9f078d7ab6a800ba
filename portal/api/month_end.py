"""Operations of the operator's month end: runs, objections, credit notes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import credit_notes, queries, renewals
from billing.closing import reviewing, runs, standing
from billing.etax.amendments import Reason
from billing.models import MonthClose
from portal.api.authentication import actor_of
from portal.api.customers import ProposalOut
from portal.api.invoice_drafts import CommentOut
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.shapes import Strict, body_of
from portal.lib.periods import Month
from portal.lib.wake import wake
from tenants import reasons
from tenants.actions import proposals


class MonthIn(Strict):
    month = serializers.CharField(max_length=7, help_text="such as 2026-11")


class AnswerIn(Strict):
    text = serializers.CharField(max_length=reviewing.LONGEST)
    draft_again = serializers.BooleanField(default=False)


class CreditLineIn(Strict):
    position = serializers.IntegerField(min_value=1)
    amount_won = serializers.IntegerField(min_value=-(10**15), max_value=10**15)


class CreditNoteIn(Strict):
    """Without ``lines``: everything that is left of the invoice."""

    lines = CreditLineIn(many=True, required=False)
    because = serializers.CharField(max_length=300)
    reason = serializers.ChoiceField(
        choices=[one.value for one in credit_notes.REASONS],
        default=Reason.PRICE.value,
        help_text="Decides what the tax service is told.",
    )


class RenewalIn(Strict):
    """What the lines should have been; those that are left out stay as they are."""

    lines = CreditLineIn(many=True, required=False)
    because = serializers.CharField(max_length=300)
    reason = serializers.ChoiceField(
        choices=[one.value for one in renewals.REASONS],
        help_text="Decides what the tax service is told.",
    )


class MonthEndOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    month = serializers.CharField()
    state = serializers.CharField()
    state_since = serializers.DateTimeField()
    review_until = serializers.DateTimeField()


class FailedOut(serializers.Serializer[Any]):
    draft = serializers.CharField(source="public_id")
    organization = serializers.CharField(source="organization.public_id")
    error = serializers.CharField()


class ObjectionOut(CommentOut):
    organization = serializers.CharField(source="organization.public_id")
    draft = serializers.CharField(source="draft.public_id")
    total_won = serializers.IntegerField(source="draft.total_won")


class MonthEndDetailOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="close.public_id")
    month = serializers.CharField(source="close.month")
    state = serializers.CharField(source="close.state")
    state_since = serializers.DateTimeField(source="close.state_since")
    review_until = serializers.DateTimeField(source="close.review_until")
    organizations = serializers.DictField(source="found.counts", child=serializers.IntegerField())
    held = serializers.IntegerField(source="found.held")
    supply_won = serializers.IntegerField(source="found.supply_won")
    total_won = serializers.IntegerField(source="found.total_won")
    failed = FailedOut(many=True)
    objections = ObjectionOut(many=True)


def _find(month: str) -> MonthClose:
    try:
        close = runs.find(Month.parse(month))
    except ValueError as error:
        raise Http404 from error
    if close is None:
        raise Http404
    return close


def _shown(close: MonthClose) -> dict[str, Any]:
    row = {
        "close": close,
        "found": standing.of(close),
        "failed": standing.failed(close),
        "objections": reviewing.unanswered(close),
    }
    return dict(MonthEndDetailOut(row).data)


def _go_on(close: MonthClose) -> None:
    wake("portal.deployments.tasks.resume_month", close_id=close.pk)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except reasons.BadReason as error:
        raise Refused(str(error), code="text", field="text") from error
    except (runs.NotNow, reviewing.AnsweredAlready, proposals.AlreadyProposed) as error:
        raise Refused(str(error), code="state", status=409) from error
    except (credit_notes.UnknownLine, credit_notes.NothingTakenBack) as error:
        raise Refused(str(error), code="lines", field="lines") from error
    except credit_notes.MoreThanLeft as error:
        raise Refused(str(error), code="more_than_left", field="lines") from error
    except renewals.AlreadyRenewed as error:
        raise Refused(str(error), code="renewed", status=409) from error
    except renewals.WrongAmount as error:
        raise Refused(str(error), code="amount", field="lines") from error
    except (credit_notes.NotAllOfIt, *renewals.REFUSALS) as error:
        raise Refused(str(error), code="reason", field="reason") from error


class MonthEndsView(APIView):
    @extend_schema(responses=MonthEndOut(many=True))
    def get(self, request: Request) -> Response:
        """The run of each month, the newest first."""
        actor_of(request).require("operator.read")
        return listed(request, MonthClose.objects.all(), MonthEndOut)

    @extend_schema(request=MonthIn, responses={202: MonthEndDetailOut})
    def post(self, request: Request) -> Response:
        """Begin the end of a month that is over, or go on with it."""
        actor = actor_of(request)
        actor.require("operator.billing")
        sent = body_of(MonthIn, request)
        try:
            close = runs.begin(Month.parse(sent["month"]), by=actor, now=timezone.now())
        except ValueError as error:
            raise Refused(str(error), code="month", field="month") from error
        except runs.MonthNotOver as error:
            raise Refused(str(error), code="month_not_over", field="month") from error
        _go_on(close)
        return Response(_shown(close), status=202)


class MonthEndView(APIView):
    @extend_schema(operation_id="month_end_retrieve", responses=MonthEndDetailOut)
    def get(self, request: Request, month: str) -> Response:
        """How far a month is: counts, what is set aside, what waits for an answer."""
        actor_of(request).require("operator.read")
        return Response(_shown(_find(month)))


class MonthEndFinalView(APIView):
    @extend_schema(request=None, responses={202: MonthEndDetailOut})
    def post(self, request: Request, month: str) -> Response:
        """End the review now and issue what no objection holds."""
        actor = actor_of(request)
        actor.require("operator.billing")
        close = _find(month)
        with _refusals():
            runs.finalise_now(close, by=actor, now=timezone.now())
        _go_on(close)
        return Response(_shown(close), status=202)


class MonthEndAgainView(APIView):
    @extend_schema(request=None, responses={202: MonthEndDetailOut})
    def post(self, request: Request, month: str) -> Response:
        """Count and draft everything again, during the review."""
        actor = actor_of(request)
        actor.require("operator.billing")
        close = _find(month)
        with _refusals():
            runs.draft_again(close, by=actor, now=timezone.now())
        _go_on(close)
        return Response(_shown(close), status=202)


class MonthEndRetryView(APIView):
    @extend_schema(request=None, responses={202: MonthEndDetailOut})
    def post(self, request: Request, month: str) -> Response:
        """Try those once more that were set aside."""
        actor = actor_of(request)
        actor.require("operator.billing")
        close = _find(month)
        runs.retry(close, by=actor, now=timezone.now())
        _go_on(close)
        return Response(_shown(close), status=202)


class AnswerView(APIView):
    @extend_schema(request=AnswerIn, responses={201: CommentOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Answer an objection; with the last answer its draft is no longer held."""
        actor = actor_of(request)
        objection = get_object_or_404(queries.objections(actor), public_id=public_id)
        sent = body_of(AnswerIn, request)
        with _refusals():
            made = reviewing.answer(
                objection=objection,
                text=sent["text"],
                again=sent["draft_again"],
                by=actor,
                now=timezone.now(),
            )
        _go_on(objection.draft.close)
        return Response(CommentOut(made).data, status=201)


class CustomerCreditView(APIView):
    @extend_schema(request=CreditNoteIn, responses={202: ProposalOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Propose to take back part of an invoice; another person approves."""
        actor = actor_of(request)
        actor.require("operator.billing")
        invoice = get_object_or_404(queries.any_invoice(actor), public_id=public_id)
        sent = body_of(CreditNoteIn, request)
        with _refusals():
            amounts = (
                {line["position"]: line["amount_won"] for line in sent["lines"]}
                if "lines" in sent
                else credit_notes.whole(invoice)
            )
            made = credit_notes.propose(
                invoice=invoice,
                amounts=amounts,
                because=sent["because"],
                reason=Reason(sent["reason"]),
                by=actor,
                now=timezone.now(),
            )
        return Response(ProposalOut(made).data, status=202)


class CustomerRenewalView(APIView):
    @extend_schema(request=RenewalIn, responses={202: ProposalOut})
    def post(self, request: Request, public_id: str) -> Response:
        """Propose a right invoice in the place of a wrong one; another person approves."""
        actor = actor_of(request)
        actor.require("operator.billing")
        invoice = get_object_or_404(queries.any_invoice(actor), public_id=public_id)
        sent = body_of(RenewalIn, request)
        with _refusals():
            made = renewals.propose(
                invoice=invoice,
                amounts={line["position"]: line["amount_won"] for line in sent.get("lines", [])},
                reason=Reason(sent["reason"]),
                because=sent["because"],
                by=actor,
                now=timezone.now(),
            )
        return Response(ProposalOut(made).data, status=202)
