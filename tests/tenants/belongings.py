"""What one person has lying about, and the copy of it."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.core.files.uploadedfile import SimpleUploadedFile

from tenants import (
    audit,
    mails,
    notices,
    rls,
    uploads,
)
from tenants.actions import exports
from tenants.models import (
    ApiKey,
    SignIn,
    User,
)
from tenants.roles import Role
from tests import factories
from tests.cast import Cast
from tests.factories import NOON


def copy_of(user: User) -> zipfile.ZipFile:
    made = exports.ask(user=user, now=NOON)
    exports.make(made.pk, now=NOON)
    content = exports.fetch(user=user, public_id=made.public_id, now=NOON)
    assert content is not None
    return zipfile.ZipFile(io.BytesIO(content))


def part(copy: zipfile.ZipFile, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(copy.read(f"data/{name}.json"))
    return found


def picture() -> SimpleUploadedFile:
    from PIL import Image

    raw = io.BytesIO()
    Image.new("RGB", (2, 2)).save(raw, "PNG")
    return SimpleUploadedFile("beleg.png", raw.getvalue())


def with_belongings(cast: Cast) -> ApiKey:
    """Bob in two organizations, with a key, a file, a notice, an authenticator, an address."""
    bob = cast.bob.user
    factories.member(bob, cast.mallory.may.organization, Role.AUDITOR)
    EmailAddress.objects.create(user=bob, email=bob.email, verified=True, primary=True)
    Authenticator.objects.create(user=bob, type="totp", data={"secret": "GEHEIM"})
    key, _secret = factories.api_key(cast.project, cast.bob.may)
    SignIn.objects.create(user=bob, at=NOON, address="192.0.2.7", user_agent="Browser")
    for address in (bob.email, "alice@example.com"):
        mails.put([(address, mails.Letter("Hallo", "t", "h"))], organization=cast.firm, now=NOON)
    with rls.tenant(cast.firm.pk):
        audit.record("member.change_role", by=cast.alice.may, now=NOON, subject=bob.public_id)
        uploads.store(picture(), organization=cast.firm, by=cast.bob.may, now=NOON)
        notices.tell(
            "key.unused",
            organization=cast.firm,
            to=[bob],
            now=NOON,
            name="<script>alert(1)</script>",
        )
    return key
