"""Budgets that count by fiscal year or without an end, beside those of the month."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
import redis

from portal.admission import calls, chain, keys
from portal.admission.calls import AdmissionUnavailable, Refused
from portal.lib import ids
from tests.admission import counters
from tests.admission.cell import CELL, GRANT, ORG_CODE, SHA, TAG, Cell, change, command_of_admit
from tests.admission.test_arithmetic import SEOUL, TEXT, many, ms, run

YEARLY, RUNNING = "org_acme@year", "prj_one@bdg_one"
NAMES = ("org_acme", "prj_one", YEARLY, RUNNING)


def year(cell: Cell) -> str:
    return cell.month()[:4]


def limit_of_year(cell: Cell, micro: int, *, number: int = 1, **more: Any) -> None:
    cell.limit(f"org_acme@{year(cell)}", micro, number=number, **more)


@pytest.fixture
def mixed(cell: Cell) -> Cell:
    """A chain of all three kinds, each with a limit of 1,000 micro-won."""
    cell.publish(change(GRANT, number=11, budgets=NAMES))
    limit_of_year(cell, 1000)
    cell.limit(RUNNING, 1000)
    return cell


def used(cell: Cell) -> dict[str, tuple[int, int, int]]:
    return {name: cell.used(name) for name in NAMES}


def same(*amounts: int) -> dict[str, tuple[int, ...]]:
    return dict.fromkeys(NAMES, amounts)


def test_a_request_counts_in_all_kinds_and_leaves_nothing_held(mixed: Cell) -> None:
    request = mixed.hold(300)
    assert used(mixed) == same(0, 0, 300)

    assert mixed.settle(request, 200) == ("settled", 200)

    assert used(mixed) == same(200, 0, 0)


@pytest.mark.parametrize("end", ["release", "expire", "settle late"])
def test_every_end_frees_all_kinds(mixed: Cell, end: str) -> None:
    request = mixed.hold(300)

    if end == "release":
        mixed.release(request)
    else:
        mixed.lapse(request)
        mixed.expire()
    assert used(mixed) == same(0, 0, 0)
    if end == "settle late":
        counters.add(mixed.client, CELL, RUNNING, "running", spent=850)
        assert mixed.settle(request, 300) == ("settled", 150)  # what fits into the tightest
        assert mixed.used(YEARLY) == (150, 0, 0)


@pytest.mark.parametrize("full", [*NAMES])
def test_one_budget_without_room_refuses_and_nothing_is_held(mixed: Cell, full: str) -> None:
    period = chain.period_in(chain.kind_of(full), mixed.month())
    counters.add(mixed.client, CELL, full, period, spent=800)
    before = used(mixed)

    with pytest.raises(Refused) as refused:
        mixed.hold(201)

    assert (refused.value.reason, refused.value.name) == ("budget_exceeded", full)
    assert (refused.value.left, refused.value.limit) == (200, 1000)
    kind = chain.kind_of(full)
    assert (refused.value.retry_ms == 0) is (kind == "running")
    assert used(mixed) == before
    mixed.hold(200)


@pytest.mark.parametrize("missing", [f"org_acme@{datetime.now(SEOUL).year}", RUNNING])
def test_a_kind_that_nobody_published_refuses(mixed: Cell, missing: str) -> None:
    mixed.client.hdel(f"{TAG}:limits", f"limit:{missing}")

    with pytest.raises(Refused, match="budget_unknown"):
        mixed.hold(1)

    assert used_of_month(mixed) == (0, 0, 0)


def used_of_month(cell: Cell) -> tuple[int, int, int]:
    return cell.used("org_acme")


def test_tells_the_least_that_is_left_of_all_kinds(mixed: Cell) -> None:
    counters.add(mixed.client, CELL, YEARLY, year(mixed), spent=500)

    admitted = mixed.admit(tokens_in=0, tokens_out=100)

    assert admitted.left_micro == 400


def test_a_chain_without_a_monthly_budget_counts_its_key_all_the_same(cell: Cell) -> None:
    cell.publish(change(GRANT, number=11, budgets=(YEARLY,), concurrency=1))
    limit_of_year(cell, 1000)

    request = cell.hold(300)

    assert (cell.used(YEARLY), cell.busy()) == ((0, 0, 300), 1)
    with pytest.raises(Refused, match="concurrency"):
        cell.hold(1)
    cell.settle(request, 300)
    assert (cell.used(YEARLY), cell.busy()) == ((300, 0, 0), 0)


def test_counts_of_a_month_do_not_touch_other_kinds(cell: Cell) -> None:
    """What a chain of months writes is what it wrote before: no key of another period."""
    cell.settle(cell.hold(300), 200)

    names = {name.decode() for name in cell.client.keys(f"{TAG}:used:*")}
    assert names == {keys.used(CELL, cell.month())}


# ─── turns of the year ─────────────────────────────────────────────────────────────────────────

LAST = int(datetime(2026, 12, 31, 23, 59, 59, tzinfo=SEOUL).timestamp() * 1000)
FIRST = int(datetime(2027, 1, 1, tzinfo=SEOUL).timestamp() * 1000)


def at(cell: Cell, moment: int, function: str, command: calls.Command) -> Any:
    """A function run as text, which is told what time it is."""
    arguments = command[4:]
    code = f"now_ms = function() return {moment} end\nreturn {function}(KEYS, ARGV)"
    return cell.client.eval(f"{TEXT}\n{code}", 1, TAG, *arguments)


def admit_at(cell: Cell, moment: int, worst: int) -> tuple[str, Any]:
    """The request's id, minted at that moment, and the answer."""
    request = ids.mint_request_id()
    born = f"{moment:012x}"
    request = f"{born[:8]}-{born[8:]}{request[13:]}"
    command = command_of_admit(request_id=request, tokens_in=0, tokens_out=worst, grant_number=11)
    return request, at(cell, moment, "admit", command)


