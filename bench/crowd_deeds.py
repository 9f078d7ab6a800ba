"""What the crowd did: invitations, deputies, reviews, notices, and its audit log."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from bench.audit_log import fill
from bench.crowd import Crowd, Firm, Scale, public_id, put, shares
from portal.lib.periods import SEOUL, Quarter
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
