"""What a row of the break-in list is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cut:
    """A piece of the source that keeps somebody out, and what stands there without it.

    ``old`` stands exactly once in the file.
    """

    path: str
    old: str
    new: str = ""


@dataclass(frozen=True)
class Attempt:
    """``guard`` is ``module:name``, ``test`` is ``file::name``. More than one cut: one guard
    stands behind the other, and only without all of them the attempt would succeed."""

    what: str
    guard: str
    test: str
    cuts: tuple[Cut, ...]


def attempt(what: str, guard: str, test: str, *cuts: Cut) -> Attempt:
    return Attempt(what, guard, f"tests/{test}", cuts)


def setting(old: str, new: str) -> Cut:
    return Cut("portal/settings.py", old, new)


# The wall has two guards for what a door asks: the query's own filter, and PostgreSQL's policy.
NO_WALL = (
    Cut(
        "tenants/models/organizations.py",
        "rows = self.filter(organization=actor.organization)",
        "rows = self.all()",
    ),
    Cut(
        "tenants/actors.py",
        "return rls.tenant(actor.organization.pk, user_id=actor.user.pk if actor.user else None)",
        'return rls.everyone(because="the wall is taken away")',
    ),
)
