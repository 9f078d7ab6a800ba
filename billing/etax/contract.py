"""What an issuer of e-tax invoices promises. It signs with the supplier's certificate and passes
documents on to the tax service (국세청).

Each document has our number (its key), at most 24 characters, which the issuer takes once. So a
call of which nothing is known is never guessed about: ask for the state by the key, then repeat
under the same key. An amendment is a document like the others that names the original.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from billing.etax.documents import Document


class EtaxError(Exception):
    """Something went wrong with the issuer."""


class Unavailable(EtaxError):
    """Nothing is known: it may have happened or not. Ask by the key. The sentence is for the log;
    it has no secrets and no texts of the document."""


class Refused(EtaxError):
    """The issuer said no, and nothing was issued by this call. ``code`` and ``sentence`` are its
    own words."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence


class DuplicateKey(Refused):
    """There is a document with this key already. Ask which."""


class Stage(StrEnum):
    """How far a document is at the issuer."""

    DRAFT = "draft"  # kept there, not issued
    ISSUED = "issued"  # signed; the buyer has it; the tax service not yet
    SENT = "sent"  # on its way to the tax service
    ACCEPTED = "accepted"
    REJECTED = "rejected"  # the tax service said no: it does not count as reported
    WITHDRAWN = "withdrawn"  # taken back before it was sent


@dataclass(frozen=True, slots=True)
class Known:
    """What the issuer says about one document. ``approval`` is the tax service's number (24
    characters), given when it is issued. ``code`` and ``sentence`` say why it was rejected."""

    key: str
    stage: Stage
    approval: str = ""
    issued_at: datetime | None = None
    buyer_number: str = ""
    supply_won: int | None = None
    vat_won: int | None = None
    code: str = ""
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The supplier's certificate. ``fault`` is empty while it can sign."""

    expires_at: datetime | None
    fault: str = ""


class EtaxIssuer(Protocol):
    """Each call ends within a stated time."""

    def issue(self, document: Document) -> Known:
        """Sign and issue it under ``document.key``. ``Unavailable``, ``Refused``,
        ``DuplicateKey``."""
        ...

    def send(self, key: str) -> None:
        """Send it to the tax service now, before the issuer does it by itself. It cannot be taken
        back afterwards. ``Unavailable``, ``Refused``."""
        ...

    def state(self, key: str) -> Known | None:
        """What is known of it; ``None`` where the issuer has no such document. ``Unavailable``."""
        ...

    def certificate(self) -> Certificate:
        """Whether the supplier can sign, and until when. ``Unavailable``."""
        ...
