"""Which way a notice takes: one table of cases, no database and no clock."""

from __future__ import annotations

import ast
from datetime import datetime
from pathlib import Path

import pytest
from django.utils import translation

from portal.lib.periods import SEOUL
from tenants import preferences
from tenants.notice_kinds import KINDS, Group, Kind, Severity, sentence
from tenants.notice_routes import Preferences, Way, quiet_end, route

PLAIN = Kind("t", "b", group=Group.MONEY)
URGENT = Kind("t", "b", Severity.URGENT, group=Group.MONEY)
SECURITY = Kind("t", "b", security=True, group=Group.MONEY)


def at(hour: int, minute: int = 0, day: int = 16) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=SEOUL)


@pytest.mark.parametrize(
    ("kind", "chosen", "project", "mail", "muted"),
    [
        (PLAIN, Preferences(), "", "now", False),
        (PLAIN, Preferences(mail={Group.MONEY: Way.OFF}), "", "never", False),
        (PLAIN, Preferences(mail={Group.MONEY: Way.DIGEST}), "", "digest", False),
        (PLAIN, Preferences(mail={Group.KEYS: Way.OFF}), "", "now", False),
        (PLAIN, Preferences(muted_projects=frozenset({"p"})), "p", "never", True),
        (PLAIN, Preferences(muted_projects=frozenset({"p"})), "q", "now", False),
        (PLAIN, Preferences(quiet=(9, 18)), "", "later", False),
        (URGENT, Preferences(quiet=(9, 18)), "", "now", False),
        (URGENT, Preferences(mail={Group.MONEY: Way.OFF}), "", "never", False),
        (SECURITY, Preferences(mail={Group.MONEY: Way.OFF}, quiet=(9, 18)), "", "now", False),
        (SECURITY, Preferences(muted_projects=frozenset({"p"})), "p", "now", False),
    ],
)
def test_takes_the_way_of_the_table(
    kind: Kind, chosen: Preferences, project: str, mail: str, muted: bool
) -> None:
    found = route(kind, chosen, at(12), project=project)

    assert (found.mail, found.muted) == (mail, muted)


@pytest.mark.parametrize(
    ("quiet", "now", "end"),
    [
        (None, at(3), None),
        ((22, 7), at(21, 59), None),
        ((22, 7), at(22), at(7, day=17)),
        ((22, 7), at(23, 59), at(7, day=17)),
        ((22, 7), at(0), at(7)),
        ((22, 7), at(6, 59), at(7)),
        ((22, 7), at(7), None),
        ((0, 7), at(0), at(7)),
        ((20, 0), at(23, 59), at(0, day=17)),
        ((20, 0), at(0), None),
        ((5, 5), at(5), None),
    ],
)
def test_waits_for_the_end_of_quiet_hours(
    quiet: tuple[int, int] | None, now: datetime, end: datetime | None
) -> None:
    assert quiet_end(quiet, now) == end


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_said_in_both_languages_with_the_same_words(name: str) -> None:
    kind = KINDS[name]
    said = {}
    for language in ("ko", "en"):
        with translation.override(language):
            said[language] = (kind.placeholders, str(kind.body))

    assert said["ko"][0] == said["en"][0]
    assert said["ko"][1] != said["en"][1]


def told() -> list[tuple[str, str, set[str]]]:
    """(where, kind, words) of each ``notices.tell("…")`` in the code."""
    root = Path(__file__).resolve().parents[2]
    found = []
    for top in ("tenants", "billing", "portal"):
        for path in sorted((root / top).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr == "tell"
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id == "notices"
                    and node.args
                    and isinstance(node.args[0], ast.Constant)
                ):
                    words = {one.arg for one in node.keywords if one.arg}
                    found.append((f"{path.name}:{node.lineno}", str(node.args[0].value), words))
    return found


def test_tells_only_kinds_of_the_table_with_all_their_words() -> None:
    calls = told()

    assert len(calls) >= 2
    for where, kind, words in calls:
        assert kind in KINDS, where
        assert KINDS[kind].placeholders <= words, where


def test_has_no_kind_that_nobody_tells() -> None:
    root = Path(__file__).resolve().parents[2]
    said = {
        node.value
        for top in ("tenants", "billing", "portal")
        for path in (root / top).rglob("*.py")
        if path.name not in {"notice_kinds.py", "notice_money.py"}
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }

    assert set(KINDS) - said == set()


def test_a_sentence_takes_words_as_they_are() -> None:
    assert sentence("a %(x)s 100%", {"x": "%(y)s <b>"}) == "a %(y)s <b> 100%"


def test_offers_a_choice_for_groups_that_have_one() -> None:
    assert set(preferences.groups()) <= set(Group)
    assert Group.KEYS in preferences.groups()
