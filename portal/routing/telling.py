"""What the gateways told lately, out of Valkey."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import redis

from portal.admission import keys
from portal.admission.calls import AdmissionUnavailable
from portal.admission.sync import Admission
from portal.routing import demand
from portal.routing.demand import Demand

DEMAND_AGE_MS = 10_000


def demands(admission: Admission, now: datetime) -> list[Demand]:
    """Of those that are not too old. ``AdmissionUnavailable`` while Valkey is away."""
    try:
        raw: dict[Any, Any] = admission.client.hgetall(keys.DEMAND)
    except redis.RedisError as error:
        raise AdmissionUnavailable(str(error)) from error
    found = []
    for value in raw.values():
        try:
            one = demand.decode(value)
        except msgspec.MsgspecError:
            continue
        if now.timestamp() * 1000 - one.at_ms < DEMAND_AGE_MS:
            found.append(one)
    return found
