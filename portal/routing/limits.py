"""How a key stands, for pages and operations: what PostgreSQL says of it beside the counters.

The counters are asked once for all keys that are shown, outside of any transaction. Where they do
not answer, what stands in PostgreSQL is told and nothing is made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from billing import queries
from billing.budgets import admission
from billing.models import Budget, BudgetScope
from portal.admission import chain, limits
from portal.admission.calls import AdmissionUnavailable, BudgetStanding
from portal.admission.limits import KeyUse, Reading, Rule
from portal.lib.money import micro_to_won
from tenants.actors import Actor
from tenants.models import ApiKey, KeyMode, Organization
from tenants.roles import ROLES, Role

# live: admitted unless a number is used up. away: the counters do not answer. closed: they are
# being checked. unpublished: the gateway does not know the key yet. ended: the key lives, but its
# project or organization does not.
STATES = ("live", "away", "closed", "unpublished", "revoked", "expired", "ended")
_SCOPES = {"org": BudgetScope.ORGANIZATION, "prj": BudgetScope.PROJECT, "key": BudgetScope.KEY}


def raised_by(verb: str) -> list[str]:
    """The roles that may set a limit higher, widest first: those with the verb."""
    return [role.value for role in Role if verb in ROLES[role]]


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """One budget of a key's chain in its period, in exact won. Amounts are ``None`` where the actor
    may not see them, or nobody knows them now. ``name`` is that of admission (``chain``)."""

    name: str
    scope: str
    hard: bool
    limit: Decimal | None
    spent: Decimal | None = None
    committed: Decimal | None = None
    held: Decimal | None = None

    @property
    def subject(self) -> str:
        return chain.subject_of(self.name)

    @property
    def period(self) -> str:
        return chain.kind_of(self.name)

    @property
    def left(self) -> Decimal | None:
        """Below zero where a soft budget is passed."""
        if self.limit is None or self.spent is None:
            return None
        return self.limit - self.spent - (self.committed or 0) - (self.held or 0)


@dataclass(frozen=True, slots=True)
class Count:
    """``used`` ``None``: nobody knows it now. ``limit`` 0: no such limit; ``None``: not known."""

    used: int | None
    limit: int | None

    @property
    def left(self) -> int | None:
        return None if self.used is None or not self.limit else max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class Limits:
    """One key at one moment. ``use`` and ``reading`` are ``None`` while the counters are away."""

    key: ApiKey
    state: str  # of STATES
    reading: Reading | None
    use: KeyUse | None
    refusal: Rule | None
    nearest: Rule | None

    @property
    def at(self) -> datetime | None:
        """The counters' own clock."""
        return moment(self.reading.at_ms) if self.reading else None

    @property
    def counts(self) -> tuple[Count, Count, Count]:
        """Requests and tokens of this minute, open requests. Limits are the published ones; the
        row's own while there are none, but for test keys, whose bounds are ours."""
        use, key = self.use, self.key
        if use is None or not use.published:
            limits = (key.rpm_limit, key.tpm_limit, key.concurrency_limit)
            known = key.mode == KeyMode.LIVE
            rpm, tpm, opened = (Count(None, limit if known else None) for limit in limits)
            return rpm, tpm, opened
        tokens = use.grant.tpm if use.grant else None
        return (
            Count(use.requests, use.rpm),
            Count(use.tokens, tokens),
            Count(use.open, use.concurrency),
        )

    def resets_at(self, rule: Rule) -> datetime | None:
        """When a window or month begins anew."""
        if self.reading is None or not rule.resets_ms:
            return None
        return moment(self.reading.at_ms + rule.resets_ms)

    @property
    def month_ends_at(self) -> datetime | None:
        return moment(self.reading.at_ms + self.reading.month_left_ms) if self.reading else None

    @property
    def minute_ends_at(self) -> datetime | None:
        return moment(self.reading.at_ms + self.reading.minute_left_ms) if self.reading else None


def moment(ms: int) -> datetime:
    """Unix milliseconds as a time in UTC."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)


def look(
    organization: Organization, keys: Sequence[ApiKey], *, whole: ApiKey | None = None
) -> Reading | None:
    """Ask the counters once for all of these keys; ``None`` if they do not answer."""
    hashes = list(dict.fromkeys(key.sha256 for key in (*([whole] if whole else []), *keys)))
    if not hashes:
        return None
    try:
        return admission().limits(
            organization.code, hashes, whole=whole.sha256 if whole is not None else ""
        )
    except AdmissionUnavailable:
        return None


def of(key: ApiKey, reading: Reading | None, *, now: datetime) -> Limits:
    """How one of the keys that were asked for stands."""
    use = reading.keys.get(key.sha256) if reading else None
    if reading is None or use is None:
        return Limits(key, _row_state(key, now) or "away", None, None, None, None)
    refusal = limits.refusal(use, reading)
    nearest = None if refusal else limits.nearest(use, reading)
    return Limits(key, _state(key, refusal, now), reading, use, refusal, nearest)


def _row_state(key: ApiKey, now: datetime) -> str:
    """What PostgreSQL alone knows to be over."""
    state = key.state_at(now)
    if state == "live" and key.project.archived_at is not None:
        return "ended"
    return "" if state == "live" else state


def _state(key: ApiKey, refusal: Rule | None, now: datetime) -> str:
    if over := _row_state(key, now):
        return over
    kind = refusal.kind if refusal else ""
    if kind == "revoked":
        return "ended"  # the key lives, but its organization or project does not
    return kind if kind in {"closed", "unpublished", "expired"} else "live"


def budget_lines(found: Limits, by: Actor) -> list[BudgetLine]:
    """The chain, the widest first, with the amounts that ``by`` may see."""
    rows = _budgets(found.key, by)
    names = found.use.chain if found.use and found.use.chain else tuple(rows)
    standings = found.reading.budgets if found.reading else {}
    return [_line(name, rows.get(name), standings.get(name)) for name in names]


def _budgets(key: ApiKey, by: Actor) -> dict[str, Budget]:
    """Those that may be in the chain and may be seen."""
    if not by.can("budgets.read"):
        return {}
    subjects = (by.organization.public_id, key.project.public_id, key.public_id)
    return {one.name: one for one in queries.budgets(by).filter(subject__in=subjects)}


def _line(name: str, row: Budget | None, standing: BudgetStanding | None) -> BudgetLine:
    scope = _SCOPES.get(name.partition("_")[0], BudgetScope.LINE).value
    hard = standing.hard if standing else row.hard if row else True
    if row is None:
        return BudgetLine(name, scope, hard, None)
    if standing is None:
        return BudgetLine(name, scope, hard, Decimal(row.limit_won))
    return BudgetLine(
        name,
        scope,
        hard,
        micro_to_won(standing.limit),
        micro_to_won(standing.spent),
        micro_to_won(standing.committed),
        micro_to_won(standing.held),
    )


def callable_names(use: KeyUse | None) -> list[tuple[str, list[str]]]:
    """(model of the catalogue, the names that the key may call it by), an entry an endpoint."""
    if use is None or use.grant is None:
        return []
    found: dict[str, tuple[str, list[str]]] = {}
    for name, model in sorted(use.grant.models.items()):
        found.setdefault(model.endpoint, (model.model, []))[1].append(name)
    return sorted(found.values())
