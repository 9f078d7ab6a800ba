"""Write ``docs/roles.md`` again after a change of roles."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from tenants import role_document


class Command(BaseCommand):
    help = "Write docs/roles.md from tenants/roles.py."

    def handle(self, *args: Any, **options: Any) -> None:
        (settings.BASE_DIR / "docs/roles.md").write_text(role_document.text(), encoding="utf-8")
