"""The budget board: every budget's standing, one of them day by day with its forecast.

Days come from the ledger's sums by day, never from its entries. The counters are asked once,
between the two looks at the database.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import BigIntegerField, Q, QuerySet, Sum, Value
from django.db.models.functions import TruncDate

from billing import budgets, queries, raises, tariffs
from billing.booked import dates_of, of_subject
from billing.budgets import Standing
from billing.forecast import Forecast, Known, forecast
from billing.models import (
    Budget,
    BudgetAlert,
    BudgetChange,
    BudgetLine,
    BudgetRaise,
    BudgetScope,
    Commitment,
)
from billing.rating import card_amount
from portal.admission.calls import BudgetStanding
from portal.lib.money import MICRO
from portal.lib.periods import SEOUL, Month, Year, day_period, seoul_date
from portal.usage.models import CARD_SECONDS, CardTime, DaySpend
from tenants.actors import Actor
from tenants.models import ApiKey, Project

MOST_ROWS = 200  # on the page; all of them are in the file
NEWEST = 20  # changes and alerts on the page
COMPARED = timedelta(days=28)


@dataclass(frozen=True, slots=True)
class Found:
    """What the database says before the counters are asked."""

    budgets: list[Budget]
    titles: dict[str, str]  # of what budgets are for, by public id
    parents: dict[str, str]  # key → its project, by public id
    more: int = 0  # that are not shown


@dataclass(frozen=True, slots=True)
class Row:
    """One budget as it stands. ``depth``: 0 the organization, 1 a project, 2 a key. ``told``: the
    thresholds of this period that people were told of."""

    budget: Budget
    title: str
    depth: int
    standing: Standing
    told: tuple[int, ...] = ()
    raised: tuple[BudgetRaise, ...] = ()  # for a while


@dataclass(frozen=True, slots=True)
class Burn:
    """One budget day by day: micro-won used until the end of each day, tokens and card time; from
    the first day of its period up to today. ``until``: the first day of the next."""

    first: date
    until: date
    today: date
    days: tuple[tuple[date, int], ...]
    forecast: Forecast | None


@dataclass(frozen=True, slots=True)
class Board:
    """``chosen`` is the budget that is shown day by day; ``None`` where there is no budget."""

    rows: list[Row]
    chosen: Row | None
    burn: Burn | None
    asked: list[BudgetRaise] = field(default_factory=list)
    commitments: list[Commitment] = field(default_factory=list)
    changes: list[BudgetChange] = field(default_factory=list)
    alerts: list[BudgetAlert] = field(default_factory=list)
    more: int = 0


def find(by: Actor, *, most: int = MOST_ROWS) -> Found:
    """The budgets that the actor sees, widest first: keys below their projects."""
    rows = list(queries.budgets(by)[: most + 1])
    wanted = [one.subject for one in rows if one.scope == BudgetScope.KEY]
    keys = ApiKey.objects.visible_to(by).filter(public_id__in=wanted).order_by()
    projects = Project.objects.visible_to(by).order_by().values_list("public_id", "name", Value(""))
    titles, parents = {by.organization.public_id: by.organization.name} | _lines(rows, by), {}
    of_keys = keys.values_list("public_id", "name", "project__public_id")
    for public_id, name, project in projects.union(of_keys, all=True).order_by():
        titles[public_id] = name
        if project:
            parents[public_id] = project
    shown = rows[:most]
    more = 0 if len(rows) <= most else queries.budgets(by).count() - most
    return Found(_as_tree(shown, titles, parents), titles, parents, more)


def _lines(rows: Sequence[Budget], by: Actor) -> dict[str, str]:
    """Code and name of the budget lines among them."""
    wanted = [one.subject for one in rows if one.scope == BudgetScope.LINE]
    found = BudgetLine.objects.visible_to(by).filter(public_id__in=wanted)
    return {one.public_id: str(one) for one in found}


def title_of(budget: Budget, by: Actor) -> str:
    """The name of what a budget is for, as the actor sees it."""
    if budget.subject == by.organization.public_id:
        return by.organization.name
    if budget.scope == BudgetScope.LINE:
        return _lines([budget], by).get(budget.subject, budget.subject)
    rows = ApiKey if budget.scope == BudgetScope.KEY else Project
    found = rows.objects.visible_to(by).filter(public_id=budget.subject).first()
    return found.name if found else budget.subject


def _as_tree(
    rows: Sequence[Budget], titles: Mapping[str, str], parents: Mapping[str, str]
) -> list[Budget]:
    def place(one: Budget) -> tuple[int, str, int, str]:
        project = parents.get(one.subject, one.subject)
        below = int(one.scope == BudgetScope.KEY)
        title = titles.get(one.subject, "")
        if one.scope == BudgetScope.LINE:  # after the organization, the newest year first
            return 1, "", -(one.year or 0), title
        top = 0 if one.scope == BudgetScope.ORGANIZATION else 2
        return top, titles.get(project, project) if top else "", below, title

    return sorted(rows, key=place)  # which keeps what is equal in its order


def ask(found: Found, by: Actor, *, now: datetime) -> dict[str, BudgetStanding]:
    """One question to the counters; outside of any transaction."""
    return budgets.ask(found.budgets, by.organization, now=now)


def board(
    found: Found, asked: Mapping[str, BudgetStanding], chosen: str, by: Actor, *, now: datetime
) -> Board:
    """``chosen``: public id of a budget; another text chooses the first."""
    alerts = _alerts(found, by, now)
    rows = _rows(found, asked, alerts, by, now)
    row = next((one for one in rows if one.budget.public_id == chosen), rows[0] if rows else None)
    pks = [one.budget.pk for one in rows]
    changes = BudgetChange.objects.filter(organization=by.organization, budget__in=pks)
    return Board(
        rows=rows,
        chosen=row,
        burn=burn(row, by, now=now) if row else None,
        asked=list(raises.open_raises(by).filter(budget__in=pks)),
        commitments=list(_commitments(row.budget, by, now)[:MOST_ROWS]) if row else [],
        changes=list(changes.select_related("budget")[:NEWEST]),
        alerts=alerts[:NEWEST],
        more=found.more,
    )


def _alerts(found: Found, by: Actor, now: datetime) -> list[BudgetAlert]:
    """All of the periods that run, and the newest ones; the newest first."""
    pks = [one.pk for one in found.budgets]
    periods = {one.period_name(now) for one in found.budgets}
    rows = BudgetAlert.objects.visible_to(by).filter(budget__in=pks)
    newest = rows.order_by("-at").values("pk")[:NEWEST]
    shown = rows.filter(Q(month__in=periods) | Q(pk__in=newest)).select_related("budget")
    return list(shown.order_by("-at"))


def _rows(
    found: Found,
    asked: Mapping[str, BudgetStanding],
    alerts: Sequence[BudgetAlert],
    by: Actor,
    now: datetime,
) -> list[Row]:
    standings = budgets.standings(found.budgets, by.organization, now=now, asked=asked)
    lasting = budgets.raises_of(found.budgets, now=now)
    told: dict[int, list[int]] = defaultdict(list)
    periods = {one.pk: one.period_name(now) for one in found.budgets}
    for one in alerts:
        if periods[one.budget_id] == one.month:
            told[one.budget_id].append(one.percent)
    depths = {BudgetScope.PROJECT: 1, BudgetScope.LINE: 1, BudgetScope.KEY: 2}
    return [
        Row(
            budget=one,
            title=found.titles.get(one.subject, one.subject),
            depth=depths.get(BudgetScope(one.scope), 0),
            standing=standing,
            told=tuple(sorted(told[one.pk])),
            raised=tuple(lasting.get(one.pk, ())),
        )
        for one, standing in zip(found.budgets, standings, strict=True)
    ]


def _commitments(budget: Budget, by: Actor, now: datetime) -> QuerySet[Commitment]:
    """What orders have set aside in the budget's period, the latest month first."""
    first, end = dates_of(budget, Month.of(now))
    rows = Commitment.objects.visible_to(by).filter(month__gte=str(Month(first.year, first.month)))
    if end is not None:
        rows = rows.filter(month__lt=str(Month(end.year, end.month)))
    if budget.scope == BudgetScope.KEY:
        return rows.none()
    return of_subject(rows, budget).order_by("-month", "endpoint")


