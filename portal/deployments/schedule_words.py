"""What is wrong with opening hours, and what was done to the number of replicas, in sentences."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.deployments.models import ScaleStep
from portal.deployments.schedules import MOST_DATES, MOST_SPANS, BadSchedule, Fault

DAYS = {
    "mon": gettext_lazy("Monday"),
    "tue": gettext_lazy("Tuesday"),
    "wed": gettext_lazy("Wednesday"),
    "thu": gettext_lazy("Thursday"),
    "fri": gettext_lazy("Friday"),
    "sat": gettext_lazy("Saturday"),
    "sun": gettext_lazy("Sunday"),
}
FAULTS: Mapping[Fault, object] = {
    "shape": gettext_lazy("Give hours by weekday, each with a list such as 09:00-18:00."),
    "weekday": gettext_lazy("“%(where)s” is no weekday. Write mon, tue, wed, thu, fri, sat, sun."),
    "span": gettext_lazy("%(where)s: “%(text)s” is no time of day. Write it like 09:00-18:00."),
    "length": gettext_lazy("%(where)s: “%(text)s” begins and ends at the same time."),
    "many": gettext_lazy("%(where)s: at most %(most)d spans fit in a day."),
    "overlap": gettext_lazy("%(where)s: %(text)s overlap. Make one span of them."),
    "date": gettext_lazy("“%(where)s” is no date. Write it like 2026-12-24."),
    "dates": gettext_lazy("At most %(most)d dates can have hours of their own."),
    "empty": gettext_lazy("It would never open. Pause the endpoint instead."),
}
STEPS = {
    "waiting": gettext_lazy("%(count)d waiting"),
    "busy": gettext_lazy("%(count)d requests in flight"),
    "quiet": gettext_lazy("fewer were asked for during the whole cool-down"),
    "idle": gettext_lazy("nobody asked; asleep"),
    "woken": gettext_lazy("woken by a request"),
    "fixed": gettext_lazy("fixed by hand"),
    "bounds": gettext_lazy("by its bounds"),
    "opened": gettext_lazy("opened by its hours"),
    "closed": gettext_lazy("closed by its hours"),
    "no_money": gettext_lazy("the budget has no room to open it; tried again"),
    "no_room": gettext_lazy("no site has room for more now; tried again"),
}


def fault(error: BadSchedule) -> str:
    """For the reader."""
    most = MOST_DATES if error.fault == "dates" else MOST_SPANS
    where = str(DAYS.get(error.where, error.where))
    sentence = str(FAULTS[error.fault])
    return sentence % {"where": where, "text": error.text, "most": most}


def step(one: ScaleStep) -> str:
    """Such as “3 → 4: 12 waiting”."""
    words = str(STEPS[one.because]) % {"count": one.count}
    if one.before == one.after:
        return words
    return _("%(before)d → %(after)d: %(words)s") % {
        "before": one.before,
        "after": one.after,
        "words": words,
    }
