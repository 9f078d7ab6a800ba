"""The intake program: reads the cells' streams and books them, for ever."""

from __future__ import annotations

import gc
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from portal.usage import intake
from portal.usage.reader import Reader


class Command(BaseCommand):
    help = "Book usage events out of Valkey into the ledger, exactly once. Runs until stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="Book what is there, then end.")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        reader = Reader(settings.VALKEY_URL)
        calm_collector()
        signal.signal(signal.SIGTERM, lambda *_: reader.stop())
        signal.signal(signal.SIGINT, lambda *_: reader.stop())
        try:
            reader.run(once=once)
        finally:
            intake.give_back_cells(reader.token)


def calm_collector() -> None:
    """Batches are many small objects without cycles: looking through them again and again is a
    fifth of the decoding."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
