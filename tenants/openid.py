"""An organization's OpenID provider: discovery, the way there, the exchange, the proof.

Promises: authorization code with PKCE, state and nonce; the ID token's signature (RS256 or
ES256, a key of the provider), issuer, audience, time and nonce are checked; every call goes
through ``tenants.outside``; ``ProviderFailed`` for everything that goes wrong.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import jwt
from django.utils.translation import gettext as _

from tenants import outside

ALGORITHMS = ["RS256", "ES256"]
LEEWAY = 60  # seconds of clock difference
LONGEST_SUBJECT = 255


class ProviderFailed(Exception):
    """The sentence says what the provider did not do."""


@dataclass(frozen=True, slots=True)
class Provider:
    """What discovery says, of it only what is used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    basic: bool


@dataclass(frozen=True, slots=True)
class Trip:
    """What must come back as it was sent: kept in the session between going and coming."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Claims:
    """Who the provider says came. ``email`` is empty where it does not vouch for it."""

    subject: str
    email: str
    name: str
    amr: tuple[str, ...]


def _json(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ProviderFailed(_("Its answer is no JSON.")) from error
    if not isinstance(found, dict):
        raise ProviderFailed(_("Its answer is no JSON."))
    return found


def _ask(method: str, url: str, **options: Any) -> dict[str, Any]:
    try:
        return _json(outside.fetch(method, url, **options))
    except (outside.Forbidden, outside.Unreachable) as error:
        raise ProviderFailed(
            _("The provider cannot be used: %(reason)s") % {"reason": error}
        ) from error


def normalized_issuer(text: str) -> str:
    """An issuer as it is compared: no query, no fragment. ``outside.Forbidden``."""
    parts = outside.checked(text.strip())
    if parts.query or parts.fragment:
        raise outside.Forbidden(_("This is no address."))
    return parts.geturl()


def discover(issuer: str) -> Provider:
    """The provider behind an issuer. It must say that it is this one, and nothing private."""
    found = _ask("GET", issuer.rstrip("/") + "/.well-known/openid-configuration")
    if found.get("issuer") != issuer:
        raise ProviderFailed(_("The provider names another issuer than the one set up."))
    places = [
        str(found.get(name, ""))
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
    ]
    for place in places:
        try:
            outside.checked(place)
        except outside.Forbidden as error:
            raise ProviderFailed(
                _("The provider cannot be used: %(reason)s") % {"reason": error}
            ) from error
    methods = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return Provider(
        issuer=issuer,
        authorization_endpoint=places[0],
        token_endpoint=places[1],
        jwks_uri=places[2],
        basic="client_secret_basic" in methods,
    )


def new_trip() -> Trip:
    return Trip(*(secrets.token_urlsafe(32) for _part in range(3)))


def way_there(provider: Provider, *, client_id: str, back: str, trip: Trip, hint: str = "") -> str:
    """The address at the provider where the person signs in."""
    digest = hashlib.sha256(trip.verifier.encode()).digest()
    asked = {
        "response_type": "code",
        "scope": "openid email profile",
        "client_id": client_id,
        "redirect_uri": back,
        "state": trip.state,
        "nonce": trip.nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    } | ({"login_hint": hint} if hint else {})
    mark = "&" if "?" in provider.authorization_endpoint else "?"
    return f"{provider.authorization_endpoint}{mark}{urlencode(asked)}"


def exchange(
    provider: Provider, *, client_id: str, secret: str, back: str, code: str, trip: Trip
) -> Claims:
    """The code for an ID token that holds. ``ProviderFailed``."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": back,
        "code_verifier": trip.verifier,
    }
    options: dict[str, Any] = {"data": form}
    if provider.basic:
        pair = urlencode({"i": client_id})[2:] + ":" + urlencode({"s": secret})[2:]
        token = base64.b64encode(pair.encode()).decode()
        options["headers"] = {"Authorization": f"Basic {token}"}
    else:
        form |= {"client_id": client_id, "client_secret": secret}
    answer = _ask("POST", provider.token_endpoint, **options)
    return _proven(provider, str(answer.get("id_token", "")), client_id=client_id, trip=trip)


def _key(provider: Provider, token: str) -> jwt.PyJWK:
    """The provider's key that the token names; the only one, if it names none."""
    try:
        wanted = jwt.get_unverified_header(token).get("kid")
        keys = jwt.PyJWKSet.from_dict(_ask("GET", provider.jwks_uri)).keys
    except jwt.PyJWTError as error:
        raise ProviderFailed(_("The provider's token or keys cannot be read.")) from error
    fitting = [key for key in keys if wanted is None or key.key_id == wanted]
    if len(fitting) != 1:
        raise ProviderFailed(_("The provider's token is signed with a key that it does not name."))
    return fitting[0]


def _proven(provider: Provider, token: str, *, client_id: str, trip: Trip) -> Claims:
    key = _key(provider, token)
    try:
        found = jwt.decode(
            token,
            key.key,
            algorithms=ALGORITHMS,
            issuer=provider.issuer,
            audience=client_id,
            leeway=LEEWAY,
            options={"require": ["exp", "iat", "iss", "aud", "sub"]},
        )
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise ProviderFailed(_("The provider's token does not hold.")) from error
    if not hmac.compare_digest(str(found.get("nonce", "")).encode(), trip.nonce.encode()):
        raise ProviderFailed(_("The provider's token belongs to another sign-in."))
    audience = found["aud"]
    if isinstance(audience, list) and len(audience) > 1 and found.get("azp") != client_id:
        raise ProviderFailed(_("The provider's token is for another program."))
    return _claims(found)


def _claims(found: dict[str, Any]) -> Claims:
    subject = str(found["sub"])
    if not 0 < len(subject) <= LONGEST_SUBJECT:
        raise ProviderFailed(_("The provider's token does not hold."))
    vouched = found.get("email_verified", True) in (True, "true")
    amr = found.get("amr")
    return Claims(
        subject=subject,
        email=str(found.get("email", "")).strip().lower() if vouched else "",
        name=str(found.get("name", "")),
        amr=tuple(str(one) for one in amr[:10]) if isinstance(amr, list) else (),
    )
