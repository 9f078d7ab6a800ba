"""Opening hours: what is read, when it is open, when that changes, and how long in a month."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from portal.deployments import schedules
from portal.deployments.schedules import BadSchedule, Hours
from portal.lib.periods import SEOUL, Month
from tenants.support.holidays import HOLIDAYS

MINUTE = timedelta(minutes=1)
NIGHTS: dict[str, Any] = {
    "hours": {
        "mon": ["08:00-12:00", "13:00-17:30"],
        "tue": ["22:00-06:00"],
        "wed": ["06:00-09:00", "20:00-24:00"],
        "thu": ["00:00-02:00"],
        "sun": ["23:30-00:30"],
    },
    "dates": {"2026-12-24": ["10:00-11:00"], "2027-02-06": ["18:00-03:00"], "2026-12-28": []},
}
ALWAYS: dict[str, Any] = {
    "hours": {day: ["00:00-24:00"] for day in schedules.DAYS},
    "holidays": False,
}


def kst(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SEOUL)


def slowly(words: dict[str, Any], moment: datetime) -> bool:
    """The same rule once more, minute by minute and word by word."""
    local = moment.astimezone(SEOUL)
    for back in (0, 1):
        day = local.date() - timedelta(days=back)
        minute = local.hour * 60 + local.minute + back * 1440
        texts = words["hours"].get(schedules.DAYS[day.weekday()], [])
        if words.get("holidays", True) and day in HOLIDAYS:
            texts = []
        for text in words.get("dates", {}).get(day.isoformat(), texts):
            ends = [int(one[:2]) * 60 + int(one[3:]) for one in text.split("-")]
            if ends[0] <= minute < ends[1] + 1440 * (ends[1] <= ends[0]):
                return True
    return False


@pytest.mark.parametrize(
    ("words", "count"), [(schedules.OFFICE, 5_000), (NIGHTS, 5_000), (ALWAYS, 50)]
)
def test_is_open_by_its_words_at_any_minute_and_until_its_next_change(
    words: dict[str, Any], count: int
) -> None:
    hours, dice = schedules.read(words), random.Random(7)
    begin = kst("2026-11-01T00:00")

    for _each in range(count):  # of 14 months
        moment = begin + dice.randrange(425 * 1440) * MINUTE
        now = schedules.is_open(hours, moment)
        change = schedules.next_change(hours, moment)
        assert now == slowly(words, moment), moment
        if change is None:
            assert words is ALWAYS
            continue
        assert change > moment
        assert slowly(words, change) != now == slowly(words, change - MINUTE), moment
        assert slowly(words, moment + (change - moment) / 2) == now


@pytest.mark.parametrize(
    ("moment", "opens"),
    [
        pytest.param("2026-11-16T08:59", "2026-11-16T09:00", id="in-the-morning"),
        pytest.param("2026-11-20T18:00", "2026-11-23T09:00", id="over-a-weekend"),
        pytest.param("2026-12-24T20:00", "2026-12-28T09:00", id="over-christmas"),
        pytest.param("2026-12-31T20:00", "2027-01-04T09:00", id="over-new-year"),
        pytest.param("2027-02-05T18:00", "2027-02-10T09:00", id="over-seollal"),
    ],
)
def test_office_hours_open_on_the_next_business_day(moment: str, opens: str) -> None:
    hours = schedules.read(schedules.OFFICE)

    assert schedules.next_opening(hours, kst(moment)) == kst(opens).astimezone(UTC)


def test_counts_a_month_to_the_second_and_months_add_up() -> None:
    hours = schedules.read(schedules.OFFICE)
    november = Month(2026, 11).period
    year = Month(2027, 1).period.start
    days = [Month(2027, number).period for number in range(1, 13)]

    assert schedules.open_seconds(hours, november.start, november.end) == 21 * 9 * 3600
    whole = schedules.open_seconds(hours, year, days[-1].end)
    assert whole == sum(schedules.open_seconds(hours, one.start, one.end) for one in days)
    assert schedules.most_in_a_month(hours, kst("2026-11-16T12:00")) == 22 * 9 * 3600


@pytest.mark.parametrize(
    ("moment", "runs", "hours_left"),
    [
        ("2026-11-30T08:00", False, 9),
        ("2026-11-30T08:00", True, 10),  # resumed by hand: until it opens, and then
        ("2026-11-30T12:00", True, 6),
        ("2026-11-30T12:00", False, 0),  # paused by hand until it would close
        ("2026-11-30T19:00", True, 5),  # until the month is over
    ],
)
def test_runs_as_it_does_until_the_next_change(moment: str, runs: bool, hours_left: int) -> None:
    left = schedules.seconds_left(
        schedules.read(schedules.OFFICE),
        runs=runs,
        now=kst(moment),
        end=Month(2026, 11).period.end,
    )

    assert left == hours_left * 3600


def test_what_it_writes_reads_the_same() -> None:
    hours = schedules.read(NIGHTS)

    assert schedules.read(hours.written()) == hours
    assert isinstance(hours, Hours) and hours.written()["hours"]["tue"] == ["22:00-06:00"]
    assert hours.written()["hours"]["wed"] == ["06:00-09:00", "20:00-24:00"]


def test_takes_as_many_spans_and_dates_as_it_says() -> None:
    spans = [f"{hour:02}:00-{hour:02}:30" for hour in range(schedules.MOST_SPANS)]
    day = date(2026, 12, 1)
    dates: dict[str, list[str]] = {
        (day + timedelta(days=one)).isoformat(): [] for one in range(schedules.MOST_DATES)
    }

    hours = schedules.read({"hours": {"mon": spans}, "dates": dates})

    assert (len(hours.week[0]), len(hours.dates)) == (len(spans), len(dates))
    with pytest.raises(BadSchedule) as found:
        schedules.read({"hours": {"mon": spans}, "dates": dates | {"2030-01-01": []}})
    assert found.value.fault == "dates"


def test_estimates_no_second_too_few() -> None:
    hours = schedules.read(schedules.OFFICE)
    opens, half = kst("2026-11-16T09:00"), timedelta(seconds=0.5)

    assert schedules.open_seconds(hours, opens + half, opens + 7 * half) == 3
    assert schedules.open_seconds(hours, opens + half, opens + 4 * half) == 2
    end = opens + 4 * half
    assert schedules.seconds_left(hours, runs=True, now=opens + half, end=end) == 2


@pytest.mark.parametrize(
    ("moment", "holidays", "known"),
    [
        ("2026-12-31T23:59", True, True),
        ("2199-01-01T00:00", True, False),
        ("2199-01-01T00:00", False, True),  # it is open on them like on any other day
    ],
)
def test_says_whether_it_knows_the_holidays(moment: str, *, holidays: bool, known: bool) -> None:
    hours = schedules.read({**schedules.OFFICE, "holidays": holidays})

    assert schedules.covers(hours, kst(moment)) is known


@pytest.mark.parametrize(
    ("words", "fault", "where"),
    [
        ({"hours": {}}, "empty", ""),
        ({"hours": {"mon": []}, "dates": {"2026-12-01": []}}, "empty", ""),
        ({}, "shape", ""),
        ({"hours": {"mon": "09:00-18:00"}}, "shape", "mon"),
        ({"hours": {"someday": ["09:00-18:00"]}}, "weekday", "someday"),
        ({"hours": {"mon": ["09:00-25:00"]}}, "span", "mon"),
        ({"hours": {"mon": ["9-18"]}}, "span", "mon"),
        ({"hours": {"mon": ["09:00"]}}, "span", "mon"),
        ({"hours": {"mon": ["０９:００-18:00"]}}, "span", "mon"),
        ({"hours": {"mon": ["09:60-18:00"]}}, "span", "mon"),
        ({"hours": {"mon": ["09:00-09:00"]}}, "length", "mon"),
        ({"hours": {"mon": ["09:00-12:00", "11:59-13:00"]}}, "overlap", "mon"),
        ({"hours": {"sun": ["22:00-02:00"], "mon": ["01:00-03:00"]}}, "overlap", "mon"),
        ({"hours": {"mon": ["09:00-10:00"] * 7}}, "many", "mon"),
        ({"hours": {}, "dates": {"2026-02-30": ["09:00-10:00"]}}, "date", "2026-02-30"),
    ],
)
def test_says_what_is_wrong(words: dict[str, Any], fault: str, where: str) -> None:
    with pytest.raises(BadSchedule) as found:
        schedules.read(words)

    assert (found.value.fault, found.value.where) == (fault, where)
