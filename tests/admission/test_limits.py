"""What holds for a key now: read in one call that changes nothing; which rule refuses next."""

from __future__ import annotations

from typing import Any

import pytest

from portal.admission import keys, limits
from portal.admission.calls import BudgetStanding
from portal.admission.limits import KeyUse, Reading, Rule
from tests.admission.cell import CELL, GRANT, ORG_CODE, SHA, Cell, change
from tests.minutes import begin_early

OTHER = "b" * 64


def test_reads_limits_and_use_in_one_call(cell: Cell) -> None:
    cell.publish(change(GRANT, number=11, rpm=7, concurrency=5, tpm=900, expires_at_ms=0))
    settled = cell.hold(100, grant_number=11)
    cell.hold(300, grant_number=11)
    cell.settle(settled, 40)

    found = cell.admission.limits(ORG_CODE, [SHA], whole=SHA)

    use = found.keys[SHA]
    assert (use.requests, use.rpm, use.open, use.concurrency) == (2, 7, 1, 5)
    assert use.published and not use.revoked and use.chain == ("org_acme", "prj_one")
    assert use.grant is not None and (use.grant.tpm, use.grant.number) == (900, 11)
    assert found.is_open and 0 < found.minute_left_ms <= 60_000
    assert 0 < found.month_left_ms <= 31 * 86_400_000
    assert found.budgets == {
        subject: BudgetStanding(1000, True, 40, 0, 300) for subject in ("org_acme", "prj_one")
    }


def test_reads_the_window_of_tokens(cell: Cell) -> None:
    begin_early()
    cell.set_window(cell.minute(), tokens=450)

    assert cell.admission.limits(ORG_CODE, [SHA]).keys[SHA].tokens == 450


def test_reads_many_keys_and_their_budgets_once(cell: Cell) -> None:
    cell.publish(change(GRANT, key="key_two", budgets=("org_acme", "key_two")), sha=OTHER)
    cell.limit("key_two", 5, hard=False)

    found = cell.admission.limits(ORG_CODE, [SHA, OTHER, "c" * 64], whole=OTHER)

    assert [one.published for one in found.keys.values()] == [True, True, False]
    assert found.keys[SHA].grant is None and found.keys[OTHER].grant is not None
    assert list(found.budgets) == ["org_acme", "prj_one", "key_two"]
    assert not found.budgets["key_two"].hard


def test_says_what_is_not_there(cell: Cell) -> None:
    cell.publish(change(GRANT, number=11, budgets=("org_acme", "prj_new")), revoked=True)
    cell.client.delete(keys.epoch(CELL))

    found = cell.admission.limits(ORG_CODE, [SHA])

    assert not found.is_open and found.keys[SHA].revoked
    assert list(found.budgets) == ["org_acme"]


def test_reading_changes_nothing(cell: Cell) -> None:
    cell.hold(300)
    before = {name: cell.client.dump(name) for name in cell.client.keys("*")}

    cell.admission.limits(ORG_CODE, [SHA, OTHER], whole=SHA)

    assert {name: cell.client.dump(name) for name in cell.client.keys("*")} == before


# ─── which rule refuses ────────────────────────────────────────────────────────────────────────

USE = KeyUse(
    published=True, rpm=60, concurrency=16, chain=("org_acme",), grant=change(GRANT, tpm=1000)
)
NOW = Reading(1_000, True, 20_000, 90_000, "2026-11", {}, {})


def with_budget(spent: int = 0, *, held: int = 0, hard: bool = True) -> Reading:
    found = {"org_acme": BudgetStanding(1000, hard, spent, 0, held)}
    return Reading(1_000, True, 20_000, 90_000, "2026-11", {}, found)


def used(**changes: Any) -> KeyUse:
    return KeyUse(**{name: getattr(USE, name) for name in KeyUse.__struct_fields__} | changes)


@pytest.mark.parametrize(
    ("use", "now", "kind"),
    [
        (USE, Reading(1, False, 1, 1, "", {}, {}), "closed"),
        (KeyUse(), with_budget(), "unpublished"),
        (used(revoked=True, expires_at_ms=1), with_budget(), "revoked"),
        (used(expires_at_ms=1_000), with_budget(), "expired"),
        (used(grant=change(GRANT, inference=False, models={})), with_budget(), "scope"),
        (used(grant=change(GRANT, confirmed=False, models={})), with_budget(), "unconfirmed"),
        (used(grant=change(GRANT, models={}, sites=())), with_budget(), "models"),
        (used(grant=change(GRANT, sites=())), with_budget(), "sites"),
        (used(requests=60, open=16), with_budget(), "rate"),
        (used(rpm=0), with_budget(), "rate"),
        (used(tokens=1000, open=16), with_budget(), "tokens"),
        (used(open=16), with_budget(1000), "concurrency"),
        (USE, NOW, "budget_unknown"),
        (USE, with_budget(600, held=400), "budget"),
        (USE, with_budget(2000, hard=False), None),
        (used(tokens=1000, grant=GRANT), with_budget(), None),
        (used(requests=59, tokens=999, open=15, expires_at_ms=1_001), with_budget(999), None),
        (used(grant=None), with_budget(), None),
    ],
)
def test_names_the_rule_that_refuses(use: KeyUse, now: Reading, kind: str | None) -> None:
    found = limits.refusal(use, now)

    assert (found.kind if found else None) == kind


@pytest.mark.parametrize(
    ("use", "now", "rule"),
    [
        (USE, with_budget(), None),
        (used(requests=6), with_budget(), Rule("rate", "", 6, 60, 20_000)),
        (used(requests=6, tokens=101), with_budget(), Rule("tokens", "", 101, 1000, 20_000)),
        (used(requests=6, tokens=100), with_budget(), Rule("rate", "", 6, 60, 20_000)),
        (used(requests=6, open=2), with_budget(), Rule("concurrency", "", 2, 16)),
        (used(open=2), with_budget(126), Rule("budget", "org_acme", 126, 1000, 90_000)),
        (used(open=2), with_budget(900, hard=False), Rule("concurrency", "", 2, 16)),
        (used(requests=1, rpm=0), with_budget(), None),
    ],
)
def test_names_the_rule_that_would_refuse_next(
    use: KeyUse, now: Reading, rule: Rule | None
) -> None:
    assert limits.nearest(use, now) == rule


def test_nothing_is_left_below_nothing() -> None:
    assert Rule("budget", "org_acme", 12, 10).left == 0
    assert Rule("budget", "org_acme", 3, 10).left == 7
