"""Documents, questions, corrections: what the customer and the operator can do about a state."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, connection, transaction

from tenants import reasons, registrations, rls, uploads
from tenants.actions import organizations
from tenants.actions import registrations as actions
from tenants.actors import NotAllowed
from tenants.models import (
    AuditEvent,
    Consent,
    Evidence,
    EvidenceRequest,
    Membership,
    Notice,
    Organization,
)
from tests import factories
from tests.factories import NOON
from tests.fakes.registry import CLOSED, UNKNOWN
from tests.registration.conftest import NUMBER, Newcomer

SEEN = "등록증의 이름과 번호가 같습니다."


@pytest.fixture
def unknown(newcomer: Newcomer) -> Newcomer:
    """The registry does not know the newcomer's number."""
    newcomer.service.report(NUMBER, UNKNOWN)
    newcomer.sweep()
    return newcomer


def staff(newcomer: Newcomer) -> list[str]:
    with rls.everyone(because="test"):
        rows = Notice.objects.filter(user=newcomer.cast.olivia.user)
        return list(rows.values_list("kind", flat=True))


def verbs(newcomer: Newcomer) -> list[str]:
    with rls.everyone(because="test"):
        rows = AuditEvent.objects.filter(organization=newcomer.organization)
        return list(rows.order_by("pk").values_list("verb", flat=True))


def test_a_document_is_handed_in_read_and_accepted(unknown: Newcomer) -> None:
    operator = unknown.cast.olivia.may
    document = factories.evidence(unknown.organization, unknown.may)
    with rls.everyone(because="the operator's pages"):
        waiting = [one.pk for one in registrations.queue("waiting")]
        actions.open_file(evidence=document, by=operator, now=NOON)
        actions.approve(organization=unknown.fresh(), because=SEEN, by=operator, now=NOON)

    assert waiting == [unknown.organization.pk]
    assert staff(unknown) == ["evidence.waiting"]
    assert unknown.state == "active"
    assert unknown.fresh().vouched_at == NOON
    assert unknown.told()[-1] == "registration.active"
    assert verbs(unknown)[-3:] == ["evidence.hand_in", "evidence.download", "registration.approve"]
    with rls.everyone(because="test"):
        assert Evidence.objects.get(pk=document.pk).state == "accepted"
        assert registrations.queue("waiting").count() == 0


def test_a_vouched_customer_is_not_doubted_again(unknown: Newcomer) -> None:
    with rls.everyone(because="the operator's pages"):
        actions.approve(
            organization=unknown.fresh(), because=SEEN, by=unknown.cast.olivia.may, now=NOON
        )

    unknown.sweep(timedelta(days=1))

    assert unknown.state == "active"


def test_a_document_is_asked_back_and_answered(unknown: Newcomer) -> None:
    first = factories.evidence(unknown.organization, unknown.may)
    with rls.everyone(because="the operator's pages"):
        actions.ask_back(
            organization=unknown.fresh(),
            message="뒷면이 빠졌습니다.",
            by=unknown.cast.olivia.may,
            now=NOON,
        )
    asked = unknown.told()[-1]
    factories.evidence(unknown.organization, unknown.may)

    assert asked == "registration.asked"
    assert unknown.state == "unverifiable"
    with rls.everyone(because="test"):
        assert Evidence.objects.get(pk=first.pk).state == "returned"
        assert EvidenceRequest.objects.get().answered_at == NOON


def test_nobody_vouches_against_the_registry(unknown: Newcomer) -> None:
    unknown.service.report(NUMBER, CLOSED)
    unknown.sweep(timedelta(days=1))
    operator = unknown.cast.olivia.may

    with rls.everyone(because="the operator's pages"):
        with pytest.raises(actions.NothingToDecide):
            actions.approve(organization=unknown.fresh(), because=SEEN, by=operator, now=NOON)
        with pytest.raises(actions.NothingToDecide):
            actions.ask_back(organization=unknown.fresh(), message=SEEN, by=operator, now=NOON)

    assert unknown.state == "closed"


@pytest.mark.parametrize("because", ["", "   ", "ok", "x" * 301, "a\u202ebcdef"])
def test_a_decision_needs_a_reason(unknown: Newcomer, because: str) -> None:
    with rls.everyone(because="test"), pytest.raises(reasons.BadReason):
        actions.approve(
            organization=unknown.fresh(), because=because, by=unknown.cast.olivia.may, now=NOON
        )


def test_a_customer_cannot_vouch_for_itself(unknown: Newcomer) -> None:
    with rls.tenant(unknown.organization.pk), pytest.raises(NotAllowed):
        actions.approve(organization=unknown.fresh(), because=SEEN, by=unknown.may, now=NOON)


