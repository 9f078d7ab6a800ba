"""Whether a receipt is genuine; exit code 1 if it is not, 2 if it could not be looked at."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.lib import jws, signing
from portal.usage import receipts

BECAUSE = {
    jws.Fault.SHAPE: "it is no receipt, or a part of it is missing",
    jws.Fault.HEADER: "it is signed text, but not one of our receipts",
    jws.Fault.KEY: "none of these keys has signed it",
    jws.Fault.SIGNATURE: "it was changed after it was signed, or signed by somebody else",
}


class Command(BaseCommand):
    help = "Verify a receipt, without a database and without the network."
    requires_system_checks = ()
    kind = receipts.KIND

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="the signed text; - reads it from standard input")
        parser.add_argument("--keys", help="a JSON Web Key Set; the keys of the settings if left")

    def handle(self, *args: Any, file: str, keys: str | None = None, **options: Any) -> None:
        try:
            text = _read(file)
            verifier = jws.of_jwks(_read(keys)) if keys else receipts.issuer()
        except (OSError, ValueError, signing.BadKey) as error:
            raise CommandError(f"It could not be looked at: {error}", returncode=2) from error
        try:
            claims = verifier.claims(text.strip(), kind=self.kind)
        except jws.NotGenuine as error:
            raise CommandError(f"Not genuine: {BECAUSE[error.fault]}.", returncode=1) from error
        self.stdout.write("Genuine. It says:")
        self.stdout.write(json.dumps(claims, ensure_ascii=False, indent=1))


def _read(place: str) -> str:
    return sys.stdin.read() if place == "-" else Path(place).read_text(encoding="utf-8")
