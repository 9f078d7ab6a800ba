"""Django's admin, made a reading room: superusers look at rows, and nobody changes any.

What it promises: only a superuser at the operator who proved a second factor in this very session
comes in, and for everybody else there is nothing at its addresses. Each view runs in a read-only
transaction of the system role. Each list and record that is shown is an event in the operator's
audit log. A table shows the columns that its app's ``admin.py`` names (``shows``) and no others.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar

from django.contrib.admin import AdminSite, ModelAdmin, ShowFacets
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import BooleanField, DateField, IntegerField, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.common import no_append_slash
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from tenants import audit, policies, rls
from tenants.actors import Actor

View = Callable[..., HttpResponse]
COLUMNS = 7  # of a list; a record shows all that is named
MOST_ROWS = 5_000  # that a list counts and turns pages through


class ReadingRoom(AdminSite):
    site_title = site_header = _("Records")
    index_title = _("Tables")
    index_template = "superusers/index.html"
    enable_nav_sidebar = False
    final_catch_all_view = False

    def has_permission(self, request: HttpRequest) -> bool:
        """A superuser among the operator's staff, with a second factor proved in this session."""
        actor: Actor | None = getattr(request, "actor", None)
        return (
            actor is not None
            and actor.kind == "user"  # neither a key nor somebody who looks at a customer's pages
            and actor.can("operator.read")
            and request.user.is_active
            and request.user.is_superuser
            and policies.proved_second_factor(request, actor.organization)
        )

    def door(self, view: View) -> View:
        """Behind it only reading, with a trace. Strangers are told what any wrong address tells:
        so no redirect to a slash and no complaint about a missing token either."""
        reading = never_cache(require_safe(view))

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not self.has_permission(request):
                request.actor = None  # type: ignore[attr-defined]
                raise Http404
            with rls.read_only(), rls.everyone(because="superusers read all tenants' rows"):
                response = reading(request, *args, **kwargs)
                if isinstance(response, TemplateResponse):
                    response.render()
            _leave_trace(request)
            return response

        return rls.own_transactions(no_append_slash(csrf_exempt(guarded)))

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Lists and records; none of Django's pages to sign in, sign out, add, change, delete."""
        tables = [
            path(f"{model._meta.app_label}/{model._meta.model_name}/", include(table.urls))
            for model, table in self._registry.items()
        ]
        labels = "|".join(sorted({model._meta.app_label for model in self._registry}))
        return [
            path("", self.door(self.index), name="index"),
            *tables,
            re_path(rf"^(?P<app_label>{labels})/$", self.door(self.app_index), name="app_list"),
        ]


site = ReadingRoom(name="admin")  # the namespace by which Django's own templates link


def _leave_trace(request: HttpRequest) -> None:
    """The operator's log names who looked at which list or record."""
    subject: str = getattr(request, "shown", "")
    if subject:
        actor: Actor = request.actor  # type: ignore[attr-defined]
        with rls.everyone(because="the operator's log names what superusers read"):
            audit.seen("records.read", by=actor, now=timezone.now(), subject=subject)


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    @cached_property
    def count(self) -> int:
        """Never counts a whole ledger."""
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return rows[:MOST_ROWS].count()


class NewestFirst(ChangeList):
    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """By primary key, whatever the address asks: every table has that index."""
        return ["-pk"]


class Reading(ModelAdmin):  # type: ignore[type-arg]
    """A table whose named columns are shown. Its other columns are not even read."""

    shown: ClassVar[tuple[str, ...]] = ()
    actions = None
    sortable_by = ()
    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    view_on_site = False
    paginator = BoundedPaginator
    change_list_template = "superusers/list.html"
    change_form_template = "superusers/record.html"

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        door = site.door
        return [
            path("", door(self.changelist_view), name=f"{name}_changelist"),
            path("<str:object_id>/", door(self.change_view), name=f"{name}_change"),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Only what is shown, with what it points at."""
        columns = self.opts.concrete_fields
        links = [one.name for one in columns if one.is_relation and one.name in self.shown]
        hidden = [one.name for one in columns if one.name not in self.shown and not one.primary_key]
        rows = super().get_queryset(request).defer(*hidden)
        return rows.select_related(*links) if links else rows

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NewestFirst

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Rows of one organization, by its number; a filter by a hidden column would tell it."""
        return lookup == "organization__exact" and "organization" in self.shown

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        request.shown = self.opts.label_lower  # type: ignore[attr-defined]
        return super().changelist_view(request, extra_context)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Model | None:
        found: Model | None = super().get_object(request, object_id)
        if found is not None:
            own = getattr(found, "public_id", "") or f"{self.opts.label_lower}/{found.pk}"
            request.shown = own  # type: ignore[attr-defined]
        return found

    def _get_obj_does_not_exist_redirect(self, *args: Any) -> HttpResponse:
        """What is not there is 404, not a way back."""
        raise Http404

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.admin_site.has_permission(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _is_text(model: type[Model], column: str) -> bool:
    """Not a number, a date or a yes: ``session_hours`` is no secret."""
    numbers = (IntegerField, DateField, BooleanField)
    return not isinstance(model._meta.get_field(column), numbers)


def shows(model: type[Model], columns: str, *, find: str = "") -> None:
    """Show these columns of a table, and find its rows by whole values of some (``find``).

    No column that holds a secret, a sealed text or the hash of one, no text of a mail, no file.
    """
    names = tuple(columns.split())
    if secret := [one for one in names if audit.is_secret(one) and _is_text(model, one)]:
        raise ValueError(f"{model._meta.label}: {', '.join(secret)} must not be shown.")
    site.register(
        model,
        Reading,
        shown=names,
        fields=names,
        readonly_fields=names,
        list_display=names[:COLUMNS],
        search_fields=tuple(f"{one}__exact" for one in find.split()),
    )
