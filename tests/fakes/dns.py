"""The DNS of a test: names and their texts."""

from __future__ import annotations

from typing import ClassVar

from tenants.domains import LookUpFailed


class FakeDns:
    """``silent`` names give no answer at all."""

    records: ClassVar[dict[str, list[str]]] = {}
    silent: ClassVar[set[str]] = set()

    def texts(self, name: str) -> list[str]:
        if name in self.silent:
            raise LookUpFailed
        return self.records.get(name, [])
