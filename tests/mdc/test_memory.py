"""What a site remembers over a restart, and its logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from portal.fleet.drivers.contract import SiteSpec
from portal.mdc import logs
from portal.mdc.cards import Card
from portal.mdc.logs import EngineLog
from portal.mdc.site import EmbeddedSite, Layout
from portal.mdc.state import Memory, OlderWish
from tests.contracts.sites import spec, wish


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "site.json"


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(
    ("then", "why"),
    [
        (wish(4), "older_generation"),
        (wish(0), "older_generation"),
        (wish(5), "same_generation_differs"),
        (wish(5, spec(1, epoch=4)), "same_generation_differs"),
        (wish(6, spec(1, epoch=2)), "older_epoch"),
        (wish(6, spec(2), spec(1, epoch=2)), "older_epoch"),
    ],
)
def test_refuses_what_is_older(path: Path, then: SiteSpec, why: str, restart: bool) -> None:
    memory = Memory("daegu-1", path)
    memory.accept(wish(5, spec(1, epoch=3)))
    if restart:
        memory = Memory("daegu-1", path)

    with pytest.raises(OlderWish) as refused:
        memory.accept(then)

    assert refused.value.why == why
    assert memory.wanted == wish(5, spec(1, epoch=3))


@pytest.mark.parametrize("restart", [False, True])
def test_remembers_the_epochs_of_what_has_ended(path: Path, restart: bool) -> None:
    memory = Memory("daegu-1", path)
    memory.accept(wish(5, spec(1, epoch=3)))
    memory.accept(wish(6))
    if restart:
        memory = Memory("daegu-1", path)

    with pytest.raises(OlderWish):
        memory.accept(wish(7, spec(1, epoch=2)))

    assert memory.accept(wish(7, spec(1, epoch=3)))


def test_takes_the_same_wish_again_for_nothing_new(path: Path) -> None:
    memory = Memory("daegu-1", path)

    assert memory.accept(wish(5, spec(1)))
    assert not memory.accept(wish(5, spec(1)))
    assert not Memory("daegu-1", path).accept(wish(5, spec(1)))


def test_keeps_secrets_from_others(path: Path) -> None:
    Memory("daegu-1", path).accept(wish(1, spec(1)))

    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_numbers_log_lines_on_over_a_restart(tmp_path: Path) -> None:
    first = EngineLog(tmp_path / "plc.log")
    for text in ("eins", "zwei", "x" * 1000):
        first.add(text)
    with first.path.open("ab") as file:
        file.write(b'{"number": 4, "at')  # killed in mid-write

    again = EngineLog(first.path)
    again.add("vier")

    page = again.page(1, 100)
    assert [(line.number, line.text[:4]) for line in page.lines] == [
        (2, "zwei"),
        (3, "xxxx"),
        (4, "vier"),
    ]
    assert len(page.lines[1].text) == logs.LONGEST
    assert again.page(1, 1).next == 2


def test_reads_on_after_a_line_that_was_cut_off(tmp_path: Path) -> None:
    """The line after a torn one must not be lost at the next restart."""
    log = EngineLog(tmp_path / "plc.log")
    log.add("eins")
    with log.path.open("ab") as file:
        file.write(b'{"number": 2, "at')
    EngineLog(log.path).add("zwei")

    assert [line.text for line in EngineLog(log.path).page(0, 9).lines] == ["eins", "zwei"]


def test_bounds_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "KEEP_BYTES", 1000)
    log = EngineLog(tmp_path / "plc.log")

    for number in range(100):
        log.add(f"line {number}")

    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert sum(sizes) < 2500
    assert log.page(0, 1000).lines[-1].number == 100


def test_says_what_runs_models_on_each_kind_of_chip(tmp_path: Path) -> None:
    cards = (Card("rngd-0", "rngd"), Card("rngd-1", "rngd"), Card("atom-0", "atom-max"))
    site = EmbeddedSite(Layout("daegu-1", cards, (20_000, 20_001), tmp_path))

    assert site.report().sdks == {"rngd": "embedded", "atom-max": "embedded"}
