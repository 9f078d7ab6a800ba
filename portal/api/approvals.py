"""Operations on approvals: what waits, deciding, and the rules. Programs ask by ordering; only
people sign, so no key decides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.approvals import asking, deciding, matrices, moving, queries, words
from billing.approvals.deciding import Seen, Word
from billing.approvals.kinds import KINDS, CannotBeDone
from billing.approvals.matrix import CLASSES, MOST_WON, BadMatrix, from_json, to_json
from billing.approvals.people import Members
from billing.models import ApprovalDecision, ApprovalMatrix, ApprovalRequest
from portal.api.authentication import actor_of
from portal.api.pages import listed
from portal.api.problems import Refused
from portal.api.shapes import Strict, body_of
from portal.deployments import approving
from tenants import actors, reasons, rls
from tenants.actors import Actor


class ApprovalDecisionIn(Strict):
    """``round`` and ``step`` are those that the request showed: what was decided meanwhile is
    refused."""

    agrees = serializers.BooleanField()
    because = serializers.CharField(max_length=300, default="", allow_blank=True)
    round = serializers.IntegerField(min_value=1, max_value=10_000)
    step = serializers.IntegerField(min_value=1, max_value=10)


class ApprovalDecisionOut(serializers.Serializer[Any]):
    step = serializers.IntegerField(source="step.position")
    round = serializers.IntegerField(source="step.round")
    agrees = serializers.BooleanField()
    decided_by = serializers.CharField(source="decided_label")
    deputy_for = serializers.CharField(source="for_label", allow_blank=True)
    authority = serializers.CharField(source="rung", help_text="Why it was theirs to decide.")
    because = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField()


class ApprovalStepOut(serializers.Serializer[Any]):
    position = serializers.IntegerField()
    roles = serializers.ListField(child=serializers.CharField())
    members = serializers.ListField(child=serializers.CharField())
    needed = serializers.IntegerField()


class ApprovalOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    kind = serializers.CharField()
    subject = serializers.CharField()
    title = serializers.CharField()
    project = serializers.CharField(allow_blank=True)
    data_class = serializers.CharField()
    amount_won = serializers.IntegerField()
    state = serializers.CharField()
    round = serializers.IntegerField()
    requested_by = serializers.CharField(source="requested_label")
    requested_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    result = serializers.CharField(allow_blank=True)
    fault = serializers.CharField(allow_blank=True)


class ApprovalDetailOut(ApprovalOut):
    because = serializers.CharField(allow_blank=True)
    terms = serializers.JSONField(source="frozen")
    terms_now = serializers.JSONField(
        source="current", help_text="What it would be now; null where that cannot be said."
    )
    steps = ApprovalStepOut(source="chain", many=True)
    open_step = serializers.IntegerField(allow_null=True)
    waits_for = serializers.ListField(child=serializers.CharField())
    decisions = ApprovalDecisionOut(source="said", many=True)


class ApprovalStepIn(Strict):
    roles = serializers.ListField(child=serializers.CharField(max_length=24), default=list)
    members = serializers.ListField(child=serializers.CharField(max_length=24), default=list)
    needed = serializers.IntegerField(default=1)


class ApprovalRuleIn(Strict):
    kind = serializers.CharField(max_length=24)
    from_won = serializers.IntegerField(default=0)
    until_won = serializers.IntegerField(default=None, allow_null=True)
    data_classes = serializers.ListField(child=serializers.CharField(max_length=16), default=list)
    steps = ApprovalStepIn(many=True, default=list)


class ApprovalRulesIn(Strict):
    """``version`` is the one that was read: 0 before anybody wrote rules."""

    rules = ApprovalRuleIn(many=True)
    version = serializers.IntegerField(min_value=0)
    because = serializers.CharField(max_length=300)


class ApprovalRulesOut(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    rules = serializers.JSONField()
    because = serializers.CharField(allow_blank=True)
    by = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField(allow_null=True)


class ApprovalTrialOut(serializers.Serializer[Any]):
    steps = ApprovalStepOut(many=True)
    sentence = serializers.CharField()


SHOW = OpenApiParameter("show", str, enum=queries.SHOWS)
KIND = OpenApiParameter("kind", str, enum=list(KINDS))


@contextmanager
def _refusals() -> Iterator[None]:
    """What the actions may say, as answers."""
    try:
        yield
    except deciding.NotYourStep as error:
        raise Refused(str(error), code="not_your_step", status=403) from error
    except asking.NotYours as error:
        raise Refused(str(error), code="not_yours", status=403) from error
    except deciding.RequestExpired as error:
        raise Refused(str(error), code="expired", status=409) from error
    except (asking.NotOpen, deciding.AlreadyDecided) as error:
        raise Refused(str(error), code="decided", status=409) from error
    except CannotBeDone as error:
        raise Refused(str(error), code="cannot_be_done", status=409) from error
    except reasons.BadReason as error:
        raise Refused(str(error), code="because", field="because") from error


def _find(actor: Actor, public_id: str) -> ApprovalRequest:
    return get_object_or_404(queries.requests(actor), public_id=public_id)


def _shown(found: ApprovalRequest, actor: Actor) -> Response:
    """The request with its frozen terms, what they would be now, its chain and its decisions."""
    now = timezone.now()
    turn = queries.turn_of(found, actor, now=now)
    known = found.is_open and found.kind in approving.DEEDS
    current = approving.terms_now(found, now)[0] if known else None
    said = ApprovalDecision.objects.visible_to(actor).filter(request=found).select_related("step")
    for name, value in {
        "frozen": moving.terms_of(found).terms,
        "current": dict(current.terms) if current else None,
        "chain": moving.steps_of(found),
        "open_step": turn.step if turn else None,
        "waits_for": list(turn.names) if turn else [],
        "said": list(said),
    }.items():
        setattr(found, name, value)
    return Response(ApprovalDetailOut(found).data)


class ApprovalsView(APIView):
    @extend_schema(parameters=[SHOW, KIND], responses=ApprovalOut(many=True))
    def get(self, request: Request) -> Response:
        """Requests, newest first: what waits for me (``mine``), what I ``asked``, what is
        ``open`` or ``closed``; all if left out."""
        actor = actor_of(request)
        actor.require("approvals.read")
        show = request.query_params.get("show", "")
        kind = request.query_params.get("kind", "")
        if show and show not in queries.SHOWS:
            raise Refused("Unknown list.", code="show", field="show", status=400)
        if kind and kind not in KINDS:
            raise Refused("Unknown kind.", code="kind", field="kind", status=400)
        if show:
            rows = queries.shown(actor, show, kind, now=timezone.now())
        else:
            rows = queries.requests(actor)
            rows = rows.filter(kind=kind) if kind else rows
        return listed(request, rows, ApprovalOut, filters=("show", "kind"))


class ApprovalView(APIView):
    @extend_schema(responses=ApprovalDetailOut)
    def get(self, request: Request, public_id: str) -> Response:
        """One request."""
        actor = actor_of(request)
        actor.require("approvals.read")
        return _shown(_find(actor, public_id), actor)


class ApprovalDecisionView(APIView):
    @extend_schema(request=ApprovalDecisionIn, responses=ApprovalDetailOut)
    def post(self, request: Request, public_id: str) -> Response:
        """Approve or refuse the open step; the last approval carries it out. People only."""
        actor = actor_of(request)
        actor.require("approvals.decide")
        with actors.scope_for(actor):
            found = _find(actor, public_id)
        sent = body_of(ApprovalDecisionIn, request)
        with _refusals():
            found = approving.decide(
                request=found,
                seen=Seen(sent["round"], sent["step"]),
                word=Word(sent["agrees"], sent["because"]),
                by=actor,
                now=timezone.now(),
            )
        with actors.scope_for(actor):
            return _shown(found, actor)


class ApprovalWithdrawalView(APIView):
    @extend_schema(request=None, responses=ApprovalDetailOut)
    def post(self, request: Request, public_id: str) -> Response:
        """Take it back. Repeating it changes nothing."""
        actor = actor_of(request)
        actor.require("approvals.read")
        with actors.scope_for(actor):
            found = _find(actor, public_id)
        with _refusals():
            found = approving.withdraw(request=found, by=actor, now=timezone.now())
        with actors.scope_for(actor):
            return _shown(found, actor)


class ApprovalRoundView(APIView):
    @extend_schema(request=None, responses=ApprovalDetailOut)
    def post(self, request: Request, public_id: str) -> Response:
        """Ask again on the terms of now; all sign anew."""
        actor = actor_of(request)
        actor.require("approvals.read")
        with actors.scope_for(actor):
            found = _find(actor, public_id)
        with _refusals():
            found = approving.ask_again(request=found, by=actor, now=timezone.now())
        with actors.scope_for(actor):
            return _shown(found, actor)


class ApprovalAttemptView(APIView):
    @extend_schema(request=None, responses=ApprovalDetailOut)
    def post(self, request: Request, public_id: str) -> Response:
        """Try again to carry out what was approved. Nothing is done twice."""
        actor = actor_of(request)
        actor.require("approvals.read")
        with actors.scope_for(actor):
            found = _find(actor, public_id)
        with _refusals():
            found = approving.repeat(request=found, by=actor, now=timezone.now())
        with actors.scope_for(actor):
            return _shown(found, actor)


decision_view = rls.own_transactions(ApprovalDecisionView.as_view())
withdrawal_view = rls.own_transactions(ApprovalWithdrawalView.as_view())
round_view = rls.own_transactions(ApprovalRoundView.as_view())
attempt_view = rls.own_transactions(ApprovalAttemptView.as_view())


class ApprovalRulesView(APIView):
    @extend_schema(responses=ApprovalRulesOut)
    def get(self, request: Request) -> Response:
        """Who signs what, as it holds now. Version 0: what the organization's kind begins with."""
        actor = actor_of(request)
        actor.require("approvals.read")
        return _rules(matrices.holding(actor.organization))

    @extend_schema(request=ApprovalRulesIn, responses=ApprovalRulesOut)
    def put(self, request: Request) -> Response:
        """Write another version, whole. Requests that wait keep their steps."""
        actor = actor_of(request)
        actor.require("approvals.change")
        sent = body_of(ApprovalRulesIn, request)
        try:
            matrices.write(
                matrix=from_json([_plain(rule) for rule in sent["rules"]]),
                because=sent["because"],
                version=sent["version"],
                by=actor,
                now=timezone.now(),
            )
        except (BadMatrix, matrices.WrongMatrix, matrices.SameMatrix) as error:
            raise Refused(str(error), code="rules", field="rules") from error
        except matrices.MatrixChangedMeanwhile as error:
            raise Refused(str(error), code="changed_meanwhile", status=409) from error
        except reasons.BadReason as error:
            raise Refused(str(error), code="because", field="because") from error
        return _rules(matrices.holding(actor.organization))


