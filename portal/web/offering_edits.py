"""The operator changes what an offering's engine is started from, and enters figures."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal, InvalidOperation

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal.catalog import editing
from portal.catalog.editing import BadForm
from portal.catalog.models import Offering
from portal.web import doors
from tenants import reasons


def _find(public_id: str) -> Offering:
    rows = Offering.objects.select_related("version__model", "chip")
    return get_object_or_404(rows, public_id=public_id)


@require_POST
@doors.page_for("operator.change")
def edit(request: HttpRequest, public_id: str) -> HttpResponse:
    """Another image, artifact or settings. What runs goes on."""
    offering = _find(public_id)
    try:
        editing.edit(
            offering=offering,
            form=_form(request.POST),
            because=doors.word(request.POST, "because"),
            by=doors.actor(request),
            now=timezone.now(),
        )
    except (BadForm, reasons.BadReason) as error:
        messages.error(request, str(error))
    else:
        messages.success(
            request,
            _("Changed. What was shown to run has to be verified again; what runs goes on."),
        )
    return redirect("operator_offering", public_id=public_id)


@require_POST
@doors.page_for("operator.change")
def figure(request: HttpRequest, public_id: str) -> HttpResponse:
    """One figure with its conditions and source; an empty value takes it away."""
    offering = _find(public_id)
    try:
        editing.enter_figure(
            offering=offering,
            result=_result(request.POST),
            because=doors.word(request.POST, "because"),
            by=doors.actor(request),
            now=timezone.now(),
        )
    except (BadForm, reasons.BadReason) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The figures are changed."))
    return redirect("operator_offering", public_id=public_id)


def _form(sent: QueryDict) -> editing.Form:
    return editing.Form(
        image=doors.word(sent, "image").strip(),
        artifact=doors.word(sent, "artifact").strip(),
        revision=doors.word(sent, "revision").strip(),
        settings=_settings(doors.word(sent, "settings")),
        parallel=_whole(sent, "parallel"),
        context_tokens=_whole(sent, "context_tokens"),
        digest=doors.word(sent, "digest").strip(),
    )


def _whole(sent: QueryDict, name: str) -> int:
    text = doors.word(sent, name).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0


def _settings(text: str) -> dict[str, object]:
    try:
        found = json.loads(text[:4000].strip() or "{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadForm("settings", _("Give the settings as a JSON object."))
    return found


def _result(sent: QueryDict) -> editing.Result:
    words = {
        name: doors.word(sent, name).strip()
        for name in ("kind", "conditions_ko", "conditions_en", "mark", "source_name", "source_url")
    }
    try:
        day = doors.word(sent, "source_date").strip()
        found = date.fromisoformat(day) if day else None
        text = doors.word(sent, "value").strip()
        value = Decimal(text).quantize(Decimal("0.01")) if text else None
    except (ValueError, InvalidOperation) as error:
        raise BadForm(
            "value", _("Give the value as a number and the day as 2026-11-23.")
        ) from error
    if value is not None and not value.is_finite():
        raise BadForm("value", _("Give a positive number."))
    return editing.Result(value=value, source_date=found, **words)
