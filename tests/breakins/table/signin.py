"""Guessing, planting, replaying and lying at the sign-in."""

from __future__ import annotations

from tests.breakins.table.attempt import Cut, attempt, setting

ACCOUNTS, SSO = "signin/test_accounts.py::", "signin/test_single_sign_on.py::"
FACTORS = "signin/test_second_factors.py::"
POLICIES = "signin/test_policies.py::"
ADAPTERS, LIMITS = "tenants/adapters.py", 'ACCOUNT_RATE_LIMITS = {"login_failed": '

LAST = (
    '        """Nobody enters an account because another service knows its address."""\n'
    "        return False\n"
)


def without_code(*lines: str) -> Cut:
    """allauth's own guard of new addresses, taken away where our adapter is imported."""
    flows = "allauth.account.internal.flows"
    imports = (
        f"\n\nfrom {flows}.email_verification import mark_email_address_as_verified\n"
        f"from {flows}.email_verification_by_code import EmailVerificationProcess\n\n\n"
    )
    return Cut(ADAPTERS, LAST, LAST + imports + "".join(lines))


ROWS = [
    attempt(
        "guess one account's password from many addresses",
        "portal.settings:ACCOUNT_RATE_LIMITS",
        ACCOUNTS + "test_stops_guessing_at_one_account_from_many_addresses",
        setting(LIMITS + '"20/m/ip,5/300s/key"}', LIMITS + '"20/m/ip"}'),
    ),
    attempt(
        "guess on and on with another X-Forwarded-For each time",
        "portal.settings:ALLAUTH_TRUSTED_PROXY_COUNT",
        ACCOUNTS + "test_stops_guessing_from_one_address_whatever_it_forwards",
        setting(
            "ALLAUTH_TRUSTED_PROXY_COUNT = 1 if DURE_BEHIND_PROXY else 0",
            "ALLAUTH_TRUSTED_PROXY_COUNT = 1",
        ),
    ),
    attempt(
        "try many codes of a sign-in by mail",
        "portal.settings:ACCOUNT_LOGIN_BY_CODE_MAX_ATTEMPTS",
        ACCOUNTS + "test_stops_guessing_a_code",
        setting("MAX_ATTEMPTS = 3", "MAX_ATTEMPTS = 1000"),
    ),
    attempt(
        "use a second factor's code twice",
        "allauth.mfa.totp.internal.auth:TOTP.validate_code",
        FACTORS + "test_takes_a_second_factors_code_once",
        Cut(
            "tenants/second_factors.py",
            '    if not cache.add(name, "used", timeout=valid):\n',
            "    if False:\n",
        ),
        Cut(
            ADAPTERS,
            LAST,
            "        return False\n\n\nfrom allauth.mfa.totp.internal.auth import TOTP\n\n"
            "TOTP._mark_code_used = lambda self, code: True\n",
        ),
    ),
    attempt(
        "use a second factor's code a minute later",
        "portal.settings:MFA_TOTP_TOLERANCE",
        FACTORS + "test_takes_a_second_factors_code_of_the_last_half_minute_too",
        setting("MFA_TOTP_TOLERANCE = 1", "MFA_TOTP_TOLERANCE = 2"),
    ),
    attempt(
        "use one recovery code in four browsers at once",
        "allauth.mfa.recovery_codes.internal.auth:RecoveryCodes.validate_code",
        "breakins/test_people.py::test_a_recovery_code_opens_once_also_at_once",
        Cut(
            ADAPTERS,
            LAST,
            "        return False\n\n\nfrom allauth.mfa.recovery_codes.internal.auth import RecoveryCodes\n\n"
            "RecoveryCodes._mark_code_used = lambda self, number: None\n",
        ),
    ),
    attempt(
        "plant a session before the sign-in (fixation)",
        "django.contrib.sessions.backends.base:SessionBase.cycle_key",
        ACCOUNTS + "test_gives_a_new_session_at_sign_in",
        setting('"django.contrib.sessions.backends.db"', '"tests.breakins.fixed_sessions"'),
    ),
    attempt(
        "lead somebody away by `next` after the sign-in",
        "tenants.adapters:AccountAdapter.is_safe_url",
        ACCOUNTS + "test_goes_on_to_our_own_pages_only",
        Cut(ADAPTERS, "return own and bool(super().is_safe_url(url))", "return bool(own or url)"),
    ),
    attempt(
        "learn from the sign-up who has an account",
        "portal.settings:ACCOUNT_PREVENT_ENUMERATION",
        ACCOUNTS + "test_signs_up_alike_whether_the_address_is_taken",
        setting("ACCOUNT_PREVENT_ENUMERATION = True", "ACCOUNT_PREVENT_ENUMERATION = False"),
    ),
    attempt(
        "learn from codes and resets who has an account",
        "portal.settings:ACCOUNT_PREVENT_ENUMERATION",
        ACCOUNTS + "test_answers_the_same_for_known_and_unknown_addresses",
        setting("ACCOUNT_PREVENT_ENUMERATION = True", "ACCOUNT_PREVENT_ENUMERATION = False"),
    ),
    attempt(
        "learn from the time of an answer who has an account",
        "tenants.adapters:AccountAdapter.send_account_already_exists_mail",
        ACCOUNTS + "test_hashes_once_whether_the_address_is_taken",
        Cut(ADAPTERS, "        make_password(secrets.token_hex(16))\n"),
    ),
    attempt(
        "change the address of an account without having the new one",
        "allauth.account.internal.flows.email_verification_by_code:EmailVerificationProcess.finish",
        ACCOUNTS + "test_changes_an_address_only_when_the_new_one_is_confirmed",
        without_code(
            "def _at_once(self, **more):\n    _send(self, **more)\n"
            "    mark_email_address_as_verified(self.request, self.email_address)\n\n\n"
            "_send, EmailVerificationProcess.send = EmailVerificationProcess.send, _at_once\n"
        ),
    ),
    attempt(
        "confirm a second new address with the code of the first",
        "allauth.account.internal.flows.email_verification_by_code:EmailVerificationProcess.initiate",
        "breakins/test_accounts.py::test_the_code_for_one_address_confirms_no_other",
        without_code(
            'EmailVerificationProcess.generate_code = lambda self: self.state.update(code="ABCDEF")\n'
        ),
    ),
    attempt(
        "choose a leaked password",
        "tenants.passwords:GuessableValidator.validate",
        ACCOUNTS + "test_refuses_what_others_would_guess",
        Cut(
            "tenants/passwords.py",
            '        if float(found["guesses"]) < FEWEST_GUESSES:\n',
            "        if False:\n",
        ),
    ),
    attempt(
        "enter an account by what Kakao or Naver says of its address",
        "tenants.adapters:SocialAdapter.can_authenticate_by_email",
        ACCOUNTS + "test_enters_no_account_by_what_another_service_says",
        Cut(
            ADAPTERS,
            LAST,
            "        return True\n",
        ),
        Cut(ADAPTERS, "            one.verified = False\n", "            one.verified = True\n"),
        setting(
            "SOCIALACCOUNT_EMAIL_AUTHENTICATION = False",
            "SOCIALACCOUNT_EMAIL_AUTHENTICATION = True",
        ),
    ),
    attempt(
        "read the secrets of second factors in a stolen table",
        "tenants.adapters:SecondFactorAdapter.encrypt",
        FACTORS + "test_seals_the_secret_of_a_second_factor",
        Cut(ADAPTERS, "return seal(text, settings.DURE_SEAL_KEYS)", "return text"),
        Cut(
            ADAPTERS,
            "return unseal(encrypted_text, settings.DURE_SEAL_KEYS)",
            "return encrypted_text",
        ),
    ),
    attempt(
        "keep a stolen session when the password changes",
        "django.contrib.auth.base_user:AbstractBaseUser.get_session_auth_hash",
        ACCOUNTS + "test_ends_other_sessions_when_the_password_changes",
        Cut(
            "tenants/models/people.py",
            "    @property\n    def label(self) -> str:\n",
            '    def get_session_auth_hash(self) -> str:\n        return "same"\n\n'
            "    @property\n    def label(self) -> str:\n",
        ),
    ),
    attempt(
        "go on polling with a session that was ended elsewhere",
        "tenants.adapters:SessionsAdapter.end_sessions",
        "breakins/test_people.py::test_an_ended_session_asks_in_vain",
        Cut(ADAPTERS, "        super().end_sessions(ended)\n"),
    ),
    attempt(
        "send a form from another site (each form there is)",
        "django.middleware.csrf:CsrfViewMiddleware",
        "web/test_permissions.py::test_refuses_a_form_without_its_token",
        setting('    "django.middleware.csrf.CsrfViewMiddleware",\n', ""),
    ),
    attempt(
        "come with a provider's token that was made for another sign-in or program",
        "tenants.openid:_proven",
        SSO + "test_refuses_a_token_that_does_not_hold",
        Cut(
            "tenants/openid.py",
            'if not hmac.compare_digest(str(found.get("nonce", "")).encode(), trip.nonce.encode()):',
            "if False:",
        ),
    ),
    attempt(
        "come back with the state of somebody else's journey",
        "portal.web.sso:_came_back",
        SSO + "test_takes_no_other_journeys_state",
        Cut("portal/web/sso.py", 'if doors.word(request.GET, "state") != trip.state:', "if False:"),
    ),
    attempt(
        "let one's own provider speak for others' addresses",
        "tenants.actions.single_sign_on:_require_own_domain",
        SSO + "test_lets_nobody_in_for_whom_the_provider_may_not_speak",
        Cut("tenants/actions/single_sign_on.py", "    if not own.exists():\n", "    if False:\n"),
    ),
    attempt(
        "claim a mail domain without its DNS",
        "tenants.actions.single_sign_on:prove",
        SSO + "test_proves_nothing_without_the_record",
        Cut(
            "tenants/actions/single_sign_on.py",
            "if not domains.is_proven(claim.domain, claim.token):",
            "if not domains.is_proven(claim.domain, claim.token) and False:",
        ),
    ),
    attempt(
        "get somebody's account by an address that was given to oneself later",
        "tenants.actions.single_sign_on:_bind",
        SSO + "test_gives_a_recycled_address_nobodys_account",
        Cut(
            "tenants/actions/single_sign_on.py",
            "if SingleSignOnIdentity.objects.filter(user=user, **bound).exists():",
            "if False:",
        ),
        Cut(
            "tenants/actions/single_sign_on.py",
            "    SingleSignOnIdentity.objects.create(subject=claims.subject, user=user, bound_at=now, **bound)\n",
        ),
    ),
    attempt(
        "make the portal call private addresses as a provider (SSRF)",
        "tenants.outside:public_address",
        SSO + "test_calls_no_private_address",
        Cut(
            "portal/lib/addresses.py",
            "return found.is_global and not found.is_multicast",
            "return True",
        ),
        Cut(
            "portal/lib/addresses.py",
            "            return False  # an address inside an address: nobody's provider lives there",
            "            return True",
        ),
    ),
    attempt(
        "pass an organization's address rule by X-Forwarded-For",
        "tenants.origins:_address",
        POLICIES + "test_believes_no_forwarded_address",
        Cut("tenants/origins.py", "    if settings.DURE_BEHIND_PROXY:\n", "    if True:\n"),
    ),
    attempt(
        "come back to a screen that was left longer than allowed",
        "tenants.policies:_broken",
        POLICIES + "test_signs_out_who_was_away_and_keeps_who_was_not",
        Cut("tenants/policies.py", "    if policy.idle_minutes and now", "    if False and now"),
    ),
    attempt(
        "stay signed in by a page that asks by itself",
        "tenants.actors:_stopped",
        POLICIES + "test_does_not_count_what_a_page_asks_by_itself",
        Cut(
            "tenants/actors.py",
            'if unmet is None and not (request.method == "GET" and request.headers.get("HX-Request")):',
            "if unmet is None:",
        ),
    ),
    attempt(
        "work as the operator's staff without a second factor",
        "tenants.policies:unmet",
        POLICIES + "test_gives_the_operators_staff_nothing_without_a_second_factor",
        Cut(
            "tenants/policies.py",
            "if rule is None and organization.is_operator and not _strong(request, membership):",
            "if False:",
        ),
    ),
]
