"""A crowd: 1,000 organizations with 20,000 members, 5,000 keys and 1,000,000 audit events.

``python -m deploy.local run -m bench.crowd`` fills the running stack (``make crowd``); the
benchmark of the pages (``bench.tenants``) fills a database of its own. One organization is large
(500 members, 300 keys, 50,000 events); the others are skewed as customers are. The same call makes
the same names and numbers. There is no way back but ``make reset``: audit events and invoices
refuse to be removed.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import batched
from typing import Any


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


GIVEN = words("서연 민준 지우 도윤 하은 시우 수아 예준 지민 주원 유나 건우 채원 현우 다은 우진")
FAMILY = words("김 이 박 최 정 강 조 윤 장 임 한 오 서 신 권 황 안 송 류 홍")
PLACES = words("대구 광주 대전 부산 울산 전주 청주 창원 포항 구미 목포 여수 춘천 강릉 제주 경주")
TRADES = words("정밀 의원 상사 병원 물산 군청 연구원 교육청 기계 식품 요양병원 통상 약품 시청")
KINDS = {"의원": "hospital", "병원": "hospital", "요양병원": "hospital", "군청": "public"}
KINDS |= {"시청": "public", "교육청": "public", "연구원": "public"}
ROLES = ("developer", "developer", "developer", "auditor", "budget_officer", "administrator")
WORK = words("접수 판독 견적 상담 번역 검색 요약 민원 회계 품질 설비 예약")


@dataclass(frozen=True)
class Scale:
    """How much of everything; the large organization's part is in it."""

    organizations: int = 1_000
    members: int = 20_000
    keys: int = 5_000
    events: int = 1_000_000
    notices: int = 100_000
    ledger: int = 100_000
    large_members: int = 500
    large_keys: int = 300
    large_events: int = 50_000
    large_ledger: int = 20_000
    projects: int = 4_000
    large_projects: int = 60
    months: int = 12  # of invoices, which nobody has paid


SMALL = Scale(
    organizations=3,
    members=40,
    keys=20,
    events=600,
    notices=100,
    ledger=60,
    large_members=20,
    large_keys=10,
    large_events=300,
    large_ledger=40,
    projects=12,
    large_projects=6,
)


@dataclass
class Firm:
    """One organization of the crowd with what belongs to it, in the order of making."""

    organization: Any
    members: list[Any] = field(default_factory=list)
    projects: list[Any] = field(default_factory=list)
    keys: list[Any] = field(default_factory=list)


@dataclass
class Crowd:
    """``firms[0]`` is the large one. ``staff`` are the operator's memberships."""

    operator: Any
    staff: list[Any]
    firms: list[Firm]


def public_id(prefix: str, number: int) -> str:
    """Always the same, and of the shape that ``ids.mint`` gives."""
    return f"{prefix}_{hashlib.sha256(f'{prefix} {number}'.encode()).hexdigest()[:16]}"


def shares(total: int, count: int, first: int) -> list[int]:
    """``total`` in ``count`` parts, one at least: the first is given, the rest fall off slowly."""
    rest = total - first - (count - 1)
    weights = [1 / (place + 1) ** 0.6 for place in range(count - 1)]
    parts = [1 + int(rest * weight / sum(weights)) for weight in weights]
    for place in range(total - first - sum(parts)):
        parts[place % len(parts)] += 1
    return [first, *parts]


def put[M](rows: Iterable[M]) -> list[M]:
    """Write rows of one kind in batches. They have their numbers afterwards."""
    made: list[M] = []
    for batch in batched(rows, 2_000, strict=False):
        made += type(batch[0]).objects.bulk_create(batch)  # type: ignore[attr-defined]
    return made


