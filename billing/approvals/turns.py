"""Which requests wait for one reader: one query, because the frame of every page tells it.

The database hands out rows as JSON and decides nothing; whose turn it is stands in ``seats``
alone. Members are read only where something waits, and only those who sign or stand in.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, When
from django.db.models.functions import Coalesce, JSONObject

from billing.approvals.chain import Chain, Verdict, pool_now
from billing.approvals.matrix import Step
from billing.approvals.people import VERB, Colleague, leaves_now, people_of, signing_roles
from billing.approvals.seats import Person, Rung, Seat
from billing.models import ApprovalDecision, ApprovalRequest, ApprovalState, ApprovalStep
from tenants import standing
from tenants.actors import Actor
from tenants.models import Membership

MOST_REMEMBERED = 10_000
# (organization, user); what stands there decides how it is asked, never the answer.
_WAITED: dict[tuple[int, int], None] = {}
LOOKED_AT = 500  # the most urgent ones; who has more to sign begins with these


def of(actor: Actor, *, now: datetime) -> list[int]:
    """Keys of the requests whose open step the actor may take now, the most urgent first. No
    query for whom may sign nothing."""
    if not _may_sign(actor):
        return []
    return _among(standing.told(actor.organization, _asked(actor, now)), actor)


def beside(actor: Actor, asked: Mapping[str, Any], *, now: datetime) -> tuple[Any, list[int]]:
    """What ``asked`` (annotations of the actor's organization) finds, and ``of``, in one query.

    Mostly nothing waits, and whose turn it is would be the dearest question of a page: so only
    whether something waits is asked for along with the others. Where something did the last time,
    whose turn it is is asked at once; where something does for the first time, by a second query.
    """
    if actor.user is None or not _may_sign(actor):
        return standing.told(actor.organization, asked), []
    key = actor.organization.pk, actor.user.pk
    whole = key in _WAITED
    more = _asked(actor, now) if whole else {"any_waits": Exists(_waiting(actor, now))}
    found = standing.told(actor.organization, {**asked, **more})
    waits = bool(found.get("to_sign_requests") if whole else found.get("any_waits"))
    if not waits:
        _WAITED.pop(key, None)
        return found, []
    if len(_WAITED) < MOST_REMEMBERED:
        _WAITED[key] = None
    return found, _among(found, actor) if whole else of(actor, now=now)


def _among(found: Mapping[str, Any], actor: Actor) -> list[int]:
    colleagues = [Colleague(**one) for one in found.get("to_sign_members") or ()]
    away = [(one["absent"], one["deputy"]) for one in found.get("to_sign_leaves") or ()]
    roles = signing_roles(actor.organization)

    @cache
    def people(project: str) -> list[Person]:
        return people_of(project, colleagues, away, roles)

    keys = []
    for one in found.get("to_sign_requests") or ():
        pool = pool_now(_chain(one), people(one["project"]))
        if pool is not None and actor.user and pool.seat_of(actor.user.public_id) is not None:
            keys.append(one["pk"])
    return keys


def _may_sign(actor: Actor) -> bool:
    return actor.user is not None and actor.can(VERB)


def _waiting(actor: Actor, now: datetime) -> QuerySet[ApprovalRequest]:
    return ApprovalRequest.objects.visible_to(actor).filter(
        state=ApprovalState.WAITING, expires_at__gt=now
    )


def _asked(actor: Actor, now: datetime) -> dict[str, Any]:
    """Annotations of the actor's organization: requests with their chains, members, leaves; the
    latter two None where nothing waits."""
    waiting = _waiting(actor, now)
    leaves = leaves_now(actor.organization, now=now)
    signing = Q(role__in=signing_roles(actor.organization))
    members = Membership.objects.filter(
        signing | Q(pk__in=leaves.values("deputy")),
        organization=actor.organization,
        user__is_active=True,
    )
    away = leaves.values(json=JSONObject(absent="absent_id", deputy="deputy_id"))
    return {
        "to_sign_requests": ArraySubquery(_requests(waiting)),
        "to_sign_members": _where(waiting, members.order_by("pk").values(json=_colleague())),
        "to_sign_leaves": _where(waiting, away),
    }


def _where(waiting: QuerySet[ApprovalRequest], rows: QuerySet[Any, Any]) -> Case:
    return Case(When(Exists(waiting), then=ArraySubquery(rows)))


def _colleague() -> JSONObject:
    same = ("pk", "role", "all_projects", "projects")
    return JSONObject(user="user__public_id", member="public_id", **{one: one for one in same})


def _requests(waiting: QuerySet[ApprovalRequest]) -> QuerySet[Any, Any]:
    steps = ApprovalStep.objects.filter(request=OuterRef("pk"), round=OuterRef("round"))
    said = ApprovalDecision.objects.filter(request=OuterRef("pk"), step__round=OuterRef("round"))
    chained = JSONObject(
        pk="pk",
        project="project",
        requester="requested_by__public_id",
        steps=ArraySubquery(
            steps.order_by("position").values(
                json=JSONObject(roles="roles", members="members", needed="needed")
            )
        ),
        said=ArraySubquery(
            said.order_by("pk").values(
                json=JSONObject(
                    step="step__position",
                    user="decided_by__public_id",
                    of=Coalesce("for_user__public_id", "decided_by__public_id"),
                    agrees="agrees",
                    rung="rung",
                )
            )
        ),
    )
    return waiting.order_by("expires_at", "pk").values(json=chained)[:LOOKED_AT]


def _chain(one: dict[str, Any]) -> Chain:
    """As ``moving.assembled``, out of JSON."""
    return Chain(
        steps=tuple(
            Step(tuple(step["roles"]), tuple(step["members"]), step["needed"])
            for step in one["steps"]
        ),
        requester=one["requester"],
        verdicts=tuple(
            Verdict(
                word["step"] - 1, Seat(word["user"], word["of"]), word["agrees"], Rung(word["rung"])
            )
            for word in one["said"]
        ),
    )
