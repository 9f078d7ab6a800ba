"""Rows of the permission table of operations: one module a group, found by their names.

A module ``tests/api/rows/<group>.py`` has a list ``ROWS``; ``TABLE`` is all of them together.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tests.api.rows.row import Row

TABLE: list[Row] = [
    row
    for module in sorted(iter_modules(__path__), key=lambda module: module.name)
    if module.name != "row"
    for row in import_module(f"{__name__}.{module.name}").ROWS
]
