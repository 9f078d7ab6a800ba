"""A drill's report in a reader's words: for the page, and as a PDF of the same rows."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy, ngettext, pgettext
from django.utils.translation import gettext as _

from billing import documents
from portal.deployments.models import Drill, DrillState
from portal.lib import jws
from portal.web import names

TEMPLATE = Path("templates/drills/report.typ")
UNSERVED = {  # what clients got, by its code
    "no_eligible_site": gettext_lazy("no site that may answer"),
    "endpoint_asleep": gettext_lazy("the endpoint was asleep"),
    "overloaded": gettext_lazy("the queue was full"),
    "site_failed": gettext_lazy("the site failed"),
    "site_timeout": gettext_lazy("the site did not answer in time"),
    "site_unavailable": gettext_lazy("the site could not be reached"),
    "stream_interrupted": gettext_lazy("the answer broke off"),
    "settlement_unavailable": gettext_lazy("the cost could not be booked"),
    "admission_unavailable": gettext_lazy("budgets could not be asked"),
    "internal_error": gettext_lazy("a fault of the gateway"),
}
PIECE = 12  # characters of the signed text between which a line may break


def claims_of(drill: Drill) -> dict[str, Any]:
    """What its report says; empty until it is signed."""
    return jws.payload(drill.jws) if drill.jws else {}


def rows(claims: dict[str, Any]) -> list[tuple[str, str]]:
    """Each figure with its words, in order."""
    tokens = claims["first_token_ms"]
    answered_by = claims["answered_by"]
    by_site = ", ".join(
        f"{title} {count:,}"
        for title, count in zip(names.sites(answered_by), answered_by.values(), strict=True)
    )
    return [
        (_("Withdrawn from"), _clock(claims["withdrawn"]["from"])),
        (_("Withdrawn until"), _clock(claims["withdrawn"]["until"])),
        (_("Ended because"), _(claims["because"])),
        (_("Requests in the window"), f"{claims['requests']:,}"),
        (_("Answered"), f"{claims['answered']:,}"),
        (_("Failed or cut short"), f"{claims['failed']:,}"),
        (_("Answered after another attempt"), f"{claims['retried']:,}"),
        *_unserved(claims),
        (_("Requests by site"), by_site or "–"),
        (_("Last request began there after"), _ms(claims["left_after_ms"])),
        (_("First answer elsewhere after"), _ms(claims["first_answer_elsewhere_ms"])),
        (_("First token before, median and 95 %"), _pair(tokens["before"])),
        (_("First token in the window, median and 95 %"), _pair(tokens["during"])),
        (_("Slow first tokens"), _count(claims["slow_first_tokens"])),
        (_("Extra cost"), f"₩{claims['cost_krw']}"),
    ]


def verdict(claims: dict[str, Any]) -> dict[str, str]:
    """What users noticed, in one sentence with its tone."""
    unserved = sum((claims.get("unserved") or {}).values())
    missed = claims["failed"] + unserved
    if missed:
        text = ngettext(
            "%(count)d request got no whole answer. The figures below say why.",
            "%(count)d requests got no whole answer. The figures below say why.",
            missed,
        ) % {"count": missed}
        return {"tone": "warn", "text": text}
    if not claims["requests"]:
        return {"tone": "info", "text": _("There was no request, so nothing was tried.")}
    if claims.get("unserved") is None or claims["unserved_incomplete"]:
        text = _("Every request in the ledger was answered; how many no site took is not known.")
        return {"tone": "info", "text": text}
    return {"tone": "ok", "text": _("Every request was answered while the site was withdrawn.")}


def steps(drill: Drill) -> list[dict[str, Any]]:
    """For ``components/steps.html``."""
    over = drill.state in (DrillState.CALLED_OFF, DrillState.CANCELLED)
    began = drill.state in (DrillState.RUNNING, DrillState.ENDED)
    ended = drill.state == DrillState.ENDED
    marks = (
        "done",
        "bad" if over else "done" if ended else "current" if began else "waiting",
        "done" if ended else "waiting",
        "done" if drill.jws else "current" if ended else "waiting",
    )
    titles = (
        pgettext("drill", "Booked"),
        pgettext("drill", "The site is withdrawn"),
        _("It answers again"),
        _("Report signed"),
    )
    return [{"title": t, "mark": m, "note": ""} for t, m in zip(titles, marks, strict=True)]


def next_words(drill: Drill) -> str:
    """What comes next, or what to do; empty once there is a report."""
    if drill.state == DrillState.BOOKED:
        return _("It begins and ends by itself. Until then nothing changes.")
    if drill.state == DrillState.RUNNING:
        return _("Other sites answer. The site comes back at the end of the window.")
    if drill.state == DrillState.CALLED_OFF:
        return _("It did not take place, for the reason below. Book another one.")
    if drill.state == DrillState.ENDED and not drill.jws:
        return _("The report is signed about a minute after the end. Look at this page again then.")
    return ""


def pdf(drill: Drill) -> bytes:
    """Of a signed report, with the signed text itself."""
    claims = claims_of(drill)
    text = drill.jws
    page = {
        "title": _("Report of a drill"),
        "lead": _("%(site)s was withdrawn from the endpoint %(endpoint)s.")
        % {"site": drill.site.title, "endpoint": drill.endpoint.name},
        "language": (get_language() or "ko")[:2],
        "rows": rows(claims),
        "how": _("Signed text; check it with: manage.py verify_drill report.txt --keys keys.json"),
        "pieces": [text[at : at + PIECE] for at in range(0, len(text), PIECE)],
    }
    (done,) = documents.rendered(page, template=TEMPLATE)
    return done


def _unserved(claims: dict[str, Any]) -> list[tuple[str, str]]:
    """Reports of before these were counted say nothing of them."""
    if "unserved" not in claims:
        return []
    found: dict[str, int] | None = claims["unserved"]
    words = _("Refused because no site took them")
    if found is None:
        return [(words, _("Not known: no gateway told anything of that time."))]
    by_code = ", ".join(f"{UNSERVED.get(code, code)}: {count:,}" for code, count in found.items())
    told = f"{sum(found.values()):,} ({by_code})" if found else "0"
    if not claims["unserved_incomplete"]:
        return [(words, told)]
    missing = ngettext(
        "%(count)d gateway ended without telling its last count, so there may be more.",
        "%(count)d gateways ended without telling their last counts, so there may be more.",
        claims["unserved_incomplete"],
    ) % {"count": claims["unserved_incomplete"]}
    return [(words, f"{told}. {missing}")]


def _clock(text: str) -> str:
    return f"{timezone.localtime(datetime.fromisoformat(text)):%Y-%m-%d %H:%M:%S}"


def _ms(value: int | None) -> str:
    return "–" if value is None else f"{value:,} ms"


def _pair(found: dict[str, int | None]) -> str:
    return f"{_ms(found['median'])}, {_ms(found['p95'])}"


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"
