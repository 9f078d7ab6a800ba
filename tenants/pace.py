"""How often one address may ask for something that anybody may ask for.

Counted in the cache, minute by minute. Without the cache everybody is let through: what it guards
is public, and a page must not end with a cache.
"""

from __future__ import annotations

from datetime import datetime
from ipaddress import ip_address, ip_network

import structlog
from django.core.cache import cache
from redis.exceptions import RedisError

from tenants.origins import Origin

log = structlog.get_logger()

_KEPT = 120  # seconds: a minute and what clocks differ by
_HOME = 64  # bits of an IPv6 address that name one customer of a network


def allows(what: str, origin: Origin, *, most: int, now: datetime) -> bool:
    """Whether this is one of the first ``most`` in its minute from there. Counts it."""
    key = f"pace:{what}:{int(now.timestamp()) // 60}:{_source(origin.address)}"
    try:
        cache.add(key, 0, timeout=_KEPT)
        return cache.incr(key) <= most
    except ValueError:  # it was thrown out of a full cache just now
        return True
    except RedisError as error:
        log.warning("pace.unknown", what=what, error=type(error).__name__)
        return True


def _source(address: str) -> str:
    if ":" not in address:
        return address
    return str(ip_network((ip_address(address), _HOME), strict=False).network_address)
