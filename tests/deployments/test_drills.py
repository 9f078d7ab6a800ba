"""Booked drills: a site takes no requests of one endpoint for a window, and comes back whoever
dies; the report says what was noticed, and is signed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from portal.deployments import drilling
from portal.deployments.actions import drills
from portal.deployments.actions.drills import Window
from portal.deployments.drilling import Answer
from portal.deployments.models import Drill, DrillMove, Endpoint, Placement
from portal.deployments.states import NoSuchMove
from portal.fleet.models import Site
from portal.lib import jws
from portal.routing import snapshot
from portal.web import drill_report
from tenants import rls
from tenants.models import AuditEvent
from tests import factories
from tests.cast import Cast
from tests.factories import NOON

pytestmark = pytest.mark.django_db
START = NOON + timedelta(hours=1)
END = START + timedelta(minutes=30)


@dataclass(frozen=True)
class Apart:
    """An endpoint at two sites, ready at both."""

    cast: Cast
    endpoint: Endpoint
    daegu: Site
    busan: Site


@pytest.fixture
def apart(cast: Cast) -> Apart:
    factories.catalogue()
    endpoint = factories.endpoint(cast.project)
    daegu = factories.site("daegu-1")
    busan = factories.site("busan-1", region="busan")
    for site in (daegu, busan):
        factories.placement(endpoint, site, state="ready", url=f"http://127.0.0.1:1/{site.code}")
    return Apart(cast, endpoint, daegu, busan)


def book(apart: Apart, start: Any = START, end: Any = END, site: Site | None = None) -> Drill:
    with rls.tenant(apart.cast.firm.pk):
        return drills.book(
            endpoint=apart.endpoint,
            site=site or apart.daegu,
            window=Window(start, end),
            by=apart.cast.bob.may,
            now=NOON,
        )


def swept(now: Any) -> Drill:
    Site.objects.update(observed_at=now)
    drills.sweep(now=now)
    with rls.everyone(because="tests"):
        return Drill.objects.select_related("organization", "endpoint", "site").get()


def routed(apart: Apart, now: Any) -> list[str]:
    """Sites that answer for the endpoint by the table of ``now``."""
    Site.objects.update(observed_at=now)
    found = snapshot.take(now=now, demands=[]).routes[apart.endpoint.public_id]
    return sorted(one.site for one in found.targets)


def test_withdraws_the_site_for_its_window_and_brings_it_back(apart: Apart) -> None:
    book(apart)
    assert swept(NOON).state == "booked"

    assert swept(START).state == "running"
    assert routed(apart, START) == ["busan-1"]
    with rls.everyone(because="tests"):
        assert Placement.objects.filter(wanted=True, state="ready").count() == 2  # it runs on
    assert routed(apart, END) == ["busan-1", "daegu-1"]  # also if nobody is there to end it

    ended = swept(END + timedelta(minutes=5))
    assert (ended.state, ended.returned_at) == ("ended", END)
    with rls.everyone(because="tests"):
        assert [one.to_state for one in DrillMove.objects.all()] == ["booked", "running", "ended"]
    with pytest.raises(NoSuchMove):
        drills._move(ended, "running", "again", END)


@pytest.mark.parametrize(
    ("wrong", "because"),
    [
        (lambda a: Placement.objects.filter(site=a.busan).update(state="failed"), drills.ALONE),
        (lambda a: Placement.objects.filter(site=a.daegu).update(state="failed"), drills.NOT_THERE),
        (lambda a: Endpoint.objects.update(paused_at=NOON), drills.NOT_RUNNING),
        (
            lambda a: Site.objects.filter(pk=a.busan.pk).update(condition="draining"),
            drills.NOT_OPEN,
        ),
    ],
)
def test_is_called_off_when_something_speaks_against_it(
    apart: Apart, wrong: Any, because: str
) -> None:
    book(apart)
    with rls.everyone(because="tests"):
        wrong(apart)

    found = swept(START)

    assert (found.state, found.because) == ("called_off", because)


def test_ends_at_once_when_the_other_site_fails_or_by_hand(apart: Apart) -> None:
    book(apart)
    swept(START)
    with rls.everyone(because="tests"):
        Placement.objects.filter(site=apart.busan).update(state="failed")

    found = swept(START + timedelta(minutes=1))
    assert (found.state, found.because) == ("ended", drills.NOTHING_LEFT)
    assert routed(apart, START + timedelta(minutes=1)) == ["daegu-1"]

    with rls.tenant(apart.cast.firm.pk):
        again = drills.end(drill=found, by=apart.cast.bob.may, now=START)
    assert again.because == drills.NOTHING_LEFT  # nothing more to end


def test_is_ended_by_hand_and_the_site_answers_again_at_once(apart: Apart) -> None:
    book(apart)
    running, then = swept(START), START + timedelta(minutes=3)

    with rls.tenant(apart.cast.firm.pk):
        ended = drills.end(drill=running, by=apart.cast.bob.may, now=then)
        twice = drills.end(drill=running, by=apart.cast.bob.may, now=END)

    assert (ended.state, ended.because, ended.returned_at) == ("ended", drills.BY_HAND, then)
    assert twice.returned_at == then
    assert routed(apart, then) == ["busan-1", "daegu-1"]
    with rls.tenant(apart.cast.firm.pk):
        assert AuditEvent.objects.filter(verb="drill.end").count() == 1


def test_a_window_that_is_over_is_not_made_longer_by_who_ends_it_late(apart: Apart) -> None:
    book(apart)
    running = swept(START)

    with rls.tenant(apart.cast.firm.pk):
        ended = drills.end(drill=running, by=apart.cast.bob.may, now=END + timedelta(hours=1))

    assert ended.returned_at == END


def test_is_cancelled_before_it_begins_and_never_begins(apart: Apart) -> None:
    drill = book(apart)

    with rls.tenant(apart.cast.firm.pk):
        drills.end(drill=drill, by=apart.cast.bob.may, now=NOON)

    found = swept(START)
    assert (found.state, found.because, found.withdrawn_at) == ("cancelled", drills.CANCELLED, None)
    assert routed(apart, START) == ["busan-1", "daegu-1"]
    book(apart)  # its time is free again


def test_a_window_that_passed_unseen_is_called_off(apart: Apart) -> None:
    book(apart)

    found = swept(END)

    assert (found.state, found.because) == ("called_off", drills.PASSED)


def test_is_ended_by_one_of_two_sweeps(apart: Apart) -> None:
    book(apart)
    mine, other = swept(START), swept(START)
    with rls.tenant(apart.cast.firm.pk):
        assert drills._move(other, "ended", drills.OVER, END, returned_at=END)
        assert not drills._move(mine, "ended", drills.NOTHING_LEFT, NOON, returned_at=NOON)

    assert (swept(END).because, swept(END).returned_at) == (drills.OVER, END)


def test_lasts_five_minutes_to_four_hours_and_begins_within_thirty_days(apart: Apart) -> None:
    far, second = NOON + drills.AHEAD, timedelta(seconds=1)
    for start, length in ((NOON, drills.SHORTEST), (far, drills.LONGEST)):
        book(apart, start=start, end=start + length)
    for start, length in (
        (START, drills.SHORTEST - second),
        (START, drills.LONGEST + second),
        (far + second, drills.SHORTEST),
    ):
        with pytest.raises(drills.BadWindow):
            book(apart, start=start, end=start + length)


def test_so_many_may_be_booked_and_no_more(apart: Apart) -> None:
    for day in range(drills.MOST_OPEN):
        late = timedelta(days=day)
        drill = book(apart, start=START + late, end=END + late)

    with pytest.raises(drills.TooManyDrills):
        book(apart, start=START + timedelta(days=20), end=END + timedelta(days=20))
    with rls.tenant(apart.cast.firm.pk):
        drills.end(drill=drill, by=apart.cast.bob.may, now=NOON)
    book(apart, start=START + timedelta(days=20), end=END + timedelta(days=20))


@pytest.mark.parametrize(
    ("usual", "seen", "slow"),
    [
        ([], [900], None),  # nothing to compare with
        ([100, 100, 100], [300, 301, None], 1),  # twice as much is little here: 200 ms more
        ([400, 400], [800, 801, 600], 1),  # and 200 ms more is little here: twice as much
        ([100], [], 0),
    ],
)
def test_counts_first_tokens_that_were_much_slower_than_before(
    usual: list[int], seen: list[int | None], slow: int | None
) -> None:
    def answers(values: list[Any]) -> list[Answer]:
        first = [None if one is None else START + timedelta(milliseconds=one) for one in values]
        return [Answer("busan-1", "answered", START, one, 1) for one in first]

    found = drilling.figures(answers(usual), answers(seen), "daegu-1", START)

    assert found["slow_first_tokens"] == slow
    assert found["first_token_ms"]["during"]["count"] == len(seen) - seen.count(None)


def test_refuses_what_makes_no_sense(apart: Apart) -> None:
    with pytest.raises(drills.BadWindow):
        book(apart, start=NOON - timedelta(minutes=1))
    with pytest.raises(drills.BadWindow):
        book(apart, end=START + timedelta(days=3652))
    with pytest.raises(drills.BadWindow):
        book(apart, end=START)
    with pytest.raises(drills.NoSecondSite):
        book(apart, site=factories.site("seoul-1", region="daegu"))
    book(apart)
    with pytest.raises(drills.DrillThen):
        book(apart, start=END - timedelta(minutes=5), end=END + timedelta(minutes=5))


def test_the_report_is_signed_and_can_be_checked_offline(apart: Apart, tmp_path: Path) -> None:
    book(apart)
    swept(START)
    project, name = apart.cast.project, apart.endpoint.public_id
    for seconds, site, outcome in ((1, "daegu-1", "answered"), (3, "busan-1", "answered")):
        at = START + timedelta(seconds=seconds)
        first = at + timedelta(milliseconds=400)
        factories.ledger_entry(
            project, at=at, endpoint=name, site=site, outcome=outcome, first_byte_at=first
        )
    swept(END)
    signed = swept(END + drills.REPORT_AFTER)

    claims = jws.payload(signed.jws)
    assert (claims["requests"], claims["failed"], claims["left_after_ms"]) == (2, 0, 1000)
    assert claims["first_answer_elsewhere_ms"] == 3400
    assert claims["answered_by"] == {"busan-1": 1, "daegu-1": 1}
    assert claims["unserved"] is None  # no gateway told anything: that is not zero
    assert drill_report.pdf(signed).startswith(b"%PDF")
    before = {name: claims[name] for name in claims if not name.startswith("unserved")}
    assert len(drill_report.rows(before)) == len(drill_report.rows(claims)) - 1
    text, out = tmp_path / "report.txt", StringIO()
    text.write_text(signed.jws)
    call_command("verify_drill", str(text), stdout=out)
    assert "Genuine" in out.getvalue()
    text.write_text(signed.jws.replace(".", ".A", 1))
    with pytest.raises(CommandError):
        call_command("verify_drill", str(text))
