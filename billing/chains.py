"""Which budgets count what a key uses: the chain that its grant carries. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from portal.lib.periods import seoul_date

if TYPE_CHECKING:
    from billing.models import Budget
    from tenants.models import Organization

_ORDER = {"month": 0, "year": 1, "running": 2}


class Chains:
    """The chains of one organization or of many, from their current budgets at a moment."""

    def __init__(self, budgets: Iterable[Budget], *, now: datetime) -> None:
        today = seoul_date(now)
        self._year = today.year
        self._own: dict[str, list[str]] = defaultdict(list)
        self._lines: dict[int, list[Budget]] = defaultdict(list)
        self._of_project: dict[tuple[int, str], tuple[str, ...]] = {}
        for one in sorted(budgets, key=lambda one: (_ORDER[one.kind], one.pk)):
            if one.starts_on is not None and one.starts_on > today:
                continue  # begins by the publisher's next look at that day
            if one.scope == "line":
                self._lines[one.organization_id].append(one)
            else:
                self._own[one.subject].append(one.name)

    def of(self, organization: Organization, project: str = "", key: str = "") -> tuple[str, ...]:
        """Names for a grant or an order, widest first and each once. The organization is never
        without: where it has no budget, its name is unknown to admission, which refuses."""
        names = self._of_project.get((organization.pk, project))
        if names is None:
            found = [
                *(self._own.get(organization.public_id) or [organization.public_id]),
                *self._of_lines(organization.pk, project),
                *self._own.get(project, ()),
            ]
            names = self._of_project[organization.pk, project] = tuple(dict.fromkeys(found))
        own = self._own.get(key)
        return tuple(dict.fromkeys((*names, *own))) if own else names

    def known(self, organization: Organization, project: str = "") -> tuple[str, ...]:
        """The same for an order, without the name that admission does not know."""
        found = self.of(organization, project)
        return found if self._own.get(organization.public_id) else found[1:]

    def _of_lines(self, organization: int, project: str) -> Iterator[str]:
        for line in self._paying(organization, project):
            yield line.name

    def _paying(self, organization: int, subject: str) -> list[Budget]:
        """The lines that pay for a project in this year; else those of the last year that did,
        whose names have nothing any more: the project is refused by a name that people know."""
        found = [
            one
            for one in self._lines[organization]
            if (one.year or self._year) <= self._year and (not one.covers or subject in one.covers)
        ]
        last = max((one.year or self._year for one in found), default=0)
        return [one for one in found if (one.year or self._year) == last]

    def more(self, organizations: Mapping[int, str]) -> dict[str, tuple[str, ...]]:
        """By subject: the budgets that count what it uses, but for that of its own name. Events
        that come late know their subjects only. ``organizations``: public ids by number."""
        found: dict[str, list[str]] = {
            subject: [name for name in names if name != subject]
            for subject, names in self._own.items()
        }
        for organization, lines in self._lines.items():
            for line in lines:
                for subject in line.covers or [organizations[organization]]:
                    if line in self._paying(organization, subject):
                        found.setdefault(subject, []).append(line.name)
        return {subject: tuple(dict.fromkeys(names)) for subject, names in found.items() if names}
