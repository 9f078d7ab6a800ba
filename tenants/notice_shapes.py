"""What a kind of notice is: how grave, in which group, with which sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import models
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


class Severity(models.TextChoices):
    INFO = "info", pgettext_lazy("notice", "For information")
    WARNING = "warning", pgettext_lazy("notice", "Warning")
    URGENT = "urgent", pgettext_lazy("notice", "Urgent")


class Group(models.TextChoices):
    """What a person chooses a way for."""

    KEYS = "keys", _("API keys")
    MONEY = "money", _("Budgets and invoices")
    ENDPOINTS = "endpoints", _("Endpoints")
    ORGANIZATION = "organization", _("Organization and members")
    SUPPORT = "support", _("Support requests and incidents")


@dataclass(frozen=True, slots=True)
class Kind:
    """``title`` and ``body`` are formatted with the notice's words (``%(name)s``).

    ``security`` notices cannot be muted. ``stays`` is for what a person is told because they left
    the organization: the others of an organization are shown to its members only. Words in
    ``translated`` are sentences of ours (``source``), said in the language of who reads them.
    """

    title: Promise | str
    body: Promise | str
    severity: Severity = Severity.INFO
    security: bool = False
    group: Group = Group.ORGANIZATION
    stays: bool = False
    translated: frozenset[str] = frozenset()

    @property
    def placeholders(self) -> frozenset[str]:
        """The words that its sentences need."""
        return frozenset(_PLACEHOLDER.findall(f"{self.title} {self.body}"))

    def said(self, text: Promise | str, words: Mapping[str, str]) -> str:
        """One of its sentences with a notice's words, in the language of now."""
        ours = {name: gettext(words[name]) for name in self.translated if words.get(name)}
        return sentence(text, {**words, **ours})


def source(text: Promise | str) -> str:
    """A sentence of ours as it stands in the code, for a word that is ``translated`` when read."""
    with translation.override(None):
        return str(text)


def sentence(text: Promise | str, words: Mapping[str, str]) -> str:
    """The text with its words; what a former notice does not say is left out."""
    return _PLACEHOLDER.sub(lambda found: str(words.get(found[1], "")), str(text))
