"""The world of the pages."""

from tests.web.conftest import _no_static_files, world, world_stands

__all__ = ["_no_static_files", "world", "world_stands"]
