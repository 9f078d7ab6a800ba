"""Names of budgets, as chains, counters and limits of admission know them. Pure.

A subject is the public id of what a budget is for: an organization, a project, a key, or a line of
a fiscal budget. It may have one budget of each kind of period; in a chain each has its own name:

=========  ==========================  ==========================  ====================
kind       name in a chain             name of its limit           counts in the period
=========  ==========================  ==========================  ====================
month      ``org_a``                   ``org_a`` (every month)     ``2026-11``
year       ``org_a@year``              ``org_a@2026`` (that one)   ``2026``
running    ``org_a@bdg_1``             ``org_a@bdg_1``             ``running``
=========  ==========================  ==========================  ====================

Years are fiscal years, which are calendar years in Seoul. What has no end counts under the id of
its own budget, so that the next one of the same subject begins at nothing.
"""

from __future__ import annotations

from typing import Literal

Kind = Literal["month", "year", "running"]
RUNNING = "running"
_YEAR = "@year"


def name_of(kind: Kind, subject: str, budget: str = "") -> str:
    """The name in a chain; ``budget``, its public id, counts for what has no end only."""
    if kind == "running":
        return f"{subject}@{budget}"
    return f"{subject}{_YEAR}" if kind == "year" else subject


def limit_name(name: str, year: int) -> str:
    """The name of a budget's limit in a year."""
    return f"{subject_of(name)}@{year:04d}" if kind_of(name) == "year" else name


def kind_of(name: str) -> Kind:
    """How a budget counts, by its name in a chain."""
    if "@" not in name:
        return "month"
    return "year" if name.endswith(_YEAR) else "running"


def subject_of(name: str) -> str:
    """The public id of what the budget is for."""
    return name.partition("@")[0]


def period_in(kind: Kind, month: str) -> str:
    """The period of a kind in which a month (``2026-11``) lies."""
    if kind == "running":
        return RUNNING
    return month[:4] if kind == "year" else month
