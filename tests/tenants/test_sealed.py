"""Secrets that must be read again are sealed, with keys that can be rotated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.socialaccount.adapter import get_adapter as social_adapter
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from cryptography.fernet import Fernet
from django.apps import apps
from django.conf import settings as configured
from django.core.management import CommandError, call_command
from django.db import models
from django.test import RequestFactory

from portal.fleet.models import Site
from portal.lib import sealing
from tenants import rls, sealed
from tenants.models import SingleSignOn
from tests import factories
from tests.cast import Cast

# Words in a column's name; ``tokens`` are what models count, foreign keys and times are neither.
SOUNDS_SECRET = re.compile(
    r"secret|(^|_)token($|_(?!s))|(^|_)key($|_)|password|passphrase|credential|sha256|sealed|seed"
)
NEVER_TEXT = (models.ForeignKey, models.DateTimeField, models.IntegerField)


def secret_fields() -> Iterator[str]:
    """Every column of every installed model that sounds like a secret, allauth's JSON included."""
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.concrete_fields:
            if SOUNDS_SECRET.search(field.name) and not isinstance(field, NEVER_TEXT):
                yield f"{model._meta.label}.{field.name}"
    yield "mfa.Authenticator.data"


def named() -> set[str]:
    fields = {
        f"{label}.{field.partition('.')[0]}"
        for label, names in sealed.SEALED.items()
        for field in names
    }
    return fields | set(sealed.HASHED) | set(sealed.NO_SECRET)


def test_says_of_every_secret_how_it_is_kept() -> None:
    found = set(secret_fields())

    assert {
        "fleet.Site.sealed_token",
        "deployments.Placement.sealed_credential",
        "tenants.SingleSignOn.sealed_secret",
        "socialaccount.SocialApp.secret",
        "socialaccount.SocialToken.token_secret",
        "tenants.ApiKey.sha256",
    } <= found
    assert found - named() == set()


def test_names_only_fields_that_exist() -> None:
    for label, fields in sealed.SEALED.items():
        for field in fields:
            assert apps.get_model(label)._meta.get_field(field.partition(".")[0])
    for column in (*sealed.HASHED, *sealed.NO_SECRET):
        label, _, name = column.rpartition(".")
        assert apps.get_model(label)._meta.get_field(name)


@pytest.fixture
def sealed_with_old(db: None, settings: Any) -> tuple[Site, Authenticator, Authenticator]:
    factories.catalogue()
    site = factories.site(cards=1)
    user = factories.user()
    adapter = get_adapter()
    totp = Authenticator.objects.create(
        user=user, type="totp", data={"secret": adapter.encrypt("GEHEIM"), "other": 1}
    )
    # of before it was sealed
    codes = Authenticator.objects.create(
        user=user, type="recovery_codes", data={"migrated_codes": ["eins", "zwei"]}
    )
    settings.DURE_SEAL_KEYS = f"{Fernet.generate_key().decode()},{configured.DURE_SEAL_KEYS}"
    return site, totp, codes


def rotated() -> str:
    out = StringIO()
    call_command("rotate_field_keys", stdout=out)
    return out.getvalue()


def test_opens_everything_with_the_first_key_alone_after_a_rotation(
    sealed_with_old: tuple[Site, Authenticator, Authenticator], settings: Any
) -> None:
    site, totp, codes = sealed_with_old

    told = rotated()

    assert "fleet.Site: 1 rows, 1 renewed, 0 broken" in told
    assert "mfa.Authenticator: 2 rows, 2 renewed, 0 broken" in told
    settings.DURE_SEAL_KEYS = settings.DURE_SEAL_KEYS.partition(",")[0]
    for row in (site, totp, codes):
        row.refresh_from_db()
    assert sealing.unseal(site.sealed_token, settings.DURE_SEAL_KEYS) == factories.SITE_TOKEN
    assert totp.data["other"] == 1
    assert get_adapter().decrypt(totp.data["secret"]) == "GEHEIM"
    assert [get_adapter().decrypt(one) for one in codes.data["migrated_codes"]] == ["eins", "zwei"]
    assert "eins" not in str(codes.data)


