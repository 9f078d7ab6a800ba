"""Codes of authenticator apps are taken once, for as long as they are valid.

With a tolerance of one half minute to either side a code is valid for 90 s; allauth remembers a
used one for 30 s only. The forms that take codes keep them here until none is valid any more,
in the shared cache and by their hash, and in one step, so that of two at once one is refused.
"""

from __future__ import annotations

import hashlib

from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa import app_settings
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import forms as base
from allauth.mfa.totp import forms as totp
from django.core.cache import cache

from tenants.models import User


def take(user: User, code: str) -> None:
    """Remember that a right code was used; a form error if it was used before."""
    valid = (2 * app_settings.TOTP_TOLERANCE + 1) * app_settings.TOTP_PERIOD
    text = f"{user.pk} {normalize_user_code(code)}"
    name = f"second-factor-used:{hashlib.sha256(text.encode()).hexdigest()}"
    if not cache.add(name, "used", timeout=valid):
        raise get_adapter().validation_error("incorrect_code")


class AuthenticateForm(base.AuthenticateForm):  # type: ignore[misc]
    def clean_code(self) -> str:
        code: str = super().clean_code()
        take(self.user, code)
        return code


class ReauthenticateForm(base.ReauthenticateForm):  # type: ignore[misc]
    def clean_code(self) -> str:
        code: str = super().clean_code()
        take(self.user, code)
        return code


class ActivateForm(totp.ActivateTOTPForm):  # type: ignore[misc]
    """The code that proves a new app is used as well."""

    def clean_code(self) -> str:
        code: str = super().clean_code()
        take(self.user, code)
        return code