@pytest.fixture
def turning(cell: Cell) -> Cell:
    """Budgets of two years, each with its own limit, published before the turn."""
    cell.publish(change(GRANT, number=11, budgets=("org_acme", YEARLY)))
    cell.limit("org_acme@2026", 500)
    cell.limit("org_acme@2027", 900)
    return cell


def by_year(cell: Cell) -> dict[str, tuple[int, int]]:
    found = {}
    for name in ("2026", "2027"):
        now = cell.standing(YEARLY, name)
        found[name] = (now.spent, now.held)
    return found


def test_the_last_second_of_a_year_and_the_first_of_the_next(turning: Cell) -> None:
    before, first = admit_at(turning, LAST, 300)
    after, second = admit_at(turning, FIRST, 800)

    assert (first[0], second[0]) == (b"ok", b"ok")
    assert by_year(turning) == {"2026": (0, 300), "2027": (0, 800)}
    assert turning.settle(before, 250) == ("settled", 250)  # now, years away from both
    assert turning.settle(after, 700) == ("settled", 700)
    assert by_year(turning) == {"2026": (250, 0), "2027": (700, 0)}


def test_each_year_has_its_own_limit_from_its_first_millisecond(turning: Cell) -> None:
    _, tight = admit_at(turning, LAST + 999, 501)
    _, wide = admit_at(turning, LAST + 1000, 501)

    assert tight[:3] == [b"no", b"budget_exceeded", YEARLY.encode()]
    assert int(tight[5]) == 1  # milliseconds until the next year
    assert wide[0] == b"ok"


@pytest.mark.parametrize("end", ["release", "expire", "charge"])
def test_what_ran_over_the_turn_ends_in_the_year_of_admission(turning: Cell, end: str) -> None:
    request, _ = admit_at(turning, LAST, 300)

    if end == "release":
        at(turning, FIRST, "release", calls.release(CELL, request))
    else:
        turning.lapse(request)
        at(turning, FIRST + 60_000, "expire", calls.expire(CELL))
    assert by_year(turning) == {"2026": (0, 0), "2027": (0, 0)}
    if end == "charge":  # by the room of the old year, not the new one's
        counters.add(turning.client, CELL, YEARLY, "2026", spent=400)
        assert turning.settle(request, 300) == ("settled", 100)
        assert by_year(turning) == {"2026": (500, 0), "2027": (0, 0)}


