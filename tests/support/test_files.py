"""Files in conversations: by their content, for those who see the request, each download noted."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from tenants import rls
from tenants.models import AuditEvent, StoredFile, SupportAttachment
from tenants.support import attachments, requests
from tenants.support.desk import Then
from tests.api.callers import caller, send
from tests.cast import browser
from tests.support.asking import asked, done, fresh
from tests.tenants.test_uploads import document
from tests.web.conftest import World


def attached(world: World, by: str = "bob") -> SupportAttachment:
    request = asked(world.cast, by=by)
    upload = SimpleUploadedFile("기록.log", "오류입니다.\n".encode())
    return done(requests.attach, by=world.cast[by].may, request=request, upload=upload)


@pytest.mark.parametrize(("who", "status"), [("mallory", 404), ("carol", 404), ("dan", 200)])
def test_a_file_is_for_those_who_see_its_request(world: World, who: str, status: int) -> None:
    found = attached(world)

    page = browser(world.cast[who]).get(reverse("support_file", args=[found.public_id]))
    call = send(caller(world, who), "GET", f"support/attachments/{found.public_id}")

    assert (page.status_code, call.status_code) == (status, status)


def test_a_files_own_id_opens_nothing(world: World) -> None:
    """Files of other kinds (evidence) are not reached through support."""
    with rls.everyone(because="test"):
        file = attached(world).file

    answer = browser(world.cast.bob).get(reverse("support_file", args=[file.public_id]))

    assert answer.status_code == 404


def test_each_download_is_an_event_of_the_customers_log(world: World) -> None:
    found = attached(world)
    for who, name in (("bob", "support_file"), ("olivia", "desk_file")):
        answer = browser(world.cast[who]).get(reverse(name, args=[found.public_id]))
        assert answer["Content-Disposition"].startswith("attachment")
        assert "sandbox" in answer["Content-Security-Policy"]

    with rls.tenant(world.cast.firm.pk):
        events = AuditEvent.objects.filter(verb="support.download")
        assert [(one.actor, one.group) for one in events.order_by("pk")] == [
            (world.cast.bob.user.public_id, "access"),
            (world.cast.olivia.user.public_id, "access"),
        ]


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("a.pdf", document(), 201),
        ("a.log", "오류".encode("cp949"), 201),
        ("a.pdf", document(script="app.alert(1)"), 422),
        ("a.txt", b"MZ\x00\x01", 422),
        ("a.png", b"<svg onload=x>\x00", 422),
        ("a.txt", b"", 422),
    ],
)
def test_takes_files_by_their_content(world: World, name: str, content: bytes, status: int) -> None:
    request = asked(world.cast)

    answer = caller(world, "bob").post(
        f"/api/v1/support/requests/{request.public_id}/attachments",
        {"file": SimpleUploadedFile(name, content)},
    )

    assert answer.status_code == status
    with rls.tenant(world.cast.firm.pk):
        assert StoredFile.objects.count() == (1 if status == 201 else 0)


def test_there_are_not_endlessly_many_files(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "MOST", 1)
    found = attached(world)
    with rls.everyone(because="test"):
        public_id = found.request.public_id

    answer = caller(world, "bob").post(
        f"/api/v1/support/requests/{public_id}/attachments",
        {"file": SimpleUploadedFile("b.log", b"x")},
    )

    assert (answer.status_code, answer.json()["title"]) == (409, "too_many_files")


def test_the_operator_gives_a_file_that_the_customer_reads(world: World) -> None:
    request = asked(world.cast)
    browser(world.cast.olivia).post(
        reverse("desk_answer", args=[request.public_id]),
        {
            "text": "첨부를 보세요.",
            "then": Then.SOLVED,
            "upload": SimpleUploadedFile("안내.txt", "이렇게 하세요.".encode()),
        },
    )

    with rls.tenant(world.cast.firm.pk):
        found = SupportAttachment.objects.get(request=request)
    answer = browser(world.cast.bob).get(reverse("support_file", args=[found.public_id]))

    assert answer.content.decode() == "이렇게 하세요."
    assert fresh(request).state == "solved"
