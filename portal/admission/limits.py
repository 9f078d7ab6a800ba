"""What holds for a key now, what is used of it, and which rule would refuse next. Pure.

Read in one round trip and changed by none: the same counters that admission asks, in its order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from portal.admission import chain
from portal.admission.calls import BudgetStanding, Command
from portal.admission.grants import Grant, decode
from portal.admission.keys import tag

Kind = Literal[
    "closed",
    "unpublished",
    "revoked",
    "expired",
    "scope",
    "unconfirmed",
    "models",
    "sites",
    "rate",
    "tokens",
    "concurrency",
    "budget_unknown",
    "budget",
]


class KeyUse(msgspec.Struct, frozen=True):
    """One key as admission sees it. Windows are of this clock minute."""

    published: bool = False
    revoked: bool = False
    expires_at_ms: int = 0  # 0: never
    rpm: int = 0
    concurrency: int = 0
    chain: tuple[str, ...] = ()
    requests: int = 0
    tokens: int = 0  # worst cases of this minute's requests
    open: int = 0
    grant: Grant | None = None  # only of the key that it was asked for


class Reading(msgspec.Struct, frozen=True):
    """One moment of one organization's counters. Times in milliseconds, amounts in micro-won."""

    at_ms: int
    is_open: bool
    minute_left_ms: int
    month_left_ms: int
    month: str
    keys: dict[str, KeyUse]  # by SHA-256
    budgets: dict[str, BudgetStanding]  # those that were published, by name
    year_left_ms: int = 0


class Rule(msgspec.Struct, frozen=True):
    """One rule that may refuse. Counts, or micro-won of a budget; a rule without numbers has
    ``limit`` 0 and is there only because it refuses."""

    kind: Kind
    subject: str = ""  # the name of a budget (``chain``)
    used: int = 0
    limit: int = 0
    resets_ms: int = 0  # 0: not by itself

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used)

    @property
    def refuses(self) -> bool:
        """Whether the next request is refused by it, however small it is."""
        return self.used >= self.limit


def read(cell: int, sha256s: Sequence[str], *, whole: str = "") -> Command:
    """Ask how keys stand; ``whole`` is the one whose grant is wanted as well."""
    return ("FCALL", "read_limits_3", 1, tag(cell), whole, *sha256s)


def reading(reply: Any) -> Reading:
    """The answer in words."""
    at, epoch, minute_left, month_left, month, rows, budgets, year_left = reply
    return Reading(
        at_ms=int(at),
        is_open=bool(epoch),
        minute_left_ms=int(minute_left),
        month_left_ms=int(month_left),
        month=month.decode(),
        keys={row[0].decode(): _use(row[1:]) for row in rows},
        budgets={
            row[0].decode(): BudgetStanding(
                int(row[1]), row[2] == b"1", int(row[3]), int(row[4]), int(row[5])
            )
            for row in budgets
        },
        year_left_ms=int(year_left),
    )


def _use(row: Sequence[bytes]) -> KeyUse:
    if not row:
        return KeyUse()
    revoked, expires, rpm, concurrency, chain, requests, tokens, opened, blob = row
    return KeyUse(
        published=True,
        revoked=revoked == b"1",
        expires_at_ms=int(expires),
        rpm=int(rpm),
        concurrency=int(concurrency),
        chain=tuple(chain.decode().split(",")) if chain else (),
        requests=int(requests),
        tokens=int(tokens),
        open=int(opened),
        grant=decode(blob) if blob else None,
    )


def refusal(use: KeyUse, now: Reading) -> Rule | None:
    """The rule that refuses the next request, however small; the first in admission's order."""
    kind = _standing_refusal(use, now)
    if kind is not None:
        return Rule(kind)
    return next((rule for rule in rules(use, now) if rule.refuses), None)


def _standing_refusal(use: KeyUse, now: Reading) -> Kind | None:
    if not now.is_open:
        return "closed"
    if not use.published:
        return "unpublished"
    if use.revoked:
        return "revoked"
    if 0 < use.expires_at_ms <= now.at_ms:
        return "expired"
    grant = use.grant
    if grant is None:
        return None
    if not grant.inference:
        return "scope"
    if not grant.confirmed:
        return "unconfirmed"
    if not grant.models:
        return "models"
    return None if grant.sites else "sites"


def rules(use: KeyUse, now: Reading) -> Iterator[Rule]:
    """The rules that count, in admission's order. A soft budget refuses nothing."""
    yield Rule("rate", "", use.requests, use.rpm, now.minute_left_ms)
    if use.grant is not None and use.grant.tpm:
        yield Rule("tokens", "", use.tokens, use.grant.tpm, now.minute_left_ms)
    yield Rule("concurrency", "", use.open, use.concurrency)
    for subject in use.chain:
        budget = now.budgets.get(subject)
        if budget is None:
            yield Rule("budget_unknown", subject)
        elif budget.hard:
            used = budget.spent + budget.committed + budget.held
            yield Rule("budget", subject, used, budget.limit, _resets_ms(subject, now))


def _resets_ms(name: str, now: Reading) -> int:
    left = {"month": now.month_left_ms, "year": now.year_left_ms, "running": 0}
    return left[chain.kind_of(name)]


def nearest(use: KeyUse, now: Reading) -> Rule | None:
    """The rule of which the largest share is used: it would refuse next if things go on so.
    ``None`` if nothing is used of any."""
    used = [rule for rule in rules(use, now) if rule.used and rule.limit]
    # shares are compared by multiplying: no rounding, and the first of equals stays
    best: Rule | None = None
    for rule in used:
        if best is None or rule.used * best.limit > best.used * rule.limit:
            best = rule
    return best
