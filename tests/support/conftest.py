"""The same world as behind the pages, and requests in it."""

from __future__ import annotations

from tests.web.conftest import World, _no_static_files, world, world_stands

__all__ = ["World", "_no_static_files", "world", "world_stands"]
