"""The registry of businesses, asked: right, closed, slow, wrong, a day behind, many at once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from portal.lib import ids
from tenants import registrations, rls, standing
from tenants.actions import checks
from tenants.models import AuditEvent, Organization, Registration, RegistrationMove
from tenants.models.registration_states import REGISTRATION_ARROWS
from tests.factories import NOON
from tests.fakes.registry import ACTIVE, CLOSED, LEFT_OUT, SUSPENDED, UNKNOWN
from tests.registration.conftest import NUMBER, Newcomer

DAY = timedelta(days=1)


def moves(newcomer: Newcomer) -> list[str]:
    with rls.everyone(because="test"):
        rows = RegistrationMove.objects.filter(organization=newcomer.organization)
        return [one.to_state for one in rows.order_by("pk")]


def test_waits_for_the_registry_and_is_confirmed(newcomer: Newcomer) -> None:
    assert newcomer.state == "pending_registry"
    assert standing.reasons(newcomer.fresh())

    done = newcomer.sweep()

    assert done == checks.Sweep(answered=1)
    assert newcomer.state == "active"
    assert newcomer.told() == ["registration.active"]
    assert moves(newcomer) == ["pending_registry", "active"]
    with rls.tenant(newcomer.organization.pk):
        assert standing.reasons(newcomer.fresh()) == []
        event = AuditEvent.objects.get(verb="registration.move")
    assert event.actor_kind == "system"


@pytest.mark.parametrize(
    ("word", "state"), [(SUSPENDED, "suspended"), (CLOSED, "closed"), (UNKNOWN, "unverifiable")]
)
def test_closes_ordering_and_tells_the_owner_why(newcomer: Newcomer, word: str, state: str) -> None:
    newcomer.service.report(NUMBER, word)

    newcomer.sweep()

    assert newcomer.state == state
    assert newcomer.told() == [f"registration.{state}"]
    with rls.tenant(newcomer.organization.pk), pytest.raises(standing.OrderingClosed):
        standing.require_ordering(newcomer.fresh())


def test_finds_a_closure_in_the_nightly_look_and_its_end(newcomer: Newcomer) -> None:
    newcomer.sweep()
    newcomer.service.report(NUMBER, CLOSED)
    night = newcomer.fresh().registry_due_at
    assert night == datetime(2026, 11, 16, 18, 0, tzinfo=UTC)  # three o'clock in Korea

    early = newcomer.sweep(night - NOON - timedelta(minutes=1))
    closed = newcomer.sweep(night - NOON)
    newcomer.service.report(NUMBER, ACTIVE, on=date(2026, 11, 16))
    newcomer.sweep(night - NOON + DAY)

    assert (early, closed) == (checks.Sweep(), checks.Sweep(answered=1))
    assert moves(newcomer) == ["pending_registry", "active", "closed", "active"]


@pytest.mark.parametrize("fault", ["hang", "down", "garbage"])
def test_stays_as_it_was_while_the_registry_fails_and_asks_again_later(
    newcomer: Newcomer, fault: str
) -> None:
    newcomer.service.wrong = fault

    first = newcomer.sweep()
    again = newcomer.sweep(timedelta(seconds=29))
    later = newcomer.sweep(timedelta(seconds=30))
    newcomer.service.wrong = ""
    well = newcomer.sweep(timedelta(seconds=90))

    assert [first, again, later] == [
        checks.Sweep(unanswered=1),
        checks.Sweep(),
        checks.Sweep(unanswered=1),
    ]
    assert well == checks.Sweep(answered=1)
    assert moves(newcomer) == ["pending_registry", "active"]


def test_a_registry_that_is_down_closes_nobody(newcomer: Newcomer) -> None:
    newcomer.sweep()
    newcomer.service.wrong = "down"

    newcomer.sweep(DAY)

    assert newcomer.state == "active"


def test_pauses_grow_up_to_six_hours() -> None:
    found = [checks.pause_after(failures).total_seconds() for failures in (1, 2, 3, 10, 30_000)]

    assert found == [30, 60, 120, 15_360, 21_600]


def test_believes_a_registry_that_is_a_day_behind_and_follows_it(newcomer: Newcomer) -> None:
    """It closed today; the registry of yesterday calls it active, that of tomorrow closed."""
    newcomer.service.report(NUMBER, ACTIVE, on=date(2026, 11, 1))
    newcomer.service.report(NUMBER, CLOSED, on=date(2026, 11, 16))
    newcomer.service.days_behind = 1

    newcomer.sweep()
    behind = newcomer.state
    newcomer.service.today = lambda: date(2026, 11, 17)
    newcomer.sweep(DAY)

    assert (behind, newcomer.state) == ("active", "closed")
    assert newcomer.told() == ["registration.active", "registration.closed"]


def test_a_number_left_out_of_the_answer_is_asked_about_again(newcomer: Newcomer) -> None:
    newcomer.service.report(NUMBER, LEFT_OUT)

    done = newcomer.sweep()

    assert done == checks.Sweep(unanswered=1)
    assert newcomer.state == "pending_registry"
    assert newcomer.fresh().registry_failures == 1


def test_what_was_confirmed_does_not_become_unknown(newcomer: Newcomer) -> None:
    newcomer.sweep()
    newcomer.service.report(NUMBER, UNKNOWN)

    newcomer.sweep(DAY)

    assert newcomer.state == "active"


def test_asks_about_250_in_three_calls(newcomer: Newcomer) -> None:
    newcomer.sweep()
    newcomer.service.asked.clear()
    with rls.everyone(because="test set-up"):
        Organization.objects.bulk_create(
            Organization(
                public_id=ids.mint("org"),
                code=ids.mint_org_code(),
                name=f"회사 {number}",
                kind="sme",
                business_number=f"{2_000_000_000 + number}",
                created_at=NOON,
                registration=Registration.PENDING,
                registry_due_at=NOON,
            )
            for number in range(250)
        )

    done = newcomer.sweep()

    assert done == checks.Sweep(answered=250)
    assert [len(numbers) for numbers in newcomer.service.asked] == [100, 100, 50]
    assert len({one for numbers in newcomer.service.asked for one in numbers}) == 250
    with rls.everyone(because="test"):
        assert Organization.objects.filter(registration="active").count() >= 250


def test_asks_nobody_twice_within_a_lease(newcomer: Newcomer) -> None:
    """A second worker, while the first one's answer is on its way, finds nothing due."""
    batch, lease = checks._claim(NOON)

    second = newcomer.sweep(timedelta(seconds=1))

    assert [one.pk for one in batch] == [newcomer.organization.pk]
    assert lease == NOON + checks.LEASE
    assert second == checks.Sweep()


