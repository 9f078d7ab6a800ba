"""Shape, word and tone of every state: one table for all pages."""

from __future__ import annotations

from typing import TypedDict

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, pgettext_lazy

from tenants.models import RaiseState


class State(TypedDict):
    """What ``components/state.html`` shows."""

    tone: str
    mark: str
    text: str | Promise


def _state(tone: str, mark: str, text: str | Promise) -> State:
    return {"tone": tone, "mark": mark, "text": text}


ENDPOINT = {
    "ready": _state("ok", "ok", _("Ready")),
    "degraded": _state("warn", "warn", _("Partly ready")),
    "deploying": _state("info", "half", _("Being deployed")),
    "waiting": _state("info", "wait", _("Waiting for the site")),
    "failing": _state("bad", "bad", _("Failing")),
    "stopping": _state("", "half", _("Being stopped")),
    "stopped": _state("", "off", _("Stopped")),
    "pausing": _state("", "half", _("Being paused")),
    "paused": _state("", "pause", _("Paused")),
    "asleep": _state("", "pause", _("Asleep: the first request wakes it")),
    "funding_hold": _state("warn", "pause", _("Paused: budget used up")),
    "operator_hold": _state("warn", "pause", _("Paused by the operator")),
}
UNCHARGED = {  # reserved cards on which nothing ran and that are not charged
    "silent": _("The site did not answer"),
    "closed": _("The site took no new work"),
    "cards": _("The site could not give them: cards had failed"),
}
ROLLOUT = {
    "running": _state("info", "half", _("Replicas are being replaced")),
    "back": _state("warn", "half", _("Being rolled back")),
    "done": _state("ok", "ok", _("All replicas are new")),
    "rolled_back": _state("warn", "warn", _("Rolled back")),
    "abandoned": _state("", "off", _("Given up")),
}
DRILL = {
    "booked": _state("info", "wait", pgettext_lazy("drill", "Booked")),
    "running": _state("warn", "half", pgettext_lazy("drill", "The site is withdrawn")),
    "ended": _state("ok", "ok", pgettext_lazy("drill", "Ended")),
    "called_off": _state("warn", "warn", pgettext_lazy("drill", "Called off")),
    "cancelled": _state("", "off", pgettext_lazy("drill", "Cancelled")),
}
OWN_MODEL = {
    "registered": _state("info", "wait", pgettext_lazy("own model", "Waits for its check")),
    "checking": _state("info", "half", pgettext_lazy("own model", "Being checked")),
    "admitted": _state("ok", "ok", pgettext_lazy("own model", "Admitted")),
    "refused": _state("bad", "bad", pgettext_lazy("own model", "Refused")),
    "withdrawn": _state("", "off", pgettext_lazy("own model", "Withdrawn")),
}
QUOTA_RAISE = {
    "open": _state("info", "wait", RaiseState.OPEN.label),
    "granted": _state("ok", "ok", RaiseState.GRANTED.label),
    "refused": _state("bad", "bad", RaiseState.REFUSED.label),
    "withdrawn": _state("", "off", RaiseState.WITHDRAWN.label),
}
RESERVATION = {
    "awaiting": _state("info", "wait", _("Waits for approval")),
    "coming": _state("info", "wait", pgettext_lazy("reservation", "Reserved")),
    "running": _state("ok", "ok", pgettext_lazy("reservation", "Now")),
    "over": _state("", "half", pgettext_lazy("reservation", "Over, being counted")),
    "ended": _state("", "off", pgettext_lazy("reservation", "Ended")),
    "cancelled": _state("", "off", pgettext_lazy("reservation", "Cancelled")),
}
PLACEMENT = {
    "wanted": _state("info", "wait", _("Waiting for the site")),
    "starting": _state("info", "half", _("Engine is starting")),
    "ready": _state("ok", "ok", _("Ready")),
    "failed": _state("bad", "bad", _("Failed")),
    "stopping": _state("", "half", _("Being stopped")),
    "stopped": _state("", "off", _("Stopped")),
}
ETAX = {
    "blocked": _state("warn", "warn", pgettext_lazy("e-tax", "Needs a hand")),
    "prepared": _state("info", "wait", pgettext_lazy("e-tax", "Prepared")),
    "issued": _state("info", "half", pgettext_lazy("e-tax", "Issued")),
    "sent": _state("info", "half", pgettext_lazy("e-tax", "Sent to the tax service")),
    "accepted": _state("ok", "ok", pgettext_lazy("e-tax", "Accepted by the tax service")),
    "rejected": _state("bad", "bad", pgettext_lazy("e-tax", "Rejected by the tax service")),
    "amended": _state("", "off", pgettext_lazy("e-tax", "Amended")),
    "elsewhere": _state("ok", "ok", pgettext_lazy("e-tax", "Issued elsewhere")),
    "waived": _state("", "off", pgettext_lazy("e-tax", "Not due")),
}
JOB = {
    "validating": _state("info", "half", pgettext_lazy("job", "Being read and priced")),
    "in_progress": _state("info", "half", pgettext_lazy("job", "Running")),
    "finalizing": _state("info", "half", pgettext_lazy("job", "Files are being written")),
    "completed": _state("ok", "ok", pgettext_lazy("job", "Completed")),
    "failed": _state("bad", "bad", pgettext_lazy("job", "Refused")),
    "expired": _state("warn", "warn", pgettext_lazy("job", "Expired")),
    "cancelling": _state("", "half", pgettext_lazy("job", "Being cancelled")),
    "cancelled": _state("", "off", pgettext_lazy("job", "Cancelled")),
}
SITE = {
    "ready": _state("ok", "ok", _("Healthy")),
    "degraded": _state("warn", "warn", _("Degraded")),
    "unreachable": _state("bad", "bad", _("Silent")),
    "lost": _state("bad", "bad", pgettext_lazy("site", "Lost")),
    "returned": _state("info", "half", pgettext_lazy("site", "Back, being compared")),
    "waiting": _state("info", "wait", _("Not seen yet")),
}
# What the operator wants of a site, whatever its health is.
CONDITION = {
    "open": _state("ok", "ok", pgettext_lazy("site", "Open")),
    "cordoned": _state("warn", "pause", _("Takes no new work")),
    "draining": _state("warn", "half", _("Being drained")),
    "maintenance": _state("", "pause", _("In maintenance")),
    "retired": _state("", "off", pgettext_lazy("site", "Retired")),
}
# How far a replica is that has to leave its site.
LEAVING = {
    "here": _state("", "ok", _("Stays")),
    "held": _state("", "pause", _("Paused with its endpoint")),
    "asked": _state("info", "half", _("Its replacement starts")),
    "finishing": _state("info", "half", _("Finishes its requests")),
    "stuck": _state("bad", "warn", _("Finds no room")),
}
KEY = {
    "live": _state("ok", "ok", _("Live")),
    "expired": _state("", "off", _("Expired")),
    "revoked": _state("", "off", _("Revoked")),
}
ALIAS = {
    "known": _state("ok", "ok", pgettext_lazy("alias", "In use")),
    "lost": _state("warn", "warn", _("Its target is gone")),
    "hidden": _state("warn", "warn", _("Hidden by a real name")),
}
# How a key stands at the gateway, as its limits page says it.
LIMITS = {
    "live": _state("ok", "ok", _("Live")),
    "away": _state("bad", "bad", _("The counters do not answer")),
    "closed": _state("warn", "pause", _("The counters are being checked")),
    "unpublished": _state("info", "wait", _("Not known to the gateway yet")),
    "revoked": _state("", "off", _("Revoked")),
    "expired": _state("", "off", _("Expired")),
    "ended": _state("", "off", _("Project or organization ended")),
}
SEVERITY = {
    "info": _state("info", "info", pgettext_lazy("notice", "For information")),
    "warning": _state("warn", "warn", pgettext_lazy("notice", "Warning")),
    "urgent": _state("bad", "bad", pgettext_lazy("notice", "Urgent")),
}
INVITATION = {
    "open": _state("info", "wait", _("Sent")),
    "expired": _state("warn", "warn", _("Expired")),
    "accepted": _state("ok", "ok", _("Accepted")),
    "revoked": _state("", "off", _("Revoked")),
}
DEPUTY = {
    "coming": _state("info", "wait", _("Not yet")),
    "active": _state("ok", "ok", _("Stands in now")),
    "over": _state("", "off", _("Over")),
    "revoked": _state("", "off", _("Ended early")),
}
AGREEMENT = {
    "coming": _state("info", "wait", pgettext_lazy("agreement", "Begins later")),
    "active": _state("ok", "ok", pgettext_lazy("agreement", "Holds")),
    "over": _state("", "off", pgettext_lazy("agreement", "Over")),
}
REVIEW = {
    "open": _state("info", "half", _("Being decided")),
    "overdue": _state("warn", "warn", _("Overdue")),
    "signed": _state("ok", "ok", _("Signed")),
}
EVIDENCE = {
    "measured": _state("ok", "ok", _("Measured here")),
    "claimed": _state("", "claim", _("Claimed by the vendor")),
    "failing": _state("bad", "bad", _("Failing")),
    "reverify": _state("warn", "wait", _("To be verified again")),
    "simulated": _state("", "mock", _("Ran on simulated hardware")),
}

