"""Operations of support. A key asks nothing: requests belong to people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.api.rows.row import Row, at
from tests.web.conftest import World
from tests.web.rows.support import asked, file_id, told

# alice bob carol dan | mallory olivia | key foreign-key
PEOPLE = "{0} {0} {0} {0} {0} {0} 403 403"
SEEN = "{0} {0} 404 {0} 404 404 403 403"
STAFF = "403 403 403 403 403 {0} 403 403"


def own(more: str = "") -> Callable[[World], str]:
    return lambda world: f"support/requests/{asked(world).public_id}{more}"


def desk(more: str = "") -> Callable[[World], str]:
    return lambda world: f"operator/support/requests/{asked(world).public_id}{more}"


def incident(more: str = "") -> Callable[[World], str]:
    return lambda world: f"operator/incidents/{told(world).public_id}{more}"


def a_request(world: World) -> dict[str, Any]:
    return {"subject": "질문이 있습니다", "text": "어떻게 하나요", "kind": "question"}


def a_text(world: World) -> dict[str, Any]:
    return {"text": "더 알려 드립니다."}


def a_reply(world: World) -> dict[str, Any]:
    return {"text": "살펴보았습니다.", "then": "asks"}


def an_update(world: World) -> dict[str, Any]:
    return {"text_ko": "고쳤습니다.", "text_en": "Fixed."}


def an_incident(world: World) -> dict[str, Any]:
    return an_update(world) | {
        "title_ko": "광주-1이 멈췄습니다",
        "title_en": "Gwangju-1 is down",
        "sites": [world.site.code],
        "began_at": "2026-11-16T11:00:00+09:00",
    }


ROWS = [
    Row("api_requests", "GET", at("support/requests"), PEOPLE.format(200)),
    Row("api_requests", "POST", at("support/requests"), PEOPLE.format(201), a_request),
    Row("api_request", "GET", own(), SEEN.format(200)),
    Row("api_request_messages", "GET", own("/messages"), SEEN.format(200)),
    Row("api_request_messages", "POST", own("/messages"), SEEN.format(201), a_text),
    Row("api_request_attachments", "GET", own("/attachments"), SEEN.format(200)),
    # no file is sent along here; tests/support does
    Row("api_request_attachments", "POST", own("/attachments"), SEEN.format(415), a_text),
    Row("api_request_moves", "GET", own("/moves"), SEEN.format(200)),
    Row("api_request_consent", "GET", own("/consent"), SEEN.format(200)),
    Row("api_request_consent", "PUT", own("/consent"), SEEN.format(200), lambda _: {"days": 3}),
    Row("api_request_consent", "DELETE", own("/consent"), SEEN.format(204)),
    Row("api_request_follow", "PUT", own("/follow"), SEEN.format(204)),
    Row("api_request_follow", "DELETE", own("/follow"), SEEN.format(204)),
    Row("api_request_close", "POST", own("/close"), SEEN.format(200), lambda _: {}),
    Row(
        "api_attachment",
        "GET",
        lambda world: f"support/attachments/{file_id(world)['public_id']}",
        SEEN.format(200),
    ),
    Row("api_incidents", "GET", at("support/incidents"), "200 200 200 200 200 200 200 200"),
    Row("api_desk_requests", "GET", at("operator/support/requests"), STAFF.format(200)),
    Row("api_desk_request", "GET", desk(), STAFF.format(200)),
    Row("api_desk_messages", "GET", desk("/messages"), STAFF.format(200)),
    Row("api_desk_messages", "POST", desk("/messages"), STAFF.format(201), a_reply),
    Row("api_desk_remarks", "GET", desk("/remarks"), STAFF.format(200)),
    Row("api_desk_remarks", "POST", desk("/remarks"), STAFF.format(201), a_text),
    Row("api_desk_attachments", "GET", desk("/attachments"), STAFF.format(200)),
    Row("api_desk_attachments", "POST", desk("/attachments"), STAFF.format(415), a_text),
    Row("api_desk_moves", "GET", desk("/moves"), STAFF.format(200)),
    Row(
        "api_desk_severity",
        "PUT",
        desk("/severity"),
        STAFF.format(200),
        lambda _: {"severity": "high", "because": "여러 곳이 막혔습니다."},
    ),
    Row("api_desk_assignee", "PUT", desk("/assignee"), STAFF.format(200), lambda _: {}),
    Row(
        "api_desk_link",
        "PUT",
        desk("/incident"),
        STAFF.format(200),
        lambda world: {"incident": told(world).public_id},
    ),
    Row(
        "api_desk_attachment",
        "GET",
        lambda world: f"operator/support/attachments/{file_id(world)['public_id']}",
        STAFF.format(200),
    ),
    Row("api_desk_incidents", "GET", at("operator/incidents"), STAFF.format(200)),
    Row("api_desk_incidents", "POST", at("operator/incidents"), STAFF.format(201), an_incident),
    Row("api_desk_incident", "GET", incident(), STAFF.format(200)),
    Row("api_incident_updates", "POST", incident("/updates"), STAFF.format(200), an_update),
    Row("api_incident_end", "POST", incident("/end"), STAFF.format(200), an_update),
]