def test_a_late_event_is_charged_to_the_year_of_its_month(turning: Cell) -> None:
    turning.admission.set_more(ORG_CODE, subject="org_acme", names=[YEARLY])

    for month, name in (("2026-12", "2026"), ("2027-01", "2027")):
        command = calls.charge_late(
            CELL,
            request_id=ids.mint_request_id(),
            cost_micro=700,
            month=month,
            subjects=["org_acme", "prj_none", "key_none"],
        )
        charged = int(turning.ask(command))
        assert charged == {"2026": 500, "2027": 700}[name]

    assert by_year(turning) == {"2026": (500, 0), "2027": (700, 0)}


def test_the_next_year_begins_when_it_does_in_seoul(valkey: redis.Redis) -> None:
    code = (
        "local r = {} for i, v in ipairs(ARGV) do r[i] = str(until_next_year(tonumber(v))) end "
        "return r"
    )
    turns = [ms(datetime(one, 1, 1, tzinfo=SEOUL)) for one in range(1990, 2111)]
    moments = [turn + offset for turn in turns for offset in (-1, 0, 1)]

    found = many(valkey, code, moments)

    def left(moment: int) -> int:
        return (
            next(turn for turn in [*turns, turns[-1] + 366 * 86_400_000] if turn > moment) - moment
        )

    expected = [left(moment) for moment in moments[:-2]]
    assert [int(one) for one in found[:-2]] == expected


def test_year_counters_go_a_hundred_days_past_their_year(mixed: Cell) -> None:
    mixed.hold(1)

    end = datetime(int(year(mixed)) + 1, 1, 1, tzinfo=SEOUL)
    left = (end - datetime.now(SEOUL)).total_seconds()
    ttl = mixed.client.ttl(keys.used(CELL, year(mixed)))
    assert abs(ttl - left - 100 * 86_400) < 86_400
    assert mixed.client.ttl(keys.used(CELL, "running")) == -1


# ─── limits that change by themselves ──────────────────────────────────────────────────────────


def test_a_later_amount_holds_from_its_millisecond_on(cell: Cell) -> None:
    moment = LAST
    cell.admission.set_limit(
        ORG_CODE,
        subject="prj_one",
        limit_micro=900,
        hard=True,
        number=2,
        later=[(moment, 200), (moment + 1000, 400)],
    )

    answers = [
        admit_at(cell, at_ms, worst)[1]
        for at_ms, worst in ((moment - 1, 500), (moment, 1), (moment + 1000, 1))
    ]

    assert answers[0][0] == b"ok"
    assert answers[1][:5] == [b"no", b"budget_exceeded", b"prj_one", b"-300", b"200"]
    assert answers[2][0] == b"ok"


def fell_a_second_ago(cell: Cell) -> None:
    """From 1,000 to 100 micro-won, as it was told when it was made."""
    seconds, _ = cell.client.time()
    text = f"1000 1 1 {(seconds - 1) * 1000}=100"
    cell.client.hset(f"{TAG}:limits", f"limit:{RUNNING}", text)


def test_a_limit_that_falls_by_itself_stops_and_takes_nothing_back(mixed: Cell) -> None:
    request = mixed.hold(300)
    fell_a_second_ago(mixed)

    assert mixed.standing(RUNNING).limit == 100
    with pytest.raises(Refused) as refused:
        mixed.hold(1)
    assert refused.value.left == -200
    assert mixed.settle(request, 250) == ("settled", 250)
    assert mixed.used(RUNNING) == (250, 0, 0)