def _plain(rule: dict[str, Any]) -> dict[str, Any]:
    return {**rule, "steps": [dict(step) for step in rule["steps"]]}


def _rules(held: matrices.Holding) -> Response:
    row = held.row
    return Response(
        ApprovalRulesOut(
            {
                "version": held.version,
                "rules": to_json(held.matrix),
                "because": row.because if row else "",
                "by": row.by if row else "",
                "at": row.at if row else None,
            }
        ).data
    )


class ApprovalRulesVersionsView(APIView):
    @extend_schema(responses=ApprovalRulesOut(many=True))
    def get(self, request: Request) -> Response:
        """Every version, newest first."""
        actor = actor_of(request)
        actor.require("approvals.read")
        return listed(request, ApprovalMatrix.objects.visible_to(actor), ApprovalRulesOut)


class ApprovalTrialView(APIView):
    @extend_schema(
        parameters=[
            OpenApiParameter("kind", str, enum=list(KINDS), required=True),
            OpenApiParameter("amount_won", int, required=True),
            OpenApiParameter("data_class", str, enum=list(CLASSES)),
        ],
        responses=ApprovalTrialOut,
    )
    def get(self, request: Request) -> Response:
        """Who would approve such a request."""
        actor = actor_of(request)
        actor.require("approvals.read")
        sent = request.query_params
        kind, data_class = sent.get("kind", ""), sent.get("data_class", "open")
        if kind not in KINDS:
            raise Refused("Unknown kind.", code="kind", field="kind", status=400)
        if data_class not in CLASSES:
            raise Refused("Unknown data class.", code="data_class", field="data_class", status=400)
        held = matrices.holding(actor.organization)
        rule = held.matrix.rule_for(kind, _amount(sent.get("amount_won", "")), data_class)
        names = Members(actor.organization, now=timezone.now()).names()
        steps = [
            {
                "position": number,
                "roles": step.roles,
                "members": step.members,
                "needed": step.needed,
            }
            for number, step in enumerate(rule.steps, 1)
        ]
        return Response(
            ApprovalTrialOut({"steps": steps, "sentence": words.rule(rule, names)}).data
        )


def _amount(text: str) -> int:
    """Whole won out of an address."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 16 and int(text) <= MOST_WON):
        sentence = str(asking.AmountOutOfRange())
        raise Refused(sentence, code="amount", field="amount_won", status=400)
    return int(text)
