"""Pretended cards: which placement gets which. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Card:
    id: str
    chip: str


def make(counts: Mapping[str, int]) -> tuple[Card, ...]:
    """``{"rngd": 2}`` → rngd-0, rngd-1."""
    return tuple(
        Card(f"{chip}-{number}", chip) for chip, count in counts.items() for number in range(count)
    )


def assign(
    cards: Iterable[Card],
    used: Mapping[str, tuple[str, ...]],
    wanted: Iterable[tuple[str, str, int]],
) -> dict[str, tuple[str, ...] | None]:
    """Cards for each (placement, chip, count), in order; ``None`` where they do not suffice.

    ``used`` are assignments so far: who has cards keeps them.
    """
    wanted = list(wanted)
    names = {placement for placement, _, _ in wanted}
    kept = {placement: ids for placement, ids in used.items() if placement in names}
    taken = {card for ids in kept.values() for card in ids}
    free = [card for card in cards if card.id not in taken]
    result: dict[str, tuple[str, ...] | None] = {}
    for placement, chip, count in wanted:
        if placement in kept and len(kept[placement]) == count:
            result[placement] = kept[placement]
            continue
        fitting = [card for card in free if card.chip == chip][:count]
        if len(fitting) < count:
            result[placement] = None
            continue
        free = [card for card in free if card not in fitting]
        result[placement] = tuple(card.id for card in fitting)
    return result
