"""Which deeds are access, which are rights: one table, because the law keeps them differently long.

Access records (접속기록) two years at least, records of rights given, changed and taken three years
(개인정보의 안전성 확보조치 기준 제5조, 제8조, for those who handle sensitive data or
50,000 people); what is neither, one year by our own rule.
"""

from __future__ import annotations

from datetime import datetime

from tenants.models import EventGroup

ACCESS, RIGHTS, OTHER = EventGroup.ACCESS, EventGroup.RIGHTS, EventGroup.OTHER

# A verb by its whole name, else by what it does, else by its noun, else OTHER.
GROUPS: dict[str, EventGroup] = {
    "organization.create": RIGHTS,
    "*.read": ACCESS,
    "*.export": ACCESS,
    "*.download": ACCESS,
    "*.sign_in": ACCESS,
    "*.sign_out": ACCESS,
    "session.*": ACCESS,
    "view_as.*": ACCESS,
    "member.*": RIGHTS,
    "invitation.*": RIGHTS,
    "ownership.*": RIGHTS,
    "deputy.*": RIGHTS,
    "review.*": RIGHTS,
    "policy.*": RIGHTS,
    "domain.*": RIGHTS,
    "account.*": RIGHTS,
    "key.*": RIGHTS,
    "approval.matrix": RIGHTS,
    "support.consent": RIGHTS,
    "support.withdraw": RIGHTS,
}
# Months: the least by law or rule, and what an organization begins with.
LEAST_MONTHS = {ACCESS: 24, RIGHTS: 36, OTHER: 12}
FIRST_MONTHS = {ACCESS: 24, RIGHTS: 36, OTHER: 36}
MOST_MONTHS = 120


def group_of(verb: str) -> EventGroup:
    """The group of an event's verb, such as ``member.add``."""
    noun, _, deed = verb.partition(".")
    for name in (verb, f"*.{deed}", f"{noun}.*"):
        if name in GROUPS:
            return GROUPS[name]
    return OTHER


def months_before(now: datetime, months: int) -> datetime:
    """The same moment ``months`` earlier; the last day of a shorter month."""
    index = now.year * 12 + now.month - 1 - months
    year, month = divmod(index, 12)
    for day in (now.day, 30, 29, 28):
        try:
            return now.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    raise AssertionError
