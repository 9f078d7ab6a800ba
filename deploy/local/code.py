"""What the demonstration operator's authenticator app would show now (RFC 6238)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import struct
import sys
import time


def code_at(secret: str, seconds: float) -> str:
    """Six digits for half a minute."""
    counter = struct.pack(">Q", int(seconds) // 30)
    digest = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    start = digest[-1] & 0x0F
    value = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFFFFFF
    return f"{value % 1_000_000:06}"


def main() -> int:
    secret = os.environ.get("DURE_DEMO_TOTP", "")
    if not secret:
        print("This stack has no demonstration operator with a second factor.", file=sys.stderr)
        return 1
    print(code_at(secret, time.time()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
