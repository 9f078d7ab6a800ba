"""How many attempts may be repeated: a share of what is asked, so that retries do not multiply an
outage. Pure: the loop's clock is passed in, seconds."""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime

LONGEST_WAIT = 999_999  # seconds that a site can ask for: eleven days
SECONDS = 10  # that are looked back
SHARE = 0.2  # of the requests of that time
FLOOR = 100  # repeated in that time whatever the share says: ten a second harm nobody


def asked_seconds(value: bytes, now: float) -> int:
    """What a site's ``Retry-After`` asks for (RFC 9110, 10.2.3: seconds or a date), seen at
    ``now``, in seconds since 1970. 0 if it says nothing that can be understood, or a past date."""
    if value.isdigit():
        return min(int(value[:7]), LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(value.decode("ascii")).timestamp()
    except (ValueError, OverflowError):
        return 0
    return min(max(0, math.ceil(until - now)), LONGEST_WAIT)


class RetryBudget:
    """Of one gateway. A ring of seconds; what is older than ten does not count."""

    def __init__(self) -> None:
        self._requests = [0] * SECONDS
        self._retries = [0] * SECONDS
        self._second = 0

    def request(self, now: float) -> None:
        """One more request, whatever becomes of it."""
        second = int(now)
        if second != self._second:
            self._forget(second)
        self._requests[second % SECONDS] += 1

    def retry(self, now: float) -> bool:
        """Whether one more attempt may be made; it counts if so."""
        second = int(now)
        if second != self._second:
            self._forget(second)
        if sum(self._retries) >= max(FLOOR, SHARE * sum(self._requests)):
            return False
        self._retries[second % SECONDS] += 1
        return True

    def _forget(self, second: int) -> None:
        for past in range(max(self._second + 1, second - SECONDS + 1), second + 1):
            self._requests[past % SECONDS] = self._retries[past % SECONDS] = 0
        self._second = second
