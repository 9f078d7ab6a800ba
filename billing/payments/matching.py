"""For what a deposit is. Pure: one deposit and what is open in, one answer out.

In this order, and never by guessing: the organization's reference or virtual account; the number
of an invoice; the exact amount of the one open invoice whose customer has the depositor's name.
All else is left to a person, with suggestions.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

REFERENCE = re.compile(r"[0-9A-Z]{8}")
_NUMBER = re.compile(r"20[0-9]{2}-(?:0[1-9]|1[0-2])-[0-9]{5,}", re.ASCII)
_ALIKE = str.maketrans("OIL", "011")  # letters that references do not have
_LEGAL = re.compile(r"주식회사|유한회사|\(주\)|㈜|\(유\)|재단법인|사단법인|\(재\)|\(사\)|\(의\)")
SUGGESTIONS = 5


@dataclass(frozen=True, slots=True)
class Open:
    """An invoice with something left to pay."""

    invoice: str  # public id
    number: str
    organization: int
    name: str
    won: int


@dataclass(frozen=True, slots=True)
class Match:
    """Whose money it is. ``first`` is the invoice that it names, if it names one."""

    organization: int
    by: str  # reference, account, number, name
    first: str = ""


@dataclass(frozen=True, slots=True)
class Suggestion:
    open: Open
    because: str  # name, amount


@dataclass(frozen=True, slots=True)
class Found:
    match: Match | None
    suggestions: tuple[Suggestion, ...] = ()


@dataclass(slots=True)
class Book:
    """All that deposits are compared with, looked up once."""

    references: Mapping[str, int]
    accounts: Mapping[str, int]
    open: Iterable[Open]
    _by_number: dict[str, Open] = field(init=False)
    _by_won: dict[int, list[Open]] = field(init=False)
    _by_name: dict[str, list[Open]] = field(init=False)

    def __post_init__(self) -> None:
        self._by_number, self._by_won, self._by_name = {}, defaultdict(list), defaultdict(list)
        for one in self.open:
            self._by_number[one.number] = one
            self._by_won[one.won].append(one)
            self._by_name[plain_name(one.name)].append(one)

    def find(self, *, won: int, payer: str, memo: str, account: str) -> Found:
        """Whose deposit it is, or what a person should look at first."""
        named = self._named(won, payer, memo, account)
        if len({one.organization for one in named}) == 1:
            return Found(named[0])
        same = self._of_name(payer, memo)
        exact = [one for one in same if one.won == won]
        if not named and len(exact) == 1:
            return Found(Match(exact[0].organization, "name", exact[0].invoice))
        return Found(None, self._suggestions(same, won))

    def _named(self, won: int, payer: str, memo: str, account: str) -> list[Match]:
        """Every organization that the deposit names. Two of them contradict each other."""
        found = []
        if account in self.accounts:
            found.append(Match(self.accounts[account], "account"))
        for text in references_in(f"{payer} {memo}"):
            if text in self.references:
                found.append(Match(self.references[text], "reference"))
        for number in _NUMBER.findall(f"{payer} {memo}"):
            if (one := self._by_number.get(number)) is not None:
                found.append(Match(one.organization, "number", one.invoice))
        if found:
            organization = found[0].organization
            first = [one for one in self._by_won[won] if one.organization == organization]
            named = [one.first for one in found if one.first]
            chosen = named[0] if named else first[0].invoice if len(first) == 1 else ""
            found[0] = Match(organization, found[0].by, chosen)
        return found

    def _of_name(self, payer: str, memo: str) -> list[Open]:
        for text in (payer, memo):
            if (name := plain_name(text)) and (found := self._by_name.get(name)):
                return found
        return []

    def _suggestions(self, same: list[Open], won: int) -> tuple[Suggestion, ...]:
        found = [Suggestion(one, "name") for one in same]
        found += [Suggestion(one, "amount") for one in self._by_won[won] if one not in same]
        return tuple(found[:SUGGESTIONS])


def plain_name(text: str) -> str:
    """A name as it is compared: one width, no blanks, no legal form. Banks cut and add them."""
    text = unicodedata.normalize("NFKC", text)
    return re.sub(r"[\s·.,\-_/()]", "", _LEGAL.sub("", text)).casefold()


def reference_of(code: str) -> str:
    """What a customer writes into the transfer: the organization's code in capitals."""
    return code.upper()


def references_in(text: str) -> list[str]:
    """What may be a reference: eight letters and digits, also with a dash or blank in the middle,
    and with the letters that look like others."""
    text = unicodedata.normalize("NFKC", text).upper()
    pieces = re.findall(r"[0-9A-Z]+(?:[-\s][0-9A-Z]+)?", text) + re.findall(r"[0-9A-Z]+", text)
    plain = [re.sub(r"[-\s]", "", one).translate(_ALIKE) for one in pieces]
    return list(dict.fromkeys(one for one in plain if REFERENCE.fullmatch(one)))
