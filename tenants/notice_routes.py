"""Which way a notice takes to a person, and when. No database and no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from portal.lib.periods import SEOUL
from tenants.notice_kinds import Kind, Severity


class Way(StrEnum):
    """What a person may choose for a group of kinds."""

    NOW = "now"
    DIGEST = "digest"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Preferences:
    """How one person wants to be told. ``quiet``: hours in Korea, from and until, may pass
    midnight."""

    language: str = "ko"
    mail: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    quiet: tuple[int, int] | None = None
    digest_hour: int = 9
    muted_projects: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Route:
    """The mail's way: ``now``, ``later`` (``at``), ``digest`` or ``never``. ``muted``: it stands
    in the inbox, and does not count as unread."""

    mail: str
    at: datetime | None = None
    muted: bool = False


def route(kind: Kind, preferences: Preferences, now: datetime, *, project: str = "") -> Route:
    """Security is mailed at once, whatever was chosen. What is urgent does not wait for the end
    of quiet hours, but can be turned off."""
    if kind.security:
        return Route("now", now)
    if project and project in preferences.muted_projects:
        return Route("never", muted=True)
    chosen = preferences.mail.get(kind.group, Way.NOW)
    if chosen == Way.OFF:
        return Route("never")
    if chosen == Way.DIGEST:
        return Route("digest")
    end = quiet_end(preferences.quiet, now)
    if end is None or kind.severity == Severity.URGENT:
        return Route("now", now)
    return Route("later", end)


def quiet_end(quiet: tuple[int, int] | None, now: datetime) -> datetime | None:
    """When the quiet hours that ``now`` lies in are over; ``None`` outside of them.

    Korea has no daylight saving time: hours are added as they are.
    """
    if quiet is None:
        return None
    begin, until = quiet
    local = now.astimezone(SEOUL)
    inside = begin <= local.hour < until if begin < until else not until <= local.hour < begin
    if begin == until or not inside:
        return None
    end = local.replace(hour=until, minute=0, second=0, microsecond=0)
    return end if end > local else end + timedelta(days=1)
