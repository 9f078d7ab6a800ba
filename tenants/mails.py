"""Mails that go to an address, not to a member's inbox. One small function; how they travel is
decided here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import translation


@dataclass(frozen=True, slots=True)
class Letter:
    """The templates of one kind of mail."""

    subject: str
    text: str
    html: str


INVITATION = Letter(
    "emails/invitation_subject.txt", "emails/invitation.txt", "emails/invitation.html"
)


def send(letter: Letter, *, to: str, **words: Any) -> None:
    """Send after commit, in the language of the moment, as text and HTML."""
    language = translation.get_language() or "ko"
    subject = " ".join(render_to_string(letter.subject, words).split())
    message = EmailMultiAlternatives(subject, render_to_string(letter.text, words), to=[to])
    html = render_to_string(letter.html, words | {"language": language})
    message.attach_alternative(html, "text/html")
    transaction.on_commit(partial(message.send), robust=True)
