"""A drill's report in a reader's words: for the page, and as a PDF of the same rows."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from billing import documents
from portal.deployments.models import Drill
from portal.lib import jws

TEMPLATE = Path("templates/drills/report.typ")
PIECE = 12  # characters of the signed text between which a line may break


def claims_of(drill: Drill) -> dict[str, Any]:
    """What its report says; empty until it is signed."""
    return jws.payload(drill.jws) if drill.jws else {}


def rows(claims: dict[str, Any]) -> list[tuple[str, str]]:
    """Each figure with its words, in order."""
    tokens = claims["first_token_ms"]
    by_site = ", ".join(f"{site} {count:,}" for site, count in claims["answered_by"].items())
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


def pdf(drill: Drill) -> bytes:
    """Of a signed report, with the signed text itself."""
    claims = claims_of(drill)
    text = drill.jws
    page = {
        "title": _("Report of a drill"),
        "lead": _("%(site)s was withdrawn from the endpoint %(endpoint)s.")
        % {"site": claims["site"], "endpoint": claims["endpoint"]},
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
    by_code = ", ".join(f"{code} {count:,}" for code, count in found.items())
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
