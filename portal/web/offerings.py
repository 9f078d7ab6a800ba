"""The operator's offerings: evidence, moved with a reason, and their standing at each site."""

from __future__ import annotations

import json

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from portal.catalog import evidence
from portal.catalog.models import Evidence, FigureKind, Offering
from portal.fleet import site_offerings, starting
from portal.fleet.models import AtSite, Site, SiteOffering, SiteOfferingMove
from portal.web import catalogue, doors, states
from tenants import reasons


@require_GET
@doors.page_for("operator.read")
def index(request: HttpRequest) -> HttpResponse:
    """What has to be verified again stands first."""
    word = doors.word(request.GET, "evidence")
    found = Offering.objects.select_related("version__model", "chip").order_by(
        "version__model__slug", "chip__order", "pk"
    )
    if word in Evidence.values:
        found = found.filter(evidence=word)
    page = doors.page_of(request, found)
    waiting = SiteOffering.objects.exclude(state=AtSite.VERIFIED).select_related(
        "site", "offering__version__model", "offering__chip"
    )
    context = {
        "page": page,
        "rows": [(one, states.EVIDENCE[one.evidence]) for one in page],
        "waiting": [(one, states.AT_SITE[one.state]) for one in waiting[:200]],
        "chosen": word,
        "query": f"evidence={word}&" if word in Evidence.values else "",
        **catalogue.choices(),
    }
    return render(request, "operator/offerings.html", context)


def _find(public_id: str) -> Offering:
    rows = Offering.objects.select_related("version__model", "chip")
    return get_object_or_404(rows, public_id=public_id)


@require_GET
@doors.page_for("operator.read")
def detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """One offering: its parts, figures and moves, and where it has to be verified again."""
    offering = _find(public_id)
    at_sites = SiteOffering.objects.filter(offering=offering).select_related("site")
    moves = SiteOfferingMove.objects.filter(offering=offering).select_related("site")
    context = {
        "offering": offering,
        "state": states.EVIDENCE[offering.evidence],
        "targets": [(to, states.EVIDENCE[to]["text"]) for to in evidence.targets(offering)],
        "at_sites": [(one, states.AT_SITE[one.state]) for one in at_sites],
        "moves": [(one, states.EVIDENCE[one.to_state]) for one in offering.moves.all()[:50]],
        "site_moves": [(one, states.AT_SITE[one.to_state]) for one in moves[:50]],
        "marks": catalogue.MARKS,
        "settings": json.dumps(offering.settings, ensure_ascii=False, sort_keys=True),
        "no_server": starting.why_no_server(offering) if offering.sdk != starting.EMBEDDED else "",
        "kinds": FigureKind.values,
    }
    return render(request, "operator/offering.html", context)


def _because(request: HttpRequest) -> str:
    """The reason as it was typed; the actions say what is wrong with it."""
    return doors.word(request.POST, "because")


@require_POST
@doors.page_for("operator.change")
def move(request: HttpRequest, public_id: str) -> HttpResponse:
    """Other evidence. Orders follow at once; what runs goes on."""
    offering = _find(public_id)
    try:
        evidence.move(
            offering=offering,
            to=doors.word(request.POST, "to"),
            because=_because(request),
            by=doors.actor(request),
            now=timezone.now(),
        )
    except (
        *(evidence.NoSuchMove, evidence.AlreadyMoved, evidence.NoWeights),
        reasons.BadReason,
    ) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Changed. New orders follow at once; what runs goes on."))
    return redirect("operator_offering", public_id=public_id)


@require_POST
@doors.page_for("operator.change")
def verify(request: HttpRequest, public_id: str, code: str) -> HttpResponse:
    """It was run again at a site: it works there, or it does not."""
    offering, site = _find(public_id), get_object_or_404(Site.objects.all(), code=code)
    try:
        site_offerings.verify(
            site=site,
            offering=offering,
            works=doors.word(request.POST, "works") == "1",
            because=_because(request),
            by=doors.actor(request),
            now=timezone.now(),
        )
    except (site_offerings.NothingToVerify, reasons.BadReason) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Noted. New orders follow at once."))
    return redirect("operator_offering", public_id=public_id)
