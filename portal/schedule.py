"""What beat starts, and how often. A nudge that nobody took in time expires: the next one finds
the same rows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery.beat import Scheduler
from celery.schedules import crontab, schedule

MINUTE, HOUR = 60, 3600
CATCH_UP = timedelta(hours=6)  # late, and not at night


def _every(seconds: int, task: str) -> dict[str, Any]:
    return {"task": task, "schedule": float(seconds), "options": {"expires": seconds}}


def _at(task: str, moment: crontab) -> dict[str, Any]:
    """At a time of the day in Korea (``CELERY_TIMEZONE``)."""
    return {"task": task, "schedule": moment, "options": {"expires": HOUR}}


SCHEDULE = {
    "sweep-rollouts": _every(2, "portal.routing.tasks.sweep_rollouts"),
    "sweep-sizes": _every(2, "portal.routing.tasks.sweep_sizes"),
    "follow-opening-hours": _every(10, "portal.deployments.tasks.follow_opening_hours"),
    "sweep-drills": _every(2, "portal.deployments.tasks.sweep_drills"),
    "sweep-sites": _every(2, "portal.provisioning.tasks.sweep"),
    "watch-sites": _every(2, "portal.provisioning.tasks.watch"),
    "accrue-card-time": _every(MINUTE, "portal.deployments.tasks.accrue"),
    "tell-of-room": _every(MINUTE, "portal.deployments.tasks.tell_of_room"),
    "sweep-own-models": _every(30, "portal.deployments.tasks.sweep_own_models"),
    "forget-logs": _every(HOUR, "portal.deployments.tasks.forget_logs"),
    "repair-commitments": _every(MINUTE, "portal.deployments.tasks.repair_commitments"),
    "take-unserved": _every(2, "portal.usage.tasks.take_unserved"),
    "forget-unserved": _every(HOUR, "portal.usage.tasks.forget_unserved"),
    "note-key-use": _every(MINUTE, "portal.usage.tasks.note_key_use"),
    "sweep-jobs": _every(3, "portal.jobs.tasks.sweep"),
    "sweep-job-files": _every(HOUR, "portal.jobs.tasks.sweep_files"),
    "seal-audit": _every(20, "tenants.tasks.seal_audit"),
    "verify-audit": _every(MINUTE, "tenants.tasks.verify_audit"),
    "prune-audit": _every(HOUR, "tenants.tasks.prune_audit"),
    "review-access": _every(HOUR, "tenants.tasks.review_access"),
    "ask-registry": _every(15, "tenants.tasks.ask_registry"),
    "accrue-use": _every(HOUR, "billing.tasks.accrue"),
    "sweep-approvals": _every(MINUTE, "portal.deployments.tasks.sweep_approvals"),
    "tell-budgets": _every(MINUTE, "billing.tasks.tell_budgets"),
    "tell-of-prices": _every(MINUTE, "billing.tasks.tell_of_prices"),
    "sweep-etax": _every(MINUTE, "billing.tasks.sweep_etax"),
    "look-at-etax-certificate": _every(HOUR, "billing.tasks.look_at_etax_certificate"),
    "raise-budget-lines": _every(MINUTE, "billing.tasks.raise_lines"),
    "book-fiscal-usage": _every(HOUR, "billing.tasks.book_usage"),
    "read-provider-events": _every(MINUTE, "billing.tasks.read_provider_events"),
    "sweep-payments": _every(MINUTE, "billing.tasks.sweep_payments"),
    "reconcile-cards": _every(HOUR, "billing.tasks.reconcile_cards"),
    "close-month": _every(MINUTE, "portal.deployments.tasks.close_last_month"),
    "deliver-invoices": _every(MINUTE, "billing.tasks.deliver_invoices"),
    "sweep-prepaid": _every(HOUR, "billing.tasks.sweep_prepaid"),
    "remind-of-invoices": _every(HOUR, "billing.tasks.remind_of_invoices"),
    "send-mails": _every(5, "tenants.tasks.send_mails"),
    "send-digests": _every(300, "tenants.tasks.send_digests"),
    "forget-old-notices": _every(HOUR, "tenants.tasks.forget_old_notices"),
    "announce-keys": _at("tenants.tasks.announce_keys", crontab(hour="9", minute="10")),
    "expire-proposals": _every(300, "tenants.tasks.expire_proposals"),
    "sweep-support": _every(MINUTE, "tenants.tasks.sweep_support"),
    "make-exports": _every(MINUTE, "tenants.tasks.make_exports"),
    "sweep-retention": _every(HOUR, "tenants.tasks.sweep_retention"),
    "end-accounts-and-organizations": _every(MINUTE, "portal.routing.tasks.sweep_endings"),
}


class AllDue(Scheduler):
    """When it begins, everything that is done every so often is due: each task is a sweep that
    finds what there is. So it keeps no file of what it did last, as Celery's own does: on SQLite
    that one may end with "locking protocol" on a busy machine, and then nobody asks any site."""

    def setup_schedule(self) -> None:
        """What has its time of the day is caught up with for some hours after it."""
        super().setup_schedule()
        for entry in self.schedule.values():
            ago = timedelta(days=1) if type(entry.schedule) is schedule else CATCH_UP
            entry.last_run_at = self.app.now() - ago