# Reasons that sites and workers give, so that they are translated where they are shown. A reason
# that is not here is shown as it came.
REASONS = (
    gettext_noop("Asked for."),
    gettext_noop("The engine is starting."),
    gettext_noop("The engine answers."),
    gettext_noop("The engine is being started again."),
    gettext_noop("No longer wanted."),
    gettext_noop("No longer wanted; the site is stopping it."),
    gettext_noop("The site confirms that it no longer runs."),
    gettext_noop("The site does not run it; asked again."),
    gettext_noop("The weights here have another digest than the wanted ones."),
    gettext_noop("The site runs other weights than the ordered ones: their digest differs."),
    gettext_noop("A new replica has failed."),
    gettext_noop(
        "The new replicas gave fewer than 20 answers at the share before: a small sample."
    ),
    gettext_noop("A new replica was not ready within 10 minutes."),
    gettext_noop("No site had room for another new replica for 10 minutes."),
    gettext_noop("It took longer than two hours."),
    gettext_noop("The new replicas answer with errors."),
    gettext_noop("The new replicas begin to answer much later than the old ones."),
    gettext_noop("Rolled back by hand."),
    gettext_noop("The endpoint was paused or stopped."),
    gettext_noop("Its bounds of scaling were changed."),
    gettext_noop("Refused."),
    gettext_noop("Withdrawn."),
    gettext_noop("All have approved."),
    gettext_noop("Nobody decided in time."),
    gettext_noop("Asked again on the terms of now."),
    gettext_noop("Nobody has to approve it on these terms."),
    gettext_noop("Carried out on the approved terms."),
    gettext_noop("The site tells another version of its SDK."),
    gettext_noop("The site is back at the version under which it was verified."),
    gettext_noop("Price or terms have changed since it was asked for."),
)
# Whether an offering's evidence stands at one site.
AT_SITE = {
    "verified": _state("ok", "ok", _("Verified again")),
    "reverify": _state("warn", "wait", _("To be verified again")),
    "failing": _state("bad", "bad", _("Failing")),
}
CUSTOMER = {
    "active": _state("ok", "ok", _("Active")),
    "suspended": _state("bad", "pause", _("Suspended")),
}
REGISTRATION = {
    "pending_registry": _state("info", "wait", _("Being checked")),
    "active": _state("ok", "ok", _("Confirmed")),
    "suspended": _state("warn", "pause", _("Business suspended")),
    "closed": _state("bad", "bad", _("Business closed")),
    "unverifiable": _state("warn", "warn", _("Not confirmed")),
}
DOCUMENT = {
    "waiting": _state("info", "wait", _("Waiting for the operator")),
    "accepted": _state("ok", "ok", _("Accepted")),
    "returned": _state("warn", "warn", _("Asked back")),
}
APPROVAL = {
    "waiting": _state("info", "wait", pgettext_lazy("approval", "Waiting for approval")),
    "approved": _state("info", "half", pgettext_lazy("approval", "Approved, being carried out")),
    "done": _state("ok", "ok", pgettext_lazy("approval", "Approved and carried out")),
    "failed": _state("bad", "bad", pgettext_lazy("approval", "Approved, but not carried out")),
    "changed": _state("warn", "warn", _("Price or terms have changed")),
    "refused": _state("", "off", pgettext_lazy("approval", "Refused")),
    "withdrawn": _state("", "off", pgettext_lazy("approval", "Withdrawn")),
    "expired": _state("", "off", pgettext_lazy("approval", "Expired")),
}
MONTH_CLOSE = {
    "rating": _state("info", "half", _("Counting use")),
    "drafting": _state("info", "half", _("Drafting invoices")),
    "review": _state("warn", "wait", _("Review by customers")),
    "finalising": _state("info", "half", _("Issuing invoices")),
    "done": _state("ok", "ok", pgettext_lazy("month", "Done")),
}
DRAFT = {
    "stale": _state("info", "wait", _("Waits to be drafted")),
    "drafted": _state("info", "half", _("Drafted")),
    "held": _state("warn", "pause", _("Held by an objection")),
    "nothing": _state("", "off", _("Nothing to bill")),
    "failed": _state("bad", "bad", pgettext_lazy("month", "Set aside")),
    "issued": _state("ok", "ok", pgettext_lazy("invoice", "Issued")),
}
PAYMENT = {
    "waiting": _state("info", "wait", _("Waiting for payment")),
    "overdue": _state("warn", "warn", pgettext_lazy("invoice", "Overdue")),
    "settled": _state("ok", "ok", _("Nothing left to pay")),
}
PROPOSAL = {
    "open": _state("info", "wait", _("Waiting for a second person")),
    "approved": _state("ok", "ok", _("Approved and carried out")),
    "rejected": _state("", "off", _("Rejected")),
    "expired": _state("", "off", _("Expired")),
}
REQUEST = {
    "new": _state("info", "wait", pgettext_lazy("request", "New")),
    "with_operator": _state("info", "half", _("Waiting for the operator")),
    "with_customer": _state("warn", "pause", _("Waiting for the customer")),
    "solved": _state("ok", "ok", pgettext_lazy("request", "Solved")),
    "closed": _state("", "off", pgettext_lazy("request", "Closed")),
}
INCIDENT = {
    "open": _state("warn", "warn", _("Going on")),
    "over": _state("", "ok", pgettext_lazy("incident", "Over")),
}
# How a request to a model ended, as the ledger keeps it.
ANSWER = {
    "answered": _state("ok", "ok", pgettext_lazy("answer", "Answered")),
    "cut_short": _state("warn", "warn", _("Cut short")),
    "client_left": _state("", "off", _("Client left")),
    "site_failed": _state("bad", "bad", _("Site failed")),
}
FISCAL_YEAR = {
    "planned": _state("info", "wait", _("Being planned")),
    "open": _state("ok", "ok", pgettext_lazy("fiscal year", "Open")),
    "settling": _state("warn", "half", _("Being settled")),
    "over": _state("warn", "warn", _("Waits for its close")),
    "closed": _state("", "off", pgettext_lazy("fiscal year", "Closed")),
}
TRANSFER = {
    "approved": _state("ok", "ok", pgettext_lazy("transfer", "Approved")),
    "rejected": _state("", "off", pgettext_lazy("transfer", "Rejected")),
}
# Payments: a charge of the card, a refund, a deposit, a line of a statement before it is booked.
CHARGE = {
    "wanted": _state("info", "half", _("Being sent")),
    "processing": _state("info", "half", _("Being processed")),
    "action": _state("warn", "warn", _("Waits for your confirmation")),
    "paid": _state("ok", "ok", _("Paid")),
    "failed": _state("bad", "bad", _("Refused")),
    "canceled": _state("", "off", _("Canceled")),
}
FUNDING = {
    "active": _state("ok", "ok", _("In use")),
    "coming": _state("info", "wait", _("Begins later")),
    "empty": _state("", "off", _("Used up")),
    "expired": _state("warn", "warn", _("Expired")),
    "ended": _state("", "off", _("Ended")),
}
REFUND = {
    "wanted": _state("info", "wait", _("Decided, not yet paid out")),
    "sent": _state("info", "half", _("On its way")),
    "done": _state("ok", "ok", _("Paid out")),
    "failed": _state("bad", "bad", _("Failed: it is credit again")),
}
DEPOSIT = {
    "open": _state("warn", "wait", _("Waits for somebody")),
    "matched": _state("ok", "ok", _("Booked for a customer")),
    "payout": _state("", "off", _("The card processor's payout")),
    "returned": _state("", "off", _("Sent back by the bank")),
}
PREVIEW = {
    "matched": _state("ok", "ok", _("Found its customer")),
    "open": _state("warn", "wait", _("Goes into the queue")),
    "known": _state("", "off", _("Booked before: left out")),
    "twin": _state("warn", "warn", _("Says the same as another line: left out")),
}
_DISPUTE = {
    "needs_response": _state("bad", "warn", _("An answer is due")),
    "warning_needs_response": _state("warn", "warn", _("An answer is due")),
    "under_review": _state("info", "half", _("Under review")),
    "warning_under_review": _state("info", "half", _("Under review")),
    "won": _state("ok", "ok", _("Won")),
    "lost": _state("bad", "bad", _("Lost")),
}


def dispute(word: str) -> State:
    """The processor's word; one that nobody knows is shown as it is."""
    return _DISPUTE.get(word) or _state("info", "half", word)


def of_transfer(state: str, approval: str | None) -> State:
    """Of a transfer between budget lines: while it waits, that of its request."""
    return TRANSFER[state] if state in TRANSFER else APPROVAL[approval or "waiting"]
