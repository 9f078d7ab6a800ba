"""Who is next where not everybody can be served at once. Pure: no clock, no waiting.

Whoever is served least is next: among those who wait, the organization with the fewest requests
in service, and equals take turns. So a flood delays its own organization and nobody else. When
the queue is full, a newcomer with fewer waiting takes the youngest place of the largest crowd.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field


class Full(Exception):
    """No place for one more of this organization."""


@dataclass(slots=True, eq=False)
class _Lane[T]:
    """Items of one organization that may be served at the same places."""

    organization: str
    items: deque[T] = field(default_factory=deque)


class FairQueue[T]:
    """Of one endpoint. At most ``most`` wait, at most ``most_each`` of one organization."""

    def __init__(self, most: int, most_each: int) -> None:
        self.most = most
        self.most_each = most_each
        self.length = 0
        self.waited = 0.0  # seconds, of whoever was served last
        self._lanes: dict[Hashable, _Lane[T]] = {}  # in the order of their turns
        self._waiting: dict[str, int] = {}
        self._serving: dict[str, int] = {}

    @property
    def is_unused(self) -> bool:
        """Nobody waits and nobody is served."""
        return not self.length and not self._serving

    def began(self, organization: str) -> None:
        """One more is in service."""
        self._serving[organization] = self._serving.get(organization, 0) + 1

    def ended(self, organization: str) -> None:
        """One less is in service."""
        _less(self._serving, organization)

    def is_full_for(self, organization: str) -> bool:
        """Whether ``put`` would refuse."""
        own = self._waiting.get(organization, 0)
        if own >= self.most_each:
            return True
        return self.length >= self.most and max(self._waiting.values(), default=0) <= own + 1

    def waits(self, organization: str, places: Hashable) -> bool:
        """Whether somebody of it waits for these places."""
        return (organization, places) in self._lanes

    def put(self, organization: str, places: Hashable, item: T) -> T | None:
        """Wait for one of ``places``. ``Full``, or the item whose place this one took."""
        if self.is_full_for(organization):
            raise Full
        evicted = self._evict() if self.length >= self.most else None
        lane = self._lanes.setdefault((organization, places), _Lane(organization))
        lane.items.append(item)
        self._waiting[organization] = self._waiting.get(organization, 0) + 1
        self.length += 1
        return evicted

    def _evict(self) -> T:
        crowd = max(self._waiting, key=lambda one: self._waiting[one])
        key, lane = max(
            ((key, lane) for key, lane in self._lanes.items() if lane.organization == crowd),
            key=lambda pair: len(pair[1].items),
        )
        item = lane.items.pop()
        self._left(key, lane)
        return item

    def remove(self, organization: str, places: Hashable, item: T) -> bool:
        """Whether it still waited."""
        key = (organization, places)
        lane = self._lanes.get(key)
        if lane is None or item not in lane.items:
            return False
        lane.items.remove(item)
        self._left(key, lane)
        return True

    def serve[R](self, place: Callable[[T], R | None]) -> tuple[str, T, R] | None:
        """The next organization and item for which ``place`` finds something, and what it found.
        Only the oldest of each lane is asked: the others of it could be served nowhere else."""
        for key, lane in self._by_turn():
            found = place(lane.items[0])
            if found is None:
                continue
            item = lane.items.popleft()
            if lane.items:
                self._lanes[key] = self._lanes.pop(key)  # its next turn comes last
            self._left(key, lane)
            return lane.organization, item, found
        return None

    def _by_turn(self) -> list[tuple[Hashable, _Lane[T]]]:
        lanes = list(self._lanes.items())
        if len(lanes) > 1:
            lanes.sort(key=lambda pair: self._serving.get(pair[1].organization, 0))
        return lanes

    def _left(self, key: Hashable, lane: _Lane[T]) -> None:
        self.length -= 1
        _less(self._waiting, lane.organization)
        if not lane.items:
            del self._lanes[key]


def _less(counts: dict[str, int], name: str) -> None:
    if counts[name] > 1:
        counts[name] -= 1
    else:
        del counts[name]
