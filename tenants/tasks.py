"""Workers' doors to people and rights: the audit log, access reviews, mails, proposals,
customers that the registry of businesses is to be asked about, support,
copies of personal data, and what is too old to keep."""

from celery import shared_task
from django.utils import timezone

from tenants import (
    digests,
    inbox,
    key_watch,
    mails,
    pruning,
    retention,
    sealing,
    sending,
    verifying,
)
from tenants.actions import checks, exports, proposals, reviews
from tenants.registry.chosen import registry
from tenants.support import sweeps


@shared_task
def seal_audit() -> None:
    """Every 20 seconds: new events into their chains."""
    sealing.sweep(now=timezone.now())


@shared_task
def verify_audit() -> None:
    """Every minute: the chain that was not verified for the longest time, a day at least."""
    verifying.verify_next(now=timezone.now())


@shared_task
def prune_audit() -> None:
    """Hourly: what has been kept for as long as it must be."""
    pruning.sweep(now=timezone.now())


@shared_task
def send_mails() -> None:
    """Carry what is due in the outbox to the mail server."""
    sending.send_due(now=timezone.now())


@shared_task
def send_digests() -> None:
    """Daily mails of those whose hour has come."""
    digests.send_due(now=timezone.now())


@shared_task
def forget_old_notices() -> None:
    """Notices that were read a year ago; texts of mails after 30 days."""
    inbox.forget_old(now=timezone.now())
    mails.forget_old(now=timezone.now())


@shared_task
def announce_keys() -> None:
    """Daily: tell of keys that end soon and of keys that nobody uses."""
    key_watch.announce(now=timezone.now())


@shared_task
def expire_proposals() -> None:
    """Close proposals that nobody decided within their week."""
    proposals.expire_due(now=timezone.now())


@shared_task
def review_access() -> None:
    """Hourly: the quarter's access reviews are opened, and those that are overdue told of."""
    now = timezone.now()
    reviews.open_due(now=now)
    reviews.announce_overdue(now=now)


@shared_task
def ask_registry() -> None:
    """Those that are due: new ones at once, all others each night, silence again after a pause."""
    checks.sweep(registry=registry(), now=timezone.now())


@shared_task
def sweep_support() -> None:
    """Each minute: overdue requests are announced, and those solved 14 days ago closed."""
    now = timezone.now()
    sweeps.announce_overdue(now=now)
    sweeps.close_solved(now=now)


@shared_task
def make_exports() -> None:
    """Make the copies that people wait for."""
    for export in exports.waiting():
        exports.make(export, now=timezone.now())


@shared_task
def sweep_retention() -> None:
    """Remove what is older than its rule allows."""
    retention.sweep(timezone.now())
