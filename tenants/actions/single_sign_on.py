"""An organization's own sign-in: its provider, its mail domains, and who comes through it.

A provider speaks for addresses of the domains that its organization has proven, and for no other.
A subject is bound to a person at the first sign-in; after that the subject decides, so that an
address that is given to somebody else opens nobody's account.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from portal.lib import ids
from portal.lib.sealing import seal, unseal
from tenants import audit, domains, openid, rls, safety
from tenants.actors import Actor
from tenants.models import (
    DomainClaim,
    Membership,
    Organization,
    Policy,
    SingleSignOn,
    SingleSignOnIdentity,
    User,
)

MOST_DOMAINS = 20


class Required(Exception):
    """What the rules of sign-in need cannot be taken away."""

    def __str__(self) -> str:
        return _("The rules of sign-in require single sign-on. Change the rules first.")


class TooManyDomains(Exception):
    def __str__(self) -> str:
        return _("At most 20 domains.")


class DomainTaken(Exception):
    def __str__(self) -> str:
        return _(
            "Another organization has proven this domain. Write to us if it is yours: we ask both."
        )


class NotProven(Exception):
    def __str__(self) -> str:
        return _("The record was not found. A new record can take an hour to be seen everywhere.")


class NotLetIn(Exception):
    """The provider said who came; that is nobody whom it may let in. The sentence says why."""


@dataclass(frozen=True, slots=True)
class ProviderWish:
    issuer: str
    client_id: str
    secret: str = ""  # empty: as before


# ─── the provider ──────────────────────────────────────────────────────────────────────────────


def of(by: Actor) -> SingleSignOn | None:
    return SingleSignOn.objects.visible_to(by).first()


@transaction.atomic
def configure(*, wish: ProviderWish, by: Actor, now: datetime) -> SingleSignOn:
    """Set the provider, which the door has asked (``openid.discover``). It counts as untested."""
    by.require("policies.change")
    Organization.objects.select_for_update().get(pk=by.organization.pk)
    if _is_required(by):
        raise Required
    found = of(by)
    before = {"issuer": found.issuer, "client_id": found.client_id} if found else None
    if found is None:
        found = SingleSignOn(public_id=ids.mint("sso"), organization=by.organization, made_at=now)
    found.issuer, found.client_id, found.tested_at = wish.issuer, wish.client_id, None
    if wish.secret:
        found.sealed_secret = seal(wish.secret, settings.DURE_SEAL_KEYS)
    found.save()
    audit.record(
        "single_sign_on.change",
        by=by,
        now=now,
        subject=found.public_id,
        changes={
            "before": before,
            "after": {"issuer": wish.issuer, "client_id": wish.client_id},
            "secret": "changed" if wish.secret else "kept",
        },
    )
    return found


@transaction.atomic
def forget(*, by: Actor, now: datetime) -> None:
    """Take the provider away, and whom it was bound to. Gone already: nothing happens."""
    by.require("policies.change")
    Organization.objects.select_for_update().get(pk=by.organization.pk)
    found = of(by)
    if found is None:
        return
    if _is_required(by):
        raise Required
    SingleSignOnIdentity.objects.visible_to(by).delete()
    audit.record("single_sign_on.forget", by=by, now=now, subject=found.public_id)
    found.delete()


def _is_required(by: Actor) -> bool:
    return Policy.objects.visible_to(by).filter(sso_only=True).exists()


def secret_of(found: SingleSignOn) -> str:
    return unseal(found.sealed_secret, settings.DURE_SEAL_KEYS)


# ─── its domains ───────────────────────────────────────────────────────────────────────────────


@transaction.atomic
def claim(*, domain: str, by: Actor, now: datetime) -> DomainClaim:
    """Say that a domain is one's own; what to write into its DNS. Repeating changes nothing."""
    by.require("policies.change")
    name = domains.normalized(domain)
    Organization.objects.select_for_update().get(pk=by.organization.pk)
    rows = DomainClaim.objects.visible_to(by)
    found = rows.filter(domain=name).first()
    if found is not None:
        return found
    if rows.count() >= MOST_DOMAINS:
        raise TooManyDomains
    made = DomainClaim.objects.create(
        public_id=ids.mint("dom"),
        organization=by.organization,
        domain=name,
        token=secrets.token_urlsafe(24),
        made_at=now,
    )
    audit.record("domain.claim", by=by, now=now, subject=name)
    return made


def prove(*, claim: DomainClaim, by: Actor, now: datetime) -> None:
    """Look for the record, outside any transaction; then keep that it was there.

    ``NotProven``, ``DomainTaken``, ``LookUpFailed``.
    """
    by.require("policies.change")
    if not domains.is_proven(claim.domain, claim.token):
        raise NotProven
    try:
        with rls.tenant(by.organization.pk), transaction.atomic():
            changed = DomainClaim.objects.visible_to(by).filter(pk=claim.pk, proven_at=None)
            if changed.update(proven_at=now):
                audit.record("domain.prove", by=by, now=now, subject=claim.domain)
    except IntegrityError as error:
        raise DomainTaken from error


