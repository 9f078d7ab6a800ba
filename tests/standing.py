"""What many tests begin with is made once for a run of them, in a transaction that stays open.

Each test works in a savepoint above it, which pytest-django rolls back, with copies of the objects
of its own. Layers lie upon each other: the cast, and upon it the world behind the doors. They are
taken away before a test that wants less of them, commits, or stands in another file: whoever asks
for an empty database gets one.
"""

from __future__ import annotations

import copy
import sys
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import Any

import pytest
from django.db import connection, transaction

# In their order; each is made out of the one below it. A test wants those whose marker, a fixture
# of this name, is among its fixtures.
LAYERS = {
    "cast_stands": "tests.cast:assembled",
    "world_stands": "tests.web.conftest:built",
}


@dataclass
class Layer:
    name: str
    block: transaction.Atomic
    made: Any


@dataclass
class Standing:
    """What stands in this worker's database now, and for which file."""

    file: str = ""
    layers: list[Layer] = field(default_factory=list)
    copies: dict[int, Any] = field(default_factory=dict)  # of this test: one of each object

    def keep(self, wanted: list[str], file: str) -> None:
        """Take away what is not ``wanted``, and everything that another file has left."""
        names = [layer.name for layer in self.layers]
        while names and (names != wanted[: len(names)] or file != self.file or not _sound()):
            self._take_away()
            names.pop()
        self.file, self.copies = file, {}

    def raise_up(self, wanted: list[str]) -> None:
        """Make what is missing."""
        for name in wanted[len(self.layers) :]:
            below = [layer.made for layer in self.layers[-1:]]
            block = transaction.atomic()
            block.__enter__()
            try:
                made = resolve_name(LAYERS[name])(*below)
            except BaseException:
                block.__exit__(*sys.exc_info())
                raise
            self.layers.append(Layer(name, block, made))

    def copy_of(self, name: str) -> Any:
        """This test's own copy; ``None`` where the layer does not stand."""
        for layer in self.layers:
            if layer.name == name:
                return copy.deepcopy(layer.made, self.copies)
        return None

    def _take_away(self) -> None:
        layer = self.layers.pop()
        transaction.set_rollback(True)
        layer.block.__exit__(None, None, None)


def _sound() -> bool:
    """Whether the transaction below still stands: a test may have broken the connection."""
    return (
        connection.connection is not None
        and not connection.connection.closed
        and connection.in_atomic_block
        and not connection.needs_rollback
        and not connection.closed_in_transaction
    )


def wanted_by(item: pytest.Item) -> list[str]:
    """The layers that the test begins with; none for a test that commits."""
    fixtures = getattr(item, "fixturenames", ())
    mark = item.get_closest_marker("django_db")
    if "transactional_db" in fixtures or (mark and mark.kwargs.get("transaction")):
        return []
    return [name for name in LAYERS if name in fixtures]


STANDING = Standing()