def person_name(number: int) -> str:
    return FAMILY[number % len(FAMILY)] + GIVEN[number // len(FAMILY) % len(GIVEN)]


def make(scale: Scale, *, now: datetime) -> Crowd:
    """Everything, in a handful of transactions. Twice on one database fails at the first row."""
    from bench import crowd_deeds, crowd_money
    from tenants import rls

    with rls.everyone(because="the crowd belongs to many organizations"):
        crowd = _people(scale, now)
        _projects_and_keys(crowd, scale, now)
    with rls.everyone(because="the crowd belongs to many organizations"):
        crowd_deeds.rights(crowd, now)
        crowd_deeds.oversight(crowd, now)
        crowd_deeds.notices(crowd, scale, now)
        crowd_money.make(crowd, scale, now=now)
    crowd_deeds.events(crowd, scale, now)
    return crowd


# ─── organizations and people ──────────────────────────────────────────────────────────────────


def _operator(now: datetime) -> Any:
    from tenants.models import Organization

    found = Organization.objects.filter(kind="operator").first()
    return found or Organization.objects.create(
        public_id=public_id("org", 0),
        code="crowd000",
        name="두레 운영",
        kind="operator",
        created_at=now - timedelta(days=900),
    )


def _organizations(count: int, now: datetime) -> Iterator[Any]:
    from tenants.models import Organization

    for number in range(1, count + 1):
        trade = TRADES[number % len(TRADES)]
        yield Organization(
            public_id=public_id("org", number),
            code=f"c{number:07d}",
            name=f"{PLACES[number % len(PLACES)]} {trade} {number}",
            kind=KINDS.get(trade, "sme"),
            business_number=f"{9_000_000_000 + number}",
            created_at=now - timedelta(days=800 - number % 700),
        )


def _people(scale: Scale, now: datetime) -> Crowd:
    """Nobody but the owner of the large firm belongs to more than two organizations."""
    from tenants.models import Membership, User

    operator = _operator(now)
    organizations = put(_organizations(scale.organizations, now))
    sizes = shares(scale.members, scale.organizations, scale.large_members)
    people = put(
        User(
            email=f"person{number}@crowd.example",
            name=person_name(number),
            password="!",
            public_id=public_id("usr", number),
            date_joined=now - timedelta(days=number % 700),
            last_login=now - timedelta(hours=number % 2_000),
        )
        for number in range(scale.members + 6)
    )
    staff = put(
        _membership(operator, person, "owner", place, now)
        for place, person in enumerate(people[scale.members :])
    )
    firms, first = [], 0
    for organization, size in zip(organizations, sizes, strict=True):
        firms.append(Firm(organization))
        for place, person in enumerate(people[first : first + size]):
            role = "owner" if place == 0 else ROLES[place % len(ROLES)]
            firms[-1].members.append(_membership(organization, person, role, place, now))
        first += size
    put(one for firm in firms for one in firm.members)
    _second_memberships(firms, now)
    assert Membership.objects.filter(organization=organizations[0]).count() >= scale.large_members
    return Crowd(operator, staff, firms)


def _membership(organization: Any, person: Any, role: str, place: int, now: datetime) -> Any:
    from tenants.models import Membership

    return Membership(
        public_id=public_id("mem", person.pk * 10_000 + organization.pk),
        organization=organization,
        user=person,
        role=role,
        joined_at=now - timedelta(days=400, minutes=-place),
    )


def _second_memberships(firms: list[Firm], now: datetime) -> None:
    """Owners of every tenth firm also look after the next one, as group companies do; the large
    firm's owner looks after five."""
    wanted = [(firms[0].members[0].user, firm) for firm in firms[1:6]]
    wanted += [
        (one.members[0].user, two) for one, two in zip(firms[10::10], firms[11::10], strict=False)
    ]
    put(_membership(firm.organization, person, "auditor", 900, now) for person, firm in wanted)


# ─── projects and keys ─────────────────────────────────────────────────────────────────────────


def _projects_and_keys(crowd: Crowd, scale: Scale, now: datetime) -> None:
    from tenants.models import Project

    counts = shares(scale.projects, len(crowd.firms), scale.large_projects)
    number = 0
    for firm, count in zip(crowd.firms, counts, strict=True):
        for place in range(count):
            number += 1
            firm.projects.append(
                Project(
                    public_id=public_id("prj", number),
                    organization=firm.organization,
                    name=f"{WORK[place % len(WORK)]} {place + 1}",
                    cost_centre=f"C-{number % 900:03d}",
                    data_class=("open", "open", "sensitive", "medical")[number % 4],
                    created_at=now - timedelta(days=300, minutes=-place),
                    archived_at=now - timedelta(days=9) if place % 9 == 8 else None,
                )
            )
    put(one for firm in crowd.firms for one in firm.projects)
    _limit_some_members(crowd)
    for firm, count in zip(
        crowd.firms, shares(scale.keys, len(crowd.firms), scale.large_keys), strict=True
    ):
        firm.keys.extend(_keys(firm, count, now))
    put(one for firm in crowd.firms for one in firm.keys)


def _limit_some_members(crowd: Crowd) -> None:
    """Every seventh developer works in two projects only."""
    from tenants.models import Membership

    chosen = []
    for firm in crowd.firms:
        for member in firm.members[1::7]:
            if member.role == "developer" and firm.projects:
                member.all_projects = False
                member.projects = [one.public_id for one in firm.projects[:2]]
                chosen.append(member)
    Membership.objects.bulk_update(chosen, ["all_projects", "projects"], batch_size=2_000)


def _keys(firm: Firm, count: int, now: datetime) -> Iterator[Any]:
    from tenants.models import ApiKey

    for place in range(count):
        number = firm.organization.pk * 10_000 + place
        maker = firm.members[place % len(firm.members)].user
        digest = hashlib.sha256(f"crowd key {number}".encode()).hexdigest()
        yield ApiKey(
            public_id=public_id("key", number),
            organization=firm.organization,
            project=firm.projects[place % len(firm.projects)],
            name=f"{WORK[place % len(WORK)]}-연동-{place + 1}",
            public_part=f"dure_live_{firm.organization.code}_…{digest[:4]}",
            sha256=digest,
            scopes=["inference", "control_read"][: 1 + place % 2],
            created_by=maker.name,
            made_by=maker,
            created_at=now - timedelta(days=200, minutes=-place),
            expires_at=now + timedelta(days=place % 90 + 1) if place % 3 else None,
            revoked_at=now - timedelta(days=5) if place % 6 == 5 else None,
            used_at=now - timedelta(hours=place * 7) if place % 5 else None,
            used_from=f"203.0.113.{place % 250}" if place % 5 else "",
        )


def main() -> int:
    """Fill the database of ``DATABASE_URL``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="three organizations only")
    scale = SMALL if parser.parse_args().small else Scale()
    import django

    django.setup()
    from django.utils import timezone

    began = time.perf_counter()
    crowd = make(scale, now=timezone.now())
    large = crowd.firms[0]
    print(f"{len(crowd.firms)} organizations in {time.perf_counter() - began:.0f} s")
    print(f"the large one: {large.organization.name}, owner {large.members[0].user.email}")
    print("its owner signs in by a code that is mailed; the audit events are sealed by the workers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
