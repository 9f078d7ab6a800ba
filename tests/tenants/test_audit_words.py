"""Every verb that the code records has its words, in both languages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation

from tenants import safety
from tenants.audit_words import WORDS, choices, words_of

ROOT = Path(__file__).resolve().parents[2]
VERB = re.compile(r"[a-z_]+[.][a-z_]+")
RECORDING = {"record", "seen", "_record", "_end"}  # calls whose first argument is a verb


def recorded() -> set[str]:
    """Verbs in the code: given to a call that records, and those of the accounts' table."""
    found = {f"account.{what}" for what in safety.KINDS}
    for folder in ("tenants", "billing", "portal"):
        for path in (ROOT / folder).rglob("*.py"):
            found |= set(_verbs(ast.parse(path.read_text(encoding="utf-8"))))
    return found


def _verbs(tree: ast.AST) -> Iterator[str]:
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and call.args and _name(call.func) in RECORDING:
            parts = [one for one in ast.walk(call.args[0]) if isinstance(one, ast.Constant)]
            yield from (str(one.value) for one in parts if VERB.fullmatch(str(one.value)))
            if isinstance(call.args[0], ast.JoinedStr):  # "fiscal." and the kind of a movement
                heads = [str(one.value) for one in parts if str(one.value).endswith(".")]
                yield from (verb for verb in WORDS if verb.startswith(tuple(heads)))
        elif isinstance(call, ast.Assign) and [_name_of(one) for one in call.targets] == ["verb"]:
            parts = [one for one in ast.walk(call.value) if isinstance(one, ast.Constant)]
            yield from (str(one.value) for one in parts if VERB.fullmatch(str(one.value)))


def _name_of(target: ast.expr) -> str:
    return target.id if isinstance(target, ast.Name) else ""


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def test_finds_the_verbs_of_the_code() -> None:
    assert {"key.create", "member.read", "operator.suspend", "member.leave"} <= recorded()


@pytest.mark.parametrize("verb", sorted(recorded()))
def test_says_each_verb_in_both_languages(verb: str) -> None:
    with translation.override("en"):
        english = words_of(verb)
    with translation.override("ko"):
        korean = words_of(verb)

    assert english != verb
    assert re.search("[가-힣]", korean), verb


def test_has_no_words_for_what_nobody_records() -> None:
    assert set(WORDS) == recorded()


def test_shows_a_verb_of_another_version_as_it_is() -> None:
    assert words_of("later.deed") == "later.deed"


def test_offers_what_an_address_names_besides() -> None:
    assert choices("key.")[0] == ("key.", "key.")
    assert len(choices("key.create")) == len(WORDS)
