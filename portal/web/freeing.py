"""A pause or the end of an endpoint on its page: what it would free, and its steps."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.deployments.freed import Progress, SiteStops


def steps(found: Progress) -> list[dict[str, Any]]:
    """For ``components/steps.html``: what is done, each site that still stops, what comes then."""
    stopped = not found.sites
    return [
        {"title": _("Ordered"), "mark": "done", "note": ""},
        *[_site(one) for one in found.sites],
        {
            "title": _("All replicas have stopped"),
            "mark": "done" if stopped else "waiting",
            "note": "",
        },
        {
            "title": _("Their card time is counted"),
            "mark": "done" if found.counted else "current" if stopped else "waiting",
            "note": "",
        },
        {
            "title": _("What was not used is free again"),
            "mark": "current" if found.counted else "waiting",
            "note": "",
        },
    ]


def _site(one: SiteStops) -> dict[str, Any]:
    if not one.silent:
        note = ngettext(
            "%(count)d replica is being stopped.",
            "%(count)d replicas are being stopped.",
            one.replicas,
        ) % {"count": one.replicas}
        return {"title": one.site.title, "mark": "current", "note": note}
    note = _("The site is silent: %(trouble)s It is told to stop as soon as it answers.") % {
        "trouble": _(one.site.trouble)
    }
    return {"title": one.site.title, "mark": "bad", "note": note}
