"""Secrets that must be read again are sealed, with keys that can be rotated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.apps import apps
from django.conf import settings as configured
from django.core.management import CommandError, call_command

from portal.fleet.models import Site
from portal.lib import sealing
from tenants import sealed
from tests import factories

SOUNDS_SECRET = re.compile(r"secret|token(?!s|_|ize)|token_secret|password|credential|private_key")
# Columns of libraries that have no text a person or program signs in with.
NOT_OURS = {"authtoken", "sessions"}


def secret_fields() -> Iterator[str]:
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if SOUNDS_SECRET.search(field.name) and model._meta.app_label not in NOT_OURS:
                yield f"{model._meta.label}.{field.name}"


def named() -> set[str]:
    fields = {
        f"{label}.{field.partition('.')[0]}"
        for label, names in sealed.SEALED.items()
        for field in names
    }
    return fields | set(sealed.HASHED) | set(sealed.NO_SECRET)


def test_says_of_every_secret_how_it_is_kept() -> None:
    found = set(secret_fields())

    assert "fleet.Site.sealed_token" in found
    assert found - named() == set()


def test_names_only_fields_that_exist() -> None:
    for label, fields in sealed.SEALED.items():
        try:
            model = apps.get_model(label)
        except LookupError:
            continue
        for field in fields:
            assert model._meta.get_field(field.partition(".")[0])


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


def test_reads_a_second_factor_of_before_it_was_sealed() -> None:
    assert get_adapter().decrypt("JBSWY3DPEHPK3PXP") == "JBSWY3DPEHPK3PXP"
    assert get_adapter().encrypt("JBSWY3DPEHPK3PXP").startswith("gAAAA")
