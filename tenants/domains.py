"""Mail domains: how they are written, and how one is proven to be one's own."""

from __future__ import annotations

import re
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

RECORD = "_dure-verify"
TIMEOUT = 5.0  # seconds for all questions together
_LABEL = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")

# Where everybody has an address: nobody's own. A short list; the record would be refused anyway.
OPEN_TO_ALL = frozenset(
    {
        "gmail.com",
        "naver.com",
        "daum.net",
        "hanmail.net",
        "kakao.com",
        "nate.com",
        "outlook.com",
        "hotmail.com",
        "yahoo.com",
        "icloud.com",
    }
)


class BadDomain(ValueError):
    """The sentence says what is wrong with the domain."""


class LookUpFailed(Exception):
    """The DNS gave no answer: nothing is known."""

    def __str__(self) -> str:
        return _("The DNS gave no answer. Try again in a minute.")


def normalized(text: str) -> str:
    """A domain in ASCII and lower case, without a dot at its end. ``BadDomain``."""
    name = text.strip().rstrip(".").lower()
    try:
        name = name.encode("ascii").decode() if name.isascii() else name.encode("idna").decode()
    except UnicodeError as error:
        raise BadDomain(_("This is no domain. Write it as example.co.kr.")) from error
    labels = name.split(".")
    if len(name) > 253 or len(labels) < 2 or not all(_LABEL.match(one) for one in labels):
        raise BadDomain(_("This is no domain. Write it as example.co.kr."))
    if labels[-1].isdigit():
        raise BadDomain(_("This is no domain. Write it as example.co.kr."))
    if name in OPEN_TO_ALL:
        raise BadDomain(_("Everybody can have an address there: it is no organization's own."))
    return name


def of_email(email: str) -> str:
    """The domain of an address, empty for what is none."""
    try:
        return normalized(email.rpartition("@")[2])
    except BadDomain:
        return ""


class DomainProof(Protocol):
    """Asks the world for the texts of a name. ``LookUpFailed`` where nothing is known."""

    def texts(self, name: str) -> list[str]: ...


class DnsProof:
    """TXT records by the machine's resolver."""

    def texts(self, name: str) -> list[str]:
        import dns.exception
        import dns.resolver

        resolver = dns.resolver.Resolver()
        resolver.lifetime = TIMEOUT
        try:
            answer = resolver.resolve(f"{name}.", "TXT", search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.DNSException as error:
            raise LookUpFailed from error
        return [b"".join(one.strings).decode("ascii", "replace") for one in answer]


def proof() -> DomainProof:
    """The look-up that the settings name."""
    found: DomainProof = import_string(settings.DURE_DOMAIN_PROOF)()
    return found


def record_of(domain: str) -> str:
    return f"{RECORD}.{domain}"


def is_proven(domain: str, token: str) -> bool:
    """Whether the record stands in the DNS at this moment. ``LookUpFailed``."""
    return f"dure-verify={token}" in {text.strip() for text in proof().texts(record_of(domain))}