def test_only_owners_open_a_document(unknown: Newcomer) -> None:
    document = factories.evidence(unknown.organization, unknown.may)
    erin = factories.user("erin@example.com", "에린")
    administrator = factories.member(erin, unknown.organization, "administrator")

    with rls.tenant(unknown.organization.pk):
        with pytest.raises(NotAllowed):
            actions.open_file(evidence=document, by=administrator, now=NOON)
        actions.open_file(evidence=document, by=unknown.may, now=NOON)

    assert verbs(unknown).count("evidence.download") == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [("등록증.pdf", b"MZ\x90\x00"), ("등록증.png", b"<svg/>"), ("빈.pdf", b"")],
)
def test_refuses_a_disguised_file(unknown: Newcomer, name: str, content: bytes) -> None:
    with rls.tenant(unknown.organization.pk):
        with pytest.raises(uploads.BadFile):
            actions.hand_in(
                kind="business",
                upload=SimpleUploadedFile(name, content),
                by=unknown.may,
                now=NOON,
            )
        assert Evidence.objects.count() == 0


def test_ten_documents_wait_at_most(unknown: Newcomer) -> None:
    for _ in range(actions.MOST_WAITING):
        factories.evidence(unknown.organization, unknown.may)

    with pytest.raises(actions.TooMuchEvidence):
        factories.evidence(unknown.organization, unknown.may)
    assert staff(unknown) == ["evidence.waiting"]


def test_a_mistyped_number_is_mended_and_asked_about(unknown: Newcomer) -> None:
    with rls.tenant(unknown.organization.pk):
        actions.correct(business_number="126-81-03725", by=unknown.may, now=NOON)

    assert unknown.fresh().business_number == "1268103725"
    unknown.sweep()
    assert unknown.state == "active"
    with rls.everyone(because="test"), pytest.raises(actions.NothingToDecide):
        actions.correct(business_number="1248100998", by=unknown.may, now=NOON)


def test_anothers_number_is_taken_also_by_correction(unknown: Newcomer) -> None:
    with rls.tenant(unknown.organization.pk), pytest.raises(organizations.NumberTaken):
        actions.correct(business_number="1234567891", by=unknown.may, now=NOON)


def test_the_registry_is_asked_again_every_ten_minutes_at_most(newcomer: Newcomer) -> None:
    newcomer.sweep()

    with rls.tenant(newcomer.organization.pk):
        with pytest.raises(actions.AskedLately):
            actions.ask_again(by=newcomer.may, now=NOON + timedelta(minutes=9))
        actions.ask_again(by=newcomer.may, now=NOON + timedelta(minutes=10))
        with pytest.raises(actions.AskedLately):  # it is due already
            actions.ask_again(by=newcomer.may, now=NOON + timedelta(minutes=11))

    assert newcomer.sweep(timedelta(minutes=11)).answered == 1


def test_keeps_who_agreed_to_which_version_and_when(newcomer: Newcomer) -> None:
    with rls.tenant(newcomer.organization.pk):
        kept = list(Consent.objects.order_by("pk").values_list("terms__public_id", "user", "at"))

    assert kept == [
        ("service-2026-11-01", newcomer.owner.pk, NOON),
        ("privacy-2026-11-01", newcomer.owner.pk, NOON),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tenants_terms SET text_ko = ''",
        "DELETE FROM tenants_terms",
        "UPDATE tenants_consent SET at = now()",
        "DELETE FROM tenants_consent",
        "UPDATE tenants_registrationmove SET because = ''",
    ],
)
def test_the_database_itself_keeps_terms_consents_and_moves(
    newcomer: Newcomer, statement: str
) -> None:
    with (
        rls.everyone(because="test"),
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_an_older_version_is_no_consent(newcomer: Newcomer) -> None:
    from tenants import terms

    newer = factories.terms_version("service", NOON - timedelta(days=1))

    with rls.everyone(because="test"):
        with pytest.raises(terms.TermsNotAccepted):
            terms.require_all(["service-2026-11-01", "privacy-2026-11-01"], now=NOON)
        assert terms.require_all([newer.public_id, "privacy-2026-11-01"], now=NOON)


def test_two_founders_with_one_number_are_one_organization(newcomer: Newcomer) -> None:
    other = factories.user("second@example.com", "둘째")

    with rls.user(other.pk), pytest.raises(organizations.NumberTaken):
        organizations.create(owner=other, founding=factories.founding(), now=NOON)

    with rls.everyone(because="test"):
        assert Organization.objects.filter(business_number=NUMBER).count() == 1
        assert not Membership.objects.filter(user=other).exists()
