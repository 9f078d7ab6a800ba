"""Where allauth meets us: addresses in lower case, and where people land after signing in."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.http import HttpRequest
from django.urls import reverse

from tenants import sealed


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def clean_email(self, email: str) -> str:
        """One rule for every spelling of an address."""
        return str(super().clean_email(email)).strip().lower()

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Home, which sends people without an organization on to make one."""
        return reverse("home")

    def get_signup_redirect_url(self, request: HttpRequest) -> str:
        return reverse("home")


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Second factors are sealed where they stand; those of before are read as they are."""

    def encrypt(self, text: str) -> str:
        return sealed.seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        return sealed.unseal(encrypted_text)
