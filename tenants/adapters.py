"""Where allauth meets us: addresses, secrets, what is told to whom, and what social sign-in may."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from portal.lib.sealing import looks_sealed, seal, unseal
from tenants import safety
from tenants.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def clean_email(self, email: str) -> str:
        """One rule for every spelling of an address."""
        return str(super().clean_email(email)).strip().lower()

    def is_safe_url(self, url: str) -> bool:
        """Where people may be sent on to: a path of our own, nothing that looks like one."""
        own = bool(url) and url.startswith("/") and "\\" not in url
        return own and bool(super().is_safe_url(url))

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Home, which sends people without an organization on to make one."""
        return reverse("home")

    def get_signup_redirect_url(self, request: HttpRequest) -> str:
        return reverse("home")

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("security")

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        """Keep the sign-in, and tell the person of a browser that was not seen before."""
        response: HttpResponse = super().post_login(request, user, **kwargs)
        safety.signed_in(request, response, user, now=timezone.now())
        return response

    def send_account_already_exists_mail(self, email: str) -> None:
        """Takes as long as making the account would have."""
        make_password(secrets.token_hex(16))
        super().send_account_already_exists_mail(email)

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """What happened to an account: a security notice. Its mail is allauth's where the notice
        reaches nobody: the former address, or a person without an organization."""
        told = safety.happened(template_prefix.rpartition("/")[2], user, now=timezone.now())
        if not told or email not in {None, user.email}:
            super().send_notification_mail(template_prefix, user, context=context, email=email)


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Secrets of second factors are sealed where they lie."""

    def encrypt(self, text: str) -> str:
        return seal(text, settings.DURE_SEAL_KEYS)

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text, settings.DURE_SEAL_KEYS)


class SessionsAdapter(DefaultUserSessionsAdapter):  # type: ignore[misc]
    def end_sessions(self, sessions: Iterable[UserSession]) -> None:
        ended = list(sessions)
        super().end_sessions(ended)
        user = context.request.user
        if ended and isinstance(user, User):
            safety.happened("sessions_ended", user, now=timezone.now())


class SocialAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Kakao and Naver say who somebody is there; an address is confirmed by us, always."""

    def list_apps(
        self,
        request: HttpRequest,
        provider: str | None = None,
        client_id: str | None = None,
    ) -> list[SocialApp]:
        """Providers of the environment, and of the database, whose secrets are sealed there."""
        found: list[SocialApp] = super().list_apps(request, provider, client_id)
        for one in found:
            if one.pk and looks_sealed(one.secret):
                one.secret = unseal(one.secret, settings.DURE_SEAL_KEYS)
        return found

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        for one in sociallogin.email_addresses:
            one.verified = False

    def populate_user(
        self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]
    ) -> User:
        user: User = super().populate_user(request, sociallogin, data)
        user.name = safety.plain_name(data.get("name") or data.get("username") or "")
        return user

    def can_authenticate_by_email(self, login: SocialLogin, email: str) -> bool:
        """Nobody enters an account because another service knows its address."""
        return False