@transaction.atomic
def drop(*, claim: DomainClaim, by: Actor, now: datetime) -> None:
    """Give a domain up. The last proven one stays while single sign-on is required."""
    by.require("policies.change")
    Organization.objects.select_for_update().get(pk=by.organization.pk)
    rows = DomainClaim.objects.visible_to(by)
    found = rows.filter(pk=claim.pk).first()
    if found is None:
        return
    others = rows.exclude(pk=found.pk).filter(proven_at__isnull=False)
    if found.proven_at and _is_required(by) and not others.exists():
        raise Required
    found.delete()
    audit.record("domain.drop", by=by, now=now, subject=found.domain)


# ─── who comes through it ──────────────────────────────────────────────────────────────────────


def of_domain(email: str) -> SingleSignOn | None:
    """The provider of an address's domain, asked before anybody is known."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenants_organization_of_domain(%s)", [domains.of_email(email)])
        row = cursor.fetchone()
    if not row or row[0] is None:
        return None
    with rls.tenant(row[0]):
        return SingleSignOn.objects.select_related("organization").first()


def of_trip(organization_id: int, public_id: str) -> SingleSignOn | None:
    """The provider that a sign-in was begun with, if it is still set."""
    with rls.tenant(organization_id):
        rows = SingleSignOn.objects.select_related("organization")
        return rows.filter(public_id=public_id).first()


def let_in(*, through: SingleSignOn, claims: openid.Claims, now: datetime) -> User:
    """The person whom a proven token names; made new if nobody has the address. ``NotLetIn``."""
    organization = through.organization
    with rls.tenant(organization.pk):
        now_set = SingleSignOn.objects.select_for_update().filter(pk=through.pk).first()
        if now_set is None or now_set.issuer != through.issuer:
            raise NotLetIn(_("Single sign-on was changed meanwhile. Begin again."))
        _require_own_domain(organization, claims.email)
        user = _bound(through, claims) or _bind(through, claims, now)
        if not user.is_active:
            raise NotLetIn(_("This account is closed."))
        if Membership.objects.filter(organization=organization, user=user).exists():
            SingleSignOn.objects.filter(pk=through.pk, tested_at=None).update(tested_at=now)
    return user


def _require_own_domain(organization: Organization, email: str) -> None:
    try:
        validate_email(email)
    except ValidationError as error:
        raise NotLetIn(_("The provider gave no confirmed e-mail address.")) from error
    own = DomainClaim.objects.filter(
        organization=organization, domain=domains.of_email(email), proven_at__isnull=False
    )
    if not own.exists():
        raise NotLetIn(_("The provider may not speak for this e-mail address's domain."))


def _bound(through: SingleSignOn, claims: openid.Claims) -> User | None:
    """Whom this subject is. Their address must still be one that the provider speaks for."""
    found = (
        SingleSignOnIdentity.objects.select_related("user")
        .filter(organization=through.organization, issuer=through.issuer, subject=claims.subject)
        .first()
    )
    if found is None:
        return None
    _require_own_domain(through.organization, found.user.email)
    return found.user


def _bind(through: SingleSignOn, claims: openid.Claims, now: datetime) -> User:
    """The first time: the account that has proven this very address, or a new one."""
    user = _of_address(claims.email) or _new(claims)
    bound = {"organization": through.organization, "issuer": through.issuer}
    if SingleSignOnIdentity.objects.filter(user=user, **bound).exists():
        raise NotLetIn(
            _("This address belongs to somebody else's account. Ask your organization's owner.")
        )
    SingleSignOnIdentity.objects.create(subject=claims.subject, user=user, bound_at=now, **bound)
    return user


def _of_address(email: str) -> User | None:
    """The account of an address. One that was never confirmed has let nobody in yet: whoever
    signed up with it loses the password, so that the address's owner does not share it."""
    user = User.objects.filter(email=email).first()
    if user is None:
        return None
    confirmed = EmailAddress.objects.filter(user=user, verified=True)
    if confirmed.filter(email=email).exists():
        return user
    if confirmed.exists():
        raise NotLetIn(
            _("This address belongs to somebody else's account. Ask your organization's owner.")
        )
    SocialAccount.objects.filter(user=user).delete()
    user.set_unusable_password()
    user.save(update_fields=["password"])
    EmailAddress.objects.update_or_create(
        user=user, email=email, defaults={"verified": True, "primary": True}
    )
    return user


def _new(claims: openid.Claims) -> User:
    user = User.objects.create_user(claims.email, None, name=safety.plain_name(claims.name))
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user
