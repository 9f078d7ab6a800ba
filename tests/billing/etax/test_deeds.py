"""What the operator does by hand, and what a customer keeps of itself."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.etax import certificates, deeds, preparing, profiles, queries
from billing.etax.deadlines import Urgency
from billing.etax.profiles import BadDetail, Details
from billing.etax.queries import Filters
from billing.models import EtaxDocument, EtaxProfile
from portal.lib.periods import seoul_date
from tenants import rls
from tenants.actors import NotAllowed
from tenants.models import AuditEvent, Notice
from tenants.reasons import BadReason
from tests import factories
from tests.billing.etax.conftest import AFTER, Desk, make_invoice

APPROVAL = "20261210-41000000-12345678"
REASON = "홈택스에서 발행했습니다"


@pytest.fixture(autouse=True)
def inside(db: None) -> object:
    with rls.everyone(because="the operator's staff see all organizations"):
        yield


def blocked(desk: Desk) -> EtaxDocument:
    make_invoice(factories.organization("번호 없는 단체", number=None))
    desk.work()
    return desk.one()


def rejected(desk: Desk) -> EtaxDocument:
    make_invoice(desk.cast.firm)
    desk.service.reject = "ERR002"
    for _ in range(9):
        desk.work(minutes=30)
    desk.service.reject = ""
    return desk.one()


def settle(desk: Desk, row: EtaxDocument, approval: str = APPROVAL, because: str = REASON) -> None:
    deeds.settle_elsewhere(
        document=row, approval=approval, because=because, by=desk.cast.olivia.may, now=AFTER
    )


def test_a_rejected_one_is_made_again_under_the_next_number(desk: Desk) -> None:
    row = rejected(desk)

    made = deeds.reissue(
        document=row, because="번호를 고쳤습니다", by=desk.cast.olivia.may, now=desk.clock.now
    )
    for _ in range(9):
        desk.work(minutes=30)

    assert made.key == "2026-12-00001-2"
    assert desk.states() == ["rejected", "accepted"]
    with pytest.raises(deeds.NotNow):
        deeds.reissue(document=row, because=REASON, by=desk.cast.olivia.may, now=AFTER)


def test_marks_what_was_issued_elsewhere(desk: Desk) -> None:
    row = blocked(desk)

    settle(desk, row)

    found = desk.one()
    assert (found.state, found.approval) == ("elsewhere", APPROVAL.replace("-", ""))
    event = AuditEvent.objects.get(verb="etax.elsewhere")
    assert (event.subject, event.because) == (row.public_id, REASON)


@pytest.mark.parametrize("approval", ["", "123", "가" * 24, "2026121041000000123456789", "x" * 24])
def test_wants_a_number_of_the_tax_service(desk: Desk, approval: str) -> None:
    row = blocked(desk)

    with pytest.raises(deeds.BadApproval):
        settle(desk, row, approval)
    assert desk.states() == ["blocked"]


def test_a_number_of_the_tax_service_stands_once(desk: Desk) -> None:
    make_invoice(factories.organization("다른 단체", number=None), number="2026-12-00002")
    settle(desk, blocked_first(desk))
    desk.work()

    rest = [one for one in desk.documents() if one.state == "blocked"]
    with pytest.raises(deeds.BadApproval):
        settle(desk, rest[0])


def blocked_first(desk: Desk) -> EtaxDocument:
    make_invoice(factories.organization("번호 없는 단체", number=None))
    desk.work()
    return desk.documents()[0]


def test_nothing_is_marked_elsewhere_while_it_may_be_out(desk: Desk) -> None:
    make_invoice(desk.cast.firm)
    desk.service.wrong, desk.service.times = "cut", 1
    desk.work()
    assert desk.states() == ["prepared"]

    with pytest.raises(deeds.NotNow):
        settle(desk, desk.one())
    desk.work(minutes=2)
    with pytest.raises(deeds.NotNow):
        settle(desk, desk.one())


def test_a_reason_is_due(desk: Desk) -> None:
    with pytest.raises(BadReason):
        settle(desk, blocked(desk), because="네")


def test_waives_only_where_the_buyer_has_no_number(desk: Desk) -> None:
    row = blocked(desk)
    deeds.waive(document=row, because="개인 회원", by=desk.cast.olivia.may, now=AFTER)
    assert desk.states() == ["waived"]

    make_invoice(desk.cast.mallory.may.organization, number="2026-12-00002")
    desk.work()
    other = desk.documents()[1]
    assert other.state == "blocked"
    with pytest.raises(deeds.NotNow):
        deeds.waive(document=other, because="개인 회원", by=desk.cast.olivia.may, now=AFTER)


def test_retries_at_once(desk: Desk) -> None:
    make_invoice(desk.cast.firm)
    desk.service.wrong, desk.service.times = "down", 1
    desk.work()
    desk.work(seconds=1)
    assert desk.states() == ["prepared"]

    deeds.retry(document=desk.one(), by=desk.cast.olivia.may, now=desk.clock.now)
    desk.work()

    assert desk.states() == ["issued"]


def test_retrying_what_lacks_details_says_so(desk: Desk) -> None:
    row = deeds.retry(document=blocked(desk), by=desk.cast.olivia.may, now=AFTER)

    assert (row.state, row.faults) == ("blocked", ["buyer_number", "representative"])


def test_there_is_nothing_to_retry_about_what_is_done(desk: Desk) -> None:
    row = blocked(desk)
    settle(desk, row)

    with pytest.raises(deeds.NotNow):
        deeds.retry(document=row, by=desk.cast.olivia.may, now=AFTER)


def test_only_those_who_may_do_it(desk: Desk) -> None:
    row, words = blocked(desk), {"by": desk.cast.alice.may, "now": AFTER}

    for call in (
        lambda: deeds.retry(document=row, **words),
        lambda: deeds.reissue(document=row, because=REASON, **words),
        lambda: deeds.settle_elsewhere(document=row, approval=APPROVAL, because=REASON, **words),
        lambda: deeds.waive(document=row, because=REASON, **words),
    ):
        with pytest.raises(NotAllowed):
            call()


# ─── the work list ─────────────────────────────────────────────────────────────────────────────


def shown(show: str, desk: Desk, text: str = "") -> list[str]:
    rows = queries.work_list(Filters(show, text), today=seoul_date(desk.clock.now))
    return [one.state for one in rows]


def test_shows_what_needs_somebody(desk: Desk) -> None:
    blocked(desk)
    make_invoice(desk.cast.firm, number="2026-12-00002")
    desk.work()

    assert shown("todo", desk) == ["blocked"]
    assert shown("running", desk) == ["issued"]
    assert shown("late", desk) == []
    desk.clock.tick(days=10)
    assert sorted(shown("late", desk)) == ["blocked", "issued"]  # issued, and never sent
    assert queries.counts(today=seoul_date(desk.clock.now))["late"] == 2


def test_a_late_one_says_what_it_costs(desk: Desk) -> None:
    row = blocked(desk)
    day = seoul_date(AFTER + timedelta(days=10))

    found = queries.standing(row, today=day)

    assert (found.urgency, found.won) == (Urgency.LATE, 12_345)


@pytest.mark.parametrize(
    ("text", "count"),
    [("2026-12-00001", 1), ("한빛", 1), ("123-45-67891", 1), ("없음", 0), ("%", 0), ("_", 0)],
)
def test_is_found_by_number_and_name(desk: Desk, text: str, count: int) -> None:
    make_invoice(desk.cast.firm)
    desk.work()

    assert len(shown("all", desk, text)) == count


def test_is_found_by_the_tax_services_number(desk: Desk) -> None:
    make_invoice(desk.cast.firm)
    desk.work()
    approval = desk.one().approval

    assert shown("all", desk, f"{approval[:8]}-{approval[8:16]}-{approval[16:]}") == ["issued"]


def test_each_state_says_what_comes_next(desk: Desk) -> None:
    make_invoice(desk.cast.firm)
    desk.work()
    row = desk.one()

    sentences = set()
    for state in [one[0] for one in queries.EtaxState.choices]:
        row.state = state
        sentences.add(queries.next_step(row))

    assert len(sentences) == len(queries.EtaxState.choices)


# ─── details ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("representative", ""),
        ("representative", "가" * 101),
        ("representative", "김\u202e서연"),
        ("place", "12"),
        ("place", "１２３４"),
        ("email", "kein-at"),
        ("email", "a@b.co, c@d.co"),
    ],
)
def test_refuses_details_that_cannot_stand_on_one(desk: Desk, field: str, text: str) -> None:
    words = {"representative": "김서연"} | {field: text}

    with pytest.raises(BadDetail) as found:
        profiles.change(
            organization=desk.cast.firm, details=Details(**words), by=desk.cast.alice.may, now=AFTER
        )

    assert found.value.field == field


def test_a_developer_does_not_change_them(desk: Desk) -> None:
    with pytest.raises(NotAllowed):
        profiles.change(
            organization=desk.cast.firm,
            details=Details(representative="박도현"),
            by=desk.cast.bob.may,
            now=AFTER,
        )


def test_the_log_names_fields_and_no_persons(desk: Desk) -> None:
    event = AuditEvent.objects.filter(verb="etax.details").earliest("pk")

    assert event.changes == {"fields": ["representative", "trade", "item"]}


def test_a_customer_is_not_taxed_otherwise_without_a_reason(desk: Desk) -> None:
    words = {"organization": desk.cast.firm, "by": desk.cast.olivia.may, "now": AFTER}

    with pytest.raises(BadReason):
        profiles.tax_as(tax="exempt", because="", **words)  # type: ignore[arg-type]
    with pytest.raises(NotAllowed):
        profiles.tax_as(
            tax="exempt",  # type: ignore[arg-type]
            because=REASON,
            **words | {"by": desk.cast.alice.may},
        )
    assert EtaxProfile.objects.get().tax == "taxable"


def test_a_taxed_invoice_of_an_exempt_customer_waits(desk: Desk) -> None:
    profiles.tax_as(
        organization=desk.cast.firm,
        tax="exempt",  # type: ignore[arg-type]
        because=REASON,
        by=desk.cast.olivia.may,
        now=AFTER,
    )
    make_invoice(desk.cast.firm)
    preparing.prepare_due(now=AFTER)

    assert desk.one().faults == ["vat"]


# ─── the certificate ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("days", "told", "fault"), [(200, 0, ""), (20, 1, ""), (-1, 1, "-11002031")]
)
def test_tells_once_before_the_certificate_ends(
    desk: Desk, days: int, told: int, fault: str
) -> None:
    desk.service.certificate_days = days

    for _ in range(3):
        row = certificates.look(issuer=desk.client, now=desk.clock.now)

    assert fault in row.fault and bool(row.fault) == bool(fault)
    assert Notice.objects.filter(kind="etax.certificate").count() == told


def test_an_issuer_that_is_away_says_nothing_about_the_certificate(desk: Desk) -> None:
    certificates.look(issuer=desk.client, now=desk.clock.now)
    desk.service.wrong = "down"

    row = certificates.look(issuer=desk.client, now=desk.clock.now)

    assert (row.fault, row.failures) == ("", 1) and row.expires_at is not None