def burn(row: Row, by: Actor, *, now: datetime) -> Burn:
    """One budget day by day, and what is to be expected."""
    budget, today = row.budget, seoul_date(now)
    first, end = dates_of(budget, Month.of(now))
    until = end or budget.ends_on or Year.of(now).next.first_date
    since = min(first, today - COMPARED)
    tokens, cards = _by_day(budget, by, since, first)
    used, days, day = 0, [], first
    while day <= min(today, until - timedelta(days=1)):
        used += tokens.get(day, 0) + cards.get(day, 0)
        days.append((day, used))
        day += timedelta(days=1)
    known = Known(
        today=today,
        until=until,
        since=max(since, min(tokens, default=today)),
        daily=tokens,
        spent=int(row.standing.spent * MICRO),
        committed=int(row.standing.committed * MICRO),
        limit=int(row.standing.limit * MICRO),
        cards_a_day=_cards_a_day(budget, by, now),
        set_aside_until=Month.of(now).next.first_date,
    )
    return Burn(first, until, today, tuple(days), forecast(known))


def _by_day(
    budget: Budget, by: Actor, since: date, first: date
) -> tuple[dict[date, int], dict[date, int]]:
    """Micro-won of tokens from ``since`` on and of card time from ``first`` on. Card time that is
    recorded is priced by its own version and rounded up to whole micro-won a day."""
    spent = of_subject(DaySpend.objects.visible_to(by).filter(day__gte=since), budget).order_by()
    rows = spent.values_list("day", Value("")).annotate(Sum("settled_micro"))
    if budget.scope != BudgetScope.KEY:  # card time is no key's
        rows = rows.union(_card_seconds(budget, by, first), all=True).order_by()
    tokens: dict[date, int] = {}
    cards: dict[date, int] = defaultdict(int)
    for day, version, total in rows:
        if version:
            won = card_amount(int(total), tariffs.unit_price(version, "card_seconds"))
            cards[day] += int(-(-won * MICRO // 1))
        else:
            tokens[day] = int(total)
    return tokens, cards


def _card_seconds(budget: Budget, by: Actor, first: date) -> QuerySet[Any, Any]:
    rows = CardTime.objects.visible_to(by).filter(started_at__gte=day_period(first).start)
    return (
        of_subject(rows, budget)
        .order_by()
        .values_list(TruncDate("started_at", tzinfo=SEOUL), "price_version")
        .annotate(total=Sum(CARD_SECONDS, output_field=BigIntegerField()))
    )


def _cards_a_day(budget: Budget, by: Actor, now: datetime) -> int:
    """What endpoints that run now cost a day, by what they set aside for the rest of this month."""
    month, total = Month.of(now), 0
    if budget.scope == BudgetScope.KEY or budget.kind == "month":
        return 0  # this month is set aside already
    rows = Commitment.objects.visible_to(by).filter(month=str(month), final=False)
    for one in of_subject(rows, budget):
        since = max(seoul_date(one.created_at), month.first_date)
        total += one.amount_micro // max(1, (month.next.first_date - since).days)
    return total