@pytest.mark.parametrize(
    "later", ["5=1,5=2", "9=1,5=2", "x=1", "5=", "5=-1", "5=1.5", "=1", f"5={2**53}"]
)
def test_refuses_later_amounts_that_are_none(cell: Cell, later: str) -> None:
    with pytest.raises(redis.ResponseError):
        cell.ask(("FCALL", "set_limit_3", 1, TAG, "prj_one", 10, 1, 2, later))

    assert cell.standing("prj_one").limit == 1000


def test_python_refuses_them_as_well() -> None:
    with pytest.raises(ValueError, match="order"):
        calls.later_text([(5, 1), (5, 2)])


@pytest.mark.parametrize(("limit", "fits"), [(300, True), (299, False)])
@pytest.mark.parametrize("name", ["year", "running"])
def test_no_limit_is_lowered_below_what_its_period_uses(
    mixed: Cell, name: str, limit: int, fits: bool
) -> None:
    mixed.hold(300)
    subject = f"org_acme@{year(mixed)}" if name == "year" else RUNNING

    if fits:
        mixed.limit(subject, limit, number=2)
        return
    with pytest.raises(Refused) as refused:
        mixed.limit(subject, limit, number=2)

    assert (refused.value.reason, refused.value.left) == ("below_used", 300)


def test_another_years_use_does_not_hold_a_limit_up(mixed: Cell) -> None:
    mixed.hold(300)

    mixed.limit(f"org_acme@{int(year(mixed)) + 1}", 5, number=1)
    mixed.limit(f"org_acme@{int(year(mixed)) + 1}", 1, number=2)


def test_what_has_fallen_by_itself_may_be_told_again(mixed: Cell) -> None:
    """The row says the lower amount from then on; it lowers nothing."""
    mixed.hold(300)
    fell_a_second_ago(mixed)

    mixed.limit(RUNNING, 100, number=2)

    with pytest.raises(Refused, match="below_used"):
        mixed.limit(RUNNING, 99, number=3)


def test_a_limit_of_every_year_is_no_name(cell: Cell) -> None:
    with pytest.raises(AdmissionUnavailable, match="which year"):
        cell.limit(YEARLY, 5)


# ─── beside the release before ─────────────────────────────────────────────────────────────────


def test_facts_of_a_chain_of_months_are_the_text_of_before(cell: Cell) -> None:
    cell.publish(change(GRANT, number=12))
    text = cell.client.hget(f"{TAG}:grant:{SHA}", "facts").decode()
    assert text == "12 0 100000 100000 0 key_one org_acme org_acme,prj_one"

    cell.publish(change(GRANT, number=13, budgets=NAMES))
    text = cell.client.hget(f"{TAG}:grant:{SHA}", "facts").decode()
    months, others = text.split(" ")[-2:]
    assert (months, others) == ("org_acme,prj_one", f"{YEARLY},{RUNNING}")


def test_names_of_budgets() -> None:
    assert chain.name_of("month", "org_a") == "org_a"
    assert chain.name_of("year", "org_a") == "org_a@year"
    assert chain.name_of("running", "org_a", "bdg_1") == "org_a@bdg_1"
    assert [chain.kind_of(one) for one in NAMES] == ["month", "month", "year", "running"]
    assert chain.limit_name(YEARLY, 2026) == "org_acme@2026"
    assert chain.limit_name(RUNNING, 2026) == RUNNING
    assert chain.subject_of(RUNNING) == "prj_one"
    assert [chain.period_in(kind, "2026-11") for kind in ("month", "year", "running")] == [
        "2026-11",
        "2026",
        "running",
    ]


def test_sorts_a_chain_by_kinds_of_its_periods(valkey: redis.Redis) -> None:
    code = """
    local found = {}
    for _, group in ipairs(chain_of('a@year,b,c@bdg,d,e@year')) do
      found[#found + 1] = group.kind .. ' ' .. table.concat(group.names, ' ')
    end
    return found"""

    assert run(valkey, code) == ["month b d", "year a@year e@year", "running c@bdg"]
