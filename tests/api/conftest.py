"""The same world as behind the pages, asked by keys and by sessions."""

from __future__ import annotations

from tests.web.conftest import World, _no_static_files, world, world_stands

__all__ = ["World", "_no_static_files", "world", "world_stands"]
