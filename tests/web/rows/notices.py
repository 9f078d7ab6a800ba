"""The inbox of each person; a notice is nobody else's."""

from __future__ import annotations

from typing import Any

from tenants import rls
from tenants.models import Notice
from tests.web.conftest import World
from tests.web.rows.row import Row

PERSONS = "sign-in 200 200 200 200 200 200 200"
ALICE = "sign-in 404 away 404 404 404 404 404"


def a_notice(world: World) -> dict[str, Any]:
    """Alice was told that the world's key was made."""
    with rls.everyone(because="test"):
        notice = Notice.objects.filter(user=world.cast.alice.user).earliest("pk")
        return {"public_id": notice.public_id}


def choices(world: World) -> dict[str, Any]:
    groups = ("keys", "money", "endpoints", "organization", "support")
    return {
        **{f"mail_{group}": "digest" for group in groups},
        "digest_hour": "8",
        "quiet_from": "22",
        "quiet_until": "7",
        "language": "en",
    }


ROWS = [
    Row("notices", "GET", PERSONS),
    Row("notices_bell", "GET", "204 200 200 200 200 200 200 200"),
    Row("notices_read", "POST", "sign-in away away away away away away away"),
    Row("notice_settings", "GET", PERSONS),
    Row("notice_settings", "POST", "sign-in away away away away away away away", body=choices),
    Row("notice_open", "POST", ALICE, a_notice),
    Row("notice_read", "POST", ALICE, a_notice),
]
