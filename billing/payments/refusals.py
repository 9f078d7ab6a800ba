"""Why nothing is charged to a card, in sentences for the reader."""

from __future__ import annotations

from django.utils.translation import gettext as _


class NoCard(Exception):
    def __str__(self) -> str:
        return _("There is no card on file. Add one first.")


class NothingOpen(Exception):
    def __str__(self) -> str:
        return _("Nothing is left to pay here.")


class AlreadyUnderWay(Exception):
    def __str__(self) -> str:
        return _("This is being paid by card at this moment.")


class TooLargeForCard(Exception):
    def __init__(self, most_won: int) -> None:
        super().__init__(most_won)
        self.most_won = most_won

    def __str__(self) -> str:
        return _("A card pays at most ₩%(most)s at once. Pay by bank transfer.") % {
            "most": f"{self.most_won:,}"
        }
