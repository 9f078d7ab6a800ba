"""The month end with objections, errors, two schedulers and whoever dies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from billing.closing import delivery, drafting, finalising, reviewing, runs, standing, steps
from billing.models import (
    CloseState,
    DraftState,
    Invoice,
    InvoiceDraft,
    InvoiceSeries,
)
from tenants import rls
from tenants.models import Notice
from tests import factories
from tests.billing.months import (
    AFTER,
    NOVEMBER,
    REVIEWED,
    firms,
    numbers,
    run,
    use,
)
from tests.cast import Cast

# ─── what customers say ────────────────────────────────────────────────────────────────────────


def drafted(cast: Cast) -> InvoiceDraft:
    use(cast.project)
    run(AFTER)
    return InvoiceDraft.objects.get(organization=cast.firm)


def object_to(draft: InvoiceDraft, cast: Cast, *, now: datetime = AFTER) -> Any:
    return reviewing.say(
        draft=draft, text="쓰지 않은 모델입니다.", objects=True, by=cast.carol.may, now=now
    )


def test_an_objection_holds_its_draft_and_no_other(
    cast: Cast, prices: None, everyone: None
) -> None:
    use(factories.project(cast.mallory.may.organization, "남"))
    draft = drafted(cast)
    objection = object_to(draft, cast)

    close = run(REVIEWED)

    assert close.state == CloseState.FINALISING
    assert [one.organization.name for one in Invoice.objects.all()] == ["이웃상사"]
    assert reviewing.unanswered(close) == [objection]

    reviewing.answer(
        objection=objection,
        text="맞게 계산했습니다.",
        again=False,
        by=cast.olivia.may,
        now=REVIEWED,
    )
    assert run(REVIEWED + timedelta(hours=1)).state == CloseState.DONE
    assert numbers() == ["2026-12-00001", "2026-12-00002"]


def test_a_draft_is_made_again_with_the_answer(cast: Cast, prices: None, everyone: None) -> None:
    draft = drafted(cast)
    objection = object_to(draft, cast)
    use(cast.project, 3_000_000)

    reviewing.answer(
        objection=objection, text="다시 계산합니다.", again=True, by=cast.olivia.may, now=AFTER
    )
    steps.accruals.accrue(until=NOVEMBER.period.end, now=AFTER)
    run(AFTER + timedelta(minutes=1))

    draft.refresh_from_db()
    assert (draft.state, draft.supply_won, draft.held) == ("drafted", 240, False)


def test_a_comment_holds_nothing(cast: Cast, prices: None, everyone: None) -> None:
    draft = drafted(cast)
    reviewing.say(draft=draft, text="고맙습니다.", objects=False, by=cast.carol.may, now=AFTER)

    assert run(REVIEWED).state == CloseState.DONE


def test_says_nothing_more_when_the_time_is_over(cast: Cast, prices: None, everyone: None) -> None:
    draft = drafted(cast)

    with pytest.raises(reviewing.ReviewOver):
        object_to(draft, cast, now=REVIEWED)
    run(REVIEWED)
    draft.refresh_from_db()
    with pytest.raises(reviewing.ReviewOver):
        object_to(draft, cast, now=AFTER)


def test_answers_an_objection_once(cast: Cast, prices: None, everyone: None) -> None:
    objection = object_to(drafted(cast), cast)
    words: dict[str, Any] = {"text": "답입니다. 예.", "again": False, "by": cast.olivia.may}
    reviewing.answer(objection=objection, now=AFTER, **words)

    with pytest.raises(reviewing.AnsweredAlready):
        reviewing.answer(objection=objection, now=AFTER, **words)


def test_an_answer_after_the_end_leaves_nothing_to_be_drafted(
    cast: Cast, prices: None, everyone: None
) -> None:
    """There was nothing to bill, so the month did not wait for the answer."""
    run(AFTER)
    draft = InvoiceDraft.objects.get(organization=cast.firm)
    objection = object_to(draft, cast)
    assert run(REVIEWED).state == CloseState.DONE

    words: dict[str, Any] = {"text": "답입니다. 예.", "again": True, "by": cast.olivia.may}
    reviewing.answer(objection=objection, now=REVIEWED, **words)

    draft.refresh_from_db()
    assert (draft.state, draft.held) == (DraftState.NOTHING, False)


def test_a_document_that_cannot_be_made_keeps_no_other_back(
    cast: Cast, prices: None, everyone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = firms(2)
    run(REVIEWED)

    def pdf_of(invoice: Invoice, *, now: datetime) -> bytes:
        if invoice.organization_id == first.pk:
            raise LookupError("something that nobody thought of")
        return b""

    monkeypatch.setattr(delivery.documents, "pdf_of", pdf_of)

    assert delivery.deliver(now=REVIEWED) == 1

    told = InvoiceDraft.objects.exclude(issue_told_at=None)
    assert [one.organization for one in told] == [second]


def test_tells_of_drafts_once_and_of_objections(cast: Cast, prices: None, everyone: None) -> None:
    draft = drafted(cast)
    run(AFTER + timedelta(minutes=1))
    object_to(draft, cast)

    for kind, person in (
        ("invoice.draft", cast.alice),
        ("invoice.draft", cast.carol),
        ("draft.objection", cast.olivia),
    ):
        assert Notice.objects.filter(kind=kind, user=person.user).count() == 1
    assert not Notice.objects.filter(kind="invoice.draft", user=cast.mallory.user).exists()


# ─── what the operator does ────────────────────────────────────────────────────────────────────


def test_the_operator_ends_the_review(cast: Cast, prices: None, everyone: None) -> None:
    drafted(cast)
    close = runs.find(NOVEMBER)
    assert close is not None

    runs.finalise_now(close, by=cast.olivia.may, now=AFTER)
    with pytest.raises(runs.NotNow):
        runs.finalise_now(close, by=cast.olivia.may, now=AFTER)

    assert run(AFTER).state == CloseState.DONE


def test_the_operator_has_everything_drafted_again(
    cast: Cast, prices: None, everyone: None
) -> None:
    draft = drafted(cast)
    use(cast.project, 3_000_000)
    close = runs.find(NOVEMBER)
    assert close is not None

    runs.draft_again(close, by=cast.olivia.may, now=AFTER)
    run(AFTER)

    draft.refresh_from_db()
    assert (draft.state, draft.supply_won) == ("drafted", 240)


# ─── errors ────────────────────────────────────────────────────────────────────────────────────


def test_one_broken_organization_stops_no_other(cast: Cast, prices: None, everyone: None) -> None:
    use(cast.project)
    broken = cast.mallory.may.organization
    use(factories.project(broken, "고장"), price_version="tar_none")

    close = run(REVIEWED)

    assert close.state == CloseState.FINALISING
    assert Invoice.objects.get().organization == cast.firm
    (failed,) = standing.failed(close)
    assert (failed.organization, failed.error[:8]) == (broken, "KeyError")


def test_a_failed_batch_is_done_again_singly(cast: Cast, prices: None, everyone: None) -> None:
    """One draft whose totals are not its lines breaks the batch; the others are issued."""
    made = firms(3)
    run(AFTER)
    wrong = InvoiceDraft.objects.get(organization=made[1])
    InvoiceDraft.objects.filter(pk=wrong.pk).update(supply_won=1, vat_won=0, total_won=1)

    close = run(REVIEWED)

    assert numbers() == ["2026-12-00001", "2026-12-00002"]
    assert InvoiceSeries.objects.get(month="2026-12").last == 2
    wrong.refresh_from_db()
    assert (wrong.state, wrong.error[:13]) == ("failed", "DoesNotAgree:")

    runs.retry(close, by=cast.olivia.may, now=REVIEWED)
    assert run(REVIEWED + timedelta(hours=1)).state == CloseState.DONE
    assert len(numbers()) == 3


def test_use_that_cannot_be_counted_is_set_aside(cast: Cast, prices: None, everyone: None) -> None:
    use(cast.project)
    counted: list[str] = []
    counting = steps.Counting(
        lambda until: {cast.firm.pk: "LookupError: no price of rngd"},
        lambda organization, until: counted.append(organization.name),
    )

    close = steps.advance(runs.begin(NOVEMBER, now=REVIEWED), counting, now=REVIEWED)
    assert [one.error for one in standing.failed(close)] == ["LookupError: no price of rngd"]

    runs.retry(close, by=cast.olivia.may, now=REVIEWED)
    steps.advance(close, counting, now=REVIEWED)

    assert counted == ["한빛정밀"]
    assert Invoice.objects.count() == 1


# ─── many at once ──────────────────────────────────────────────────────────────────────────────


def at_once(deed: Callable[[], object], count: int = 2) -> list[BaseException]:
    start, failed = threading.Barrier(count), []

    def work() -> None:
        try:
            start.wait(5)
            deed()
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return failed


@pytest.mark.django_db(transaction=True)
def test_two_schedulers_issue_each_invoice_once(monkeypatch: pytest.MonkeyPatch) -> None:
    factories.catalogue()
    made = firms(12)
    monkeypatch.setattr(drafting, "BATCH", 2)
    monkeypatch.setattr(finalising, "BATCH", 3)

    failed = at_once(lambda: run(REVIEWED), 3)
    run(REVIEWED)

    assert failed == []
    with rls.everyone(because="test"):
        assert numbers() == [f"2026-12-{n:05d}" for n in range(1, len(made) + 1)]
        owners = list(Invoice.objects.values_list("organization", flat=True))
        assert sorted(owners) == sorted(one.pk for one in made)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "place",
    [
        "billing.closing.drafting.open_rows",
        "billing.closing.drafting._fill",
        "billing.closing.finalising._take_numbers",
        "billing.closing.finalising._record",
        "billing.closing.runs._note",
    ],
)
def test_goes_on_wherever_it_was_broken_off(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    factories.catalogue()
    made = firms(3)

    class Killed(BaseException):
        """As ``kill -9``: nothing catches it."""

    def killed(*args: object, **words: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(place, killed)
        with pytest.raises(Killed):
            run(REVIEWED)
    assert run(REVIEWED).state == CloseState.DONE

    with rls.everyone(because="test"):
        assert numbers() == [f"2026-12-{n:05d}" for n in range(1, len(made) + 1)]
