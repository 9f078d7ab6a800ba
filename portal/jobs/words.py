"""Why a job moved or waits: written in English, shown in the reader's language."""

from __future__ import annotations

from django.utils.translation import gettext_noop

READING = gettext_noop("Its lines are being read and priced.")
PRICED = gettext_noop("Priced, and its money is set aside.")
CANCELLED = gettext_noop("Cancelled by a member or a program.")
KEY_OVER = gettext_noop("Its API key is no longer valid.")
FILE_LOST = gettext_noop("Its input file is not there any more.")
THROUGH = gettext_noop("Every line has its result.")
TIME_OVER = gettext_noop("Its 24 hours are over.")
WRITTEN = gettext_noop("Its files are written.")

# By ``Job.waits_because``.
WAITS = {
    "room": gettext_noop(
        "It waits: jobs run on what interactive requests leave, and within the key's limits."
    ),
    "budget": gettext_noop(
        "It waits: a budget has no room for the next line. An owner or budget officer can raise "
        "the limit; it then goes on by itself."
    ),
    "gateway": gettext_noop("It waits: the gateway cannot be reached at the moment."),
}
