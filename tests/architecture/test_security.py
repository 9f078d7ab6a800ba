"""docs/security.md and the break-in list name only what exists."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from tests.breakins.guards import document
from tests.breakins.table import ATTEMPTS
from tests.breakins.table.attempt import Attempt

ROOT = Path(__file__).resolve().parents[2]


def test_names_only_tests_that_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / "docs/security.md").read_text())

    assert len(named) > 30
    for path, test in named:
        source = (ROOT / path).read_text()
        assert not test or f"def {test}(" in source, f"{path}::{test}"


def test_the_list_has_forty_attempts_and_none_twice() -> None:
    assert len({one.what for one in ATTEMPTS}) == len(ATTEMPTS) >= 40


def test_the_document_is_the_table() -> None:
    """``python -m tests.breakins.guards document`` writes it."""
    assert (ROOT / "docs/break-ins.md").read_text(encoding="utf-8") == document()


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda one: one.what[:50])
def test_each_attempt_has_its_test_its_guard_and_its_cut(attempt: Attempt) -> None:
    path, _, test = attempt.test.partition("[")[0].partition("::")
    assert re.search(rf"^(?:async )?def {test}\(", (ROOT / path).read_text(), re.M), attempt.test

    module, _, name = attempt.guard.partition(":")
    found = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)

    assert attempt.cuts
    for cut in attempt.cuts:
        assert (ROOT / cut.path).read_text().count(cut.old) == 1, cut.old
        assert cut.old != cut.new
