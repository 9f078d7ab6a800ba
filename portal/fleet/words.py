"""Why a site's health moved, in a reader's words. Codes are ``portal.fleet.health``'s own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

CODES: Mapping[str, Promise | str] = {
    "card_failed": _("A card has failed."),
    "card_gone": _("It no longer reports some of its cards."),
    "card_unknown": _("It has cards of a chip that is not in the catalogue."),
    "power": _("It draws more power than its supply may give."),
    "inlet": _("The air at its inlet is too warm."),
    "replicas": _("Half of its replicas or more fail."),
    "silent": _("It does not answer."),
    "long_silent": _("It was asked in vain for so long that its replicas are asked for elsewhere."),
    "answers": _("It answers."),
    "back": _("It answers again; what it runs is being compared with what is wanted."),
    "compared": _("It runs what is wanted, and nothing else."),
    "well": _("What was wrong is over."),
}


def sentences(codes: Iterable[str]) -> list[str]:
    """In the reader's language; a code of a later version is shown as it is."""
    return [str(CODES.get(code, code)) for code in codes]
