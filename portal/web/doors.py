"""What the pages' doors share: who asks, which verb, what a refusal looks like."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.shortcuts import redirect

from portal.lib.periods import Month
from tenants.actors import Actor, actor_of, unmet_of

View = Callable[..., HttpResponseBase]
PAGE_SIZE = 50


def page_for(verb: str) -> Callable[[View], View]:
    """A page for members whose role has ``verb``. Others: sign in, meet the organization's rules,
    found an organization, 403."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if getattr(request, "actor", None) is None:
                return redirect("unmet" if unmet_of(request) else "organization_new")
            actor_of(request).require(verb)
            return view(request, *args, **kwargs)

        return login_required(guarded)

    return decorate


def actor(request: HttpRequest) -> Actor:
    """The actor; ``page_for`` has made sure that there is one."""
    return actor_of(request)


def page_of(request: HttpRequest, rows: QuerySet[Any]) -> Page[Any]:
    """One page of a list; a page number that makes no sense shows the nearest one."""
    return Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))


def word(source: QueryDict, name: str) -> str:
    """A value of an address or form; empty for text that PostgreSQL cannot hold."""
    text = source.get(name, "")
    return "" if "\x00" in text else str(text)


def month_of(request: HttpRequest, default: Month) -> Month:
    """The month in the address (``?month=2026-11``), or the default for anything else."""
    try:
        return Month.parse(request.GET.get("month", ""))
    except ValueError:
        return default
