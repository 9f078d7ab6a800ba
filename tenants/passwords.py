"""Passwords that others would guess, found without asking anybody.

Django's own list (20,000) knows whole passwords. `zxcvbn` knows 30,000 leaked ones, words, names,
dates and rows of keys, also with letters exchanged, and says how many guesses a password stands.
"""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from zxcvbn import zxcvbn

from tenants.models import User

# A guesser who has the Argon2 hash makes about a hundred a second and machine.
FEWEST_GUESSES = 10**9
LONGEST_LOOK = 72  # what comes after it only helps; the look takes longer than linear time
OURS = ["dure", "두레"]


class GuessableValidator:
    """Refuses what stands fewer than 10⁹ guesses, the person's own words included."""

    def validate(self, password: str, user: User | None = None) -> None:
        own = [user.email, *user.email.split("@"), user.name] if user is not None else []
        found = zxcvbn(password[:LONGEST_LOOK], [*OURS, *(word for word in own if word)])
        if float(found["guesses"]) < FEWEST_GUESSES:
            raise ValidationError(
                _("This password is among the leaked ones, or is soon guessed. Choose another."),
                code="password_guessable",
            )

    def get_help_text(self) -> str:
        return _("Leaked passwords, and those that are soon guessed, are refused.")
