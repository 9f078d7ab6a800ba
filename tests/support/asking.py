"""Requests as tests make them, and deeds of both sides in their own transactions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from tenants import rls
from tenants.actors import Actor
from tenants.models import SupportRequest
from tenants.support import desk, requests
from tenants.support.desk import Reply, Then
from tenants.support.requests import Wish
from tests.cast import Cast
from tests.factories import NOON

SUBJECT = "호출이 429로 거절됩니다"


def wish(**more: Any) -> Wish:
    words: dict[str, Any] = {
        "subject": SUBJECT,
        "text": "예산이 남았는데 거절됩니다.",
        "kind": "fault",
        "severity": "normal",
    }
    return Wish(**(words | more))


def house(actor: Actor) -> AbstractContextManager[None]:
    """The transaction that the actor's pages have."""
    if actor.can("operator.read"):
        return rls.everyone(because="test")
    return rls.tenant(actor.organization.pk, user_id=actor.user.pk if actor.user else None)


def done[T](deed: Callable[..., T], *, by: Actor, now: datetime = NOON, **more: Any) -> T:
    """One deed as a door does it."""
    with house(by):
        return deed(by=by, now=now, **more)


def asked(cast: Cast, by: str = "bob", now: datetime = NOON, **more: Any) -> SupportRequest:
    return done(requests.ask, by=cast[by].may, now=now, wish=wish(**more))


def fresh(request: SupportRequest) -> SupportRequest:
    with rls.everyone(because="test"):
        return SupportRequest.objects.get(pk=request.pk)


def replied(
    cast: Cast,
    request: SupportRequest,
    then: str = Then.ASKS,
    now: datetime = NOON,
    text: str = "살펴보았습니다.",
) -> None:
    done(desk.answer, by=cast.olivia.may, now=now, request=request, reply=Reply(text, then))


def put_into(request: SupportRequest, state: str, moved_at: datetime = NOON) -> SupportRequest:
    """A state without a story."""
    with rls.everyone(because="test set-up"):
        SupportRequest.objects.filter(pk=request.pk).update(state=state, moved_at=moved_at)
    return fresh(request)