def test_an_answer_that_comes_after_the_lease_was_lost_changes_nothing(newcomer: Newcomer) -> None:
    batch, lease = checks._claim(NOON)
    newcomer.sweep(timedelta(seconds=61))
    newcomer.service.report(NUMBER, CLOSED)
    client = checks_client(newcomer)

    checks._write(batch[0], client[NUMBER], lease, NOON + timedelta(seconds=62))

    assert newcomer.state == "active"


def checks_client(newcomer: Newcomer) -> dict[str, checks.Business]:
    from tenants.registry.nts import TaxServiceRegistry
    from tests.fakes.registry import KEY

    return TaxServiceRegistry(newcomer.service.url, KEY).look_up([NUMBER])


@pytest.mark.parametrize("before", Registration.values)
@pytest.mark.parametrize("after", Registration.values)
def test_moves_along_the_arrows_and_nowhere_else(
    newcomer: Newcomer, before: str, after: str
) -> None:
    with rls.everyone(because="test"):
        Organization.objects.filter(pk=newcomer.organization.pk).update(registration=before)
        loaded = newcomer.fresh()
        if (before, after) in REGISTRATION_ARROWS:
            assert registrations.move(loaded, after, because="Test.", now=NOON)
            assert newcomer.state == after
        else:
            with pytest.raises(registrations.NoSuchMove):
                registrations.move(loaded, after, because="Test.", now=NOON)
            assert newcomer.state == before


def test_the_second_mover_finds_it_moved(newcomer: Newcomer) -> None:
    with rls.everyone(because="test"):
        first, second = newcomer.fresh(), newcomer.fresh()

        assert registrations.move(first, "active", because="One.", now=NOON)
        assert not registrations.move(second, "closed", because="Two.", now=NOON)

    assert newcomer.state == "active"
    assert moves(newcomer) == ["pending_registry", "active"]