def test_renews_nothing_the_second_time(
    sealed_with_old: tuple[Site, Authenticator, Authenticator],
) -> None:
    rotated()

    assert "fleet.Site: 1 rows, 0 renewed, 0 broken" in rotated()


def test_changes_nothing_that_no_key_opens(
    sealed_with_old: tuple[Site, Authenticator, Authenticator], settings: Any
) -> None:
    site, *_rest = sealed_with_old
    settings.DURE_SEAL_KEYS = Fernet.generate_key().decode()

    with pytest.raises(CommandError, match="fields open with none"):
        rotated()

    before = site.sealed_token
    site.refresh_from_db()
    assert site.sealed_token == before


@pytest.fixture
def providers(cast: Cast, settings: Any) -> tuple[SingleSignOn, SocialApp, SocialToken]:
    """An organization's own provider, and one of allauth's in the database, with a token."""
    with rls.tenant(cast.firm.pk):
        own = SingleSignOn.objects.create(
            public_id="sso_0000000000000001",
            organization=cast.firm,
            issuer="https://id.example",
            client_id="dure",
            sealed_secret=sealing.seal("GEHEIM-EINS", settings.DURE_SEAL_KEYS),
            made_at=factories.NOON,
        )
    app = SocialApp.objects.create(
        provider="kakao", name="Kakao", client_id="dure", secret="GEHEIM-ZWEI"
    )
    account = SocialAccount.objects.create(user=cast.bob.user, provider="kakao", uid="1")
    token = SocialToken.objects.create(app=app, account=account, token="DREI", token_secret="")
    settings.DURE_SEAL_KEYS = f"{Fernet.generate_key().decode()},{configured.DURE_SEAL_KEYS}"
    return own, app, token


def test_seals_providers_secrets_and_still_reads_them(
    providers: tuple[SingleSignOn, SocialApp, SocialToken], settings: Any, rf: RequestFactory
) -> None:
    own, app, token = providers

    rotated()

    settings.DURE_SEAL_KEYS = settings.DURE_SEAL_KEYS.partition(",")[0]
    with rls.tenant(own.organization_id):
        own.refresh_from_db()
    for row in (app, token):
        row.refresh_from_db()
    assert sealing.unseal(own.sealed_secret, settings.DURE_SEAL_KEYS) == "GEHEIM-EINS"
    assert "GEHEIM" not in app.secret
    assert (sealing.looks_sealed(token.token), token.token_secret) == (True, "")
    assert social_adapter().get_app(rf.get("/"), "kakao").secret == "GEHEIM-ZWEI"


class Interrupted(Exception):
    """The power goes."""


def test_goes_on_where_it_was_interrupted(
    db: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.catalogue()
    for number in range(5):
        factories.site(f"daegu-{number}", cards=0)
    old = settings.DURE_SEAL_KEYS
    settings.DURE_SEAL_KEYS = f"{Fernet.generate_key().decode()},{old}"
    monkeypatch.setattr(sealed, "BATCH", 2)
    renewed, seen = sealed._renew, 0

    def renew(*arguments: Any) -> None:
        nonlocal seen
        seen += 1
        if seen > 3:  # in the second batch, which is rolled back
            raise Interrupted
        renewed(*arguments)

    monkeypatch.setattr(sealed, "_renew", renew)
    with pytest.raises(Interrupted):
        rotated()
    monkeypatch.setattr(sealed, "_renew", renewed)

    first = settings.DURE_SEAL_KEYS.partition(",")[0]
    assert [opens(one, first) for one in Site.objects.order_by("pk")] == [1, 1, 0, 0, 0]
    assert all(opens(one, settings.DURE_SEAL_KEYS) for one in Site.objects.all())
    assert "fleet.Site: 5 rows, 3 renewed, 0 broken" in rotated()
    assert all(opens(one, first) for one in Site.objects.all())


def opens(site: Site, keys: str) -> bool:
    try:
        return sealing.unseal(site.sealed_token, keys) == factories.SITE_TOKEN
    except sealing.SealBroken:
        return False
