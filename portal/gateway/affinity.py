"""Where words like these were read last: engines keep what they have read, and need not again.

Bounded: the prefixes used longest ago are forgotten. Only a hash is kept, salted by the process
and by the organization, never a word of a prompt.
"""

from __future__ import annotations

PREFIXES = 8192  # about a megabyte
PREFIX_CHARACTERS = 1024
SHORTEST_CHARACTERS = 128  # below it there is nothing to save


class Affinity:
    """Hash of a prefix → the target that read it last."""

    def __init__(self, most: int = PREFIXES) -> None:
        self._most = most
        self._targets: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._targets)

    def of(self, prefix: int) -> str:
        """The id of the target, or empty."""
        return self._targets.get(prefix, "") if prefix else ""

    def note(self, prefix: int, target: str) -> None:
        """This target reads it now."""
        if not prefix:
            return
        self._targets.pop(prefix, None)  # so that it is the youngest
        self._targets[prefix] = target
        if len(self._targets) > self._most:
            del self._targets[next(iter(self._targets))]


def prefix_of(organization: str, endpoint: str, beginning: str) -> int:
    """What is compared; 0: too short to be worth it."""
    if len(beginning) < SHORTEST_CHARACTERS:
        return 0
    return abs(hash((organization, endpoint, beginning[:PREFIX_CHARACTERS]))) or 1
