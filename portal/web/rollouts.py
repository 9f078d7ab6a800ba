"""While one form of an endpoint takes the place of another: how far it is, hold, go on, back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from portal.deployments import progress, queries
from portal.deployments.actions import rolling, steering
from portal.deployments.models import Endpoint
from portal.deployments.rollouts import Upcoming
from portal.fleet.models import Site
from portal.web import doors, states

STRATEGIES = {
    "rolling": gettext_lazy("Replica by replica (rolling)"),
    "blue_green": gettext_lazy("All new ones first, then at once (blue-green)"),
    "canary": gettext_lazy("A tenth of the requests, then half, then all (canary)"),
}
STEP_WORDS = {
    "begin": gettext_lazy("Began"),
    "add_new": gettext_lazy("One more new replica asked for"),
    "add_old": gettext_lazy("One more replica of the old form asked for"),
    "keep": gettext_lazy("An old replica stays after all"),
    "shift": gettext_lazy("Requests are shared out anew"),
    "hold": gettext_lazy("Held at this share"),
    "go_on": gettext_lazy("Told to go on"),
    "leave": gettext_lazy("A replica gets no new requests; those it has end"),
    "remove": gettext_lazy("A replica is stopped"),
    "no_room": gettext_lazy("No site has room for another replica now"),
    "done": gettext_lazy("All replicas are new"),
    "roll_back": gettext_lazy("Rolled back"),
    "rolled_back": gettext_lazy("The old form runs again"),
    "abandon": gettext_lazy("Given up"),
}
NEXT_WORDS = {
    "back": gettext_lazy("The old form comes back."),
    "ready": gettext_lazy("New replicas have to be ready first."),
    "replace": gettext_lazy("A new replica comes, then an old one goes."),
    "old_go": gettext_lazy("The old replicas are stopped; until then they can answer at once."),
}


def of(endpoint: Endpoint) -> dict[str, Any]:
    """The newest rollout with both forms and its steps, for the live part of the page."""
    rollout = endpoint.rollouts.select_related("from_revision", "to_revision").first()
    if rollout is None:
        return {}
    sites = {one.code: one.title for one in Site.objects.only("code", "name_ko", "name_en")}
    found = progress.of(rollout, endpoint.placements.all(), timezone.now())
    return {
        "rollout": rollout,
        "rollout_state": states.ROLLOUT[rollout.state],
        "rollout_open": rollout.state in progress.OPEN,
        "rollout_strategy": STRATEGIES[rollout.strategy],
        "progress": found,
        "rollout_next": _next_words(found.upcoming) if found.upcoming else "",
        "rollout_steps": [
            (one, STEP_WORDS[one.kind], sites.get(one.site, "")) for one in rollout.steps.all()
        ],
    }


def _next_words(upcoming: Upcoming) -> str:
    if upcoming.what == "shift":
        return _("%(share)d %% of the requests go to the new form.") % {"share": upcoming.share}
    return str(NEXT_WORDS[upcoming.what])


def _own(request: HttpRequest, public_id: str) -> Endpoint:
    rows = queries.own_endpoints(doors.actor(request))
    found: Endpoint = get_object_or_404(rows, public_id=public_id)
    return found


@require_POST
@doors.page_for("endpoints.change")
def roll_back(request: HttpRequest, public_id: str) -> HttpResponse:
    """End a rollout in favour of the old form."""
    endpoint = _own(request, public_id)
    if rolling.roll_back(endpoint=endpoint, by=doors.actor(request), now=timezone.now()):
        messages.success(request, _("The old form comes back, as the steps show."))
    else:
        messages.error(request, _("Nothing is being replaced just now."))
    return redirect("endpoint", public_id)


@require_POST
@doors.page_for("endpoints.change")
def hold(request: HttpRequest, public_id: str) -> HttpResponse:
    """Stay at this share."""
    done = _("It stays at this share until you let it go on, for two hours at most.")
    return _steer(request, public_id, steering.hold, done)


@require_POST
@doors.page_for("endpoints.change")
def go_on(request: HttpRequest, public_id: str) -> HttpResponse:
    """End this step now."""
    return _steer(request, public_id, steering.go_on, _("It goes on now."))


def _steer(
    request: HttpRequest, public_id: str, action: Callable[..., None], done: str
) -> HttpResponse:
    endpoint = _own(request, public_id)
    try:
        action(endpoint=endpoint, by=doors.actor(request), now=timezone.now())
    except steering.NothingToSteer as error:
        messages.error(request, str(error))
    else:
        messages.success(request, done)
    return redirect("endpoint", public_id)
