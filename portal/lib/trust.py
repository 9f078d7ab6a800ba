"""Whom we trust over TLS, read once for each process: it takes longer than most calls do."""

from __future__ import annotations

import ssl
from functools import cache

import httpx2


@cache
def trusted() -> ssl.SSLContext:
    """The authorities that this machine's Python trusts. Clients share it; a new list is read by a
    new process."""
    return httpx2.create_ssl_context()
