"""The tenant's transaction: which rows PostgreSQL lets through.

Two settings live as long as a transaction, ``app.org`` and ``app.user``; without them there are
no rows. Work of the platform takes the role ``dure_system`` for a transaction instead. Each block
restores what was set before it, so blocks nest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse

_NAMES = ("app.org", "app.user", "role")
_NONE = ("", "", "none")
SYSTEM_ROLE = "dure_system"
_READ_ONLY: ContextVar[bool] = ContextVar("read_only", default=False)


def _current() -> tuple[str, ...]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT "
            + ", ".join(f"coalesce(current_setting('{name}', true), '')" for name in _NAMES)
        )
        row = cursor.fetchone()
    return tuple(row or _NONE)


def _set(values: tuple[str, ...]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT " + ", ".join(f"set_config('{name}', %s, true)" for name in _NAMES), values
        )


@contextmanager
def _scope(org: str, user: str, role: str = "none") -> Iterator[None]:
    nested = connection.in_atomic_block
    with transaction.atomic():
        if _READ_ONLY.get():
            _forbid_writing()
        before = _current() if nested else _NONE
        _set((org, user, role))
        yield
        # After an error, PostgreSQL itself takes the settings back with the savepoint, and at the
        # end of the outermost block with the transaction.
        if nested and not connection.needs_rollback:
            _set(before)


def _forbid_writing() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")


@contextmanager
def read_only() -> Iterator[None]:
    """Every block that is opened inside writes nothing: PostgreSQL itself refuses it."""
    before = _READ_ONLY.set(True)
    try:
        yield
    finally:
        _READ_ONLY.reset(before)


@contextmanager
def tenant(organization_id: int, *, user_id: int | None = None) -> Iterator[None]:
    """Only rows of one organization."""
    with _scope(str(organization_id), "" if user_id is None else str(user_id)):
        yield


@contextmanager
def user(user_id: int) -> Iterator[None]:
    """Only the memberships and organizations of one person."""
    with _scope("", str(user_id)):
        yield


@contextmanager
def one_look() -> Iterator[None]:
    """One snapshot for every query inside: open it around the other blocks. Within a transaction
    that has begun already it changes nothing."""
    nested = connection.in_atomic_block
    with transaction.atomic():
        if not nested:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


@contextmanager
def everyone(*, because: str) -> Iterator[None]:
    """All rows, for work of the platform. ``because`` is for the reader of the code."""
    if not because:
        raise ValueError("say why all tenants' rows are needed")
    with _scope("", "", SYSTEM_ROLE):
        yield


def own_transactions(view: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a view that opens its own short blocks, because it calls outside or streams."""
    view.own_transactions = True  # type: ignore[attr-defined]
    return view


@contextmanager
def _own_rows(request: HttpRequest) -> Iterator[None]:
    """Mark that the open block lets the rows of the request's own person through."""
    request.own_rows = True  # type: ignore[attr-defined]
    try:
        yield
    finally:
        request.own_rows = False  # type: ignore[attr-defined]


class TenantTransaction:
    """Opens one transaction around an ordinary request, for the actor's organization.

    The actor is found once, here, from a session or an API key (``request.actor``); pages and
    API share every rule below that.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponse],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> HttpResponse | None:
        """Find the actor; run the view inside the tenant's transaction."""
        from tenants import actors, viewing

        try:
            request.actor = actors.find(request)  # type: ignore[attr-defined]
        except actors.AddressNotAllowed as refusal:  # the API says it in its own words
            request.actor, request.refusal = None, refusal  # type: ignore[attr-defined]
        if viewing.concerns(request):
            return viewing.answer(request, view, args, kwargs)
        scope = actors.scope_of(request)
        if scope is None or getattr(view, "own_transactions", False):
            return None
        if request.path.startswith("/accounts/"):
            return None  # allauth's own paths touch no tenant table
        with scope, _own_rows(request):
            response = view(request, *args, **kwargs)
            if hasattr(response, "render") and callable(response.render):
                response = response.render()
            if response.status_code >= 500:
                transaction.set_rollback(True)
        return response
